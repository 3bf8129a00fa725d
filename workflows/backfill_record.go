package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/certificate"
	"padron/internal/runs"
	"padron/workflows/dag"
)

// record closes the backfill's record, however it ended, and sets the outcome as
// search attributes. Its rule is AllDone, so that no cancellation reaches it.
func (b *backfillRun) record(ctx workflow.Context) error {
	if b.goesOn {
		return leftOut(goesOn)
	}
	s := &b.state
	for _, t := range b.dag.Status() {
		if b.status == "" && t.State == dag.Cancelled { // before it began: else it would have been remembered
			_ = b.remember(temporal.NewCanceledError())
		}
	}
	if b.status == "" {
		b.status = runs.StatusDone
		if len(s.Failed) > 0 {
			s.Outcome = certificate.Red
			s.Why = fmt.Sprintf("%d of %d windows failed, the first one %s: %s; the same command tries them again",
				len(s.Failed), s.Record.Todo, s.Failed[0].Window, s.Failed[0].Reason)
		}
		if s.Outcome == "" { // nothing was left to reload
			s.Outcome, s.Why = certificate.Green, "every window was done before; --reload always reloads them"
		}
	}
	return errors.Join(b.note(ctx, b.status), b.publish(ctx))
}

// notify is the end of the backfill: what came up is sent, if anything did.
func (b *backfillRun) notify(ctx workflow.Context) error { return notifyDue(ctx, b.due) }

// note writes the record.
func (b *backfillRun) note(ctx workflow.Context, status runs.Status) error {
	in := activities.FinishBackfillInput{
		Run: b.state.Run, Status: status, Outcome: b.state.Outcome, Why: b.state.Why, Backfill: b.state.Record,
		Kind: b.kind, Refused: b.kind == runs.NothingToDo,
	}
	summary := "Writes down how far it is"
	if status != runs.StatusRunning {
		in.Steps, summary = steps(b.dag.Status()), "Closes the backfill's record: "+string(status)
	}
	var result activities.AlertResult
	err := callWithin(ctx, finishDeadline, a.RecordBackfill, summary, in, &result)
	if result.Due {
		b.due = &activities.NotifyInput{Dataset: b.in.Dataset}
	}
	return err
}

// remember keeps a failure for the record and returns it.
func (b *backfillRun) remember(err error) error {
	switch {
	case err == nil:
	case temporal.IsCanceledError(err), b.root.Err() != nil: // a step may fail rather than stop when it is cancelled
		b.status, b.state.Outcome, b.state.Why = runs.StatusCancelled, "", "cancelled"
	default:
		b.status, b.state.Outcome, b.state.Why = runs.StatusFailed, "", reason(err)
		if app := root(err); app != nil {
			b.kind = app.Type()
		}
	}
	return err
}

// publish sets the outcome as search attributes, in one upsert.
func (b *backfillRun) publish(ctx workflow.Context) error {
	outcome := string(b.state.Outcome)
	if b.status != runs.StatusDone {
		outcome = string(b.status)
	}
	return workflow.UpsertTypedSearchAttributes(ctx,
		SearchDataset.ValueSet(b.in.Dataset), SearchOutcome.ValueSet(outcome),
		SearchRowsChanged.ValueSet(b.state.Record.Inserted+b.state.Record.Replaced), SearchLogicalDate.ValueSet(b.state.Run.Started))
}
