package activities

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/cleaning"
	"padron/internal/mirror"
)

// UpsertPage makes one key range of the mirror equal to its cleaned pages:
// new rows are inserted, changed ones replaced, unchanged ones not written; each
// change has its event, unless the mirror is being loaded for the first time.
func (a *Activities) UpsertPage(ctx context.Context, in UpsertInput) (UpsertResult, error) {
	defer alive(ctx)()
	result, err := a.upsert(ctx, in)
	return result, classify(err)
}

func (a *Activities) upsert(ctx context.Context, in UpsertInput) (UpsertResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return UpsertResult{}, err
	}
	explainer, err := cleaning.NewExplainer(o.spec, in.CameOrWent)
	if err != nil {
		return UpsertResult{}, refuse(UnknownDataset, err.Error())
	}
	if in.Mapped != nil {
		explainer.Before(in.Mapped)
	}
	shown := a.progress(o, in.Run, "upsert", in.Part)
	to := mirrorInput(in)
	to.Beat = func(p mirror.Progress) { shown.rows(ctx, p.Rows) }
	to.Explain = func(before, after bson.Raw, sameSpec bool) (mirror.Explanation, error) {
		kinds, cause, err := explainer.Explain(before, after, sameSpec)
		return mirror.Explanation{Kinds: kinds, Cause: cause, Drop: o.spec.DroppedPath}, err
	}
	var done mirror.UpsertResult
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		done, err = o.mirror.Upsert(ctx, o.landing, to)
		return err
	})
	if err != nil {
		return UpsertResult{}, fmt.Errorf("upsert %s: %w", in.Range, err)
	}
	shown.set(ctx, done.Rows)
	return upsertResult(done), nil
}
