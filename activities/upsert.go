package activities

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/changes"
	"padron/internal/cleaning"
	"padron/internal/crawl"
	"padron/internal/landing"
	"padron/internal/mirror"
	"padron/internal/socrata"
)

// UpsertInput asks to make one key range of the mirror equal to its pages.
type UpsertInput struct {
	Run   Run               `json:"run"`
	Part  int               `json:"part"`
	Range socrata.Range     `json:"range"`
	Pages []crawl.CleanPage `json:"pages"`
	// Ordered as the gate found the keys of the whole crawl.
	Ordered    bool     `json:"ordered"`
	FirstLoad  bool     `json:"first_load,omitempty"`
	Partial    bool     `json:"partial,omitempty"` // the pages are only some rows of the range
	Repair     bool     `json:"repair,omitempty"`  // see mirror.UpsertInput
	CameOrWent []string `json:"came_or_went,omitempty"`
	Mapped     []string `json:"mapped,omitempty"`
}

// UpsertResult counts one attempt; a run's own counts come from what is stored.
type UpsertResult struct {
	Inserted  int `json:"inserted"`
	Replaced  int `json:"replaced"`
	Unchanged int `json:"unchanged"`
	// Landed pages of keys.
	MissingKeys []landing.Ref `json:"missing_keys,omitempty"` // stored, and not in the crawl
	AllKeys     []landing.Ref `json:"all_keys,omitempty"`     // of the crawl, when its keys are not in the order of bytes
}

// UpsertPage makes one key range of the mirror equal to its cleaned pages:
// new rows are inserted, changed ones replaced, unchanged ones not written; each
// change has its event, unless the mirror is being loaded for the first time.
func (a *Activities) UpsertPage(ctx context.Context, in UpsertInput) (UpsertResult, error) {
	return step(ctx, in, a.upsert)
}

func (a *Activities) upsert(ctx context.Context, in UpsertInput) (UpsertResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return UpsertResult{}, err
	}
	classifier, err := cleaning.NewClassifier(o.spec, in.CameOrWent)
	if err != nil {
		return UpsertResult{}, fmt.Errorf("%w: %w", crawl.ErrSpec, err)
	}
	if in.Mapped != nil {
		classifier.Before(in.Mapped)
	}
	shown := a.progress(o, in.Run, "upsert", in.Part)
	to := mirror.UpsertInput{
		Run: in.Run.ID, Spec: in.Run.Spec, At: in.Run.Started, Part: crawl.Label(in.Part), Range: in.Range,
		Ordered: in.Ordered, FirstLoad: in.FirstLoad, Partial: in.Partial, Repair: in.Repair,
		Heartbeat: func(p mirror.Progress) { shown.rows(ctx, p.Rows) },
		Classify: func(before, after bson.Raw, sameSpec bool) (changes.Classification, error) {
			kinds, cause, err := classifier.Classify(before, after, sameSpec)
			return changes.Classification{Kinds: kinds, Cause: cause, Drop: o.spec.DroppedPath}, err
		},
	}
	for _, p := range in.Pages {
		to.Pages = append(to.Pages, p.Ref())
	}
	var done mirror.UpsertResult
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		if err := o.runs.Writing(ctx, in.Run.ID); err != nil {
			return err
		}
		done, err = o.mirror.Upsert(ctx, o.zone, to)
		return err
	})
	if err != nil {
		return UpsertResult{}, fmt.Errorf("upsert %s: %w", in.Range, err)
	}
	shown.set(ctx, done.Rows)
	result := UpsertResult{Inserted: done.Inserted, Replaced: done.Replaced, Unchanged: done.Unchanged}
	if done.MissingKeys.ID != "" {
		result.MissingKeys = []landing.Ref{done.MissingKeys}
	}
	if done.AllKeys.ID != "" {
		result.AllKeys = []landing.Ref{done.AllKeys}
	}
	return result, nil
}
