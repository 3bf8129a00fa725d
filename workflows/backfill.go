package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/mirror"
	"padron/workflows/dag"
)

const (
	// windowsPerRun bounds the windows that one run of a backfill reloads, for
	// the sake of the length of its histories: some 10 events each.
	windowsPerRun = 500
	// pauseAgain is how soon a pausing backfill asks its run again to end early:
	// the run may not have begun to write when it was asked first.
	pauseAgain = 5 * time.Second
)

// BackfillInput starts a backfill.
type BackfillInput struct {
	Dataset     string               `json:"dataset"`
	On          string               `json:"on"`    // activities.OnLifecycle, or a date column of the portal
	Since       activities.Day       `json:"since"` // half-open: Until is the day after the last
	Until       activities.Day       `json:"until"`
	Every       activities.Every     `json:"every"`
	MaxActive   int                  `json:"max_active"` // windows under way at once
	Reprocess   activities.Reprocess `json:"reprocess"`
	NewestFirst bool                 `json:"newest_first,omitempty"`

	// State is what one execution hands to the next when it continues as new.
	State *BackfillState `json:"state,omitempty"`
}

// BackfillState is all that a backfill knows.
type BackfillState struct {
	Run     activities.Run            `json:"run"`
	Planned bool                      `json:"planned"`
	Columns activities.DateColumns    `json:"columns"`
	Left    []activities.Window       `json:"left"` // not begun
	AsOf    []activities.Day          `json:"as_of"`
	Outcome mirror.Outcome            `json:"outcome,omitempty"` // the worst of its runs
	Why     string                    `json:"why,omitempty"`
	Failed  []activities.FailedWindow `json:"failed,omitempty"`
	Paused  bool                      `json:"paused,omitempty"`
	Record  mirror.Backfill           `json:"record"`
}

// BackfillResult is what a backfill came to.
type BackfillResult struct {
	Run      string                    `json:"run"`
	Outcome  string                    `json:"outcome"` // green, behind, unproven, red
	Why      string                    `json:"why"`
	Backfill mirror.Backfill           `json:"backfill"`
	Failed   []activities.FailedWindow `json:"failed,omitempty"`
}

// ErrStopped is the error type of a backfill that gave up on its windows.
const ErrStopped = "BackfillStopped"

// Backfill reloads the rows of the past, window by window, and reconstructs the
// snapshots of the windows' ends:
//
//	plan ─▶ reload (runs of up to 500 windows, see Mirror) ─▶ aggregate_snapshots ─▶ record
//
// Its windows are reloaded by runs like any other, one after the other, through
// the one writer. While another run waits for the writer, a backfill's run ends
// early and the rest of its windows come in the next one. The same happens when
// the backfill is paused: a paused one holds nothing.
func Backfill(ctx workflow.Context, in BackfillInput) (*BackfillResult, error) {
	b, err := newBackfill(ctx, in)
	if err != nil {
		return nil, err
	}
	err = b.dag.Run(ctx)
	if next := (*workflow.ContinueAsNewError)(nil); errors.As(err, &next) {
		return nil, next
	}
	// The outcome is recorded even when the backfill was cancelled.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if errSearch := b.publish(ctx); errSearch != nil {
		return nil, errSearch
	}
	if b.alert {
		tell(ctx, activities.NotifyInput{Dataset: b.in.Dataset})
	}
	if err != nil {
		return nil, failure(err)
	}
	return &BackfillResult{
		Run: b.state.Run.ID, Outcome: string(b.state.Outcome), Why: b.state.Why, Backfill: b.state.Record, Failed: b.state.Failed,
	}, nil
}

// backfill is one execution of a Backfill.
type backfill struct {
	in        BackfillInput
	state     BackfillState
	dag       *dag.Graph
	reloading bool // one of its runs is under way
	runs      int  // begun by this execution
	status    mirror.Status
	kind      string // of a failed one: the type of its error
	goesOn    bool   // as a new execution
	alert     bool   // there is one to send
}

func newBackfill(ctx workflow.Context, in BackfillInput) (*backfill, error) {
	b := &backfill{in: in}
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
	err = workflow.SetQueryHandler(ctx, QueryBackfill, func() (mirror.Backfill, error) { return b.state.Record, nil })
	if err == nil {
		err = workflow.SetUpdateHandler(ctx, UpdatePause, b.pause)
	}
	if err == nil {
		err = workflow.SetUpdateHandler(ctx, UpdateResume, b.resume)
	}
	return b, err
}

func (b *backfill) tasks() []dag.Task {
	return []dag.Task{
		{Name: "plan", Run: b.plan},
		{Name: "reload", After: []string{"plan"}, Run: b.reload},
		{Name: "aggregate_snapshots", After: []string{"reload"}, Run: b.reconstruct},
		{Name: "record", After: []string{"aggregate_snapshots"}, Rule: dag.AllDone, Run: b.record},
	}
}

// plan lists the windows, once: a further execution has them.
func (b *backfill) plan(ctx workflow.Context) error {
	if b.state.Planned {
		return nil
	}
	info := workflow.GetInfo(ctx)
	var plan activities.BackfillPlan
	err := callPortal(ctx, a.PlanBackfill, fmt.Sprintf("Windows from %s to %s, by %s", b.in.Since, b.in.Until, b.in.Every), activities.BackfillPlanInput{
		Run: b.state.Run, On: b.in.On, Since: b.in.Since, Until: b.in.Until, Every: b.in.Every, Reprocess: b.in.Reprocess,
		NewestFirst: b.in.NewestFirst, WorkflowID: info.WorkflowExecution.ID, TemporalID: info.WorkflowExecution.RunID,
	}, &plan)
	if err != nil {
		return b.remember(err)
	}
	s := &b.state
	s.Planned, s.Columns, s.Left, s.AsOf, s.Run.Spec = true, plan.Columns, plan.Windows, plan.AsOf, plan.Spec
	s.Record = mirror.Backfill{
		On: b.in.On, Since: string(b.in.Since), Until: string(b.in.Until), Every: string(b.in.Every),
		Windows: plan.Total, Todo: len(plan.Windows), Paused: s.Record.Paused,
	}
	return nil
}

// reload starts one run after the other until no window is left.
func (b *backfill) reload(ctx workflow.Context) error {
	s := &b.state
	for len(s.Left) > 0 {
		if err := workflow.Await(ctx, func() bool { return !s.Paused }); err != nil {
			return b.remember(err)
		}
		if b.runs > 0 && workflow.GetInfo(ctx).GetContinueAsNewSuggested() && workflow.AllHandlersFinished(ctx) {
			b.in.State, b.goesOn = s, true
			return workflow.NewContinueAsNewError(ctx, Backfill, b.in)
		}
		reloaded, err := b.reloadSome(ctx)
		if err != nil {
			return b.remember(err)
		}
		if reloaded.Stopped != "" {
			return b.remember(temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("%s; %d windows were not tried. When the reason is gone, the same command takes up the rest", reloaded.Stopped, len(s.Left)), ErrStopped, nil))
		}
		for _, id := range reloaded.YieldTo {
			if err := call(ctx, a.AwaitRun, "Lets "+RunID(id)+" go first", id, nil); err != nil {
				return b.remember(err)
			}
		}
	}
	return nil
}

// run starts one of the backfill's runs, and waits for it.
func (b *backfill) run(ctx workflow.Context, job activities.Job, reload *activities.Reload, summary string) (MirrorResult, error) {
	b.state.Record.Runs++
	b.runs++
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            MirrorID(b.in.Dataset, ReloadID(b.state.Run.ID, b.state.Record.Runs)),
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WaitForCancellation:   true,
		StaticSummary:         summary,
		TypedSearchAttributes: temporal.NewSearchAttributes(SearchDataset.ValueSet(b.in.Dataset)),
	})
	var result MirrorResult
	err := workflow.ExecuteChildWorkflow(child, Mirror, MirrorInput{
		Dataset: b.in.Dataset, Job: job, Of: b.state.Run.ID, Reload: reload,
	}).Get(ctx, &result)
	return result, err
}

// reloadSome reloads the next windows.
func (b *backfill) reloadSome(ctx workflow.Context) (*Reloaded, error) {
	s := &b.state
	windows := s.Left[:min(windowsPerRun, len(s.Left))]
	b.reloading = true
	result, err := b.run(ctx, JobReload,
		&activities.Reload{On: b.in.On, Columns: s.Columns, Windows: windows, MaxActive: b.in.MaxActive},
		fmt.Sprintf("Reloads %s windows of %s, from %s on", humanize.Comma(int64(len(windows))), b.in.Dataset, windows[0]))
	b.reloading = false
	if err != nil {
		return nil, err
	}
	if result.Write == nil || result.Write.Reloaded == nil {
		return nil, temporal.NewNonRetryableApplicationError("run "+result.Run+" reloaded nothing: "+result.Why, ErrStopped, nil)
	}
	done := result.Write.Reloaded
	s.Left = append(done.Left, s.Left[len(windows):]...)
	s.Failed = append(s.Failed, done.Failed...)
	s.Record.Done += done.Done
	s.Record.Failed += len(done.Failed)
	s.Record.Rows += done.Rows
	s.Record.Inserted += done.Inserted
	s.Record.Replaced += done.Replaced
	if worse(mirror.Outcome(result.Outcome), s.Outcome) {
		s.Outcome, s.Why = mirror.Outcome(result.Outcome), result.Why
	}
	return done, b.note(ctx, mirror.StatusRunning)
}

// worse orders outcomes; the last one of a portal that moves on is what counts.
func worse(a, b mirror.Outcome) bool {
	rank := func(o mirror.Outcome) int {
		switch o {
		case mirror.OutcomeGreen:
			return 1
		case mirror.OutcomeBehind:
			return 2
		case mirror.OutcomeUnproven:
			return 3
		case mirror.OutcomeRed:
			return 4
		default:
			return 0
		}
	}
	return rank(a) >= rank(b)
}

// reconstruct makes the snapshots as of the windows' ends, from the mirror as it
// is now: a run of its own, so that nobody writes meanwhile.
func (b *backfill) reconstruct(ctx workflow.Context) error {
	s := &b.state
	if len(s.AsOf) == 0 {
		return dag.ErrSkip
	}
	result, err := b.run(ctx, JobReconstruct, &activities.Reload{AsOf: s.AsOf}, fmt.Sprintf("Reconstructs %d snapshots of %s", len(s.AsOf), b.in.Dataset))
	if err == nil && result.Write != nil {
		s.Record.Snapshots = result.Write.Snapshots
	}
	return b.remember(err)
}

// record closes the backfill's record, however it ended. Its rule is AllDone, so
// that no cancellation reaches it.
func (b *backfill) record(ctx workflow.Context) error {
	if b.goesOn {
		return nil
	}
	s := &b.state
	for _, t := range b.dag.Status() {
		if b.status == "" && t.State == dag.Cancelled { // before it began, or it would have said so
			_ = b.remember(temporal.NewCanceledError())
		}
	}
	if b.status == "" {
		b.status = mirror.StatusDone
		if len(s.Failed) > 0 {
			s.Outcome = mirror.OutcomeRed
			s.Why = fmt.Sprintf("%d of %d windows failed, the first one %s: %s; the same command tries them again", len(s.Failed), s.Record.Todo, s.Failed[0].Window, s.Failed[0].Reason)
		}
		if s.Outcome == "" { // nothing was left to reload
			s.Outcome, s.Why = mirror.OutcomeGreen, "every window was reloaded before; --reprocess all does it again"
		}
	}
	return b.note(ctx, b.status)
}

// note writes the record.
func (b *backfill) note(ctx workflow.Context, status mirror.Status) error {
	in := activities.FinishBackfillInput{
		Run: b.state.Run, Status: status, Outcome: b.state.Outcome, Why: b.state.Why, Backfill: b.state.Record,
		Kind: b.kind, Refused: b.kind == activities.NothingToDo,
	}
	summary := "Writes down how far it is"
	if status != mirror.StatusRunning {
		in.Steps, summary = steps(b.dag.Status()), "Closes the backfill's record: "+string(status)
	}
	var result activities.AlertResult
	err := callWithin(ctx, finishDeadline, a.RecordBackfill, summary, in, &result)
	b.alert = result.Due
	return err
}

// remember keeps a failure for the record and returns it.
func (b *backfill) remember(err error) error {
	switch {
	case err == nil:
	case temporal.IsCanceledError(err):
		b.status, b.state.Outcome, b.state.Why = mirror.StatusCancelled, "", "cancelled"
	default:
		b.status, b.state.Outcome, b.state.Why = mirror.StatusFailed, "", reason(err)
		if app := root(err); app != nil {
			b.kind = app.Type()
		}
	}
	return err
}

// publish sets the outcome as search attributes, in one upsert.
func (b *backfill) publish(ctx workflow.Context) error {
	outcome := string(b.state.Outcome)
	if b.status != mirror.StatusDone {
		outcome = string(b.status)
	}
	return workflow.UpsertTypedSearchAttributes(ctx,
		SearchDataset.ValueSet(b.in.Dataset), SearchOutcome.ValueSet(outcome),
		SearchRowsChanged.ValueSet(b.state.Record.Inserted+b.state.Record.Replaced), SearchLogicalDate.ValueSet(b.state.Run.Started))
}

// pause lets the windows under way finish and begins no further one. It returns
// when the backfill has let go of the writer.
func (b *backfill) pause(ctx workflow.Context, why string) error {
	b.state.Paused = true
	b.state.Record.Paused = orElse(why, "paused by hand")
	for b.state.Paused && b.reloading {
		// Not begun to write, or over: asked again, or no longer.
		_ = workflow.SignalExternalWorkflow(ctx, WriteID(b.in.Dataset), "", activities.SignalYield, "").Get(ctx, nil)
		if _, err := workflow.AwaitWithTimeout(ctx, pauseAgain, func() bool { return !b.state.Paused || !b.reloading }); err != nil {
			return err
		}
	}
	return b.noteOnceBegun(ctx, func() bool { return b.state.Paused })
}

// noteOnceBegun writes the record when there is one, if what is to be written
// still holds then.
func (b *backfill) noteOnceBegun(ctx workflow.Context, holds func() bool) error {
	err := workflow.Await(ctx, func() bool { return b.state.Planned || b.status != "" })
	if err != nil || b.status != "" || !holds() {
		return err
	}
	return b.note(ctx, mirror.StatusRunning)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// resume goes on where pause left off.
func (b *backfill) resume(ctx workflow.Context) error {
	b.state.Paused, b.state.Record.Paused = false, ""
	return b.noteOnceBegun(ctx, func() bool { return !b.state.Paused })
}

// details heads the live status in the Web UI.
func (b *backfill) details() string {
	s := &b.state
	var text strings.Builder
	fmt.Fprintf(&text, "**Backfill %s of %s**: windows from %s to %s by %s, on %s.\n\n", s.Run.ID, b.in.Dataset, b.in.Since, b.in.Until, b.in.Every, b.in.On)
	if !s.Planned {
		return text.String()
	}
	fmt.Fprintf(&text, "%s of %s windows done in runs that have ended, %s failed, %s not begun; %s rows, %s new, %s changed.",
		humanize.Comma(int64(s.Record.Done)), humanize.Comma(int64(s.Record.Todo)), humanize.Comma(int64(s.Record.Failed)), humanize.Comma(int64(len(s.Left))),
		humanize.Comma(s.Record.Rows), humanize.Comma(s.Record.Inserted), humanize.Comma(s.Record.Replaced))
	switch {
	case s.Paused:
		fmt.Fprintf(&text, "\n\n**Paused**: %s. `starter backfill resume %s` goes on.", s.Record.Paused, s.Run.ID)
	case b.reloading:
		fmt.Fprintf(&text, "\n\nUnder way: run `%s`, whose writing is `%s`, at most %d windows at once.", ReloadID(s.Run.ID, s.Record.Runs), WriteID(b.in.Dataset), b.in.MaxActive)
	}
	if s.Why != "" {
		fmt.Fprintf(&text, "\n\nOutcome so far: **%s**, %s", orElse(string(s.Outcome), string(b.status)), s.Why)
	}
	return text.String()
}
