package runcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"

	"padron/internal/certificate"
	"padron/internal/mongodb"
	"padron/internal/runs"
	"padron/starter/cli"
	"padron/workflows"
)

// watchEvery is how often a watched run is looked at: often enough to follow,
// and two small reads, two queries and two descriptions each time.
const watchEvery = time.Second

func watchCommand() *cobra.Command {
	var (
		next bool
		out  cli.Output
	)
	cmd := &cobra.Command{
		Use:   "watch [RUN]",
		Short: "Watch a run live: what it does, what waits for what, what goes wrong",
		Long: `Follows the run given, or the newest one that is running, until it ends, and then
says what it came to. Shown are the tasks with their state, how much of each is
done, how fast it goes and how long it will take still, which task waits for
which, and of every step that failed the reason and the time of its next try. A
step whose destination is down is waiting, not failing: it goes on by itself.

A terminal is redrawn in place; elsewhere each change is a line of its own, and
with -o json each is one JSON object: {"event":"status",…}, and at last
{"event":"end",…}.

Ctrl-C ends the watching and leaves the run alone.

Exit codes are those of ` + "`starter run --wait`" + `: 0 green or nothing new, 1 failed or
cancelled, or no longer watched, 3 finished but not green.`,
		Example: `  starter watch                      the newest run that is running
  starter watch --next               wait for the next run to start, then follow it
  starter watch manual-2026-11-23T16:11:58.123Z
  starter watch -o json | jq -r 'select(.event=="status").doing'`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cli.CompleteFirst(cli.CompleteRuns),
		RunE: func(cmd *cobra.Command, args []string) error {
			if next && len(args) == 1 {
				return cli.Usage(errors.New("--next waits for a run that has not started: leave out --next, or the run"))
			}
			s, err := connect(cmd)
			if err != nil {
				return err
			}
			defer s.Close()
			id, err := s.watched(cmd, args, next)
			if err != nil {
				return err
			}
			return s.watch(cmd, id, out)
		},
	}
	cmd.Flags().BoolVar(&next, "next", false, "wait for a run that starts from now on, and follow that one")
	out.Add(cmd)
	return cmd
}

// watched is the run to watch.
func (s *session) watched(cmd *cobra.Command, args []string, next bool) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	ctx := cmd.Context()
	if next {
		return s.nextRun(ctx, cmd.ErrOrStderr())
	}
	running, err := s.runningRuns(ctx)
	if err != nil {
		return "", err
	}
	if len(running) == 0 {
		return "", fmt.Errorf("no run of %s is running; `starter watch --next` waits for the next, `starter run` starts one, `starter status` lists those that have ended", s.Spec.Name)
	}
	return running[0], nil
}

// nextRun waits for a run that is not there yet. One that starts and ends
// between two looks leaves its record.
func (s *session) nextRun(ctx context.Context, errs io.Writer) (string, error) {
	running, err := s.runningRuns(ctx)
	if err != nil {
		return "", err
	}
	newest, err := s.newestRecord(ctx)
	if err != nil {
		return "", err
	}
	known := append(slices.Clone(running), newest)
	fmt.Fprintf(errs, "waiting for the next run of %s\n", s.Spec.Name)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", errors.New("no longer waiting: no run has started meanwhile")
		case <-tick.C:
		}
		// A look that fails is made again: waiting may take days.
		if running, err = s.runningRuns(ctx); err != nil {
			continue
		}
		if newest, err = s.newestRecord(ctx); err != nil {
			continue
		}
		for _, id := range append(slices.Clone(running), newest) {
			if !slices.Contains(known, id) {
				return id, nil
			}
		}
	}
}

// newestRecord is the id of the newest run that has a record; empty for none.
func (s *session) newestRecord(ctx context.Context) (string, error) {
	err := s.OpenMirror(ctx)
	if errors.Is(err, mongodb.ErrNoMirror) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	records, err := s.Reader.Runs.Runs(ctx, 1, time.Time{})
	if err != nil || len(records) == 0 {
		return "", err
	}
	return records[0].ID, nil
}

// watchEvent is one line of `watch -o json`.
type watchEvent struct {
	Event   string              `json:"event"` // eventStatus or eventEnd
	Run     string              `json:"run"`
	Dataset string              `json:"dataset"`
	Status  runs.Status         `json:"status,omitempty"`
	Live    *liveView           `json:"live,omitempty"`    // while it runs
	Outcome certificate.Outcome `json:"outcome,omitempty"` // at the end
	Why     string              `json:"why,omitempty"`
	Record  *runs.Run           `json:"record,omitempty"`
}

const (
	eventStatus = "status"
	eventEnd    = "end"
)

// watch follows a run to its end and says what it came to. The error is what
// the exit code is of.
func (s *session) watch(cmd *cobra.Command, id string, out cli.Output) error {
	ctx := cmd.Context()
	record, err := s.recordOf(ctx, id)
	if err != nil {
		return err
	}
	workflow, err := s.workflowOf(ctx, record, id)
	if err != nil {
		return err
	}
	running := workflow.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	switch {
	case workflow == nil && record.ID == "":
		return fmt.Errorf("there is no run %q; `starter status` lists them", id)
	case !running && record.ID != "":
		return s.ended(cmd, record, out)
	}
	// A run without a record, ended or not, is known to Temporal alone.
	result, err := s.await(cmd, s.Temporal.GetWorkflow(ctx, workflow.GetExecution().GetWorkflowId(), workflow.GetExecution().GetRunId()), id,
		func(ctx context.Context) { s.showWatched(ctx, cmd.OutOrStdout(), id, out) })
	if ctx.Err() != nil {
		return fmt.Errorf("no longer watching; run %s goes on: `starter watch %s` looks again, `starter cancel %s` ends it", id, id, id)
	}
	record, errRecord := s.recordOf(context.WithoutCancel(ctx), id)
	if errRecord != nil {
		return errors.Join(err, errRecord)
	}
	switch {
	case record.ID != "" && (out.Format == "json" || record.Job == runs.JobBackfill):
		return s.ended(cmd, record, out)
	case err != nil:
		return err
	default:
		return s.report(cmd, result, out)
	}
}

// ended prints what a run that has ended came to, from its record.
func (s *session) ended(cmd *cobra.Command, record runs.Run, out cli.Output) error {
	if out.Format == "json" {
		line, err := json.Marshal(watchEvent{
			Event: eventEnd, Run: record.ID, Dataset: s.Spec.Name, Status: record.Status, Outcome: record.Outcome, Why: record.Reason, Record: &record,
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n", line)
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), "run %s has ended:\n\n", record.ID)
		printRun(cmd.OutOrStdout(), record, nil)
	}
	switch record.Status {
	case runs.StatusDone:
		return notGreen(record.ID, string(record.Outcome), record.Reason)
	case runs.StatusSkipped:
		return nil
	case runs.StatusCancelled:
		return fmt.Errorf("run %s %w", record.ID, cli.ErrCancelled)
	case runs.StatusFailed:
		return fmt.Errorf("run %s failed: %s", record.ID, record.Reason)
	default:
		return fmt.Errorf("run %s was ended from outside before its record was closed; `starter run` makes a new one, which mends what it left", record.ID)
	}
}

// showWatched shows a run until ctx ends: redrawn on a terminal, line by line
// elsewhere.
func (s *session) showWatched(ctx context.Context, w io.Writer, id string, out cli.Output) {
	var view watchView = &watchLines{w: w}
	switch {
	case out.Format == "json":
		view = &watchJSON{w: w}
	case cli.IsTerminal(w):
		view = &watchScreen{w: w}
	}
	defer view.end()
	l := newLooker(s, id)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		// A look that fails leaves the last picture; waiting for the end tells.
		if record, err := s.recordOf(ctx, id); err == nil {
			if v := l.look(ctx, record); ctx.Err() == nil {
				view.show(watchEvent{Event: eventStatus, Run: id, Dataset: s.Spec.Name, Status: record.Status, Live: &v}, record)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

type watchView interface {
	show(e watchEvent, record runs.Run)
	end()
}

// watchJSON prints an object for each look that differs from the last.
type watchJSON struct {
	w    io.Writer
	last string
}

func (j *watchJSON) show(e watchEvent, _ runs.Run) {
	// The moment and the pace differ always.
	same := *e.Live
	same.At, same.Rows.PerSecond, same.Rows.ETA = time.Time{}, 0, 0
	key, err := json.Marshal(same)
	if err != nil || string(key) == j.last {
		return
	}
	j.last = string(key)
	if line, err := json.Marshal(e); err == nil {
		fmt.Fprintf(j.w, "%s\n", line)
	}
}

func (*watchJSON) end() {}

// watchLines prints a line for each thing that changed since the last look.
type watchLines struct {
	w    io.Writer
	told map[string]string
}

func (l *watchLines) show(e watchEvent, record runs.Run) {
	if l.told == nil {
		l.told = map[string]string{}
		fmt.Fprintf(l.w, "%s  watching run %s of %s\n", cli.Clock(e.Live.At), e.Run, e.Dataset)
	}
	l.tell(e, "probe", "probe says", strings.TrimPrefix(record.Probe.Decision+": "+record.Probe.Why, ": "))
	for _, t := range e.Live.Tasks {
		what := string(t.State)
		if items := t.items(); items != "" {
			what += ", " + items
		}
		if t.Error != "" {
			what += ": " + cli.ShortenTo(l.w, cli.Plain(t.Error), widestError)
		}
		if t.State != "waiting" {
			l.tell(e, t.Workflow+"/"+t.Name, t.Name, what)
		}
	}
	if len(e.Live.Tasks) == 0 {
		l.tell(e, "doing", "", e.Live.Doing)
	}
	waits := e.Live.WaitsFor
	if waits != "" {
		waits = "waits for " + waits
	} else if l.told["waits"] != "" {
		waits = "goes on"
	}
	l.tell(e, "waits", "", waits)
}

// tell prints what is news.
func (l *watchLines) tell(e watchEvent, about, name, what string) {
	if what == "" || l.told[about] == what {
		return
	}
	l.told[about] = what
	if name != "" {
		what = fmt.Sprintf("%-18s  %s", name, what)
	}
	fmt.Fprintf(l.w, "%s  %s\n", cli.Clock(e.Live.At), what)
}

func (*watchLines) end() {}

// items says how much of a task is done.
func (t taskView) items() string {
	if t.Total == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", t.Done, t.Total)
}

// isWrite says that the task is the child workflow that the tasks after it
// belong to.
func (t taskView) isWrite() bool {
	return t.Workflow == workflows.InMirror && t.Name == workflows.InWrite
}
