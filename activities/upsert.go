package activities

import (
	"context"
	"fmt"

	"padron/internal/mirror"
)

// UpsertPage makes one key range of the mirror equal to its cleaned pages:
// new rows are inserted, changed ones replaced, unchanged ones not written.
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
	pages := make([]mirror.PageRef, 0, len(in.Pages))
	for _, p := range in.Pages {
		pages = append(pages, mirror.PageRef{ID: p.ID, SHA256: p.SHA256, Label: p.Label})
	}
	shown := a.progress(o, in.Run, "upsert", in.Part)
	var done mirror.UpsertResult
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		done, err = o.mirror.Upsert(ctx, o.landing, mirror.UpsertInput{
			Run: in.Run.ID, Spec: in.Run.Spec, At: in.Run.Started, Range: in.Range, Pages: pages,
			Ordered: in.Ordered,
			Beat:    func(p mirror.Progress) { shown.rows(ctx, p.Rows) },
		})
		return err
	})
	if err != nil {
		return UpsertResult{}, fmt.Errorf("upsert %s: %w", in.Range, err)
	}
	shown.set(ctx, done.Rows)
	return UpsertResult{
		Inserted: done.Inserted, Replaced: done.Replaced, Unchanged: done.Unchanged,
		Missing: done.Missing, Quarantined: done.Quarantined, Kept: done.Kept,
	}, nil
}
