package activities

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/runs"
	"padron/internal/socrata"
	"padron/internal/statistics"
)

// PlanInput asks to cut the key space.
type PlanInput struct {
	Run    Run         `json:"run"`
	Crawl  int         `json:"crawl"`  // 1, or more when the one before was torn
	Before ProbeResult `json:"before"` // as the probe, or the plan before, found the portal
}

// PlanResult lists the key ranges, in key order; the last one is the rows
// without a key.
type PlanResult struct {
	Ranges []socrata.Range `json:"ranges"`
	Before ProbeResult     `json:"before"` // looked at anew for a further crawl
	// Pass lets rows be passed over that come with the same bytes as before
	// (crawl.CleanInput).
	Pass bool `json:"pass,omitempty"`
}

// cleanedEvery is how often a crawl cleans every row all the same: what is known
// of the columns' values, which passed rows do not tell, is not older.
const cleanedEvery = 7 * 24 * time.Hour

// rowsPerRange is how many rows a planned range may hold: a little under a
// page, so that a range which grew since the count still fits into one request.
func rowsPerRange(pageSize int) int64 { return int64(max(1, pageSize-pageSize/50)) }

// Plan cuts the key space into ranges (lo, hi] of equal size, at most
// rowsPerRange rows each, by asking for the keys at the cuts: one small ordered
// query for each cut. The first range is open below and the last above, so
// that no key can lie outside all of them; the rows without a key are a range
// of their own, at the end.
//
// Of a further crawl it looks at the portal anew and drops the torn crawl's
// pages.
func (a *Activities) Plan(ctx context.Context, in PlanInput) (PlanResult, error) {
	return step(ctx, in, a.plan)
}

func (a *Activities) plan(ctx context.Context, in PlanInput) (PlanResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return PlanResult{}, err
	}
	result := PlanResult{Before: in.Before}
	if in.Crawl > 1 {
		if err := a.lookAgain(ctx, o, in.Run, &result.Before); err != nil {
			return PlanResult{}, err
		}
	}
	cuts, err := a.cut(ctx, o, result.Before.Rows)
	if err != nil {
		return PlanResult{}, err
	}
	lo := ""
	for _, cut := range cuts {
		result.Ranges = append(result.Ranges, socrata.Range{After: lo, UpTo: cut})
		lo = cut
	}
	result.Ranges = append(result.Ranges, socrata.Range{After: lo}, socrata.Range{NullKeys: true})
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		last, err := runs.OrNone(o.runs.LastDone(ctx))
		if err != nil {
			return err
		}
		described, err := o.statistics.LastProfile(ctx)
		if err != nil && !errors.Is(err, statistics.ErrNoSnapshot) {
			return err
		}
		result.Pass = last.Spec == in.Run.Spec && in.Run.Started.Sub(last.Cleaned) < cleanedEvery && described.Of(in.Run.Spec)
		return o.runs.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "ranges", Value: planned(result.Ranges)},
			{Key: "crawls", Value: in.Crawl},
			{Key: "progress", Value: runs.Progress{}},
		})
	})
	return result, err
}

// cuts is how far the cutting of a table has come: what a failed attempt leaves
// for the next one. At 184 million rows the keys take some 70 kB.
type cuts struct {
	Rows  int64    `json:"rows"`  // of the table, by the count; those of another count are void
	Asked int64    `json:"asked"` // how many cuts the portal was asked for
	Last  int64    `json:"last"`  // which of these gave the last key, counted from 1
	Keys  []string `json:"keys,omitempty"`
}

// cut asks for the keys at which a table of so many rows is cut, each counted from
// the one before, within the request limit. An attempt goes on where the one
// before it failed.
func (a *Activities) cut(ctx context.Context, o *opened, rows int64) ([]string, error) {
	perRange := rowsPerRange(a.PageSize)
	ranges := max(1, (rows+perRange-1)/perRange)
	at := attemptOf(ctx)
	c := at.details().Cuts
	if c.Rows != rows {
		c = cuts{Rows: rows}
	}
	requests := o.requests()
	for c.Asked+1 < ranges {
		if err := requests.wait(ctx); err != nil {
			return nil, err
		}
		n, lo := c.Asked+1, ""
		if len(c.Keys) > 0 {
			lo = c.Keys[len(c.Keys)-1]
		}
		var key string
		err := a.Portal.Do(ctx, func(ctx context.Context) (err error) {
			key, _, err = o.portal.KeyAt(ctx, o.spec.Key, lo, n*rows/ranges-c.Last*rows/ranges-1)
			return err
		})
		switch {
		case errors.Is(err, socrata.ErrPastEnd):
			return c.Keys, nil // the table shrank since the count; the last range takes the rest
		case errors.Is(err, socrata.ErrUnusableKey):
			// The next cut will be another; the range in between is two pages long.
		case err != nil:
			return nil, err
		default:
			c.Keys, c.Last = append(c.Keys, key), n
		}
		c.Asked = n
		at.found(c)
	}
	return c.Keys, nil
}

// found leaves what was found of the cuts for the next attempt.
func (at *attempt) found(c cuts) {
	at.mu.Lock()
	defer at.mu.Unlock()
	at.Cuts = c
}

// lookAgain drops what a torn crawl landed and counts the portal's rows and
// columns anew.
func (a *Activities) lookAgain(ctx context.Context, o *opened, run Run, before *ProbeResult) error {
	err := a.Database.Do(ctx, func(ctx context.Context) error {
		pages, err := o.zone.List(ctx, run.ID)
		if err != nil {
			return err
		}
		ids := make([]string, 0, len(pages))
		for _, p := range pages {
			ids = append(ids, p.ID)
		}
		return o.zone.Delete(ctx, ids...)
	})
	if err != nil {
		return err
	}
	if before.Rows, before.Version, err = a.count(ctx, o); err != nil {
		return err
	}
	metadata, err := a.metadata(ctx, o)
	if err != nil {
		return err
	}
	before.Version.Updated = metadata.RowsUpdatedAt
	var warnings []string
	if _, before.Columns, warnings, err = a.checkSchema(ctx, o, metadata); err != nil {
		return err
	}
	return a.Database.Do(ctx, func(ctx context.Context) error {
		return o.runs.SetRun(ctx, run.ID, bson.D{
			{Key: "probe.rows", Value: before.Rows},
			{Key: "probe.version", Value: before.Version},
			{Key: "probe.columns", Value: before.Columns},
			{Key: "warnings", Value: warnings},
		})
	})
}

func planned(ranges []socrata.Range) []runs.Range {
	plan := make([]runs.Range, 0, len(ranges))
	for _, r := range ranges {
		plan = append(plan, runs.Range{Range: r})
	}
	return plan
}
