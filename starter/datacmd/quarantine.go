package datacmd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/internal/cleaning"
	"padron/internal/quarantine"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/starter/cli"
	"padron/starter/runcmd"
)

func quarantineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "Show and retry the rows that could not become documents",
		Long: `A row of the portal without a key, with a key that another row has too, or with a
required value that cannot be read is kept apart, as the portal served it. The
last good document of its key stays in the mirror and is marked stale.`,
		Example: `  starter quarantine list
  starter quarantine show 0123456-01-001
  starter quarantine retry                 after the spec or the portal's row was corrected`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(quarantineListCommand(), quarantineShowCommand(), runcmd.RetryCommand())
	return cmd
}

// quarantinedView is a quarantined row without what the portal served: a
// listing has no need of it, and it may be about a private person.
type quarantinedView struct {
	ID     string    `json:"id"`
	Key    string    `json:"key,omitempty"` // empty when the row has none
	Reason string    `json:"reason"`
	Run    string    `json:"run"`
	Page   string    `json:"page"`
	Index  int       `json:"index"` // of the row in the page, from 0
	At     time.Time `json:"at"`
	// Document is what stands in the mirror under the key: documentNone,
	// documentStale or documentCurrent.
	Document string `json:"document"`
}

// What the mirror has for a quarantined row.
const (
	documentNone    = "none"
	documentStale   = "stale"   // an older version of the row, marked so
	documentCurrent = "current" // another row of the crawl, or a later one
)

func quarantineListCommand() *cobra.Command {
	var (
		out   cli.Output
		limit int
		run   string
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the quarantined rows of the newest crawl, or of another run",
		Long: `Lists the rows that the newest crawl had to keep apart: their id, key and reason,
and what the mirror has under that key: nothing (none), an older version of the
row (stale), or what another row or a later run brought (current).
The rows themselves are not shown; ` + "`starter quarantine show`" + ` does that.`,
		Example: `  starter quarantine list
  starter quarantine list --run manual-2026-11-23T16:11:58.123Z -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckLimit(limit); err != nil {
				return err
			}
			return cli.WithMirror(cmd, func(reader *query.Reader) error {
				of, err := quarantineRun(cmd.Context(), reader, run)
				if err != nil {
					return err
				}
				views, err := quarantineViews(cmd.Context(), reader, of, limit)
				if err != nil {
					return err
				}
				all, err := reader.Quarantine.Count(cmd.Context(), of)
				if err != nil {
					return err
				}
				return out.Show(cmd.OutOrStdout(), views, func(w io.Writer) { printQuarantine(w, of, views, all) })
			})
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "the `run` whose rows to list (default: the newest that crawled)")
	cli.CompleteFlag(cmd, "run", cli.Complete(cli.CompleteRuns))
	cmd.Flags().IntVarP(&limit, "limit", "n", 100, "how many rows")
	out.Add(cmd)
	return cmd
}

// quarantineRun is the run given, if there is one, else the newest crawl.
func quarantineRun(ctx context.Context, reader *query.Reader, id string) (string, error) {
	if id != "" {
		_, err := cli.ReadRun(ctx, reader, id)
		return id, err
	}
	run, err := reader.Runs.LastCrawl(ctx)
	if errors.Is(err, runs.ErrNoRun) {
		return "", errors.New("no run has crawled the portal yet; `starter run --wait` makes the first")
	}
	return run.ID, err
}

func quarantineViews(ctx context.Context, reader *query.Reader, run string, limit int) ([]quarantinedView, error) {
	rows, err := reader.Quarantine.List(ctx, run, "", limit)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, r := range rows {
		if r.Key != "" {
			keys = append(keys, r.Key)
		}
	}
	stands, err := standing(ctx, reader, keys)
	if err != nil {
		return nil, err
	}
	views := make([]quarantinedView, len(rows))
	for i, r := range rows {
		views[i] = viewQuarantined(r, stands)
	}
	return views, nil
}

func viewQuarantined(q quarantine.Row, stands map[string]string) quarantinedView {
	return quarantinedView{q.ID, q.Key, q.Reason, q.Run, q.Page, q.Index, q.At, cmp.Or(stands[q.Key], documentNone)}
}

// standing says of the keys that have a document in the mirror how it stands.
func standing(ctx context.Context, reader *query.Reader, keys []string) (map[string]string, error) {
	stale, err := reader.Stale(ctx, keys)
	if err != nil {
		return nil, err
	}
	stands := map[string]string{}
	for key, isStale := range stale {
		stands[key] = documentCurrent
		if isStale {
			stands[key] = documentStale
		}
	}
	return stands, nil
}

func printQuarantine(w io.Writer, run string, views []quarantinedView, all int64) {
	if all == 0 {
		fmt.Fprintf(w, "run %s has no rows in quarantine\n", run)
		return
	}
	var rows []table.Row
	for _, v := range views {
		rows = append(rows, table.Row{v.ID, cli.Plain(v.Key), v.Document, cli.Plain(v.Reason)})
	}
	cli.Grid(w, table.Row{"row (run/page/index)", "key", "document", "reason"}, rows)
	if more := all - int64(len(views)); more > 0 {
		fmt.Fprintf(w, "and %s more; -n %d lists all\n", cli.Count(more), all)
	}
}

func quarantineShowCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "show KEY|ID",
		Short: "Show a quarantined row as the portal served it",
		Long: `Shows one quarantined row with its reason and all the values that the portal
served, so that you can see what is wrong with it. A row of the newest crawl is
named by its key, one without a key or of another run by the id that the list
gives it.

The row may contain personal data, such as the name and the home address of a
sole owner: treat the output accordingly.`,
		Example: `  starter quarantine show 0123456-01-001
  starter quarantine show manual-2026-11-23T16%3A11%3A58.123Z/0000.0/00000003
  starter quarantine show 0123456-01-001 -o json | jq .row`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.CompleteFirst(cli.CompleteQuarantined(true)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cli.WithMirror(cmd, func(reader *query.Reader) error { return showQuarantined(cmd, reader, args[0], out) })
		},
	}
	out.Add(cmd)
	return cmd
}

// quarantinedRow finds a quarantined row by its id, or by its key among those of
// the newest crawl.
func quarantinedRow(ctx context.Context, reader *query.Reader, name string) (quarantine.Row, error) {
	q, err := reader.Quarantine.Get(ctx, name)
	if !errors.Is(err, quarantine.ErrNoRow) {
		return q, err
	}
	run, err := quarantineRun(ctx, reader, "")
	if err != nil {
		return q, err
	}
	ids, err := reader.Quarantine.WithKey(ctx, run, name)
	switch {
	case err != nil:
		return q, err
	case len(ids) == 0:
		return q, fmt.Errorf("there is no quarantined row %q; `starter quarantine list` lists them", name)
	case len(ids) > 1:
		return q, fmt.Errorf("%d quarantined rows have the key %q: use the id of one, %s", len(ids), name, cli.OneOf(ids))
	}
	return reader.Quarantine.Get(ctx, ids[0])
}

func showQuarantined(cmd *cobra.Command, reader *query.Reader, name string, out cli.Output) error {
	ctx := cmd.Context()
	q, err := quarantinedRow(ctx, reader, name)
	if err != nil {
		return err
	}
	stands, err := standing(ctx, reader, []string{q.Key})
	if err != nil {
		return err
	}
	view := struct {
		quarantinedView
		Row json.RawMessage `json:"row"`
	}{viewQuarantined(q, stands), rawJSON(q.Raw)}
	return out.Show(cmd.OutOrStdout(), view, func(w io.Writer) {
		cli.Facts(w, [][2]string{
			{"row", q.ID},
			{"key", cli.Plain(q.Key)},
			{"reason", cli.Plain(q.Reason)},
			{"run", q.Run},
			{"seen", cli.Moment(q.At)},
			{"document", view.Document},
		})
		var indented bytes.Buffer
		if json.Indent(&indented, view.Row, "", "  ") != nil {
			indented.Reset()
			indented.WriteString(q.Raw)
		}
		fmt.Fprintf(w, "\n%s\n", cleaning.Visible(indented.String()))
	})
}

// rawJSON is a quarantined row as JSON, or as a text where it is none.
func rawJSON(raw string) json.RawMessage {
	if json.Valid([]byte(raw)) {
		return json.RawMessage(raw)
	}
	text, err := json.Marshal(raw)
	if err != nil {
		return nil // of a string: this cannot be
	}
	return text
}
