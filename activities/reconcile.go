package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"padron/internal/certificate"
	"padron/internal/changes"
	"padron/internal/dataset"
	"padron/internal/guard"
	"padron/internal/landing"
	"padron/internal/lineage"
	"padron/internal/mirror"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// ReconcileInput gives what the mirror must equal.
type ReconcileInput struct {
	Run Run     `json:"run"`
	Job JobSpec `json:"job"`
	Of  string  `json:"of,omitempty"` // other jobs than mirroring: the run whose crawl the mirror was written from
	// Written are the ranges that were written to; nil: all. The rest of the
	// documents is Unwritten, as the gate found it.
	Written   []socrata.Range      `json:"written"`
	Unwritten *mirror.Totals       `json:"unwritten,omitempty"`
	Removals  FindRemovedResult    `json:"removals"`
	Removed   ConfirmRemovedResult `json:"removed"`
}

// ReconcileResult is the certificate's summary.
type ReconcileResult struct {
	Outcome     certificate.Outcome `json:"outcome"`
	Why         string              `json:"why"`
	Documents   int64               `json:"documents"`
	Inserted    int64               `json:"inserted"`
	Replaced    int64               `json:"replaced"`
	Removed     int64               `json:"removed"`
	Held        int64               `json:"held,omitempty"`
	Quarantined int64               `json:"quarantined"`
	Events      int64               `json:"events"`
}

// Reconcile makes the run's certificate: it counts and digests what is stored
// and holds that against the crawl and against what the portal itself counted
// (certificate.Evidence). Every count is of what is stored, never of what attempts
// summed up; key ranges that needed no writing were counted when they were
// compared.
//
// The jobs that did not crawl hold the mirror against the crawl it was last
// written from, and ask the portal whether it has moved on since (behind).
func (a *Activities) Reconcile(ctx context.Context, in ReconcileInput) (ReconcileResult, error) {
	return step(ctx, in, a.reconcile)
}

func (a *Activities) reconcile(ctx context.Context, in ReconcileInput) (ReconcileResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ReconcileResult{}, err
	}
	crawled := in.Job.Name.OrMirror() == runs.JobMirror || in.Job.Name == runs.JobRerun
	of := in.Run.ID
	if !crawled {
		of = in.Of
	}
	var c *counted
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		c = &counted{in: &in} // counted from the start after a blip
		if c.record, err = o.runs.Run(ctx, of); err != nil {
			return err
		}
		if !in.Job.Deep {
			deep, err := runs.OrNone(o.runs.LastDeep(ctx))
			if err != nil {
				return err
			}
			if looked, sound := deep.Certificate.Deep(); looked && !sound {
				c.Damage = deep.ID
			}
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
	if in.Job.Name == runs.JobRetry || in.Job.Name == runs.JobReload {
		// What retried and reloaded rows hash to, no crawl has said: the mirror's
		// own digest is what later certificates hold it against. That also where no
		// row was counted as written: untracked fields may have been.
		if err := a.amendCrawl(ctx, o, c); err != nil {
			return ReconcileResult{}, err
		}
	}
	c.Crawl, c.MaxStale = c.record.Crawl, o.spec.MaxStale.Of(c.record.Crawl.SourceCounts.Rows)
	checks := c.Checks()
	if in.Job.Deep {
		found, err := a.rehash(ctx, o, &in, c.record.Ranges)
		if err != nil {
			return ReconcileResult{}, err
		}
		checks = append(checks, found...)
	}
	result := c.result(checks)
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		if in.Job.Name == runs.JobApprove && in.Removed.Lagging == 0 {
			if err := o.runs.SetRun(ctx, of, bson.D{{Key: "held", Value: runs.Held{}}}); err != nil {
				return err
			}
		}
		if crawled {
			if err := o.runs.Overwritten(ctx, in.Run.ID); err != nil {
				return err
			}
		}
		return o.runs.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "counts", Value: c.counts(result)},
			{Key: "certificate", Value: certificate.Verdict{Outcome: result.Outcome, Checks: checks}},
		})
	})
	return result, err
}

// counted is a certificate's evidence, and what else was counted for the record.
type counted struct {
	certificate.Evidence
	in     *ReconcileInput
	record runs.Run // of the crawl
	totals mirror.Totals
	events map[string]int64 // change events of the run, by kind
}

// count reads the mirror.
func (c *counted) count(ctx context.Context, o *opened) (err error) {
	c.Run, c.Held = c.record.ID, c.record.Held.Rows
	c.Removed, c.Present, c.Lagging = int64(c.in.Removed.Removed), int64(c.in.Removed.Present), int64(c.in.Removed.Lagging)
	c.NotRemovable = c.in.Removals.Why
	if err := c.countStored(ctx, o); err != nil {
		return err
	}
	if c.Quarantined, err = o.quarantine.Count(ctx, c.Run); err != nil {
		return err
	}
	keys, err := o.quarantine.Keys(ctx, c.Run)
	if err != nil {
		return err
	}
	c.QuarantinedKeys = int64(len(keys))
	stored, _, err := o.mirror.DigestOf(ctx, keys)
	if err != nil {
		return err
	}
	c.QuarantinedKeysStored = int64(stored)
	kept, digest, err := o.mirror.StaleOf(ctx, keys)
	if err != nil {
		return err
	}
	c.Kept, c.KeptDigest = int64(kept), digest

	pages := c.in.Removals.Pages
	if len(pages) == 0 {
		pages = c.record.Held.Pages
	}
	err = landing.EachKey(ctx, o.zone, pages, func(keys []string) error {
		n, digest, err := o.mirror.DigestOf(ctx, keys)
		c.Left += int64(n)
		c.LeftDigest.Merge(digest)
		return err
	})
	if err != nil {
		return err
	}
	c.events, err = o.mirror.TallyChanges(ctx, c.in.Run.ID)
	return err
}

// countStored counts and digests all documents. The server groups them while they
// are read from it.
func (c *counted) countStored(ctx context.Context, o *opened) error {
	ranges := make([]socrata.Range, 0, len(c.record.Ranges))
	for _, r := range c.record.Ranges {
		ranges = append(ranges, r.Range)
	}
	columns := make([]string, 0, len(c.record.Crawl.SourceCounts.Groups))
	for _, g := range c.record.Crawl.SourceCounts.Groups {
		columns = append(columns, g.Column)
	}
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		of := grouped(o.spec, columns)
		c.Groups, err = o.mirror.GroupCounts(both, of...)
		for i := range c.Groups {
			field, _ := o.spec.Field(of[i].Path)
			c.Groups[i].Type = field.GroupedAs()
		}
		return err
	})
	group.Go(func() (err error) {
		c.totals, err = o.mirror.Totals(both, mirror.TotalsInput{Run: c.in.Run.ID, Ranges: ranges, Within: c.in.Written})
		if c.in.Unwritten != nil {
			c.totals.Add(*c.in.Unwritten)
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	c.Documents, c.Foreign, c.Digest = c.totals.Documents, c.totals.Foreign, c.totals.Digest
	return nil
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
func (a *Activities) askNow(ctx context.Context, o *opened, c *counted) error {
	rows, v, err := a.count(ctx, o)
	crawl := c.record.Crawl
	if err == nil && crawl.Proof == certificate.ByMetadata {
		var metadata *socrata.Metadata
		if metadata, err = a.metadata(ctx, o); err == nil {
			v.Updated = metadata.RowsUpdatedAt
		}
	}
	moved := certificate.Moved(v, crawl.Version)
	_, isOpen := errors.AsType[*guard.OpenError](err)
	switch {
	case err != nil && (PortalDown(err) || isOpen):
		c.Silent = "the portal does not answer: " + told(err)
	case err != nil:
		return err
	case !moved.IsZero():
		c.Behind = fmt.Sprintf("the portal was updated at %s, after the crawl of %s",
			moved.UTC().Format(time.RFC3339), crawl.Version.Time().UTC().Format(time.RFC3339))
	case rows != crawl.SourceCounts.Rows:
		c.Behind = fmt.Sprintf("the portal has %s rows, the crawl had %s", humanize.Comma(rows), humanize.Comma(crawl.SourceCounts.Rows))
	}
	return nil
}

// amendCrawl corrects the record of the crawl by what a retry or reload made of
// its rows.
func (a *Activities) amendCrawl(ctx context.Context, o *opened, c *counted) error {
	crawl := &c.record.Crawl
	before := crawl.Digest
	crawl.Quarantined = c.Quarantined
	crawl.Clean = c.Documents - c.Kept - c.Left
	crawl.Digest = without(c.Digest, c.KeptDigest, c.LeftDigest)
	return a.Database.Do(ctx, func(ctx context.Context) error {
		own, err := o.runs.Run(ctx, c.in.Run.ID)
		if err != nil {
			return err
		}
		// Before the crawl's digest: after a crash in between there is no telling.
		if c.Altered = own.Counts.Altered || crawl.Digest != before || c.totals.Inserted+c.totals.Replaced > 0; c.Altered {
			if err := o.runs.SetRun(ctx, own.ID, bson.D{{Key: "counts.altered", Value: true}}); err != nil {
				return err
			}
		}
		return o.runs.SetRun(ctx, c.record.ID, bson.D{
			{Key: "crawl.quarantined", Value: crawl.Quarantined}, {Key: "crawl.clean", Value: crawl.Clean}, {Key: "crawl.digest", Value: crawl.Digest},
		})
	})
}

func without(all lineage.Digest, parts ...lineage.Digest) lineage.Digest {
	for _, p := range parts {
		all.Take(p)
	}
	return all
}

// rehash looks at every stored document and change event: what `starter verify
// --deep` adds to a certificate. A run that mirrors first mends what is not right
// with versions and events; the documents were written anew before.
func (a *Activities) rehash(ctx context.Context, o *opened, of *ReconcileInput, planned []runs.Range) ([]certificate.Check, error) {
	in := mirror.RehashInput{Untracked: func(path string) bool { return slices.Contains(o.spec.Untracked, path) }}
	for _, r := range planned {
		in.Ranges = append(in.Ranges, r.Range)
	}
	var report mirror.DeepReport
	err := a.Database.Do(ctx, func(ctx context.Context) (err error) {
		if in.FirstLoads, err = o.runs.FirstLoads(ctx); err != nil {
			return err
		}
		if of.Job.Name.OrMirror() == runs.JobMirror {
			mend := mirror.MendInput{RehashInput: in, Run: of.Run.ID, Part: "repair", At: of.Run.Started}
			if _, err := o.mirror.Mend(ctx, mend); err != nil {
				return err
			}
		}
		report, err = o.mirror.Rehash(ctx, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	return certificate.DeepChecks(report.Documents, report.Events, report.Findings), nil
}

// result is what the checks come to, and the counts that go with it.
func (c *counted) result(checks []certificate.Check) ReconcileResult {
	outcome, why := c.Judge(checks)
	result := ReconcileResult{
		Outcome: outcome, Why: why, Documents: c.Documents, Inserted: c.totals.Inserted, Replaced: c.totals.Replaced,
		Removed: c.events[changes.KindRemoved], Held: int64(c.in.Removals.Held), Quarantined: c.Quarantined,
	}
	for _, n := range c.events {
		result.Events += n
	}
	return result
}

func (c *counted) counts(r ReconcileResult) runs.Counts {
	crawl := c.record.Crawl
	return runs.Counts{
		PortalRows: crawl.SourceCounts.Rows, Fetched: crawl.Rows, Cleaned: crawl.Clean, Documents: r.Documents,
		Inserted: r.Inserted, Replaced: r.Replaced, Unchanged: r.Documents - r.Inserted - r.Replaced - c.Left,
		Missing: c.Left, Quarantined: c.Quarantined, Kept: c.Kept,
		Removed: r.Removed, Returned: c.events[changes.KindReturned], Held: r.Held, Events: r.Events, Altered: c.Altered,
	}
}
