package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/runs"
	"padron/workflows/dag"
)

// MirrorInput starts a run.
type MirrorInput struct {
	Dataset string `json:"dataset"` // a spec's name
	Mode    string `json:"mode"`
	// NoWait makes a run by hand fail, instead of wait, while another one writes.
	NoWait bool `json:"no_wait,omitempty"`
	// Deadline is how long after its start the run should be done; 0: no matter.
	// One that is not goes on, and is reported.
	Deadline time.Duration `json:"deadline,omitempty"`

	// What the run does; the empty job mirrors the portal.
	Job  runs.Job `json:"job,omitempty"`
	Of   string   `json:"of,omitempty"`   // approve, rerun: the run that it is about
	From string   `json:"from,omitempty"` // rerun: the step to start from, see runs.FromClean
	Keys []string `json:"keys,omitempty"` // retry: only these
	Deep bool     `json:"deep,omitempty"` // see activities.JobSpec

	// Reload are the windows that a backfill's run reloads; Of names the backfill.
	Reload *activities.Reload `json:"reload,omitempty"`
}

// MirrorResult is what a run came to.
type MirrorResult struct {
	Run     string       `json:"run"`
	Outcome string       `json:"outcome"` // green, red, unproven, behind, or skipped
	Why     string       `json:"why"`
	Write   *WriteResult `json:"write,omitempty"`
	History string       `json:"history,omitempty"` // the run that it started to reconstruct the past
}

// OutcomeSkipped is the outcome of a run that found nothing to do.
const OutcomeSkipped = string(runs.StatusSkipped)

// ErrBusy is the error type of a run that was told not to wait.
const ErrBusy = "WriterBusy"

// Mirror is a run. It makes the mirror equal to the portal, or finds that it
// is, or does another of the jobs that only the one writer may do:
//
//	probe ─▶ write (the one writer, see Write) ─▶ finish ─▶ notify
//
// It is what a schedule starts and what the starter starts. When another run
// is writing, a scheduled run is skipped and says so; one by hand waits, and
// then probes again.
func Mirror(ctx workflow.Context, in MirrorInput) (*MirrorResult, error) {
	refuseOlder(ctx)
	r, err := newMirrorRun(ctx, in)
	if err != nil {
		return nil, err
	}
	r.deadline.race(ctx, r.overdue)
	if in.Job == runs.JobReload {
		r.heedYield(ctx)
	}
	if err := r.dag.Run(ctx); err != nil {
		if r.status == runs.StatusCancelled {
			return nil, temporal.NewCanceledError()
		}
		return nil, failure(err)
	}
	return &r.result, nil
}

// mirrorRun is the state of one Mirror workflow.
type mirrorRun struct {
	root   workflow.Context // cancelled when the run is
	in     MirrorInput
	dag    *dag.Graph
	run    activities.Run
	job    activities.JobSpec
	probed activities.ProbeResult
	result MirrorResult
	status runs.Status // for the run's record
	kind   string      // of a failed run: the type of its error

	trigger     string
	logicalDate time.Time // when a scheduled run was due, else when the run started
	deadline    deadline
	early       early
	historyDue  bool                    // see history
	due         *activities.NotifyInput // what is to be told at the end; nil: nothing
}

func newMirrorRun(ctx workflow.Context, in MirrorInput) (*mirrorRun, error) {
	info := workflow.GetInfo(ctx)
	r := &mirrorRun{
		root:        ctx,
		in:          in,
		job:         activities.JobSpec{Name: in.Job, Of: in.Of, From: in.From, Keys: in.Keys, Deep: in.Deep},
		run:         activities.Run{ID: RunID(info.WorkflowExecution.ID), Dataset: in.Dataset, Started: workflow.Now(ctx).UTC()},
		trigger:     runs.TriggerManual,
		logicalDate: workflow.Now(ctx).UTC(),
		deadline:    newDeadline(ctx, in.Deadline),
	}
	// Temporal sets this attribute on the runs of a schedule only.
	scheduled := temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime")
	if at, ok := workflow.GetTypedSearchAttributes(ctx).GetTime(scheduled); ok {
		r.trigger, r.logicalDate = runs.TriggerSchedule, at.UTC()
	}
	if in.Reload != nil {
		r.trigger = runs.TriggerBackfill
		if in.Reload.History {
			r.trigger = runs.TriggerHistory
		}
	}
	r.result.Run = r.run.ID
	var err error
	if r.dag, err = dag.New(r.tasks()...); err != nil {
		return nil, err
	}
	return r, show(ctx, r.dag, r.details)
}

// probe opens the run's record and asks whether there is anything to do: then
// write comes next, else finish. A failed probe is the run's failure; finish
// records it.
func (r *mirrorRun) probe(ctx workflow.Context) ([]string, error) {
	info := workflow.GetInfo(ctx)
	var probed activities.ProbeResult // a fresh one: decoding leaves fields that are absent as they are
	in := activities.ProbeInput{
		Run: r.run, Job: r.job, Mode: r.in.Mode, Trigger: r.trigger, LogicalDate: r.logicalDate, Deadline: r.deadline.at,
		WorkflowID: info.WorkflowExecution.ID, TemporalID: info.WorkflowExecution.RunID,
	}
	var err error
	if r.job.Name == runs.JobMirror || r.job.Name == "" {
		err = callPortal(ctx, a.Probe, "Is there anything new on the portal?", in, &probed)
	} else {
		err = callPortal(ctx, a.Prepare, "Can this be done: "+string(r.job.Name)+" "+r.job.Of+"?", in, &probed)
	}
	r.probed, r.run.Spec = probed, probed.Spec
	switch {
	case err != nil:
		return nil, r.remember(err)
	case probed.Skip:
		r.skip(probed.Why)
		return []string{"finish"}, nil
	}
	return []string{"write"}, nil
}

// write runs Write as a child under the dataset's one fixed id. Temporal refuses
// the start while another execution has the id: then the run waits, and probes
// again, because that execution may have written all that there was to do.
func (r *mirrorRun) write(ctx workflow.Context) error {
	for {
		if r.handsBack() {
			return r.handBack()
		}
		child := childContext(ctx, WriteID(r.run.Dataset), r.run.Dataset, "Writes "+r.run.Dataset+" for run "+r.run.ID)
		var written WriteResult
		r.early.writing = workflow.ExecuteChildWorkflow(child, Write,
			WriteInput{Run: r.run, Job: r.job, Probe: r.probed, Reload: r.in.Reload})
		err := r.early.writing.Get(ctx, &written)
		r.early.writing = nil
		var busy *temporal.ChildWorkflowExecutionAlreadyStartedError
		switch {
		case err == nil:
			r.status = runs.StatusDone
			r.result.Outcome, r.result.Why, r.result.Write = string(written.Outcome), written.Why, &written
			return nil
		case !errors.As(err, &busy):
			return r.remember(err)
		case r.in.NoWait:
			return r.remember(temporal.NewNonRetryableApplicationError(
				"another run is writing "+r.run.Dataset+"; leave out --no-wait to wait for it", ErrBusy, nil))
		case r.handsBack():
			return r.handBack()
		}
		awaited, err := r.awaitWriter(ctx)
		if r.handsBack() {
			return r.handBack()
		}
		if err != nil {
			return r.remember(err)
		}
		if awaited.Busy {
			r.skip("another run was writing " + r.run.Dataset)
			return leftOut(r.result.Why)
		}
		// What the other run wrote may be all that there was to do.
		if err := r.dag.Repeat(ctx, "write"); err != nil {
			return r.remember(err)
		}
		if r.probed.Skip {
			return leftOut(r.probed.Why)
		}
	}
}

// awaitWriter waits until the run that is writing has ended. A backfill lets
// others go first, so that the daily run is never lost to one that takes hours.
func (r *mirrorRun) awaitWriter(ctx workflow.Context) (awaited activities.AwaitWriterResult, err error) {
	in := activities.AwaitWriterInput{
		Writer: WriteID(r.run.Dataset), For: workflow.GetInfo(ctx).WorkflowExecution.ID, Hurried: r.trigger == runs.TriggerSchedule,
	}
	if r.in.Reload == nil {
		in.Yields = MirrorID(r.run.Dataset, backfillPrefix)
	}
	ctx, r.early.stopWaiting = workflow.WithCancel(ctx)
	defer func() { r.early.stopWaiting = nil }()
	err = call(ctx, a.AwaitWriter, "Waits until the run that is writing has ended", in, &awaited)
	return awaited, err
}

func (r *mirrorRun) skip(why string) {
	r.status, r.result.Outcome, r.result.Why = runs.StatusSkipped, OutcomeSkipped, why
}

// remember keeps a failure for the run's record and returns it.
func (r *mirrorRun) remember(err error) error {
	switch {
	case err == nil:
	case temporal.IsCanceledError(err), r.root.Err() != nil: // a step may fail rather than stop when it is cancelled
		r.status, r.result.Why = runs.StatusCancelled, "cancelled"
	default:
		r.status, r.result.Why = runs.StatusFailed, reason(err)
		if app := root(err); app != nil {
			r.kind = app.Type()
		}
	}
	return err
}

// finish closes the run's record, however the run ended, and sets the outcome
// as search attributes. Its rule is AllDone, so that no cancellation reaches it.
// What is due to be told goes out once the outcome stands.
func (r *mirrorRun) finish(ctx workflow.Context) error {
	if r.status == "" { // cancelled before the task began that would have said so
		r.status, r.result.Why = runs.StatusCancelled, "cancelled"
	}
	r.deadline.over(ctx)
	in := activities.FinishInput{
		Run: r.run, Job: r.job, Status: r.status, Why: r.result.Why, Kind: r.kind,
		Refused: r.kind == ErrBusy || r.kind == runs.NothingToDo,
	}
	if w := r.result.Write; w != nil {
		in.Outcome, in.Rows, in.Bytes, in.Steps = w.Outcome, w.Rows, w.Bytes, w.Steps
	}
	var finished activities.FinishResult
	err := callWithin(ctx, finishDeadline, a.Finish, "Closes the run's record: "+string(r.status), in, &finished)
	r.historyDue = err == nil && finished.History
	switch {
	case err != nil:
		lost := activities.Unrecorded{Run: r.run, Job: r.job, Kind: r.kind, Why: r.result.Why}
		if r.status != runs.StatusFailed {
			lost.Kind, lost.Why = "Failed", "its end could not be recorded: "+reason(err)
		}
		r.due = &activities.NotifyInput{Dataset: r.run.Dataset, Unrecorded: &lost}
	case finished.Due:
		r.due = &activities.NotifyInput{Dataset: r.run.Dataset}
	}
	return errors.Join(err, r.publish(ctx))
}

// notify is the end of the run: what came up is sent, if anything did.
func (r *mirrorRun) notify(ctx workflow.Context) error { return notifyDue(ctx, r.due) }

// history starts the run that reconstructs the past, where the spec asks for it
// and none has. It outlives this run, which is green already and does not wait.
// One that could not be started is left to the next run.
func (r *mirrorRun) history(ctx workflow.Context) error {
	if !r.historyDue {
		return leftOut("there is none to reconstruct")
	}
	id := "history-" + workflow.Now(ctx).UTC().Format("2006-01-02T15:04:05.000Z")
	o := workflow.GetChildWorkflowOptions(childContext(ctx, MirrorID(r.run.Dataset, id), r.run.Dataset,
		r.run.Dataset+": reconstructs its history after run "+r.run.ID))
	o.ParentClosePolicy = enumspb.PARENT_CLOSE_POLICY_ABANDON
	err := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, o), Mirror, MirrorInput{
		Dataset: r.run.Dataset, Job: runs.JobReconstruct, Of: r.run.ID, Reload: &activities.Reload{History: true},
	}).GetChildWorkflowExecution().Get(ctx, nil)
	if err == nil {
		r.result.History = id
	}
	return optional("the history is left to the next run", err)
}

// outcome is how the run ended: its outcome, or the status of one without.
func (r *mirrorRun) outcome() string { return cmp.Or(r.result.Outcome, string(r.status)) }

// publish sets the outcome as search attributes, in one upsert.
func (r *mirrorRun) publish(ctx workflow.Context) error {
	changed := int64(0)
	if w := r.result.Write; w != nil {
		changed = w.Reconciled.Inserted + w.Reconciled.Replaced + w.Reconciled.Removed
	}
	return workflow.UpsertTypedSearchAttributes(ctx,
		SearchDataset.ValueSet(r.run.Dataset), SearchOutcome.ValueSet(r.outcome()),
		SearchRowsChanged.ValueSet(changed), SearchLogicalDate.ValueSet(r.logicalDate))
}

// details heads the live status in the Web UI: how the run ended comes first, for
// Temporal says of every run that came to its end that it is completed, red ones
// included.
func (r *mirrorRun) details() string {
	head := fmt.Sprintf("**Run %s of %s**", r.run.ID, r.run.Dataset)
	if r.result.Why != "" {
		head = "**" + strings.ToUpper(r.outcome()) + "**: " + r.result.Why + "\n\n" + head
	}
	if r.probed.Why != "" {
		head += "\n\nProbe: " + r.probed.Why
	}
	if r.result.History != "" {
		head += "\n\nThe past is reconstructed by the run `" + r.result.History + "`."
	}
	switch {
	case r.deadline.passed:
		head += fmt.Sprintf("\n\n**Late**: it should have been done within %s, by %s.", r.deadline.within, r.deadline.at.Format(time.RFC3339))
	case r.deadline.within > 0:
		head += "\n\nTo be done by " + r.deadline.at.Format(time.RFC3339) + "."
	}
	return head + "\n\nThe writing itself is the child workflow `" + WriteID(r.run.Dataset) + "`."
}
