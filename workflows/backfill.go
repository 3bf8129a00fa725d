package workflows

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/backfill"
	"padron/internal/certificate"
	"padron/internal/runs"
	"padron/workflows/dag"
)

// BackfillInput starts a backfill.
type BackfillInput struct {
	Dataset     string          `json:"dataset"`
	On          string          `json:"on"`    // backfill.OnLifecycle, or a date column of the portal
	Since       backfill.Day    `json:"since"` // half-open: Until is the day after the last
	Until       backfill.Day    `json:"until"`
	Every       backfill.Every  `json:"every"`
	MaxActive   int             `json:"max_active"` // windows under way at once
	Reload      backfill.Reload `json:"reload"`     // empty: backfill.ReloadNeeded
	NewestFirst bool            `json:"newest_first,omitempty"`

	// State is what one execution hands to the next when it continues as new.
	State *BackfillState `json:"state,omitempty"`
}

// BackfillState is all that a backfill knows.
type BackfillState struct {
	Run     activities.Run            `json:"run"`
	Planned bool                      `json:"planned"`
	Columns backfill.DateColumns      `json:"columns"`
	Left    []backfill.Window         `json:"left"` // not begun
	AsOf    []backfill.Day            `json:"as_of"`
	Outcome certificate.Outcome       `json:"outcome,omitempty"` // the worst of its runs
	Why     string                    `json:"why,omitempty"`
	Failed  []activities.FailedWindow `json:"failed,omitempty"`
	Paused  bool                      `json:"paused,omitempty"`
	Record  runs.Backfill             `json:"record"`
}

// BackfillResult is what a backfill came to.
type BackfillResult struct {
	Run      string                    `json:"run"`
	Outcome  string                    `json:"outcome"` // green, behind, unproven, red
	Why      string                    `json:"why"`
	Backfill runs.Backfill             `json:"backfill"`
	Failed   []activities.FailedWindow `json:"failed,omitempty"`
}

// ErrStopped is the error type of a backfill that gave up on its windows.
const ErrStopped = "BackfillStopped"

// Backfill reloads the rows of the past, window by window, and reconstructs the
// snapshots of the windows' ends:
//
//	plan ─▶ reload (runs of up to 500 windows, see Mirror) ─▶ aggregate_snapshots ─▶ record ─▶ notify
//
// When the mirror is proven to equal the portal, to reload a window cannot change
// anything: the windows are recorded as proven at once. Else they are reloaded by
// runs like any other, one after the other, through the one writer. While another run waits for the writer, a backfill's run ends
// early and the rest of its windows come in the next one. The same happens when
// the backfill is paused: a paused one does not keep others from writing.
func Backfill(ctx workflow.Context, in BackfillInput) (*BackfillResult, error) {
	refuseOlder(ctx)
	b, err := newBackfill(ctx, in)
	if err != nil {
		return nil, err
	}
	switch err := b.dag.Run(ctx); {
	case err != nil && b.status == runs.StatusCancelled:
		return nil, temporal.NewCanceledError()
	case err != nil:
		return nil, failure(err)
	case b.goesOn:
		return nil, workflow.NewContinueAsNewError(ctx, Backfill, b.in)
	}
	s := &b.state
	return &BackfillResult{Run: s.Run.ID, Outcome: string(s.Outcome), Why: s.Why, Backfill: s.Record, Failed: s.Failed}, nil
}

// goesOn is why the rest of the graph has nothing to do before the backfill
// continues as new.
const goesOn = "the backfill goes on as a new execution"

// backfillRun is one execution of a Backfill.
type backfillRun struct {
	root      workflow.Context // cancelled when the backfill is
	in        BackfillInput
	state     BackfillState
	dag       *dag.Graph
	quiet     bool                         // see quietBackfill
	proves    bool                         // see provenWindows
	reloading bool                         // one of its runs is under way
	under     workflow.ChildWorkflowFuture // that run
	asked     bool                         // that run, to end early
	runs      int                          // begun by this execution
	status    runs.Status
	kind      string                  // of a failed one: the type of its error
	goesOn    bool                    // as a new execution
	due       *activities.NotifyInput // what is to be told at the end; nil: nothing
}

func newBackfill(ctx workflow.Context, in BackfillInput) (*backfillRun, error) {
	b := &backfillRun{root: ctx, in: in}
	b.quiet = workflow.GetVersion(ctx, quietBackfill, workflow.DefaultVersion, 1) >= 1
	b.proves = workflow.GetVersion(ctx, provenWindows, workflow.DefaultVersion, 1) >= 1 && in.Reload != backfill.ReloadAlways
	if in.State != nil {
		b.state = *in.State
	} else {
		b.state.Run = activities.Run{
			ID: RunID(workflow.GetInfo(ctx).WorkflowExecution.ID), Dataset: in.Dataset, Started: workflow.Now(ctx).UTC(),
		}
	}
	var err error
	if b.dag, err = dag.New(b.tasks()...); err != nil {
		return nil, err
	}
	if err := show(ctx, b.dag, b.details); err != nil {
		return nil, err
	}
	err = workflow.SetQueryHandler(ctx, QueryBackfill, func() (runs.Backfill, error) { return b.state.Record, nil })
	if err == nil {
		err = workflow.SetUpdateHandler(ctx, UpdatePause, b.pause)
	}
	if err == nil {
		err = workflow.SetUpdateHandler(ctx, UpdateResume, b.resume)
	}
	return b, err
}

// details heads the live status in the Web UI.
func (b *backfillRun) details() string {
	s := &b.state
	var text strings.Builder
	if s.Why != "" { // the first thing to be seen
		fmt.Fprintf(&text, "**%s**: %s\n\n", strings.ToUpper(cmp.Or(string(s.Outcome), string(b.status), "so far")), s.Why)
	}
	fmt.Fprintf(&text, "**Backfill %s of %s**: windows from %s to %s by %s, on %s.\n\n",
		s.Run.ID, b.in.Dataset, b.in.Since, b.in.Until, b.in.Every, b.in.On)
	if !s.Planned {
		return text.String()
	}
	fmt.Fprintf(&text, "%s of %s windows proven, %s done in runs that have ended, %s failed, %s not begun; %s rows, %s new, %s changed.",
		humanize.Comma(int64(s.Record.Proven)), humanize.Comma(int64(s.Record.Todo)), humanize.Comma(int64(s.Record.Done)),
		humanize.Comma(int64(s.Record.Failed)), humanize.Comma(int64(len(s.Left))),
		humanize.Comma(s.Record.Rows), humanize.Comma(s.Record.Inserted), humanize.Comma(s.Record.Replaced))
	switch {
	case s.Paused:
		fmt.Fprintf(&text, "\n\n**Paused**: %s. `starter backfill resume %s` goes on.", s.Record.Paused, s.Run.ID)
	case b.reloading:
		fmt.Fprintf(&text, "\n\nUnder way: run `%s`, whose writing is `%s`, at most %d windows at once.",
			ReloadID(s.Run.ID, s.Record.Runs), WriteID(b.in.Dataset), b.in.MaxActive)
	}
	return text.String()
}
