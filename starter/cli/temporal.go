package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/workflows"
)

// DialTemporal connects to Temporal. The SDK's own log goes nowhere: what the
// user must know is in the errors.
func DialTemporal(ctx context.Context, c config.Config) (client.Client, string, error) {
	t, o, err := c.DialTemporal(ctx, slog.New(slog.DiscardHandler))
	return t, o.Namespace, err
}

// WithTemporal connects to Temporal for a command about a dataset.
func WithTemporal(cmd *cobra.Command, do func(c config.Config, spec *dataset.Spec, t client.Client, namespace string) error) error {
	return WithTemporalOfAll(cmd, func(c config.Config, _ []*dataset.Spec, t client.Client, namespace string) error {
		spec, err := OpenSpec(c)
		if err != nil {
			return err
		}
		return do(c, spec, t, namespace)
	})
}

// WithTemporalOfAll is WithTemporal for a command about all datasets that
// PADRON_DATASET names.
func WithTemporalOfAll(cmd *cobra.Command, do func(c config.Config, specs []*dataset.Spec, t client.Client, namespace string) error) error {
	c, err := Settings(cmd)
	if err != nil {
		return err
	}
	specs, err := c.Specs()
	if err != nil {
		return Usage(err)
	}
	t, namespace, err := DialTemporal(cmd.Context(), c)
	if err != nil {
		return err
	}
	defer t.Close()
	return do(c, specs, t, namespace)
}

// NotFound says whether Temporal knows no such thing.
func NotFound(err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing)
}

// CheckSearchAttributes is an error naming `starter setup` when one is missing.
func CheckSearchAttributes(ctx context.Context, t client.Client, namespace string) error {
	return config.CheckSearchAttributes(ctx, t, namespace, workflows.SearchAttributes())
}

// errNoWorker says that nobody would execute what is started.
var errNoWorker = errors.New("no worker serves")

// workerWithin is how long a worker that just started may take until Temporal
// sees its pollers.
const workerWithin = 10 * time.Second

// AwaitWorker is an error that says what to do when no worker comes to serve a
// dataset.
func AwaitWorker(ctx context.Context, t client.Client, namespace, taskQueue, dataset string) error {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxElapsedTime(workerWithin))
	return backoff.Retry(func() error {
		err := checkWorker(ctx, t, namespace, taskQueue, dataset)
		if err != nil && !errors.Is(err, errNoWorker) {
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(wait, ctx))
}

// checkWorker is errNoWorker, wrapped, when no worker polls one of the dataset's
// queues.
func checkWorker(ctx context.Context, t client.Client, namespace, taskQueue, dataset string) error {
	for _, q := range Queues(taskQueue, dataset) {
		d, err := DescribeQueue(ctx, t, namespace, q.Name, q.Kind)
		if err != nil {
			return err
		}
		if len(d.Pollers) == 0 {
			return fmt.Errorf("%w %s: none with the role %s polls the task queue %s; start one with `worker`, its PADRON_DATASET naming %[2]s,"+
				" or set PADRON_TASK_QUEUE to that of yours; `starter workers` says who serves what", errNoWorker, dataset, q.Role, q.Name)
		}
		if d.VersioningInfo.GetCurrentDeploymentVersion() == nil && !slices.ContainsFunc(d.Pollers, func(p *taskqueuepb.PollerInfo) bool { return !Versioned(p) }) {
			return fmt.Errorf("%w %s whom new runs go to: those on the task queue %s are of builds, and none is current;"+
				" `starter workers promote` makes one", errNoWorker, dataset, q.Name)
		}
	}
	return nil
}

// Served reports whether workers serve a dataset now, one for each role.
func Served(ctx context.Context, t client.Client, namespace, taskQueue, dataset string) (bool, error) {
	err := checkWorker(ctx, t, namespace, taskQueue, dataset)
	if errors.Is(err, errNoWorker) {
		return false, nil
	}
	return err == nil, err
}

// Queue is one of a dataset's task queues, with the role of the workers that
// poll it.
type Queue struct {
	Name string
	Kind enumspb.TaskQueueType
	Role string
}

// Queues are the task queues that a run of the dataset needs workers on.
func Queues(taskQueue, dataset string) []Queue {
	return SharedQueues(workflows.Queue(taskQueue, dataset))
}

// SharedQueues are those that runs of all datasets used before each had its own.
func SharedQueues(name string) []Queue {
	return []Queue{
		{name, enumspb.TASK_QUEUE_TYPE_WORKFLOW, config.RoleWorkflows},
		{name, enumspb.TASK_QUEUE_TYPE_ACTIVITY, config.RoleActivities},
		{workflows.PortalQueue(name), enumspb.TASK_QUEUE_TYPE_ACTIVITY, config.RolePortal},
	}
}

// DescribeQueue asks Temporal who polls a task queue.
func DescribeQueue(ctx context.Context, t client.Client, namespace, queue string, kind enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	d, err := t.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: queue}, TaskQueueType: kind,
	})
	if err != nil {
		return nil, fmt.Errorf("describe task queue %s: %w", queue, err)
	}
	return d, nil
}

// Versioned says whether a poller takes only the tasks of its build.
func Versioned(p *taskqueuepb.PollerInfo) bool {
	return p.GetDeploymentOptions().GetWorkerVersioningMode() == enumspb.WORKER_VERSIONING_MODE_VERSIONED
}
