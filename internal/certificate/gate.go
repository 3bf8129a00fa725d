package certificate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"padron/internal/socrata"
)

const (
	// maxShrink is the share of its documents that a crawl may lack before the
	// run stops: a table a quarter gone is an accident at the portal, not a day.
	maxShrink = 0.25
	// maxBlank is how many percentage points of its rows a column may lose
	// against the last green run before the run stops.
	maxBlank = 20.0
	// smallTable is the number of rows under which the two shares above say
	// nothing.
	smallTable = 1000
)

// Gate is what the gate knows of a crawl.
type Gate struct {
	Key      string            // the dataset's key column
	Columns  []string          // of the portal
	Before   int64             // count(*) before the crawl
	Probe    socrata.Version   // of that count
	Source   SourceCounts      // what the portal counted after the crawl
	Recounts []socrata.Version // of these counts
	Updated  time.Time         // when rows last changed by the metadata after the crawl; zero: not asked for
	// Unproven says why the crawl cannot be consistent, whatever the versions
	// say; empty: there is no such reason.
	Unproven string

	Pages       []GatePage // in key order
	Profile     Profile    // of all pages together
	Quarantined int64      // rows
	// MaxQuarantined is how many of them may be; Reasons are the reasons, with the
	// rows of each.
	MaxQuarantined int64
	Reasons        map[string]int

	Documents int64   // in the mirror
	New       int64   // rows that an upsert would insert
	Changed   int64   // rows that it would replace
	Missing   int64   // stored rows that the crawl lacks; -1: unknown
	Last      Profile // of the last green run; zero without one
}

// GatePage is what the gate knows of one cleaned page.
type GatePage struct {
	First    string          `json:"first,omitempty"`    // keys, in the page's order
	Last     string          `json:"last,omitempty"`     //
	Disorder string          `json:"disorder,omitempty"` // the first key that is less than the one before it, in bytes, or outside the range that was asked for
	Doubles  int             `json:"doubles,omitempty"`  // rows quarantined because another row has their key
	Version  socrata.Version `json:"version"`
}

// GateResult is what the gate made of a crawl.
type GateResult struct {
	Checks []Check
	// Proof is what shows that the crawl is consistent: of one version throughout,
	// the master's. Empty: nothing does, and Why; Again says that another crawl may.
	Proof VersionProof
	Why   string
	Again bool
}

// Check makes every check of the gate.
func (g *Gate) Check() GateResult {
	var result GateResult
	result.Proof, result.Why, result.Again = g.version()
	consistent := result.Proof != ""
	rows := g.Profile.Rows
	check := func(name string, ok bool, format string, args ...any) {
		result.Checks = append(result.Checks, Check{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)})
	}

	// Under one version, the numbers must agree to the row. A torn crawl may
	// differ by what was edited meanwhile; its run proves nothing anyway.
	agree := g.Before == rows && g.Source.Rows == rows
	check("rows", !consistent || agree,
		"%s rows were read, the portal counted %s before and %s after",
		humanize.Comma(rows), humanize.Comma(g.Before), humanize.Comma(g.Source.Rows))

	repeated := g.repeated()
	check("keys", repeated == "", "%s", cmp.Or(repeated, g.keys()))

	check("size", g.Documents < smallTable || float64(rows) >= float64(g.Documents)*(1-maxShrink),
		"%s rows were read, the mirror has %s", humanize.Comma(rows), humanize.Comma(g.Documents))

	// A rewritten table is no accident by itself: publishers reformat columns.
	missing := max(0, g.Missing)
	check("changes", g.Documents < smallTable || float64(missing) <= float64(g.Documents)*maxShrink,
		"%s rows would be new, %s changed, %s missing",
		humanize.Comma(g.New), humanize.Comma(g.Changed), humanize.Comma(missing))

	check("quarantine", g.Quarantined <= g.MaxQuarantined, "%s", g.quarantined())

	blank := g.blank()
	check("columns", len(blank) == 0, "%s", cmp.Or(strings.Join(blank, "; "), "no column went blank"))
	return result
}

// maxReasons is how many reasons of a quarantine a check names.
const maxReasons = 5

// quarantined says how many rows are in quarantine, and why.
func (g *Gate) quarantined() string {
	text := fmt.Sprintf("%s of %s rows are in quarantine", humanize.Comma(g.Quarantined), humanize.Comma(g.Profile.Rows))
	why := slices.SortedFunc(maps.Keys(g.Reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(g.Reasons[b], g.Reasons[a]), cmp.Compare(a, b))
	})
	for i, reason := range why {
		switch i {
		case maxReasons:
			return text + fmt.Sprintf(" and %d more reasons", len(why)-i) + g.allowed()
		case 0:
			text += ": "
		default:
			text += ", "
		}
		text += fmt.Sprintf("%s (%s)", reason, humanize.Comma(int64(g.Reasons[reason])))
	}
	return text + g.allowed()
}

// allowed says what the spec allows, when that is less.
func (g *Gate) allowed() string {
	if g.Quarantined <= g.MaxQuarantined {
		return ""
	}
	return fmt.Sprintf("; max_quarantined allows %s: correct the spec, or ask the publisher", humanize.Comma(g.MaxQuarantined))
}

// Failed lists the details of the checks that failed.
func Failed(checks []Check) []string {
	var details []string
	for _, c := range checks {
		if !c.OK {
			details = append(details, c.Detail)
		}
	}
	return details
}

// version says what shows that the crawl is consistent.
func (g *Gate) version() (proof VersionProof, why string, again bool) {
	if g.Unproven != "" {
		return "", g.Unproven, false
	}
	versions := g.Versions()
	proof, why, again = versions.Proof()
	if counts := []int64{g.Before, g.Source.Rows}; proof == ByMetadata && (counts[0] != g.Profile.Rows || counts[1] != g.Profile.Rows) {
		// The metadata may be older than what was read under them.
		return "", fmt.Sprintf("the portal counted %s rows before and %s after, and %s were read",
			humanize.Comma(counts[0]), humanize.Comma(counts[1]), humanize.Comma(g.Profile.Rows)), true
	}
	return proof, why, again
}

// Versions are those of all answers of the crawl.
func (g *Gate) Versions() Versions {
	v := Versions{First: g.Probe, Others: slices.Clone(g.Recounts), After: g.Updated}
	for _, p := range g.Pages {
		v.Others = append(v.Others, p.Version)
	}
	return v
}

// Ordered reports whether keys ascend in byte order. A portal may sort by
// another collation; then the upsert looks rows up by key.
func (g *Gate) Ordered() bool {
	return !slices.ContainsFunc(g.Pages, func(p GatePage) bool { return p.Disorder != "" })
}

// SharedKeys counts the rows whose key another row has, which became the document.
func (g *Gate) SharedKeys() int64 {
	var rows int64
	for _, p := range g.Pages {
		rows += int64(p.Doubles)
	}
	return rows
}

// keys describes the keys when none was served twice.
func (g *Gate) keys() string {
	doubles := g.SharedKeys()
	text := "every key once, in order"
	if !g.Ordered() {
		text = "the portal sorts keys by another order than that of bytes"
	}
	switch doubles {
	case 0:
	case 1:
		text += "; a row with the key of another is in quarantine"
	default:
		text += fmt.Sprintf("; %d rows with the keys of others are in quarantine", doubles)
	}
	return text
}

// repeated names a key that was served in two ranges.
func (g *Gate) repeated() string {
	if !g.Ordered() {
		return "" // where ranges begin and end says nothing then
	}
	last := ""
	for _, p := range g.Pages {
		if p.First != "" && last != "" && p.First <= last {
			return fmt.Sprintf("%s %q was served in two ranges", g.Key, p.First)
		}
		if p.Last != "" {
			last = p.Last
		}
	}
	return ""
}

// blank lists the columns that lost more than maxBlank points of their values.
// One that the portal no longer has is not among them: the run lives with it
// and warns, unless the spec requires it.
func (g *Gate) blank() []string {
	if g.Last.Rows < smallTable || g.Profile.Rows < smallTable {
		return nil
	}
	var lost []string
	for _, column := range slices.Sorted(maps.Keys(g.Profile.Missing)) {
		if !slices.Contains(g.Columns, column) {
			continue
		}
		now := 100 * float64(g.Profile.Missing[column]) / float64(g.Profile.Rows)
		then := 100 * float64(g.Last.Missing[column]) / float64(g.Last.Rows)
		if now > then+maxBlank {
			lost = append(lost, fmt.Sprintf("column %s is empty in %.1f %% of the rows, before in %.1f %%", column, now, then))
		}
	}
	return lost
}
