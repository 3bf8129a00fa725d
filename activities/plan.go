package activities

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/runs"
	"padron/internal/socrata"
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
}

// rowsPerRange is how many rows a planned range may hold: a little under a
// page, so that a range which grew since the count still fits into one request.
func rowsPerRange(pageSize int) int64 { return int64(max(1, pageSize-pageSize/50)) }

// Plan cuts the key space into ranges (lo, hi] of equal size, at most
// rowsPerRange rows each, by asking for the keys at the cuts: one tiny ordered
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
	rows := result.Before.Rows
	perRange := rowsPerRange(a.PageSize)
	ranges := max(1, (rows+perRange-1)/perRange)
	lo := ""
	for i := int64(1); i < ranges; i++ {
		var cut string
		err := a.Portal.Do(ctx, func(ctx context.Context) (err error) {
			cut, _, err = o.portal.KeyAt(ctx, o.spec.Key, i*rows/ranges-1)
			return err
		})
		if errors.Is(err, socrata.ErrPastEnd) {
			break // the table shrank since the count; the last range takes the rest
		}
		if errors.Is(err, socrata.ErrUnusableKey) {
			continue // the next cut will be another; the range in between is two pages long
		}
		if err != nil {
			return PlanResult{}, err
		}
		if cut == lo {
			continue // a key that repeats past a whole range; the next cut will differ
		}
		result.Ranges = append(result.Ranges, socrata.Range{After: lo, UpTo: cut})
		lo = cut
	}
	result.Ranges = append(result.Ranges, socrata.Range{After: lo}, socrata.Range{NullKeys: true})
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		return o.runs.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "ranges", Value: planned(result.Ranges)},
			{Key: "crawls", Value: in.Crawl},
			{Key: "progress", Value: runs.Progress{}},
		})
	})
	return result, err
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
