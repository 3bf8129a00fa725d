package activities

import (
	"context"
	"fmt"
	"io"
	"slices"

	"padron/internal/crawl"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// FetchKeysInput asks for one batch of quarantined rows.
type FetchKeysInput struct {
	Run     Run      `json:"run"`
	Of      string   `json:"of"`             // the run whose quarantine it is
	Keys    []string `json:"keys,omitempty"` // only these; empty: all
	Batch   int      `json:"batch"`
	Columns []string `json:"columns"`
}

// FetchKeys fetches one batch of quarantined rows by their keys.
func (a *Activities) FetchKeys(ctx context.Context, in FetchKeysInput) (crawl.RawPage, error) {
	return attempted(ctx, func(ctx context.Context) (crawl.RawPage, error) {
		return drainable(ctx, func(ctx context.Context) (crawl.RawPage, error) { return a.fetchKeys(ctx, in) })
	})
}

func (a *Activities) fetchKeys(ctx context.Context, in FetchKeysInput) (crawl.RawPage, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return crawl.RawPage{}, err
	}
	batches, err := a.quarantined(ctx, o, in.Of, in.Keys)
	if err != nil {
		return crawl.RawPage{}, err
	}
	if in.Batch >= len(batches) {
		return crawl.RawPage{}, refuse(runs.NothingToDo, "the quarantine changed while it was being retried")
	}
	keys := batches[in.Batch]
	page, _, err := a.land(ctx, o, in.Run, in.Batch, socrata.Range{}, func(ctx context.Context, to io.Writer) (socrata.PageInfo, error) {
		return o.portal.PageOfKeys(ctx, o.spec.Key, in.Columns, keys, to)
	})
	if err != nil {
		return crawl.RawPage{}, fmt.Errorf("fetch %d rows by key: %w", len(keys), err)
	}
	return page, nil
}

// quarantined lists the keys of a run's quarantined rows, or those of them that
// are asked for, in batches of one request each.
func (a *Activities) quarantined(ctx context.Context, o *opened, run string, only []string) ([][]string, error) {
	var keys []string
	err := a.Database.Do(ctx, func(ctx context.Context) (err error) {
		keys, err = o.quarantine.Keys(ctx, run)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(only) > 0 {
		keys = slices.DeleteFunc(keys, func(key string) bool { return !slices.Contains(only, key) })
	}
	return slices.Collect(socrata.KeyBatches(keys)), nil
}

// ResolveInput gives the pages of a retry.
type ResolveInput struct {
	Run   Run               `json:"run"`
	Of    string            `json:"of"` // the run whose quarantine it is
	Pages []crawl.CleanPage `json:"pages"`
}

// Resolve takes out of quarantine the rows of a retry that have become
// documents. What is still unusable stays as the crawl found it.
func (a *Activities) Resolve(ctx context.Context, in ResolveInput) error {
	_, err := step(ctx, in, func(ctx context.Context, in ResolveInput) (any, error) { return nil, a.resolve(ctx, in) })
	return err
}

func (a *Activities) resolve(ctx context.Context, in ResolveInput) error {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return err
	}
	var good []string
	for _, page := range in.Pages {
		clean, err := o.pages.CleanKeys(ctx, page)
		if err != nil {
			return fmt.Errorf("read cleaned page: %w", err)
		}
		good = append(good, clean...)
	}
	return a.Database.Do(ctx, func(ctx context.Context) error {
		if err := o.quarantine.Resolve(ctx, in.Of, good); err != nil {
			return err
		}
		return o.quarantine.Clear(ctx, in.Run.ID)
	})
}
