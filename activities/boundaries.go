package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"padron/internal/boundaries"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// BoundariesResult says what became of the outlines.
type BoundariesResult struct {
	Fetched  bool `json:"fetched"` // they were not there yet, or had changed
	Features int  `json:"features"`
}

// FetchBoundaries asks the portal when the outlines of the neighborhoods last
// changed, and fetches and stores them when they are newer than the stored ones:
// one request, or two.
func (a *Activities) FetchBoundaries(ctx context.Context, run Run) (BoundariesResult, error) {
	return attempted(ctx, func(ctx context.Context) (BoundariesResult, error) {
		return drainable(ctx, func(ctx context.Context) (BoundariesResult, error) { return a.fetchBoundaries(ctx, run) })
	})
}

func (a *Activities) fetchBoundaries(ctx context.Context, run Run) (BoundariesResult, error) {
	o, err := a.dataset(ctx, run)
	if err != nil {
		return BoundariesResult{}, err
	}
	spec := o.spec.Boundaries
	if o.outlines == nil {
		return BoundariesResult{}, refuse(runs.NothingToDo, "the spec of "+o.spec.Name+" names no boundaries")
	}
	var stored boundaries.Set // zero when there are none
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		stored, err = o.boundaries.Header(ctx, spec.ID)
		if errors.Is(err, boundaries.ErrNoBoundaries) {
			err = nil
		}
		return err
	})
	if err != nil {
		return BoundariesResult{}, err
	}
	var live *socrata.Metadata
	err = a.Portal.Do(ctx, func(ctx context.Context) (err error) {
		live, _, err = o.outlines.Metadata(ctx)
		return err
	})
	if err != nil {
		return BoundariesResult{}, err
	}
	if stored.ID != "" && stored.Property == spec.Name && !live.RowsUpdatedAt.IsZero() && stored.Updated.Equal(live.RowsUpdatedAt) {
		return BoundariesResult{Features: stored.Features}, nil
	}
	set := boundaries.Set{ID: spec.ID, Property: spec.Name, Updated: live.RowsUpdatedAt, Run: run.ID}
	var areas []boundaries.Area
	err = a.Portal.Do(ctx, func(ctx context.Context) (err error) {
		areas, set.Version, err = boundaries.Fetch(ctx, o.outlines, spec.Name)
		return err
	})
	if err != nil {
		return BoundariesResult{}, err
	}
	if set.Version.OutOfDate {
		// Stored under the master's date, it would be taken for the newest.
		return BoundariesResult{}, later(runs.PortalLagging, fmt.Errorf("the portal answered with boundaries of %s, and there are newer ones", set.Version.Served.UTC().Format(time.RFC3339)), a.RecrawlAfter)
	}
	set.Of, set.Fetched = boundaries.Points(areas), time.Now().UTC().Truncate(time.Millisecond)
	if err := simplify(ctx, simplifyWithin, &set, areas); err != nil {
		return BoundariesResult{}, err
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error { return o.boundaries.Put(ctx, &set) })
	return BoundariesResult{Fetched: true, Features: set.Features}, err
}

// simplifyWithin is how long outlines may take to be simplified: those of a city
// take some milliseconds, a million points of a coast a few seconds.
const simplifyWithin = 30 * time.Second

// simplify makes outlines small enough for a map. Asking again for those that
// take too long does not help.
func simplify(ctx context.Context, within time.Duration, set *boundaries.Set, areas []boundaries.Area) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf(
		"%w: %d points are too intricate to be simplified in %s", boundaries.ErrUnusable, set.Of, within))
	defer cancel()
	if set.Areas, set.Tolerance, err = boundaries.Simplify(ctx, areas); err != nil {
		return context.Cause(ctx)
	}
	return nil
}
