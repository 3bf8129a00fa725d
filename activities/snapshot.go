package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/cleaning"
	"padron/internal/dataset"
	"padron/internal/mirror"
)

// AggregateSnapshot counts the mirror as it is, on the database server, and
// keeps the counts as the snapshot of the day that the crawl's version belongs
// to in the dataset's time zone. A snapshot that exists is not made again.
func (a *Activities) AggregateSnapshot(ctx context.Context, in SnapshotInput) (SnapshotResult, error) {
	defer alive(ctx)()
	result, err := a.aggregateSnapshot(ctx, in)
	return result, classify(err)
}

func (a *Activities) aggregateSnapshot(ctx context.Context, in SnapshotInput) (SnapshotResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return SnapshotResult{}, err
	}
	result := SnapshotResult{Outcome: in.Outcome}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		of, err := o.mirror.LastCrawl(ctx)
		if err != nil {
			return err
		}
		if result.Outcome == "" { // a rerun of this step alone
			result.Outcome, result.Why = of.Outcome, "the snapshot of run "+of.ID
		}
		served := of.Crawl.Version.Served
		if served.IsZero() {
			served = in.Run.Started // a portal that tells no version: the day it was seen
		}
		taken, _, err := o.mirror.TakeSnapshot(ctx, mirror.SnapshotInput{
			AsOf: served.In(o.spec.Location()), Version: of.Crawl.Version, Run: in.Run.ID, Spec: in.Run.Spec, Outcome: result.Outcome,
			Entry: o.spec.SurvivorsBefore(), Grid: gridOf(o.spec),
		})
		if err != nil {
			return err
		}
		result.ID, result.Open = taken.ID, taken.Totals.Open
		return o.mirror.SetRun(ctx, in.Run.ID, bson.D{{Key: "snapshot", Value: taken.ID}})
	})
	if err != nil {
		return SnapshotResult{}, fmt.Errorf("take snapshot: %w", err)
	}
	return result, nil
}

// gridOf is the grid of the map; nil when documents have no point.
func gridOf(spec *dataset.Spec) *mirror.Grid {
	if !slices.ContainsFunc(spec.Fields, func(f dataset.Field) bool { return f.Type == dataset.Point && !f.Drop }) {
		return nil
	}
	g := cleaning.GridOf(spec.Box)
	return &mirror.Grid{
		Size: g.Size, Width: g.Width, MetersPerLon: g.MetersPerLon, MetersPerLat: g.MetersPerLat, Box: mirror.Box(spec.Box),
		Center: func(cell string) (lon, lat float64, err error) { return cleaning.CellCenter(spec.Box, cell) },
	}
}

// ReconstructInput asks for the snapshots of past days.
type ReconstructInput struct {
	Run  Run    `json:"run"`
	Of   string `json:"of"`    // the run whose crawl the mirror was written from
	AsOf []Day  `json:"as_of"` // first days of months
}

// ReconstructResult says what was made.
type ReconstructResult struct {
	mirror.ReconstructResult
	Outcome mirror.Outcome `json:"outcome"` // of the run that the mirror was written by
}

// ReconstructSnapshots counts the mirror as it was on past days, from the
// lifecycle dates of its rows, and keeps the counts as reconstructed snapshots.
// Observed ones are never touched.
func (a *Activities) ReconstructSnapshots(ctx context.Context, in ReconstructInput) (ReconstructResult, error) {
	defer alive(ctx)()
	result, err := a.reconstruct(ctx, in)
	return result, classify(err)
}

func (a *Activities) reconstruct(ctx context.Context, in ReconstructInput) (ReconstructResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ReconstructResult{}, err
	}
	dates := make([]time.Time, len(in.AsOf))
	for i, day := range in.AsOf {
		dates[i] = day.Time()
	}
	var result ReconstructResult
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		of, err := o.mirror.Run(ctx, in.Of)
		if err != nil {
			return err
		}
		result.Outcome = of.Outcome
		seen := of.Crawl.Version.Served
		if seen.IsZero() {
			seen = of.Started // a portal that tells no version
		}
		result.ReconstructResult, err = o.mirror.Reconstruct(ctx, mirror.ReconstructInput{
			AsOf: dates, Date: seen.In(o.spec.Location()), SurvivorsBefore: o.spec.SurvivorsBefore(),
			Version: of.Crawl.Version, Run: in.Run.ID, Spec: in.Run.Spec, Outcome: of.Outcome,
		})
		return err
	})
	if err != nil {
		return ReconstructResult{}, fmt.Errorf("reconstruct %d snapshots: %w", len(in.AsOf), err)
	}
	return result, nil
}
