package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/backfill"
	"padron/internal/certificate"
	"padron/internal/cleaning"
	"padron/internal/dataset"
	"padron/internal/runs"
	"padron/internal/statistics"
)

// SnapshotInput asks for the statistics of the mirror as it is.
type SnapshotInput struct {
	Run     Run                 `json:"run"`
	Job     JobSpec             `json:"job"`
	Outcome certificate.Outcome `json:"outcome"`
}

// SnapshotResult names the snapshot.
type SnapshotResult struct {
	ID      string              `json:"id"`
	Open    int64               `json:"open"`
	Outcome certificate.Outcome `json:"outcome"` // of the run that it is about
	Why     string              `json:"why"`
}

// AggregateSnapshot counts the mirror as it is, on the database server, and
// keeps the counts as the snapshot of the day that the crawl's version belongs
// to in the dataset's time zone. A snapshot that exists is not made again.
func (a *Activities) AggregateSnapshot(ctx context.Context, in SnapshotInput) (SnapshotResult, error) {
	return step(ctx, in, a.aggregateSnapshot)
}

func (a *Activities) aggregateSnapshot(ctx context.Context, in SnapshotInput) (SnapshotResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return SnapshotResult{}, err
	}
	result := SnapshotResult{Outcome: in.Outcome}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		of, err := o.runs.LastCrawl(ctx)
		if err != nil {
			return err
		}
		if result.Outcome == "" { // a rerun of this step alone
			result.Outcome, result.Why = of.Outcome, "the snapshot of run "+of.ID
		}
		seen, err := seenAt(ctx, o, &of)
		if err != nil {
			return err
		}
		own, err := o.runs.Run(ctx, in.Run.ID)
		if err != nil {
			return err
		}
		taken, _, err := o.statistics.TakeSnapshot(ctx, statistics.SnapshotInput{
			AsOf: seen.In(o.spec.Location()), Version: of.Crawl.Version, Run: in.Run.ID, Spec: in.Run.Spec, Outcome: result.Outcome,
			Documents: documents(&own, &of),
			Entry:     o.spec.SurvivorsBefore(), Grid: gridOf(o.spec),
		})
		if err != nil {
			return err
		}
		result.ID, result.Open = taken.ID, taken.Totals.Open
		return o.runs.SetRun(ctx, in.Run.ID, bson.D{{Key: "snapshot", Value: taken.ID}})
	})
	if err != nil {
		return SnapshotResult{}, fmt.Errorf("take snapshot: %w", err)
	}
	return result, nil
}

// documents is the digest of all documents that are stored, empty where it is not
// known: a green certificate says that they are those of the crawl, and the ones
// that were kept or left.
func documents(run, crawl *runs.Run) string {
	if run.Certificate.Outcome != certificate.Green || run.Counts.Kept > 0 || run.Counts.Missing > 0 {
		return ""
	}
	return crawl.Crawl.Digest.String()
}

// seenAt is when what a run's crawl saw was published (runs.Run.Seen), but not
// later than now by the database's clock: a snapshot of a day to come would stay
// the newest until then.
func seenAt(ctx context.Context, o *opened, of *runs.Run) (time.Time, error) {
	now, err := o.database.Now(ctx)
	if seen := of.Seen(); err != nil || seen.Before(now) {
		return seen, err
	}
	return now, nil
}

// gridOf is the grid of the map; nil when documents have no point.
func gridOf(spec *dataset.Spec) *statistics.Grid {
	if !slices.ContainsFunc(spec.Fields, func(f dataset.Field) bool { return f.Type == dataset.Point && !f.Drop }) {
		return nil
	}
	g := cleaning.GridOf(spec.Box)
	return &statistics.Grid{
		Size: g.Size, Width: g.Width, MetersPerLon: g.MetersPerLon, MetersPerLat: g.MetersPerLat, Box: statistics.Box(spec.Box),
		Center: func(cell string) (lon, lat float64, err error) { return cleaning.CellCenter(spec.Box, cell) },
	}
}

// ReconstructInput asks for the snapshots of past days.
type ReconstructInput struct {
	Run  Run            `json:"run"`
	Of   string         `json:"of"`    // the run whose crawl the mirror was written from
	AsOf []backfill.Day `json:"as_of"` // first days of months
	// History asks for the dates of the spec's history instead.
	History bool `json:"history,omitempty"`
}

// ReconstructResult says what was made.
type ReconstructResult struct {
	statistics.ReconstructResult
	Outcome certificate.Outcome `json:"outcome"` // of the run that the mirror was written by
}

// ReconstructSnapshots counts the mirror as it was on past days, from the
// lifecycle dates of its rows, and keeps the counts as reconstructed snapshots.
// Observed ones are never touched.
func (a *Activities) ReconstructSnapshots(ctx context.Context, in ReconstructInput) (ReconstructResult, error) {
	return step(ctx, in, a.reconstruct)
}

func (a *Activities) reconstruct(ctx context.Context, in ReconstructInput) (ReconstructResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ReconstructResult{}, err
	}
	var of runs.Run
	var seen time.Time
	days := in.AsOf
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		if of, err = o.runs.Run(ctx, in.Of); err != nil {
			return err
		}
		if seen, err = seenAt(ctx, o, &of); err == nil && in.History {
			days, err = a.history(ctx, o, in.Run, seen)
		}
		return err
	})
	if err != nil {
		return ReconstructResult{}, err
	}
	dates := make([]time.Time, len(days))
	for i, day := range days {
		dates[i] = day.Time()
	}
	result := ReconstructResult{Outcome: of.Outcome}
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		result.ReconstructResult, err = o.statistics.Reconstruct(ctx, statistics.ReconstructInput{
			AsOf: dates, Date: seen.In(o.spec.Location()), SurvivorsBefore: o.spec.SurvivorsBefore(),
			Version: of.Crawl.Version, Run: in.Run.ID, Spec: in.Run.Spec, Outcome: of.Outcome,
		})
		return err
	})
	if err != nil {
		return ReconstructResult{}, fmt.Errorf("reconstruct snapshots: %w", err)
	}
	return result, nil
}
