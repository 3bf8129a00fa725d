package workflows

import (
	"cmp"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
)

// a is never set: it gives activities their names in calls.
var a *activities.Activities

const (
	// runDeadline is how long an activity may be retried in all. There is no
	// limit on attempts: a portal that is down for an hour delays a run and
	// does not fail it.
	runDeadline = 6 * time.Hour
	// attemptDeadline bounds one attempt.
	attemptDeadline = 30 * time.Minute
	// runPerRow and attemptPerRow are those bounds for each row of the register,
	// where that is more: from 9 and 21.6 million rows on. What takes longest, the
	// first build of the indexes, took 6.2 s for 368,000 rows on two cores, 17 µs a
	// row.
	runPerRow     = time.Millisecond
	attemptPerRow = 200 * time.Microsecond
	// finishDeadline bounds the closing of a run's record: a database that is
	// gone for good must not keep a failed run open.
	finishDeadline = 15 * time.Minute
	// heartbeatTimeout is how soon another worker takes over the activities of
	// one that was killed.
	heartbeatTimeout = 15 * time.Second
	// maxSummary is how much of a summary Temporal shows, in characters.
	maxSummary = 120
)

// options are those that the task declares for its activities (dag.Task), and
// the defaults above where it declares none.
func options(ctx workflow.Context, summary string) workflow.ActivityOptions {
	if r := []rune(summary); len(r) > maxSummary {
		summary = string(r[:maxSummary-1]) + "…"
	}
	o := workflow.GetActivityOptions(ctx)
	rows, _ := ctx.Value(rowsKey{}).(int64)
	o.ScheduleToCloseTimeout = cmp.Or(o.ScheduleToCloseTimeout, max(runDeadline, time.Duration(rows)*runPerRow))
	o.StartToCloseTimeout = cmp.Or(o.StartToCloseTimeout, max(attemptDeadline, time.Duration(rows)*attemptPerRow))
	o.HeartbeatTimeout = cmp.Or(o.HeartbeatTimeout, heartbeatTimeout)
	if o.RetryPolicy == nil {
		o.RetryPolicy = &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		}
	}
	// A cancelled run waits until its activities have returned.
	o.WaitForCancellation = true
	o.Summary = summary
	return o
}

// forRows gives the activities of a workflow longer deadlines where the register
// has many rows.
func forRows(ctx workflow.Context, rows int64) workflow.Context {
	return workflow.WithValue(ctx, rowsKey{}, rows)
}

type rowsKey struct{}

// call runs an activity on the run's own task queue.
func call(ctx workflow.Context, activity any, summary string, in, out any) error {
	ctx = workflow.WithActivityOptions(ctx, options(ctx, summary))
	return workflow.ExecuteActivity(ctx, activity, in).Get(ctx, out)
}

// callWithin is call for what must not delay the end of a run: the deadline
// bounds all attempts together.
func callWithin(ctx workflow.Context, deadline time.Duration, activity any, summary string, in, out any) error {
	o := options(ctx, summary)
	o.ScheduleToCloseTimeout, o.StartToCloseTimeout = deadline, deadline
	ctx = workflow.WithActivityOptions(ctx, o)
	return workflow.ExecuteActivity(ctx, activity, in).Get(ctx, out)
}

// callPortal runs an activity that asks the portal on the portal's task queue.
// That queue's rate of starts is the limit on page requests that all workers
// share, and only workers with the role portal poll it.
func callPortal(ctx workflow.Context, activity any, summary string, in, out any) error {
	o := options(ctx, summary)
	o.TaskQueue = PortalQueue(workflow.GetInfo(ctx).TaskQueueName)
	ctx = workflow.WithActivityOptions(ctx, o)
	return workflow.ExecuteActivity(ctx, activity, in).Get(ctx, out)
}

// childContext is the context for starting a child workflow that is part of a run: it
// is cancelled with the run, which waits until it has ended.
func childContext(ctx workflow.Context, id, dataset, summary string) workflow.Context {
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            id,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WaitForCancellation:   true,
		StaticSummary:         summary,
		TypedSearchAttributes: temporal.NewSearchAttributes(SearchDataset.ValueSet(dataset)),
	})
}

// wait sleeps, with a summary of what for.
func wait(ctx workflow.Context, d time.Duration, summary string) error {
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: summary}).Get(ctx, nil)
}
