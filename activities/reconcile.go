package activities

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mirror"
)

// Reconcile compares what is stored with what the portal counted and writes the
// run's certificate. Documents, new and changed ones are counted over what is
// stored; missing and quarantined ones are what the upsert found in the end,
// whichever attempt that took.
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
	var tally mirror.Tally
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		tally, err = o.mirror.Tally(ctx, in.Run.ID)
		return err
	})
	if err != nil {
		return ReconcileResult{}, err
	}
	quarantined := int64(in.Quarantined - in.Kept) // rows that have no document
	missing := int64(in.Missing)
	if !in.Gate.Ordered {
		// No range knows its own: over the whole crawl, what is stored and not
		// accounted for by a row is missing on the portal.
		missing = max(0, tally.Documents-(in.Gate.Rows-quarantined))
	}
	result := ReconcileResult{
		Outcome: mirror.OutcomeGreen, Documents: tally.Documents, Inserted: tally.Inserted, Replaced: tally.Replaced, Quarantined: int64(in.Quarantined),
		Why: fmt.Sprintf("%s rows on the portal, %s documents here", humanize.Comma(in.Gate.Rows), humanize.Comma(tally.Documents)),
	}
	if quarantined > 0 {
		result.Why += fmt.Sprintf(", %s rows in quarantine without one", humanize.Comma(quarantined))
	}
	equal := missing == 0 && in.Gate.Rows == tally.Documents+quarantined
	switch {
	case !in.Gate.Whole:
		result.Outcome, result.Why = mirror.OutcomeUnproven, in.Gate.Why
	case !equal:
		result.Outcome = mirror.OutcomeRed
	}
	if missing > 0 {
		result.Why += fmt.Sprintf("; %d documents are no longer on the portal", missing)
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		return o.mirror.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "counts", Value: mirror.Counts{
				PortalRows: in.Gate.Rows, Fetched: in.Gate.Rows, Cleaned: in.Gate.Rows - int64(in.Quarantined), Documents: tally.Documents, Inserted: tally.Inserted, Replaced: tally.Replaced,
				Unchanged: tally.Documents - tally.Inserted - tally.Replaced - missing,
				Missing:   missing, Quarantined: int64(in.Quarantined), Kept: int64(in.Kept),
			}},
			{Key: "certificate", Value: mirror.Verdict{Outcome: result.Outcome, Checks: []mirror.Check{
				{Name: "whole", OK: in.Gate.Whole, Detail: orElse(in.Gate.Why, "one version from the first count to the last")},
				{Name: "rows", OK: equal, Detail: result.Why},
			}}},
		})
	})
	return result, err
}
