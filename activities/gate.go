package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/cleaning"
	"padron/internal/mirror"
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

// Gate sees the whole crawl before a single row is written: that it is the
// portal's one version, complete, with no key in two ranges, that no column
// went blank and no large part of the table is gone, and what it would change.
// A closed gate ends the run with the reason (GateClosed) and leaves the mirror
// as it was.
//
// A torn crawl (the portal moved while it was read, or a copy lags) is to be
// made again; the last one passes as not whole, and its run ends unproven.
//
// What the portal itself counts at that moment is kept with the crawl: the
// certificate holds the mirror against it.
func (a *Activities) Gate(ctx context.Context, in GateInput) (GateResult, error) {
	defer alive(ctx)()
	result, err := a.gate(ctx, in)
	return result, classify(err)
}

func (a *Activities) gate(ctx context.Context, in GateInput) (GateResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return GateResult{}, err
	}
	crawl := crawl{key: o.spec.Key, before: in.Before.Rows, probe: in.Before.Version, columns: in.Before.Columns, compared: in.Compared}
	for _, id := range in.Pages {
		var page PageSummary
		found, err := o.landing.Summary(ctx, id, &page)
		if err != nil || !found {
			return GateResult{}, errors.Join(fmt.Errorf("the summary of cleaned page %s is not in the landing", id), err)
		}
		crawl.add(page)
	}
	var last mirror.Run // that mirrored
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		if crawl.documents = in.Documents; crawl.documents < 0 {
			if crawl.documents, err = o.mirror.Count(ctx); err != nil {
				return err
			}
		}
		if last, err = orNone(o.mirror.LastDone(ctx)); err != nil {
			return err
		}
		green, err := orNone(o.mirror.LastGreen(ctx))
		crawl.last = green.Profile
		return err
	})
	if err != nil {
		return GateResult{}, err
	}
	if in.Task.Job == JobRerun {
		err = a.recallFacts(ctx, o, in.Task.Of, &crawl)
	} else {
		err = a.askFacts(ctx, o, &crawl)
	}
	if err != nil {
		return GateResult{}, err
	}

	checks, whole, why := crawl.check()
	if !whole && !in.Last && in.Task.Job != JobRerun {
		return GateResult{Again: true, After: a.RecrawlAfter, Why: why}, nil
	}
	var closed []string
	for _, c := range checks {
		if !c.OK {
			closed = append(closed, c.Detail)
		}
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		return o.mirror.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "gate", Value: mirror.Verdict{Checks: checks}},
			{Key: "version", Value: crawl.probe},
			{Key: "profile", Value: mirror.Profile{Rows: int64(crawl.profile.Rows), Missing: crawl.profile.Missing, Flags: crawl.profile.Flags, Unknown: crawl.profile.Unknown}},
			{Key: "crawl", Value: mirror.Crawl{
				Rows: int64(crawl.profile.Rows), Clean: int64(crawl.profile.Rows - crawl.quarantined), Quarantined: int64(crawl.quarantined),
				Digest: crawl.digest, Version: crawl.probe, Whole: whole, Why: why, Columns: crawl.columns, Facts: crawl.facts,
			}},
		})
	})
	if err != nil {
		return GateResult{}, err
	}
	if len(closed) > 0 {
		return GateResult{}, refuse(GateClosed, "nothing was written: "+strings.Join(closed, "; "))
	}
	result := GateResult{Rows: int64(crawl.profile.Rows), Whole: whole, Why: why, Ordered: crawl.ordered(), Version: crawl.probe}
	if last.ID != "" {
		result.CameOrWent = difference(last.Crawl.Columns, crawl.columns)
		if last.Spec != in.Run.Spec {
			result.Mapped = slices.Sorted(maps.Keys(last.Profile.Missing))
		}
	}
	return result, nil
}

// difference lists the names that are in one of two lists only.
func difference(a, b []string) []string {
	var names []string
	for _, pair := range [][2][]string{{a, b}, {b, a}} {
		for _, name := range pair[0] {
			if !slices.Contains(pair[1], name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// askFacts asks the portal what it counts after the crawl: rows, different
// keys, and rows by the values of the columns that the statistics group by.
func (a *Activities) askFacts(ctx context.Context, o *opened, c *crawl) error {
	ask := func(f func(context.Context) (Version, error)) error {
		return a.Portal.Do(ctx, func(ctx context.Context) error {
			v, err := f(ctx)
			if err == nil { // a blip is asked again and says nothing of a version
				c.recounts = append(c.recounts, v)
			}
			return err
		})
	}
	err := ask(func(ctx context.Context) (v Version, err error) {
		c.facts.Rows, v, err = o.portal.Count(ctx, "")
		return v, err
	})
	if err != nil {
		return err
	}
	err = ask(func(ctx context.Context) (v Version, err error) {
		c.facts.Distinct, v, err = o.portal.CountDistinct(ctx, o.spec.Key)
		return v, err
	})
	if err != nil {
		return err
	}
	for _, g := range grouped(o.spec, c.columns) {
		group := mirror.Group{Column: g.Column}
		err := ask(func(ctx context.Context) (Version, error) {
			counts, v, err := o.portal.GroupCounts(ctx, g.Column)
			for _, n := range counts {
				group.Values = append(group.Values, mirror.GroupValue{Value: n.Value, Null: n.Null, Rows: n.Rows})
			}
			return v, err
		})
		if errors.Is(err, socrata.ErrTooManyGroups) {
			continue // not a column to group by, whatever the spec says
		}
		if err != nil {
			return err
		}
		c.facts.Groups = append(c.facts.Groups, group)
	}
	return nil
}

// recallFacts takes what the portal counted when the crawl was first judged. A
// crawl that never came so far is not whole: nothing proves it complete.
func (a *Activities) recallFacts(ctx context.Context, o *opened, of string, c *crawl) error {
	return a.Database.Do(ctx, func(ctx context.Context) error {
		record, err := o.mirror.Run(ctx, of)
		if err != nil {
			return err
		}
		if !record.Crawl.Judged() {
			c.facts.Rows, c.unproven = c.before, "the portal was not counted after the crawl of run "+of
			return nil
		}
		c.facts, c.recounts = record.Crawl.Facts, []Version{record.Crawl.Version}
		if !record.Crawl.Whole {
			c.unproven = record.Crawl.Why
		}
		return nil
	})
}

// crawl is what the gate judges.
type crawl struct {
	key         string
	columns     []string // of the portal
	before      int64    // count(*) before the crawl
	probe       Version  // of that count
	facts       mirror.Facts
	recounts    []Version // of the facts
	unproven    string    // why it cannot be whole whatever the versions say
	pages       []PageSummary
	profile     cleaning.Profile // of all pages together
	quarantined int              // rows
	digest      mirror.Digest
	documents   int64          // in the mirror
	compared    UpsertResult   // what an upsert would do
	last        mirror.Profile // of the last green run; zero without one
}

func (c *crawl) add(page PageSummary) {
	c.pages = append(c.pages, page)
	c.profile.Rows += page.Profile.Rows
	c.quarantined += page.Profile.Quarantined + page.Doubles
	c.digest.Merge(page.Digest)
	sum(&c.profile.Missing, page.Profile.Missing)
	sum(&c.profile.Flags, page.Profile.Flags)
	sum(&c.profile.Unknown, page.Profile.Unknown)
}

func sum(into *map[string]int, from map[string]int) {
	if *into == nil {
		*into = map[string]int{}
	}
	for name, n := range from {
		(*into)[name] += n
	}
}

// check returns every check with what was found, and whether the crawl is
// whole: one served version throughout, equal to the master's.
func (c *crawl) check() (checks []mirror.Check, whole bool, why string) {
	whole, why = c.whole()
	rows := int64(c.profile.Rows)
	verdict := func(name string, ok bool, format string, args ...any) {
		checks = append(checks, mirror.Check{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)})
	}

	// Under one version, the numbers must agree to the row. A torn crawl may
	// differ by what was edited meanwhile; its run proves nothing anyway.
	agree := c.before == rows && c.facts.Rows == rows
	verdict("rows", !whole || agree,
		"%s rows were read, the portal counted %s before and %s after",
		humanize.Comma(rows), humanize.Comma(c.before), humanize.Comma(c.facts.Rows))

	twice := c.twice()
	verdict("keys", twice == "", "%s", orElse(twice, c.keys()))

	verdict("size", c.documents < smallTable || float64(rows) >= float64(c.documents)*(1-maxShrink),
		"%s rows were read, the mirror has %s", humanize.Comma(rows), humanize.Comma(c.documents))

	// A rewritten table is no accident by itself: publishers reformat columns.
	missing := max(0, int64(c.compared.Missing))
	verdict("changes", c.documents < smallTable || float64(missing) <= float64(c.documents)*maxShrink,
		"%s rows would be new, %s changed, %s missing",
		humanize.Comma(int64(c.compared.Inserted)), humanize.Comma(int64(c.compared.Replaced)), humanize.Comma(missing))

	blank := c.blank()
	verdict("columns", len(blank) == 0, "%s", orElse(strings.Join(blank, "; "), "no column went blank"))
	return checks, whole, why
}

func (c *crawl) whole() (bool, string) {
	if c.unproven != "" {
		return false, c.unproven
	}
	versions := append([]Version{c.probe}, c.recounts...)
	for _, p := range c.pages {
		versions = append(versions, p.Version)
	}
	for _, v := range versions {
		switch {
		case v.Served.IsZero():
			return false, "the portal does not say which version it serves"
		case v.Truth.IsZero():
			return false, "the portal does not say which version its master has"
		case v.OutOfDate || !v.Truth.Equal(v.Served):
			return false, fmt.Sprintf("the portal served its copy of %s while its master was at %s", stamp(v.Served), stamp(v.Truth))
		case !v.Served.Equal(c.probe.Served):
			return false, fmt.Sprintf("the portal moved from %s to %s during the crawl", stamp(c.probe.Served), stamp(v.Served))
		}
	}
	return true, ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ordered says whether keys ascend in the order of bytes. A portal may sort by
// another collation; then the upsert looks rows up by key.
func (c *crawl) ordered() bool {
	return !slices.ContainsFunc(c.pages, func(p PageSummary) bool { return p.Disorder != "" })
}

// keys says what the keys look like when none was served twice.
func (c *crawl) keys() string {
	doubles := 0
	for _, p := range c.pages {
		doubles += p.Doubles
	}
	said := "every key once, in order"
	if !c.ordered() {
		said = "the portal sorts keys by another order than that of bytes"
	}
	switch doubles {
	case 0:
	case 1:
		said += "; a row with the key of another is in quarantine"
	default:
		said += fmt.Sprintf("; %d rows with the keys of others are in quarantine", doubles)
	}
	return said
}

// twice names a key that was served in two ranges.
func (c *crawl) twice() string {
	if !c.ordered() {
		return "" // where ranges begin and end says nothing then
	}
	last := ""
	for _, p := range c.pages {
		if p.First != "" && last != "" && p.First <= last {
			return fmt.Sprintf("%s %q was served in two ranges", c.key, p.First)
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
func (c *crawl) blank() []string {
	if c.last.Rows < smallTable || c.profile.Rows < smallTable {
		return nil
	}
	var lost []string
	for _, column := range slices.Sorted(maps.Keys(c.profile.Missing)) {
		missing := c.profile.Missing[column]
		if !slices.Contains(c.columns, column) {
			continue
		}
		now := 100 * float64(missing) / float64(c.profile.Rows)
		then := 100 * float64(c.last.Missing[column]) / float64(c.last.Rows)
		if now > then+maxBlank {
			lost = append(lost, fmt.Sprintf("column %s is empty in %.1f %% of the rows, before in %.1f %%", column, now, then))
		}
	}
	return lost
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
