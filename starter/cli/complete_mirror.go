package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"padron/internal/query"
	"padron/internal/runs"
)

const (
	// CompleteWithin is how long a shell waits for words to offer.
	CompleteWithin = 2 * time.Second
	// MostOffered is how many words are looked up.
	MostOffered = 100
)

// FromMirror looks words up in the mirror, within what a shell waits.
func FromMirror(cmd *cobra.Command, look func(ctx context.Context, reader *query.Reader) []cobra.Completion) (list []cobra.Completion) {
	ctx, cancel := context.WithTimeout(cmd.Context(), CompleteWithin)
	defer cancel()
	cmd.SetContext(ctx)
	// Errors are silent, see Words.
	_ = WithMirror(cmd, func(reader *query.Reader) error {
		list = look(ctx, reader)
		return nil
	})
	return list
}

// CompleteRuns offers the newest runs, with what came of them.
func CompleteRuns(cmd *cobra.Command, _ string) []cobra.Completion {
	return RunsWhere(cmd, func(*runs.Run) bool { return true })
}

// RunsWhere offers the newest runs of a kind, with what came of them.
func RunsWhere(cmd *cobra.Command, wanted func(*runs.Run) bool) []cobra.Completion {
	return FromMirror(cmd, func(ctx context.Context, reader *query.Reader) []cobra.Completion {
		records, err := reader.Runs.Runs(ctx, MostOffered, time.Time{})
		if err != nil {
			return nil
		}
		var list []cobra.Completion
		for i := range records {
			if wanted(&records[i]) {
				list = append(list, RunOffered(&records[i]))
			}
		}
		return list
	})
}

// RunOffered is a run with what came of it.
func RunOffered(r *runs.Run) cobra.Completion {
	what := string(r.Ending())
	if what == "" {
		what = string(r.Status)
	}
	if r.Held.Rows > 0 {
		what += fmt.Sprintf(", holds %s removals", Count(r.Held.Rows))
	}
	return cobra.CompletionWithDesc(r.ID, what+", "+Moment(r.Started))
}

// CompleteQuarantined offers the keys of the newest crawl's quarantine. A row
// without one is named by its id where that is of use.
func CompleteQuarantined(ids bool) Words {
	return func(cmd *cobra.Command, _ string) []cobra.Completion {
		return FromMirror(cmd, func(ctx context.Context, reader *query.Reader) []cobra.Completion {
			run, err := reader.Runs.LastCrawl(ctx)
			if err != nil {
				return nil
			}
			rows, err := reader.Quarantine.List(ctx, run.ID, "", MostOffered)
			if err != nil {
				return nil
			}
			var list []cobra.Completion
			seen := map[string]bool{}
			for _, r := range rows {
				word := r.Key
				if word == "" && ids {
					word = r.ID
				}
				if word == "" || word != Plain(word) || seen[word] {
					continue
				}
				seen[word] = true
				list = append(list, cobra.CompletionWithDesc(word, Plain(r.Reason)))
			}
			return list
		})
	}
}
