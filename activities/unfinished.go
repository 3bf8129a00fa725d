package activities

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"padron/internal/alerts"
	"padron/internal/runs"
)

// settleRecords brings the records of earlier runs in order, before one of now is
// begun or judged: those that ended without closing theirs are closed, and those
// that a wrong clock dated in the future are redated.
func (a *Activities) settleRecords(ctx context.Context, o *opened, run string) error {
	a.closeUnfinished(ctx, o, run)
	redated, err := o.runs.Redate(ctx)
	if redated > 0 {
		a.Log.Warn("runs were dated in the future: a clock was ahead; their records have the time of now", "dataset", o.spec.Name, "runs", redated)
	}
	return err
}

// closeUnfinished closes the records of runs whose workflow has ended without
// closing them: it was terminated, or its last step failed, or closed the record
// of a database that was restored since. Temporal is asked for each record that
// says that its run is running, except run's own. A record that cannot be closed
// now holds up nobody: whoever looks next closes it.
func (a *Activities) closeUnfinished(ctx context.Context, o *opened, run string) {
	if a.Temporal == nil { // in tests
		return
	}
	unfinished, err := o.runs.Unfinished(ctx)
	if err != nil {
		a.Log.Warn("unfinished records were not looked at", "dataset", o.spec.Name, "error", err)
	}
	for i := range unfinished {
		record := &unfinished[i]
		if record.ID == run || record.WorkflowID == "" {
			continue
		}
		end, err := a.endOf(ctx, record)
		if err == nil && end != nil {
			err = a.closeRecord(ctx, o, record, end)
		}
		if err != nil {
			a.Log.Warn("an unfinished record was not closed", "dataset", o.spec.Name, "run", record.ID, "error", err)
		}
	}
}

// workflowEnd is how a workflow ended.
type workflowEnd struct {
	status runs.Status
	kind   string // type of the error of one that failed
	why    string
	at     time.Time // zero: unknown
}

// endOf is how a run's workflow ended, nil while it has not. The newest
// execution of its workflow id counts: a backfill continues as new, and a
// workflow that was reset has another execution.
func (a *Activities) endOf(ctx context.Context, record *runs.Run) (*workflowEnd, error) {
	const unclosed = "; the run's record was not closed then"
	described, err := a.Temporal.DescribeWorkflowExecution(ctx, record.WorkflowID, "")
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		return &workflowEnd{status: runs.StatusFailed, kind: "Gone", why: "Temporal knows nothing of its workflow any more" + unclosed}, nil
	}
	if err != nil {
		return nil, err
	}
	info := described.GetWorkflowExecutionInfo()
	end := &workflowEnd{status: runs.StatusFailed, kind: info.GetStatus().String(), at: info.GetCloseTime().AsTime()}
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		end.status, end.why = runs.StatusCancelled, "cancelled"
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		end.why = "its workflow was terminated"
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		end.why = "its workflow timed out"
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		end.why = "its workflow came to its end, but what it came to is not recorded in this database"
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		end.why = "its workflow failed"
		failed := a.Temporal.GetWorkflow(ctx, record.WorkflowID, info.GetExecution().GetRunId()).Get(ctx, nil)
		if app, ok := errors.AsType[*temporal.ApplicationError](failed); ok {
			end.kind, end.why = app.Type(), app.Message()
		}
	default: // running, paused, or about to go on as a new execution
		return nil, nil
	}
	end.why += unclosed
	return end, nil
}

func (a *Activities) closeRecord(ctx context.Context, o *opened, record *runs.Run, end *workflowEnd) error {
	at := end.at
	if at.IsZero() {
		at = record.Updated
	}
	closed, err := o.runs.CloseUnfinished(ctx, record.ID, end.status, end.why, at)
	if err != nil || !closed {
		return err
	}
	a.Log.Info("closed the record of a run that had ended", "dataset", o.spec.Name, "run", record.ID, "why", end.why)
	_, err = o.alerts.RunEnded(ctx, &o.runs.Reader, alerts.Ending{
		Run: record.ID, Job: record.Job, From: record.From, Status: end.status, Why: end.why, Kind: end.kind,
	})
	return err
}
