package certificate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"padron/internal/lineage"
)

// Evidence is what a certificate is made of: the crawl, and what was counted in
// the mirror afterwards.
type Evidence struct {
	Crawl Crawl
	Run   string // whose crawl it is
	Held  int64  // removals that this run holds

	Behind string // how the portal has moved on since; empty: it has not, as far as is known
	Silent string // why the portal could not be asked; empty: it was, or need not be
	// Damage names the newest deep check when it found something and this
	// certificate is not of a deep check itself: what it found still stands.
	Damage string

	Documents             int64          // in businesses
	Foreign               int64          // among them, not written by Padron
	Digest                lineage.Digest // of the others
	Quarantined           int64          // rows
	QuarantinedKeys       int64          // different keys of these
	QuarantinedKeysStored int64          // keys of these that have a document
	Kept                  int64          // documents of these that are older than the quarantined row: stale ones
	MaxStale              int64          // so many may be
	KeptDigest            lineage.Digest
	Left                  int64 // documents that the crawl lacks and that were not removed
	LeftDigest            lineage.Digest
	Altered               bool    // by a retry or reload: the documents are no longer those of the crawl
	Groups                []Group // of the mirror, by source values

	// What confirming the removals came to.
	Removed      int64
	Present      int64  // on the portal after all
	Lagging      int64  // an old copy of the portal answered
	NotRemovable string // why nothing was removed
}

// Checks compares, one check for each thing that must hold.
func (e *Evidence) Checks() []Check {
	var checks []Check
	check := func(name string, ok bool, format string, args ...any) {
		checks = append(checks, Check{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)})
	}
	source := e.Crawl.SourceCounts
	check(checkConsistent, e.Crawl.Consistent, "%s",
		cmp.Or(e.Crawl.Why, e.consistent()))

	alone := e.Quarantined - e.Kept // quarantined rows without a document of their own
	check("rows", source.Rows == e.Documents-e.Left+alone, "%s", e.rows(alone))

	distinct := e.Documents - e.Left - e.Kept + e.QuarantinedKeys - (e.QuarantinedKeysStored - e.Kept)
	check("keys", source.Distinct == distinct, "%s different keys on the portal, %s here", humanize.Comma(source.Distinct), humanize.Comma(distinct))

	// What is in quarantine or left behind may be in any group.
	allowed := e.Quarantined + e.Kept + e.Left
	for _, here := range e.Groups {
		i := slices.IndexFunc(source.Groups, func(g Group) bool { return g.Column == here.Column })
		group := source.Groups[i] // the columns to count came from there
		values, differ, worst := compareGroups(group, here)
		if differ <= allowed {
			check(group.Column, true, "the rows of each of %d values are as many here as on the portal", values)
		} else {
			check(group.Column, false, "%s rows are counted elsewhere here than on the portal: %s", humanize.Comma(differ), worst)
		}
	}

	expected := e.Crawl.Digest
	expected.Merge(e.KeptDigest)
	expected.Merge(e.LeftDigest)
	switch {
	case e.Altered:
		check(checkDigest, true, "keys and contents of all documents digest to %.16s, with the rows that were read anew", e.Digest)
	case expected == e.Digest:
		check(checkDigest, true, "keys and contents of all documents digest to %.16s, as the crawl says", e.Digest)
	default:
		check(checkDigest, false, "keys and contents of all documents digest to %.16s, expected were %.16s: a document is missing, another, or one too many", e.Digest, expected)
	}
	check(checkStale, e.Kept <= e.MaxStale, "%s", e.stale())
	check(checkOwner, e.Foreign == 0, "%s documents that Padron did not write", humanize.Comma(e.Foreign))
	check(checkRemovals, e.Left == 0, "%s", e.removals())
	if e.Damage != "" {
		check(checkDamage, false, "the deep check of run %s found what another hand had changed, and no deep check has found it mended: "+
			"`starter run --repair --wait` mends it", e.Damage)
	}
	return checks
}

// Names of checks that are decided upon.
const (
	checkConsistent = "consistent"
	checkDigest     = "digest"
	checkStale      = "stale"
	checkOwner      = "owner"
	checkRemovals   = "removals"
	checkDamage     = "damage" // an earlier deep check found something
	checkDeep       = "deep"   // begins the names of what a deep check found
)

func (e *Evidence) rows(alone int64) string {
	text := fmt.Sprintf("%s rows on the portal, %s documents here", humanize.Comma(e.Crawl.SourceCounts.Rows), humanize.Comma(e.Documents))
	if alone > 0 {
		text += fmt.Sprintf(", %s rows in quarantine without one", humanize.Comma(alone))
	}
	if e.Kept > 0 {
		text += fmt.Sprintf(", %s of the documents stale", humanize.Comma(e.Kept))
	}
	if e.Left > 0 {
		text += fmt.Sprintf(", %s of the documents not on the portal", humanize.Comma(e.Left))
	}
	return text
}

// consistent says of which version the crawl is, and what shows it.
func (e *Evidence) consistent() string {
	text := "one version of the portal, " + stamp(e.Crawl.Version.Time()) + ", from the first count to the last"
	if e.Crawl.Proof != "" {
		text += ": " + e.Crawl.Proof.String()
	}
	return text
}

// stale says how many documents are older than their rows.
func (e *Evidence) stale() string {
	switch {
	case e.Kept == 0:
		return "no document is older than its row"
	case e.Kept <= e.MaxStale:
		return humanize.Comma(e.Kept) + " documents are stale: their rows are in quarantine"
	}
	return fmt.Sprintf("%s documents are stale, more than the %s that max_stale allows: their rows are in quarantine, `starter quarantine list` says why",
		humanize.Comma(e.Kept), humanize.Comma(e.MaxStale))
}

// removals says what became of the documents that the crawl lacks.
func (e *Evidence) removals() string {
	left := humanize.Comma(e.Left)
	switch {
	case e.Left == 0 && e.Removed == 0:
		return "no document is without a row"
	case e.Left == 0:
		return fmt.Sprintf("%s documents were removed, their keys denied by the portal", humanize.Comma(e.Removed))
	case e.NotRemovable != "":
		return fmt.Sprintf("%s documents are no longer on the portal: %s", left, e.NotRemovable)
	case e.Lagging > 0:
		return fmt.Sprintf("%s documents were not in the crawl, and an old copy of the portal answered whether they still are", left)
	case e.Present > 0:
		return fmt.Sprintf("%s documents were not in the crawl, and are on the portal all the same", left)
	case e.Held > 0:
		return fmt.Sprintf("%s removals are held: `starter approve %s` makes them", left, e.Run)
	}
	return fmt.Sprintf("%s documents are no longer on the portal", left)
}

// compareGroups counts the rows that would have to change their value for the
// groups to be equal, and names the worst difference. Values are compared as
// those of here's type: 3 and 3.0 are one number.
func compareGroups(portal, here Group) (values int, differ int64, worst string) {
	type key struct {
		value string
		null  bool
	}
	counts := map[key]int64{}
	for _, v := range portal.Values {
		counts[key{here.Type.Canonical(v.Value), v.Null}] += v.Rows
	}
	values = len(counts)
	for _, v := range here.Values {
		counts[key{here.Type.Canonical(v.Value), v.Null}] -= v.Rows
	}
	var most int64
	for k, n := range counts {
		n = max(n, -n)
		differ += n
		name := fmt.Sprintf("%q", k.value)
		if k.null {
			name = "no value"
		}
		// Of equal ones the first by name, so that the text is always the same.
		if n > most || n == most && n > 0 && name < worst {
			most, worst = n, name
		}
	}
	return values, differ, worst
}

// Judge says what the checks come to: the outcome, and why.
func (e *Evidence) Judge(checks []Check) (Outcome, string) {
	var wrong []string
	intact := true // nothing is wrong with the mirror itself
	for _, c := range checks {
		if c.Name == checkConsistent || c.OK {
			continue
		}
		wrong = append(wrong, c.Detail)
		intact = intact && !ofTheMirror(c.Name)
	}
	switch {
	case e.Behind != "" && intact:
		// Rows that were retried since are other rows than those that the
		// portal counted at the crawl.
		return Behind, e.Behind
	case !e.Crawl.Consistent:
		return Unproven, e.Crawl.Why
	case len(wrong) > 0 && e.Present+e.Lagging > 0: // the portal moved
		return Unproven, strings.Join(wrong, "; ")
	case len(wrong) > 0:
		return Red, strings.Join(wrong, "; ")
	case e.Silent != "":
		return Unproven, e.Silent
	}
	return Green, e.rows(e.Quarantined - e.Kept)
}

// ofTheMirror reports whether a check holds whatever the portal counts: what
// fails it is wrong in the mirror.
func ofTheMirror(check string) bool {
	return check == checkDigest || check == checkStale || check == checkOwner || check == checkRemovals || OfDamage(check)
}

// OfDamage reports whether a check is about what another hand changed, which only
// a deep check sees.
func OfDamage(check string) bool {
	return check == checkDamage || check == checkDeep || strings.HasPrefix(check, checkDeep+" ")
}

// Deep reports whether a certificate is of a deep check, and whether that found
// nothing.
func (v *Verdict) Deep() (looked, sound bool) {
	i := slices.IndexFunc(v.Checks, func(c Check) bool { return c.Name == checkDeep })
	return i >= 0, i >= 0 && v.Checks[i].OK
}

// OnlyRemovals reports whether the removals check is the only one that failed.
func OnlyRemovals(checks []Check) bool {
	var failed []string
	for _, c := range checks {
		if !c.OK {
			failed = append(failed, c.Name)
		}
	}
	return slices.Equal(failed, []string{checkRemovals})
}

// DeepChecks are the checks that a deep look at every document adds: how much was
// looked at, and a failed check for each finding.
func DeepChecks(documents, events int64, findings []Finding) []Check {
	checks := []Check{{Name: checkDeep, OK: len(findings) == 0, Detail: fmt.Sprintf(
		"%s documents hashed anew, %s change events held against their versions", humanize.Comma(documents), humanize.Comma(events))}}
	for _, f := range findings {
		checks = append(checks, Check{Name: checkDeep + " " + f.Kind, Detail: fmt.Sprintf("%s %s: %s",
			humanize.Comma(f.Count), cmp.Or(findingWords[f.Kind], f.Kind), strings.Join(f.Keys, ", "))})
	}
	return checks
}

// findingWords say of each kind of finding what there is some number of.
var findingWords = map[string]string{
	"foreign": "that Padron did not write", "corrupt": "that do not hash to what they say", "version": "with a version that a row cannot have",
	"both": "present and removed at once", "event_missing": "versions without their event",
	"event_extra": "events of a version that their row does not have", "event_differs": "whose last event tells other values",
}

// Finding is a fault that a deep look found, and where it is.
type Finding struct {
	Kind  string   `bson:"kind" json:"kind"`
	Count int64    `bson:"count" json:"count"`
	Keys  []string `bson:"keys" json:"keys"` // the first of them
}
