package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"padron/internal/dataset"
	"padron/internal/guard"
	"padron/internal/mirror"
	"padron/internal/socrata"
)

// Reconcile makes the run's certificate: it counts and digests what is stored
// and holds that against the crawl and against what the portal itself counted.
// Every count is of what is stored, never of what attempts summed up; key ranges
// that needed no writing were counted when they were compared.
//
// The jobs that did not crawl hold the mirror against the crawl it was last
// written from, and ask the portal whether it has moved on since (behind).
func (a *Activities) Reconcile(ctx context.Context, in ReconcileInput) (ReconcileResult, error) {
	defer alive(ctx)()
	result, err := a.reconcile(ctx, in)
	return result, classify(err)
}

func (a *Activities) reconcile(ctx context.Context, in ReconcileInput) (ReconcileResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ReconcileResult{}, err
	}
	crawled := in.Task.Job == JobMirror || in.Task.Job == "" || in.Task.Job == JobRerun
	of := in.Run.ID
	if !crawled {
		of = in.Of
	}
	var c *certificate
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		c = &certificate{in: in} // counted from the start after a blip
		if c.record, err = o.mirror.Run(ctx, of); err != nil {
			return err
		}
		return c.count(ctx, o)
	})
	if err != nil {
		return ReconcileResult{}, err
	}
	if !crawled {
		if err := a.askNow(ctx, o, c); err != nil {
			return ReconcileResult{}, err
		}
	}
	if in.Task.Job == JobReplay || in.Task.Job == JobReload {
		// What replayed and reloaded rows hash to, no crawl has said: the mirror's
		// own digest is what later certificates hold it against. That also where no
		// row was counted as written: silent fields may have been.
		if err := a.recrawled(ctx, o, c); err != nil {
			return ReconcileResult{}, err
		}
	}
	checks := c.check()
	if in.Task.Deep {
		found, err := a.rehash(ctx, o, c.record.Ranges)
		if err != nil {
			return ReconcileResult{}, err
		}
		checks = append(checks, found...)
	}
	result := c.result(checks)
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		if in.Task.Job == JobApprove && in.Removed.Lagging == 0 {
			if err := o.mirror.SetRun(ctx, of, bson.D{{Key: "held", Value: mirror.Held{}}}); err != nil {
				return err
			}
		}
		return o.mirror.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "counts", Value: c.counts(result)},
			{Key: "certificate", Value: mirror.Verdict{Outcome: result.Outcome, Checks: checks}},
		})
	})
	return result, err
}

// certificate gathers what is compared.
type certificate struct {
	in     ReconcileInput
	record mirror.Run // of the crawl
	behind string     // how the portal has moved on since; empty: it has not, as far as is known
	silent string     // why the portal could not be asked

	census      mirror.Census
	quarantined int64         // rows
	held        int64         // their keys, different ones
	heldStored  int64         // of those, keys that have a document
	kept        int64         // of those, documents that are older than the quarantined row
	keptDigest  mirror.Digest // of these
	left        int64         // documents that the crawl lacks and that were not removed
	leftDigest  mirror.Digest
	altered     bool           // by a replay or reload: the documents are not those of the crawl any more
	groups      []mirror.Group // of the mirror, by source values
	events      map[string]int64
}

// count reads the mirror.
func (c *certificate) count(ctx context.Context, o *opened) (err error) {
	m, of := o.mirror, c.record.ID
	ranges := make([]socrata.Range, 0, len(c.record.Ranges))
	for _, r := range c.record.Ranges {
		ranges = append(ranges, r.Range)
	}
	columns := make([]string, 0, len(c.record.Crawl.Facts.Groups))
	for _, g := range c.record.Crawl.Facts.Groups {
		columns = append(columns, g.Column)
	}
	// The server counts while documents are read from it.
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		c.groups, err = m.GroupCounts(both, grouped(o.spec, columns)...)
		return err
	})
	group.Go(func() (err error) {
		c.census, err = m.Census(both, mirror.CensusInput{Run: c.in.Run.ID, Ranges: ranges, Within: c.in.Written})
		c.census.Add(c.in.Unwritten)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if c.quarantined, err = m.CountQuarantine(ctx, of); err != nil {
		return err
	}
	keys, err := m.QuarantinedKeys(ctx, of)
	if err != nil {
		return err
	}
	c.held = int64(len(keys))
	stored, _, err := m.DigestOf(ctx, keys)
	if err != nil {
		return err
	}
	c.heldStored = int64(stored)
	kept, digest, err := m.StaleOf(ctx, keys)
	if err != nil {
		return err
	}
	c.kept, c.keptDigest = int64(kept), digest

	pages := c.in.Swept.Pages
	if len(pages) == 0 {
		pages = c.record.Held.Pages
	}
	err = m.EachKey(ctx, o.landing, pages, func(keys []string) error {
		n, digest, err := m.DigestOf(ctx, keys)
		c.left += int64(n)
		c.leftDigest.Merge(digest)
		return err
	})
	if err != nil {
		return err
	}
	c.events, err = m.TallyChanges(ctx, c.in.Run.ID)
	return err
}

// grouped lists the columns of the spec's dimensions whose values the mirror
// keeps one to one, as far as the portal has them. Sensitive ones are not
// counted: counts are kept in the run's record.
func grouped(spec *dataset.Spec, columns []string) []mirror.SourceColumn {
	var all []mirror.SourceColumn
	for _, d := range spec.Dimensions {
		field, ok := spec.Field(d.Path)
		if ok && d.Rule == "" && len(field.From) == 1 && slices.Contains(columns, field.From[0]) && !spec.Sensitive(d.Path) {
			all = append(all, mirror.SourceColumn{Path: d.Path, Column: field.From[0]})
		}
	}
	return all
}

// askNow asks the portal whether it still is at the crawl's version. One that
// does not answer leaves the certificate unproven: an operator is waiting.
func (a *Activities) askNow(ctx context.Context, o *opened, c *certificate) error {
	rows, v, err := a.count(ctx, o)
	crawl := c.record.Crawl
	switch {
	case err != nil && (PortalDown(err) || isOpen(err)):
		c.silent = "the portal does not answer: " + err.Error()
	case err != nil:
		return err
	case v.Truth.After(crawl.Version.Served) || v.Served.After(crawl.Version.Served):
		c.behind = fmt.Sprintf("the portal was updated at %s, after the crawl of %s", stamp(newest(v)), stamp(crawl.Version.Served))
	case rows != crawl.Facts.Rows:
		c.behind = fmt.Sprintf("the portal has %s rows, the crawl had %s", humanize.Comma(rows), humanize.Comma(crawl.Facts.Rows))
	}
	return nil
}

func newest(v Version) time.Time {
	if v.Truth.After(v.Served) {
		return v.Truth
	}
	return v.Served
}

func isOpen(err error) bool {
	var open *guard.OpenError
	return errors.As(err, &open)
}

// recrawled corrects the record of the crawl by what a replay made of its
// quarantined rows.
func (a *Activities) recrawled(ctx context.Context, o *opened, c *certificate) error {
	crawl := &c.record.Crawl
	before := crawl.Digest
	crawl.Quarantined = c.quarantined
	crawl.Clean = c.census.Documents - c.kept - c.left
	crawl.Digest = c.census.Digest
	crawl.Digest.Take(c.keptDigest)
	crawl.Digest.Take(c.leftDigest)
	return a.Database.Do(ctx, func(ctx context.Context) error {
		own, err := o.mirror.Run(ctx, c.in.Run.ID)
		if err != nil {
			return err
		}
		// Before the crawl's digest: after a crash in between there is no telling.
		if c.altered = own.Counts.Altered || crawl.Digest != before || c.census.Inserted+c.census.Replaced > 0; c.altered {
			if err := o.mirror.SetRun(ctx, own.ID, bson.D{{Key: "counts.altered", Value: true}}); err != nil {
				return err
			}
		}
		return o.mirror.SetRun(ctx, c.record.ID, bson.D{
			{Key: "crawl.quarantined", Value: crawl.Quarantined}, {Key: "crawl.clean", Value: crawl.Clean}, {Key: "crawl.digest", Value: crawl.Digest},
		})
	})
}

// check compares, one check for each thing that must hold.
func (c *certificate) check() []mirror.Check {
	crawl := c.record.Crawl
	var checks []mirror.Check
	verdict := func(name string, ok bool, format string, args ...any) {
		checks = append(checks, mirror.Check{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)})
	}
	verdict("whole", crawl.Whole, "%s", orElse(crawl.Why, "one version of the portal, "+stamp(crawl.Version.Served)+", from the first count to the last"))

	alone := c.quarantined - c.kept // quarantined rows without a document of their own
	rows := c.census.Documents - c.left + alone
	detail := fmt.Sprintf("%s rows on the portal, %s documents here", humanize.Comma(crawl.Facts.Rows), humanize.Comma(c.census.Documents))
	if alone > 0 {
		detail += fmt.Sprintf(", %s rows in quarantine without one", humanize.Comma(alone))
	}
	if c.left > 0 {
		detail += fmt.Sprintf(", %s of the documents not on the portal", humanize.Comma(c.left))
	}
	verdict("rows", crawl.Facts.Rows == rows, "%s", detail)

	distinct := c.census.Documents - c.left - c.kept + c.held - (c.heldStored - c.kept)
	verdict("keys", crawl.Facts.Distinct == distinct, "%s different keys on the portal, %s here", humanize.Comma(crawl.Facts.Distinct), humanize.Comma(distinct))

	// What is in quarantine or left behind may be in any group.
	allowed := c.quarantined + c.kept + c.left
	for _, here := range c.groups {
		i := slices.IndexFunc(crawl.Facts.Groups, func(g mirror.Group) bool { return g.Column == here.Column })
		group := crawl.Facts.Groups[i] // the columns to count came from there
		values, differ, worst := compareGroups(group, here)
		if differ <= allowed {
			verdict(group.Column, true, "the rows of each of %d values are as many here as on the portal", values)
		} else {
			verdict(group.Column, false, "%s rows are counted elsewhere here than on the portal: %s", humanize.Comma(differ), worst)
		}
	}

	expected := crawl.Digest
	expected.Merge(c.keptDigest)
	expected.Merge(c.leftDigest)
	switch {
	case c.altered:
		verdict("digest", true, "keys and contents of all documents digest to %.16s, with the rows that were read anew", c.census.Digest)
	case expected == c.census.Digest:
		verdict("digest", true, "keys and contents of all documents digest to %.16s, as the crawl says", c.census.Digest)
	default:
		verdict("digest", false, "keys and contents of all documents digest to %.16s, expected were %.16s: a document is missing, another, or one too many", c.census.Digest, expected)
	}
	verdict("owner", c.census.Foreign == 0, "%s documents that Padron did not write", humanize.Comma(c.census.Foreign))
	verdict("removals", c.left == 0, "%s", c.removals())
	return checks
}

// removals says what became of the documents that the crawl lacks.
func (c *certificate) removals() string {
	switch {
	case c.left == 0 && c.in.Removed.Removed == 0:
		return "no document is without a row"
	case c.left == 0:
		return fmt.Sprintf("%s documents were removed, their keys denied by the portal", humanize.Comma(int64(c.in.Removed.Removed)))
	case c.in.Swept.Why != "":
		return fmt.Sprintf("%s documents are no longer on the portal: %s", humanize.Comma(c.left), c.in.Swept.Why)
	case c.in.Removed.Lagging > 0:
		return fmt.Sprintf("%s documents were not in the crawl, and an old copy of the portal answered whether they still are", humanize.Comma(c.left))
	case c.in.Removed.Present > 0:
		return fmt.Sprintf("%s documents were not in the crawl, and are on the portal all the same", humanize.Comma(c.left))
	case c.record.Held.Rows > 0:
		return fmt.Sprintf("%s removals are held: `starter approve %s` makes them", humanize.Comma(c.left), c.record.ID)
	}
	return fmt.Sprintf("%s documents are no longer on the portal", humanize.Comma(c.left))
}

// compareGroups counts the rows that would have to change their value for the
// groups to be equal, and names the worst difference.
func compareGroups(portal, here mirror.Group) (values int, differ int64, worst string) {
	type key struct {
		value string
		null  bool
	}
	counts := map[key]int64{}
	for _, v := range portal.Values {
		counts[key{v.Value, v.Null}] += v.Rows
	}
	values = len(counts)
	for _, v := range here.Values {
		counts[key{v.Value, v.Null}] -= v.Rows
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

// result says what the checks come to.
func (c *certificate) result(checks []mirror.Check) ReconcileResult {
	result := ReconcileResult{
		Outcome: mirror.OutcomeGreen, Why: checks[1].Detail,
		Documents: c.census.Documents, Inserted: c.census.Inserted, Replaced: c.census.Replaced,
		Removed: c.events[mirror.KindRemoved], Held: int64(c.in.Swept.Held), Quarantined: c.quarantined,
	}
	for _, n := range c.events {
		result.Events += n
	}
	var wrong []string
	intact := true
	for _, check := range checks[1:] {
		if !check.OK {
			wrong = append(wrong, check.Detail)
			intact = intact && !ofTheMirror(check.Name)
		}
	}
	moved := c.in.Removed.Present+c.in.Removed.Lagging > 0
	switch {
	case c.behind != "" && intact:
		// Rows that were replayed since are other rows than those that the
		// portal counted at the crawl.
		result.Outcome, result.Why = mirror.OutcomeBehind, c.behind
	case !c.record.Crawl.Whole:
		result.Outcome, result.Why = mirror.OutcomeUnproven, c.record.Crawl.Why
	case len(wrong) > 0 && moved:
		result.Outcome, result.Why = mirror.OutcomeUnproven, strings.Join(wrong, "; ")
	case len(wrong) > 0:
		result.Outcome, result.Why = mirror.OutcomeRed, strings.Join(wrong, "; ")
	case c.silent != "":
		result.Outcome, result.Why = mirror.OutcomeUnproven, c.silent
	}
	return result
}

// ofTheMirror names the checks that hold whatever the portal counts: what fails
// one of them is wrong here.
func ofTheMirror(check string) bool {
	return check == "digest" || check == "owner" || check == "removals" || strings.HasPrefix(check, "deep")
}

func (c *certificate) counts(r ReconcileResult) mirror.Counts {
	crawl := c.record.Crawl
	return mirror.Counts{
		PortalRows: crawl.Facts.Rows, Fetched: crawl.Rows, Cleaned: crawl.Clean, Documents: r.Documents,
		Inserted: r.Inserted, Replaced: r.Replaced, Unchanged: r.Documents - r.Inserted - r.Replaced - c.left,
		Missing: c.left, Quarantined: c.quarantined, Kept: c.kept,
		Removed: r.Removed, Returned: c.events[mirror.KindReturned], Held: r.Held, Events: r.Events, Altered: c.altered,
	}
}
