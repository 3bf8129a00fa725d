package activities

import (
	"context"
	"errors"
	"fmt"

	"padron/internal/mirror"
)

// ComparePage counts what UpsertPage would do to one key range, and writes
// nothing. It is for cleaned pages of an earlier run, which were compared with
// what was stored then.
func (a *Activities) ComparePage(ctx context.Context, in UpsertInput) (UpsertResult, error) {
	defer alive(ctx)()
	result, err := a.compare(ctx, in)
	return result, classify(err)
}

func (a *Activities) compare(ctx context.Context, in UpsertInput) (UpsertResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return UpsertResult{}, err
	}
	var found mirror.UpsertResult
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		found, err = o.mirror.Compare(ctx, o.landing, mirrorInput(in))
		// A key in two ranges is for the gate to see, which sees them all.
		if errors.Is(err, mirror.ErrOrder) || errors.Is(err, mirror.ErrDuplicateKey) {
			found, err = mirror.UpsertResult{}, nil
		}
		return err
	})
	if err != nil {
		return UpsertResult{}, fmt.Errorf("compare %s: %w", in.Range, err)
	}
	return upsertResult(found), nil
}

// mirrorInput is the input in the mirror's terms.
func mirrorInput(in UpsertInput) mirror.UpsertInput {
	to := mirror.UpsertInput{
		Run: in.Run.ID, Spec: in.Run.Spec, At: in.Run.Started, Part: label(in.Part), Range: in.Range,
		Ordered: in.Ordered, FirstLoad: in.FirstLoad, Partial: in.Partial,
	}
	for _, p := range in.Pages {
		to.Pages = append(to.Pages, mirror.PageRef{ID: p.ID, SHA256: p.SHA256, Label: p.Label})
	}
	return to
}

func upsertResult(done mirror.UpsertResult) UpsertResult {
	result := UpsertResult{
		Inserted: done.Inserted, Replaced: done.Replaced, Unchanged: done.Unchanged,
		Missing: done.Missing, Quarantined: done.Quarantined, Kept: done.Kept, Stale: done.Stale,
	}
	if done.MissingKeys.ID != "" {
		result.MissingKeys = []mirror.PageRef{done.MissingKeys}
	}
	if done.AllKeys.ID != "" {
		result.AllKeys = []mirror.PageRef{done.AllKeys}
	}
	return result
}
