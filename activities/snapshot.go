package activities

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

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
