package backfillcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"padron/activities"
	"padron/internal/backfill"
	"padron/internal/certificate"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mongodb"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/starter/cli"
	"padron/workflows"
)

// dayFlag is a flag that takes a date.
type dayFlag struct{ day backfill.Day }

// Set reads the date.
func (d *dayFlag) Set(s string) (err error) {
	d.day, err = backfill.ParseDay(s)
	return err
}

func (d *dayFlag) String() string { return string(d.day) }

// Type is what the help calls the value.
func (*dayFlag) Type() string { return "date" }

// backfillFlags are those of `starter backfill`.
type backfillFlags struct {
	since, until      dayFlag
	every, on, reload string
	reprocess         string // the older word for reload
	maxActive         int
	newestFirst       bool
	dryRun, wait      bool
	out               cli.Output
}

// maxActiveWindows bounds --max-active: more gains nothing on any machine that
// was measured, and each takes memory in a worker.
const maxActiveWindows = 64

func backfillCommand() *cobra.Command {
	var f backfillFlags
	cmd := &cobra.Command{
		Use:   "backfill --since DATE",
		Short: "Reload the past, window by window, and reconstruct its snapshots",
		Long: `Reloads the rows of a span of time, a window (by default a month) at a time and
several at once, and then reconstructs the snapshot as of the end of each window
from the dates at which rows started and ended: a new mirror has decades of
monthly history the same day. Nothing is ever removed.

When the mirror is proven to equal the portal as it is now, reloading a window
cannot change anything: its windows are recorded as proven, and the snapshots are
made at once. --reload always reloads them all the same.

A row belongs to the windows in which it started and ended; --on takes a date
column of the portal instead, such as dba_start_date or :updated_at.

While a backfill runs, other runs go first: it releases the writer between two
windows and goes on afterwards. It survives killed workers and servers. The same
command given again reloads what is missing or failed.`,
		Example: `  starter backfill --since 1990-01-01 --dry-run
  starter backfill --since 1990-01-01 --until 2026-09-01 --every month --max-active 8
  starter backfill --since 2026-11-01 --on :updated_at --every day --reload always
  starter backfill pause backfill-2026-11-25T19:27:48.123Z --note "portal is moving"
  starter backfill resume backfill-2026-11-25T19:27:48.123Z`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	cmd.Flags().Var(&f.since, "since", "first day (required)")
	cmd.Flags().Var(&f.until, "until", "the day after the last; default: the first of this month")
	cmd.Flags().StringVar(&f.every, "every", string(backfill.EveryMonth), "length of the windows: "+cli.OneOf(backfill.Everies()))
	cmd.Flags().StringVar(&f.on, "on", backfill.OnLifecycle, "what the windows are about: lifecycle, or a date `column` of the portal")
	cmd.Flags().IntVar(&f.maxActive, "max-active", 4, "windows under way at once")
	cmd.Flags().StringVar(&f.reload, "reload", string(backfill.ReloadNeeded),
		"windows to reload: new, those that no backfill had; needed, these and failed ones, both unless the mirror proves them; always, every window")
	cmd.Flags().StringVar(&f.reprocess, "reprocess", "", "none, failed or all: the older words for --reload new, needed and always")
	_ = cmd.Flags().MarkHidden("reprocess") // there is such a flag
	cmd.Flags().BoolVar(&f.newestFirst, "newest-first", false, "begin with the newest window")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and start nothing")
	cmd.Flags().BoolVar(&f.wait, "wait", true, "wait for the end; --wait=false returns at once")
	f.out.Add(cmd)
	cmd.AddCommand(backfillListCommand(), backfillStatusCommand(), backfillPauseCommand(), backfillResumeCommand(), backfillCancelCommand())
	return cmd
}

func (f *backfillFlags) check(spec *dataset.Spec) error {
	if f.since.day == "" {
		return errors.New("--since: say from which day on, such as --since 1990-01-01")
	}
	if f.until.day == "" {
		now := time.Now().In(spec.Location())
		f.until.day = backfill.DayOf(now.AddDate(0, 0, 1-now.Day()))
	}
	if f.maxActive < 1 || f.maxActive > maxActiveWindows {
		return fmt.Errorf("--max-active %d: must be 1 to %d", f.maxActive, maxActiveWindows)
	}
	if f.reprocess != "" {
		words := map[string]backfill.Reload{"none": backfill.ReloadNew, "failed": backfill.ReloadNeeded, "all": backfill.ReloadAlways}
		word, ok := words[f.reprocess]
		if !ok {
			return fmt.Errorf("--reprocess %q: use --reload with %s", f.reprocess, cli.OneOf(backfill.Reloads()))
		}
		f.reload = string(word)
	}
	if !slices.Contains(backfill.Reloads(), backfill.Reload(f.reload)) {
		return fmt.Errorf("--reload %q: use %s", f.reload, cli.OneOf(backfill.Reloads()))
	}
	if _, err := backfill.Windows(f.since.day, f.until.day, backfill.Every(f.every)); err != nil {
		return fmt.Errorf("--since, --until, --every: %w", err)
	}
	return nil
}

func (f *backfillFlags) run(cmd *cobra.Command) error {
	c, err := cli.Settings(cmd)
	if err != nil {
		return err
	}
	spec, err := cli.OpenSpec(c)
	if err != nil {
		return err
	}
	if f.reprocess != "" && cmd.Flags().Changed("reload") {
		return cli.Usage(errors.New("--reload and --reprocess say the same: use --reload"))
	}
	if err := f.check(spec); err != nil {
		return cli.Usage(err)
	}
	if f.dryRun {
		return cli.WithMirror(cmd, func(reader *query.Reader) error {
			plan, err := planBackfill(cmd.Context(), c, spec, reader, *f)
			if err != nil {
				return err
			}
			return f.out.Show(cmd.OutOrStdout(), plan, plan.print)
		})
	}
	s, err := cli.ConnectToStart(cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Reader == nil {
		return fmt.Errorf("%w of %s: `starter run --wait` makes it", mongodb.ErrNoMirror, spec.Name)
	}
	if err := f.possible(cmd.Context(), c, spec, s.Reader); err != nil {
		return err
	}
	id := cli.NewRunID("backfill")
	started, err := s.Temporal.ExecuteWorkflow(cmd.Context(), client.StartWorkflowOptions{
		ID:                       workflows.BackfillID(spec.Name, id),
		TaskQueue:                s.Queue(),
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		StaticSummary:            fmt.Sprintf("%s: backfill from %s until before %s by %s, on %s", spec.Name, f.since.day, f.until.day, f.every, f.on),
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.SearchDataset.ValueSet(spec.Name)),
	}, workflows.Backfill, workflows.BackfillInput{
		Dataset: spec.Name, On: f.on, Since: f.since.day, Until: f.until.day, Every: backfill.Every(f.every),
		MaxActive: f.maxActive, Reload: backfill.Reload(f.reload), NewestFirst: f.newestFirst,
	})
	if err != nil {
		return fmt.Errorf("start backfill %s: %w", id, err)
	}
	if !f.wait {
		return f.out.Show(cmd.OutOrStdout(), map[string]string{"run": id, "workflow_id": started.GetID()}, func(w io.Writer) {
			fmt.Fprintf(w, "started backfill %s; `starter backfill status %s` shows it\n", id, id)
		})
	}
	return followBackfill(cmd, s.Reader, started, id, f.out)
}

// possible is an error for a backfill that a worker would refuse, so that it leaves
// no failed run. A portal that is busy is left to the worker to ask.
func (f *backfillFlags) possible(ctx context.Context, c config.Config, spec *dataset.Spec, reader *query.Reader) error {
	if err := reader.Runs.Reloadable(ctx, spec.Digest()); err != nil {
		return err
	}
	if err := cli.CheckPortal(ctx, c, spec); err != nil {
		return err
	}
	portal, err := cli.OpenPortal(c, spec)
	if err != nil {
		return err
	}
	live, _, err := cli.Metadata(ctx, portal)
	if err != nil {
		return nil //nolint:nilerr // it answered a moment ago, or is busy
	}
	columns, err := activities.Columns(ctx, portal, spec, live)
	if err != nil {
		return nil //nolint:nilerr // the same
	}
	_, err = backfill.ColumnsOn(f.on, spec, columns)
	return cli.Usage(err)
}

// followBackfill waits for a backfill, showing its progress.
func followBackfill(cmd *cobra.Command, reader *query.Reader, started client.WorkflowRun, id string, out cli.Output) error {
	var result workflows.BackfillResult
	err := cli.Await(cmd.Context(), started, &result, "backfill "+id, "starter backfill status "+id, func(ctx context.Context) {
		showBackfill(ctx, reader, cmd.ErrOrStderr(), id)
	})
	if err != nil {
		return err
	}
	run, err := reader.Runs.Run(cmd.Context(), id)
	if err != nil {
		return err
	}
	if err := out.Show(cmd.OutOrStdout(), backfillSummary{&result, run}, func(w io.Writer) { printBackfill(w, run) }); err != nil {
		return err
	}
	if result.Outcome != string(certificate.Green) {
		return cli.NotGreen(fmt.Errorf("backfill %s is %s: %s", id, result.Outcome, result.Why))
	}
	return nil
}

// backfillSummary is what `backfill` says at the end.
type backfillSummary struct {
	*workflows.BackfillResult
	Record runs.Run `json:"record"`
}

// pollEvery is how often the run's record is read for the progress bar.
const pollEvery = 500 * time.Millisecond

// showBackfill shows how many windows are done, until ctx ends: a bar on a
// terminal, a line for every tenth elsewhere.
func showBackfill(ctx context.Context, reader *query.Reader, w io.Writer, id string) {
	var bar *progressbar.ProgressBar
	tenth := -1
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if bar != nil {
				_ = bar.Clear()
			}
			return
		case <-tick.C:
		}
		run, done, failed, err := backfillProgress(ctx, reader, id)
		if err != nil || run.Backfill.Todo == 0 {
			continue // not planned yet, or over
		}
		what := "reloading windows"
		if run.Backfill.Paused != "" {
			what = "paused: " + run.Backfill.Paused
		}
		if n := run.Backfill.Proven; n > 0 {
			what = "reconstructing snapshots"
			done += n
		}
		if !cli.IsTerminal(w) {
			if now := (done + failed) * 10 / run.Backfill.Todo; now != tenth {
				tenth = now
				fmt.Fprintf(w, "%s: %s of %s done, %s failed\n", what, cli.Count(done), cli.Count(run.Backfill.Todo), cli.Count(failed))
			}
			continue
		}
		if bar == nil {
			bar = progressbar.NewOptions(run.Backfill.Todo,
				progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(40), progressbar.OptionSetPredictTime(true), progressbar.OptionShowCount(),
				progressbar.OptionShowIts(), progressbar.OptionSetItsString("windows"), progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true))
		}
		bar.Describe(what)
		_ = bar.Set(done + failed) // a bar that cannot be drawn is no failure
	}
}

// backfillProgress reads a backfill's record and counts its windows as they are
// now, those of a run under way included. Proven ones count in the record only.
func backfillProgress(ctx context.Context, reader *query.Reader, id string) (run runs.Run, done, failed int, err error) {
	if run, err = cli.ReadRun(ctx, reader, id); err != nil {
		return run, 0, 0, err
	}
	b := run.Backfill
	if run.Job != runs.JobBackfill {
		return run, 0, 0, fmt.Errorf("run %s is no backfill; `starter backfill list` lists them", id)
	}
	windows, err := reader.Runs.Windows(ctx, b.On, b.Since, b.Until)
	if err != nil {
		return run, 0, 0, err
	}
	for _, w := range windows {
		switch {
		case workflows.BackfillOf(w.Run) != id:
		case w.Status == runs.StatusDone:
			done++
		case w.Status == runs.StatusFailed:
			failed++
		}
	}
	return run, done, failed, nil
}

func printBackfill(w io.Writer, r runs.Run) {
	b := r.Backfill
	seconds := time.Since(r.Started).Seconds()
	if !r.Finished.IsZero() {
		seconds = r.Finished.Sub(r.Started).Seconds()
	}
	cli.Facts(w, [][2]string{
		{"backfill", r.ID},
		{"status", strings.TrimSpace(string(r.Status) + " " + string(r.Outcome))},
		{"why", r.Reason},
		{"paused", b.Paused},
		{"windows", fmt.Sprintf("%s of %s done, %s failed; from %s until before %s by %s, on %s",
			cli.Count(b.Done+b.Proven), cli.Count(b.Todo), cli.Count(b.Failed), b.Since, b.Until, b.Every, b.On)},
		{"proven", cli.Unless0(int64(b.Proven), "%s windows: the mirror equals the portal, so they were not reloaded; --reload always reloads them")},
		{"done before", cli.Unless0(int64(b.Windows-b.Todo), "%s windows; --reload always reloads them")},
		{"rows", fmt.Sprintf("%s, of these %s new and %s changed; a row counts in each of its windows", cli.Count(b.Rows), cli.Count(b.Inserted), cli.Count(b.Replaced))},
		{"snapshots", cli.Unless0(int64(b.Snapshots), "%s reconstructed; `starter snapshots list` lists them")},
		{"took", fmt.Sprintf("%s, %.1f windows/s", cli.RunTook(r), float64(b.Done+b.Proven+b.Failed)/max(seconds, 0.001))},
		{"workflow", r.WorkflowID},
	})
}

func backfillListCommand() *cobra.Command {
	var (
		out   cli.Output
		limit int
	)
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the backfills among the newest runs",
		Example: "  starter backfill list\n  starter backfill list -n 1000 -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckLimit(limit); err != nil {
				return err
			}
			return cli.WithMirror(cmd, func(reader *query.Reader) error {
				records, err := reader.Runs.Runs(cmd.Context(), limit, time.Time{})
				if err != nil {
					return err
				}
				records = slices.DeleteFunc(records, func(r runs.Run) bool { return r.Job != runs.JobBackfill })
				return out.Show(cmd.OutOrStdout(), records, func(w io.Writer) {
					if len(records) == 0 {
						fmt.Fprintf(w, "no backfill among the newest %d runs; `starter backfill --help` says how to start one\n", limit)
						return
					}
					var rows []table.Row
					for _, r := range records {
						b := r.Backfill
						rows = append(rows, table.Row{
							r.ID, cli.Moment(r.Started), cli.RunTook(r), strings.TrimSpace(string(r.Status) + " " + string(r.Outcome)), b.Since, b.Until, b.Every, b.On,
							cli.Count(b.Done+b.Proven) + " of " + cli.Count(b.Todo), cli.Count(b.Failed), cli.Shorten(w, r.Reason),
						})
					}
					cli.Grid(w, table.Row{"backfill", "started", "took", "status", "since", "until", "every", "on", "windows", "failed", "why"}, rows, 3, 9, 10)
				})
			})
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 200, "how many runs to look at")
	out.Add(cmd)
	return cmd
}

func backfillStatusCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:     "status BACKFILL",
		Short:   "Show how far a backfill is",
		Example: "  starter backfill status backfill-2026-11-25T19:27:48.123Z",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cli.WithMirror(cmd, func(reader *query.Reader) error {
				run, done, failed, err := backfillProgress(cmd.Context(), reader, args[0])
				if err != nil {
					return err
				}
				run.Backfill.Done, run.Backfill.Failed = max(done, run.Backfill.Done), max(failed, run.Backfill.Failed)
				return out.Show(cmd.OutOrStdout(), run, func(w io.Writer) { printBackfill(w, run) })
			})
		},
	}
	out.Add(cmd)
	return cmd
}

// withBackfill does something to a backfill that is under way.
func withBackfill(cmd *cobra.Command, id string, do func(ctx context.Context, t client.Client, workflowID string) error) error {
	s, err := cli.ConnectToStart(cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	workflowID := workflows.BackfillID(s.Spec.Name, id)
	d, err := s.Temporal.DescribeWorkflowExecution(cmd.Context(), workflowID, "")
	if cli.NotFound(err) {
		return fmt.Errorf("there is no backfill %q; `starter backfill list` lists them", id)
	}
	if err != nil {
		return fmt.Errorf("describe workflow %s: %w", workflowID, err)
	}
	if d.WorkflowExecutionInfo.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return fmt.Errorf("backfill %s has ended; `starter backfill status %s` says how", id, id)
	}
	return do(cmd.Context(), s.Temporal, workflowID)
}

func update(ctx context.Context, t client.Client, workflowID, name string, args ...any) error {
	handle, err := t.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, nil)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", name, workflowID, err)
	}
	return nil
}

func backfillPauseCommand() *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use:   "pause BACKFILL",
		Short: "Finish the windows under way, and wait",
		Long: `Finishes the windows under way, begins no further one and releases the writer.
Returns when that is done. A paused backfill holds nothing: other runs go on.`,
		Example: `  starter backfill pause backfill-2026-11-25T19:27:48.123Z --note "portal is moving"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBackfill(cmd, args[0], func(ctx context.Context, t client.Client, workflowID string) error {
				err := update(ctx, t, workflowID, workflows.UpdatePause, note)
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "paused backfill %s; `starter backfill resume %s` goes on\n", args[0], args[0])
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&note, "note", "", "why, for whoever looks later")
	return cmd
}

func backfillResumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "resume BACKFILL",
		Short:   "Go on with a paused backfill",
		Example: "  starter backfill resume backfill-2026-11-25T19:27:48.123Z",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBackfill(cmd, args[0], func(ctx context.Context, t client.Client, workflowID string) error {
				err := update(ctx, t, workflowID, workflows.UpdateResume)
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "resumed backfill %s\n", args[0])
				}
				return err
			})
		},
	}
}

func backfillCancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel BACKFILL",
		Short: "End a backfill before its time",
		Long: `Ends a backfill. Windows under way stop between two batches: each row is either
as it was or as the portal has it, with its event, and windows that were done stay
done. The same backfill started again takes up the rest.`,
		Example: "  starter backfill cancel backfill-2026-11-25T19:27:48.123Z",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBackfill(cmd, args[0], func(ctx context.Context, t client.Client, workflowID string) error {
				if err := t.CancelWorkflow(ctx, workflowID, ""); err != nil {
					return fmt.Errorf("cancel %s: %w", workflowID, err)
				}
				// That it was cancelled is its error.
				_ = t.GetWorkflow(ctx, workflowID, "").Get(ctx, nil)
				if ctx.Err() != nil {
					return fmt.Errorf("no longer waiting; backfill %s was asked to end", args[0])
				}
				fmt.Fprintf(cmd.OutOrStdout(), "cancelled backfill %s; `starter backfill status %s` shows what is done\n", args[0], args[0])
				return nil
			})
		},
	}
}
