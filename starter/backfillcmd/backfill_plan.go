package backfillcmd

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"padron/activities"
	"padron/internal/backfill"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/internal/socrata"
	"padron/starter/cli"
)

// backfillPlan is what a backfill would do. The portal counts its rows.
type backfillPlan struct {
	On        string               `json:"on"`
	Columns   backfill.DateColumns `json:"columns"`
	Since     backfill.Day         `json:"since"`
	Until     backfill.Day         `json:"until"` // the day after the last
	Every     backfill.Every       `json:"every"`
	Windows   []plannedWindow      `json:"windows"`
	Todo      int                  `json:"todo"`             // windows to be reloaded
	Proven    string               `json:"proven,omitempty"` // why these need no reloading; empty: they do
	Rows      int64                `json:"rows"`             // of these; a row counts in each of its windows
	Requests  int64                `json:"requests"`
	Estimate  time.Duration        `json:"estimate_ns"`
	Snapshots int                  `json:"snapshots"`

	Total   int64 `json:"total"`   // rows on the portal
	Undated int64 `json:"undated"` // see backfill.Counts, as for Before and After
	Before  int64 `json:"before"`
	After   int64 `json:"after"`
}

// plannedWindow is one window and what belongs to it.
type plannedWindow struct {
	backfill.Window
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	State string `json:"state"` // to do, or what became of it before
}

// planBackfill plans a backfill as a worker would, and asks the portal how many
// rows it would reload.
func planBackfill(ctx context.Context, c config.Config, spec *dataset.Spec, reader *query.Reader, f backfillFlags) (*backfillPlan, error) {
	portal, err := cli.OpenPortal(c, spec)
	if err != nil {
		return nil, err
	}
	live, _, err := cli.Metadata(ctx, portal)
	if err != nil {
		return nil, err
	}
	p := &backfillPlan{On: f.on, Since: f.since.day, Until: f.until.day, Every: backfill.Every(f.every)}
	columns, err := activities.Columns(ctx, portal, spec, live)
	if err != nil {
		return nil, err
	}
	if p.Columns, err = backfill.ColumnsOn(f.on, spec, columns); err != nil {
		return nil, cli.Usage(err)
	}
	windows, err := backfill.Windows(p.Since, p.Until, p.Every)
	if err != nil {
		return nil, cli.Usage(err)
	}
	counts, err := backfill.Count(ctx, portal, p.Columns, windows, p.Every)
	if err != nil {
		return nil, err
	}
	p.Total, p.Undated, p.Before, p.After = counts.Total, counts.Undated, counts.Before, counts.After
	stored, err := reader.Runs.Windows(ctx, p.On, string(p.Since), string(p.Until))
	if err != nil {
		return nil, err
	}
	if backfill.Reload(f.reload) != backfill.ReloadAlways {
		if p.Proven, err = proven(ctx, portal, spec, reader, live); err != nil {
			return nil, err
		}
	}
	var todo []backfill.Window
	var todoRows []int64
	for i, w := range backfill.Plan(windows, p.On, stored, backfill.Reload(f.reload)) {
		rows := counts.Windows[i]
		planned := plannedWindow{Window: w.Window, Name: w.String(), Rows: rows, State: "to do"}
		switch {
		case w.Reload && p.Proven != "":
			planned.State = "proven, not to be reloaded"
		case w.Reload:
			p.Todo++
			p.Rows += planned.Rows
			todo, todoRows = append(todo, w.Window), append(todoRows, rows)
		default:
			planned.State = string(w.Before.Status) + " by " + w.Before.Run
		}
		p.Windows = append(p.Windows, planned)
	}
	p.Requests = requests(p.Columns, todo, todoRows, c.PageSize)
	last, err := runs.OrNone(reader.Runs.LastCrawl(ctx))
	if err != nil {
		return nil, err
	}
	p.Snapshots = len(backfill.AsOf(windows, backfill.DayOf(last.Seen().In(spec.Location()))))
	p.Estimate = p.estimate(ctx, c, reader)
	return p, nil
}

// requests is how many pages are asked for: windows with few rows share one.
func requests(columns backfill.DateColumns, windows []backfill.Window, rows []int64, page int) (n int64) {
	if columns.Fixed {
		for _, r := range rows {
			n += r/int64(page) + 1
		}
		return n
	}
	at := 0
	for _, s := range backfill.Stretches(windows, rows, page) {
		var sum int64
		for range s.Windows {
			sum += rows[at]
			at++
		}
		n += sum/int64(page) + 1
	}
	return n
}

// proven says why the mirror is proven to equal the portal; empty: it is not.
func proven(ctx context.Context, portal *socrata.Client, spec *dataset.Spec, reader *query.Reader, live *socrata.Metadata) (string, error) {
	question, err := reader.Runs.Question(ctx)
	if err != nil {
		return "", err
	}
	question.Spec, question.Started = spec.Digest(), time.Now()
	if question.Rows, question.Version, err = portal.Count(ctx, ""); err != nil {
		return "", err
	}
	question.Version.Updated = live.RowsUpdatedAt
	skip, why := question.Skip()
	if !skip {
		return "", nil
	}
	return why, nil
}

// estimate is how long the plan takes: as long as the portal's request limit or
// the speed of this mirror demands, whichever is slower.
func (p *backfillPlan) estimate(ctx context.Context, c config.Config, reader *query.Reader) time.Duration {
	seconds := float64(p.Requests) / c.RequestsPerSecond
	if last, err := reader.Runs.LastDone(ctx); err == nil && last.Stats.RowsPerSecond > 0 {
		seconds = max(seconds, float64(p.Rows)/last.Stats.RowsPerSecond)
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}

// print shows the plan to people.
func (p *backfillPlan) print(w io.Writer) {
	var rows []table.Row
	for _, planned := range p.Windows {
		rows = append(rows, table.Row{planned.Name, planned.Since, planned.Until, cli.Count(planned.Rows), planned.State})
	}
	cli.Grid(w, table.Row{"window", "since", "until", "rows", "state"}, rows, 4)
	fmt.Fprintln(w)
	if p.Proven != "" {
		fmt.Fprintf(w, "no window needs reloading, the mirror equals the portal: %s; --reload always reloads them\n\n", p.Proven)
	}
	cli.Facts(w, [][2]string{
		{"on", p.On + ": " + strings.Join(p.Columns.All(), ", ")},
		{"windows", fmt.Sprintf("%s from %s until before %s, %s to be reloaded", cli.Count(len(p.Windows)), p.Since, p.Until, cli.Count(p.Todo))},
		{"rows", fmt.Sprintf("%s to be reloaded; a row counts in each of its windows", cli.Count(p.Rows))},
		{"outside", fmt.Sprintf("%s of %s rows are in no window: %s have no such date, %s only earlier ones, %s a later one",
			cli.Count(p.Undated+p.Before+p.After), cli.Count(p.Total), cli.Count(p.Undated), cli.Count(p.Before), cli.Count(p.After))},
		{"requests", cli.Count(p.Requests) + " for pages; windows with few rows share one"},
		{"estimate", "about " + p.Estimate.String()},
		{"snapshots", fmt.Sprintf("%s to be reconstructed, as of the ends of the windows", cli.Count(p.Snapshots))},
		{"started", "nothing: this was a dry run"},
	})
}
