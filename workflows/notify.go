package workflows

import (
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
)

const (
	// notifyDeadline is how long a receiver that is down is tried. What it has
	// not taken by then is sent with what comes next.
	notifyDeadline = 24 * time.Hour
	// notifyAttempt bounds one attempt: one message for each condition, each
	// with a timeout of its own.
	notifyAttempt = 2 * time.Minute
	// notifyInterval is how often a receiver that is down is tried at least.
	notifyInterval = 10 * time.Minute
	// notifyHandovers bounds how often a run hands its messages over to a Notify
	// that ends at that very moment.
	notifyHandovers = 5
)

// SignalDue is the signal that tells a running Notify of further messages; it
// carries an activities.NotifyInput.
const SignalDue = "due"

// NotifyID is the workflow id under which a dataset's messages are sent, so that
// no two send the same.
func NotifyID(dataset string) string { return "notify/" + dataset }

// Notify sends the messages that are due about a dataset. It is started by the
// runs that found something, and outlives them, so that a receiver that is down
// delays no run.
func Notify(ctx workflow.Context, in activities.NotifyInput) error {
	due := workflow.GetSignalChannel(ctx, SignalDue)
	for {
		o := options(ctx, "Sends the messages that are due")
		o.ScheduleToCloseTimeout, o.StartToCloseTimeout = notifyDeadline, notifyAttempt
		o.RetryPolicy.MaximumInterval = notifyInterval
		err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), a.Notify, in).Get(ctx, nil)
		if err != nil {
			return failure(err)
		}
		in = activities.NotifyInput{}
		if !due.ReceiveAsync(&in) {
			return nil
		}
	}
}

// notifyDue is the last task of a run's graph: it has Notify send what is due;
// nil is nothing. That the messages could not be handed over does not fail the
// run: they are sent with what comes next.
func notifyDue(ctx workflow.Context, due *activities.NotifyInput) error {
	if due == nil {
		return leftOut("there is nothing to tell")
	}
	return optional("the messages are left to the next run", tell(ctx, *due))
}

// notify has Notify send what is due, without waiting until it is sent.
func notify(ctx workflow.Context, in activities.NotifyInput) error {
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            NotifyID(in.Dataset),
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:         "Sends messages about " + in.Dataset,
		TypedSearchAttributes: temporal.NewSearchAttributes(SearchDataset.ValueSet(in.Dataset)),
	})
	var err error
	for range notifyHandovers {
		err = workflow.ExecuteChildWorkflow(child, Notify, in).GetChildWorkflowExecution().Get(ctx, nil)
		var running *temporal.ChildWorkflowExecutionAlreadyStartedError
		if !errors.As(err, &running) {
			return err
		}
		if err = workflow.SignalExternalWorkflow(ctx, NotifyID(in.Dataset), "", SignalDue, in).Get(ctx, nil); err == nil {
			return nil
		}
		// It has just ended: there is room for another one.
	}
	return err
}

// tell is notify with a warning in the log when it failed: most callers go on.
func tell(ctx workflow.Context, in activities.NotifyInput) error {
	err := notify(ctx, in)
	if err != nil {
		workflow.GetLogger(ctx).Warn("messages are left to the next run", "dataset", in.Dataset, "error", err)
	}
	return err
}
