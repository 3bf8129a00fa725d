package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"padron/internal/mirror"
	"padron/internal/socrata"
)

// quarantined lists the keys of a run's quarantined rows, or those of them that
// are asked for, in batches of one request each.
func (a *Activities) quarantined(ctx context.Context, o *opened, run string, only []string) ([][]string, error) {
	var keys []string
	err := a.Database.Do(ctx, func(ctx context.Context) (err error) {
		keys, err = o.mirror.QuarantinedKeys(ctx, run)
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

// Resolve takes out of quarantine the rows of a replay that have become
// documents. What is still unusable stays as the crawl found it.
func (a *Activities) Resolve(ctx context.Context, in ResolveInput) error {
	defer alive(ctx)()
	return classify(a.resolve(ctx, in))
}

func (a *Activities) resolve(ctx context.Context, in ResolveInput) error {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return err
	}
	var good []string
	for _, page := range in.Pages {
		clean, err := cleanKeys(ctx, o.landing, page)
		if err != nil {
			return fmt.Errorf("read cleaned page: %w", err)
		}
		good = append(good, clean...)
	}
	return a.Database.Do(ctx, func(ctx context.Context) error {
		if err := o.mirror.ResolveQuarantine(ctx, in.Of, good); err != nil {
			return err
		}
		return o.mirror.ClearQuarantine(ctx, in.Run.ID)
	})
}

// cleanKeys lists the keys whose rows in a cleaned page all became documents.
func cleanKeys(ctx context.Context, landing mirror.Landing, page CleanPage) ([]string, error) {
	content, err := landing.Open(ctx, page.ID, page.SHA256)
	if err != nil {
		return nil, err
	}
	defer content.Close() //nolint:errcheck // read to its verified end
	var keys, bad []string
	records := mirror.NewPageReader(content)
	for {
		var rec mirror.Record
		err := records.Next(&rec)
		if errors.Is(err, io.EOF) {
			return slices.DeleteFunc(keys, func(key string) bool { return slices.Contains(bad, key) }), nil
		}
		if err != nil {
			return nil, err
		}
		if rec.Quarantine == "" {
			keys = append(keys, rec.Key)
		} else {
			bad = append(bad, rec.Key)
		}
	}
}
