package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"padron/internal/portalsim"
)

// everyTenthKey lists the keys of every tenth row.
func (r *run) everyTenthKey() []string {
	var keys []string
	n := 0
	for row := range r.portal.SourceRows() {
		if key, ok := row["ttxid"].(string); ok && n%10 == 0 {
			keys = append(keys, key)
		}
		n++
	}
	return keys
}

func everyNth(all []string, n int) []string {
	var some []string
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// edit renames and closes rows on the portal, and renders its answers again.
func (r *run) edit(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	return r.stack.Steps.Do("Edit", "editing rows on the portal", func() (string, error) {
		ops := make([]portalsim.Op, len(keys))
		for i, key := range keys {
			if i%2 == 0 {
				ops[i] = portalsim.Rename(key, fmt.Sprintf("Renamed %d of %d", i, len(keys)))
			} else {
				ops[i] = portalsim.Close(key, r.version.Truncate(24*time.Hour))
			}
		}
		// The edits are dated a second after the last version, long ago: a
		// version of the last minutes would not be trusted to be final.
		if err := r.portal.EditAt(r.version, ops...); err != nil {
			return "", fmt.Errorf("edit the portal's rows: %w", err)
		}
		return thousands(len(keys)) + " rows of the portal changed", r.render(ctx)
	})
}

// render asks the portal what it was asked before, so that its answers are
// cached when they are asked for again.
func (r *run) render(ctx context.Context) error {
	r.portal.OnRequest(nil)
	defer r.portal.OnRequest(r.asked.hear)
	for uri := range r.asked.uris {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+uri, http.NoBody)
		if err != nil {
			return err
		}
		req.Header.Set("Accept-Encoding", "gzip")
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("render the portal's answers: %w", err)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return fmt.Errorf("render the portal's answers: %w", err)
		}
	}
	return nil
}
