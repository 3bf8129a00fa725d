package workflows

import (
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/mirror"
	"padron/workflows/dag"
)

// MirrorInput starts a run.
type MirrorInput struct {
	Dataset string          `json:"dataset"` // a spec's name
	Mode    activities.Mode `json:"mode"`
	// NoWait makes a run by hand fail, instead of wait, while another one writes.
	NoWait bool `json:"no_wait,omitempty"`
	// Deadline is how long after its start the run should be done; 0: no matter.
	// One that is not goes on, and is reported.
	Deadline time.Duration `json:"deadline,omitempty"`

	// What the run does; the empty job mirrors the portal.
	Job  activities.Job `json:"job,omitempty"`
	Of   string         `json:"of,omitempty"`   // approve, rerun: the run that it is about
	From string         `json:"from,omitempty"` // rerun: the step to start from, see activities.FromClean
	Keys []string       `json:"keys,omitempty"` // replay: only these
	Deep bool           `json:"deep,omitempty"` // verify: hash every document anew

	// Reload are the windows that a backfill's run reloads; Of names the backfill.
	Reload *activities.Reload `json:"reload,omitempty"`
}

// The jobs of a run.
const (
	JobMirror  = activities.JobMirror
	JobApprove = activities.JobApprove
	JobRerun   = activities.JobRerun
	JobReplay  = activities.JobReplay
	JobVerify  = activities.JobVerify

	// Jobs of backfills: Backfill starts their runs.
	JobReload      = activities.JobReload
	JobReconstruct = activities.JobReconstruct
	JobBackfill    = activities.JobBackfill
)

// MirrorResult is what a run came to.
type MirrorResult struct {
	Run     string       `json:"run"`
	Outcome string       `json:"outcome"` // green, red, unproven, behind, or skipped
	Why     string       `json:"why"`
	Write   *WriteResult `json:"write,omitempty"`
}

// OutcomeSkipped is the outcome of a run that found nothing to do.
const OutcomeSkipped = "skipped"

// ErrBusy is the error type of a run that was told not to wait.
const ErrBusy = "WriterBusy"

// Mirror is a run. It makes the mirror equal to the portal, or finds that it
// is, or does another of the jobs that only the one writer may do:
//
//	probe ─▶ write (the one writer, see Write) ─▶ finish
//
// It is what a schedule starts and what the starter starts. When another run
// is writing, a scheduled run is skipped and says so; one by hand waits, and
// then probes again.
func Mirror(ctx workflow.Context, in MirrorInput) (*MirrorResult, error) {
	r := newMirrorRun(ctx, in)
	g, err := r.graph()
	if err != nil {
		return nil, err
	}
	if err := show(ctx, g, r.details); err != nil {
		return nil, err
	}
	r.graphStatus = g.Status
	r.deadline.race(ctx, r.overdue)
	err = g.Run(ctx)
	// The outcome is recorded even when the run was cancelled.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if errSearch := r.publish(ctx); errSearch != nil {
		return nil, errSearch
	}
	if r.tell != nil {
		tell(ctx, *r.tell)
	}
	if err != nil {
		return nil, failure(err)
	}
	return &r.result, nil
}

// mirrorRun is the state of one Mirror workflow.
type mirrorRun struct {
	in     MirrorInput
	run    activities.Run
	task   activities.Task
	probed activities.ProbeResult
	result MirrorResult
	status mirror.Status // for the run's record
	kind   string        // of a failed run: the type of its error

	trigger     string
	nominal     time.Time
	deadline    deadline
	graphStatus func() []dag.Status
	tell        *activities.NotifyInput // what is due to be told at the end; nil: nothing
}

func newMirrorRun(ctx workflow.Context, in MirrorInput) *mirrorRun {
	info := workflow.GetInfo(ctx)
	r := &mirrorRun{
		in:      in,
		task:    activities.Task{Job: in.Job, Of: in.Of, From: in.From, Keys: in.Keys, Deep: in.Deep},
		run:     activities.Run{ID: RunID(info.WorkflowExecution.ID), Dataset: in.Dataset, Started: workflow.Now(ctx).UTC()},
		trigger: mirror.TriggerManual,
		nominal: workflow.Now(ctx).UTC(),

		deadline: newDeadline(ctx, in.Deadline),
	}
	// Temporal sets this attribute on the runs of a schedule only.
	scheduled := temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime")
	if at, ok := workflow.GetTypedSearchAttributes(ctx).GetTime(scheduled); ok {
		r.trigger, r.nominal = mirror.TriggerSchedule, at.UTC()
	}
	if in.Reload != nil {
		r.trigger = mirror.TriggerBackfill
	}
	r.result.Run = r.run.ID
	return r
}

func (r *mirrorRun) graph() (*dag.Graph, error) { return dag.New(r.tasks()...) }

func (r *mirrorRun) tasks() []dag.Task {
	return []dag.Task{
		{Name: "probe", Run: r.probe},
		{Name: "write", After: []string{"probe"}, Run: r.write},
		{Name: "finish", After: []string{"write"}, Rule: dag.AllDone, Run: r.finish},
	}
}

// probe opens the run's record and asks whether there is anything to do. A
// failed probe is the run's failure; finish records it.
func (r *mirrorRun) probe(ctx workflow.Context) error {
	info := workflow.GetInfo(ctx)
	var probed activities.ProbeResult // a fresh one: decoding leaves fields that are absent as they are
	in := activities.ProbeInput{
		Run: r.run, Task: r.task, Mode: r.in.Mode, Trigger: r.trigger, Nominal: r.nominal, Deadline: r.deadline.at,
		WorkflowID: info.WorkflowExecution.ID, TemporalID: info.WorkflowExecution.RunID,
	}
	var err error
	if r.task.Job == activities.JobMirror || r.task.Job == "" {
		err = callPortal(ctx, a.Probe, "Is there anything new on the portal?", in, &probed)
	} else {
		err = callPortal(ctx, a.Prepare, "Can this be done: "+string(r.task.Job)+" "+r.task.Of+"?", in, &probed)
	}
	r.probed, r.run.Spec = probed, probed.Spec
	return r.remember(err)
}

// write runs Write as a child under the dataset's one fixed id. Temporal
// refuses the start while another child holds the id.
func (r *mirrorRun) write(ctx workflow.Context) error {
	for {
		if r.probed.Skip {
			r.skip(r.probed.Why)
			return dag.ErrSkip
		}
		child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID:            WriteID(r.run.Dataset),
			WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
			ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
			WaitForCancellation:   true,
			StaticSummary:         "Writes " + r.run.Dataset + " for run " + r.run.ID,
			TypedSearchAttributes: temporal.NewSearchAttributes(SearchDataset.ValueSet(r.run.Dataset)),
		})
		var written WriteResult
		err := workflow.ExecuteChildWorkflow(child, Write, WriteInput{Run: r.run, Task: r.task, Probe: r.probed, Reload: r.in.Reload}).Get(ctx, &written)
		var busy *temporal.ChildWorkflowExecutionAlreadyStartedError
		switch {
		case err == nil:
			r.status = mirror.StatusDone
			r.result.Outcome, r.result.Why, r.result.Write = string(written.Outcome), written.Why, &written
			return nil
		case !errors.As(err, &busy):
			return r.remember(err)
		case r.in.NoWait:
			return r.remember(temporal.NewNonRetryableApplicationError(
				"another run is writing "+r.run.Dataset+"; leave out --no-wait to wait for it", ErrBusy, nil))
		}
		// A backfill lets others go first, so that the daily run is never lost to
		// one that takes hours.
		await := activities.AwaitWriterInput{
			Writer: WriteID(r.run.Dataset), For: workflow.GetInfo(ctx).WorkflowExecution.ID, Hurried: r.trigger == mirror.TriggerSchedule,
		}
		if r.in.Reload == nil {
			await.Yields = MirrorID(r.run.Dataset, backfillPrefix)
		}
		var awaited activities.AwaitWriterResult
		if err := call(ctx, a.AwaitWriter, "Waits until the run that is writing has ended", await, &awaited); err != nil {
			return r.remember(err)
		}
		if awaited.Busy {
			r.skip("another run was writing " + r.run.Dataset)
			return dag.ErrSkip
		}
		// What the other run wrote may be all that there was to do.
		if err := r.probe(ctx); err != nil {
			return err
		}
	}
}

func (r *mirrorRun) skip(why string) {
	r.status, r.result.Outcome, r.result.Why = mirror.StatusSkipped, OutcomeSkipped, why
}

// remember keeps a failure for the run's record and returns it.
func (r *mirrorRun) remember(err error) error {
	switch {
	case err == nil:
	case temporal.IsCanceledError(err):
		r.status, r.result.Why = mirror.StatusCancelled, "cancelled"
	default:
		r.status, r.result.Why = mirror.StatusFailed, reason(err)
		if app := root(err); app != nil {
			r.kind = app.Type()
		}
	}
	return err
}

// finish closes the run's record, however the run ended. Its rule is AllDone, so
// that no cancellation reaches it. What is due to be told goes out once the
// outcome stands.
func (r *mirrorRun) finish(ctx workflow.Context) error {
	if r.status == "" { // cancelled before the task began that would have said so
		r.status, r.result.Why = mirror.StatusCancelled, "cancelled"
	}
	r.deadline.over(ctx)
	in := activities.FinishInput{
		Run: r.run, Task: r.task, Status: r.status, Why: r.result.Why, Kind: r.kind,
		Refused: r.kind == ErrBusy || r.kind == activities.NothingToDo,
	}
	if w := r.result.Write; w != nil {
		in.Outcome, in.Rows, in.Bytes, in.Steps = w.Outcome, w.Rows, w.Bytes, w.Steps
	}
	var alerts activities.AlertResult
	err := callWithin(ctx, finishDeadline, a.Finish, "Closes the run's record: "+string(r.status), in, &alerts)
	switch {
	case err != nil:
		lost := activities.Unrecorded{Run: r.run, Task: r.task, Kind: r.kind, Why: r.result.Why}
		if r.status != mirror.StatusFailed {
			lost.Kind, lost.Why = "Failed", "its end could not be recorded: "+reason(err)
		}
		r.tell = &activities.NotifyInput{Dataset: r.run.Dataset, Unrecorded: &lost}
	case alerts.Due:
		r.tell = &activities.NotifyInput{Dataset: r.run.Dataset}
	}
	return err
}

// publish sets the outcome as search attributes, in one upsert.
func (r *mirrorRun) publish(ctx workflow.Context) error {
	outcome := r.result.Outcome
	if outcome == "" {
		outcome = string(r.status)
	}
	changed := int64(0)
	if w := r.result.Write; w != nil {
		changed = w.Reconciled.Inserted + w.Reconciled.Replaced + w.Reconciled.Removed
	}
	return workflow.UpsertTypedSearchAttributes(ctx,
		SearchDataset.ValueSet(r.run.Dataset), SearchOutcome.ValueSet(outcome),
		SearchRowsChanged.ValueSet(changed), SearchLogicalDate.ValueSet(r.nominal))
}

// details heads the live status in the Web UI.
func (r *mirrorRun) details() string {
	head := fmt.Sprintf("**Run %s of %s**", r.run.ID, r.run.Dataset)
	if r.probed.Why != "" {
		head += "\n\nProbe: " + r.probed.Why
	}
	if r.result.Why != "" {
		head += "\n\nOutcome: **" + r.result.Outcome + "**, " + r.result.Why
	}
	switch {
	case r.deadline.passed:
		head += fmt.Sprintf("\n\n**Late**: it should have been done within %s, by %s.", r.deadline.within, r.deadline.at.Format(time.RFC3339))
	case r.deadline.within > 0:
		head += "\n\nTo be done by " + r.deadline.at.Format(time.RFC3339) + "."
	}
	return head + "\n\nThe writing itself is the child workflow `" + WriteID(r.run.Dataset) + "`."
}
