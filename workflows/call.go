package workflows

import (
	"cmp"
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/workflows/dag"
)

// a is never set: it gives activities their names in calls.
var a *activities.Activities

const (
	// runDeadline is how long an activity may be retried in all. There is no
	// limit on attempts: a portal that is down for an hour delays a run and
	// does not fail it.
	runDeadline = 6 * time.Hour
	// attemptDeadline bounds one attempt. The longest is the first build of
	// the indexes: seconds per 100,000 rows.
	attemptDeadline = 30 * time.Minute
	// finishDeadline bounds the closing of a run's record: a database that is
	// gone for good must not keep a failed run open.
	finishDeadline = 15 * time.Minute
	// profileDeadline bounds the description of the columns, which no run waits
	// for longer than that: it takes a minute for 368,000 rows.
	profileDeadline = 15 * time.Minute
	// boundariesDeadline bounds the look for newer boundaries, without which a
	// run is complete.
	boundariesDeadline = 5 * time.Minute
	// boundariesTries is how often they are asked for in one run: there is a next
	// run, and a portal that has nothing wrong but these must not open its breaker,
	// which the crawls share.
	boundariesTries = 2
	// heartbeatTimeout is how soon a killed worker's activities go elsewhere.
	heartbeatTimeout = 15 * time.Second
	// maxSummary is how much of a summary Temporal shows, in characters.
	maxSummary = 120
)

// options are those that the task declares for its activities, and the
// defaults above where it declares none.
func options(ctx workflow.Context, summary string) workflow.ActivityOptions {
	if r := []rune(summary); len(r) > maxSummary {
		summary = string(r[:maxSummary-1]) + "…"
	}
	o := workflow.GetActivityOptions(ctx)
	o.ScheduleToCloseTimeout = cmp.Or(o.ScheduleToCloseTimeout, runDeadline)
	o.StartToCloseTimeout = cmp.Or(o.StartToCloseTimeout, attemptDeadline)
	o.HeartbeatTimeout = cmp.Or(o.HeartbeatTimeout, heartbeatTimeout)
	if o.RetryPolicy == nil {
		o.RetryPolicy = &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		}
	}
	// A cancelled run waits until its activities have let go.
	o.WaitForCancellation = true
	o.Summary = summary
	return o
}

// call runs an activity on the run's own task queue.
func call(ctx workflow.Context, activity any, summary string, in, out any) error {
	ctx = workflow.WithActivityOptions(ctx, options(ctx, summary))
	return workflow.ExecuteActivity(ctx, activity, in).Get(ctx, out)
}

// callWithin is call for what must not hold up the end of a run.
func callWithin(ctx workflow.Context, deadline time.Duration, activity any, summary string, in, out any) error {
	o := options(ctx, summary)
	o.ScheduleToCloseTimeout, o.StartToCloseTimeout = deadline, deadline
	ctx = workflow.WithActivityOptions(ctx, o)
	return workflow.ExecuteActivity(ctx, activity, in).Get(ctx, out)
}

// callPortal runs an activity that asks the portal on the portal's task queue,
// whose rate of starts is the limit on page requests that all workers share:
// only workers with the role portal need a way to it.
func callPortal(ctx workflow.Context, activity any, summary string, in, out any) error {
	o := options(ctx, summary)
	o.TaskQueue = PortalQueue(workflow.GetInfo(ctx).TaskQueueName)
	ctx = workflow.WithActivityOptions(ctx, o)
	return workflow.ExecuteActivity(ctx, activity, in).Get(ctx, out)
}

// show puts a graph's live status into the Web UI and answers the status query.
func show(ctx workflow.Context, g *dag.Graph, head func() string) error {
	render := func(ctx workflow.Context) {
		workflow.SetCurrentDetails(ctx, head()+"\n\n"+dag.Markdown(g.Status()))
	}
	g.OnChange(render)
	render(ctx)
	return workflow.SetQueryHandler(ctx, QueryStatus, func() ([]dag.Status, error) { return g.Status(), nil })
}

// failure is what a workflow returns for a failed graph: the first cause in
// plain words, with the type of the error that the activity gave it. A
// cancellation stays one.
func failure(err error) error {
	if temporal.IsCanceledError(err) {
		return err
	}
	kind := "Failed"
	if app := root(err); app != nil {
		kind = app.Type()
	}
	return temporal.NewNonRetryableApplicationError(reason(err), kind, nil)
}

// reason is the innermost cause of an activity's or child's error, without the
// wrapping that Temporal adds on the way.
func reason(err error) string {
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		if last := timeout.Unwrap(); last != nil {
			return "gave up at the deadline: " + reason(last)
		}
		return "gave up at the deadline: " + timeout.Error()
	}
	if app := root(err); app != nil {
		return app.Message()
	}
	return err.Error()
}

// root is the innermost application error, nil if there is none.
func root(err error) *temporal.ApplicationError {
	var found *temporal.ApplicationError
	for app := (*temporal.ApplicationError)(nil); errors.As(err, &app); err = errors.Unwrap(app) {
		found = app
		if errors.Unwrap(app) == nil {
			break
		}
	}
	return found
}
