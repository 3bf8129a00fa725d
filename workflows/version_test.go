package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

// older is what the gate says of a run that an older release began.
const older = "padron: this run was begun by a release before workflow version 2 and cannot go on in this one: " +
	"let a worker of that release end it, or terminate it (see Upgrading in docs/operations.md)"

// TestAnOlderRunWaitsForItsOwnRelease has a worker of an older release begin a
// run, one of this release meet it, and the older one come back and end it. No
// run is failed by an upgrade: the task is offered again.
func TestAnOlderRunWaitsForItsOwnRelease(t *testing.T) {
	s := newStack(t, register.Generate(1, 130))
	ctx := t.Context()
	queue := s.queue + "-upgraded"
	start := func(register func(worker.WorkflowRegistry)) worker.Worker {
		w := worker.New(s.temporal, queue, worker.Options{})
		register(w)
		require.NoError(t, w.Start())
		return w
	}
	old := func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.MirrorInput) (workflows.MirrorResult, error) {
			workflow.GetSignalChannel(ctx, "go on").Receive(ctx, nil)
			return workflows.MirrorResult{Outcome: "green", Run: string(in.Mode)}, nil
		}, workflow.RegisterOptions{Name: "Mirror"})
	}
	events := func(kind enumspb.EventType) (found []string) {
		for all := s.temporal.GetWorkflowHistory(ctx, "mirror/"+queue, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); all.HasNext(); {
			event, err := all.Next()
			require.NoError(t, err)
			if event.EventType == kind {
				found = append(found, event.GetWorkflowTaskFailedEventAttributes().GetFailure().GetMessage())
			}
		}
		return found
	}

	w := start(old)
	run, err := s.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "mirror/" + queue, TaskQueue: queue}, "Mirror",
		workflows.MirrorInput{Dataset: s.spec.Name, Mode: runs.ModeFull})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return events(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) != nil }, time.Minute, 20*time.Millisecond)
	w.Stop()

	w = start(workflows.Register)
	require.NoError(t, s.temporal.SignalWorkflow(ctx, run.GetID(), "", "go on", nil))
	require.Eventually(t, func() bool { return events(enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED) != nil }, time.Minute, 20*time.Millisecond)
	require.Equal(t, older, events(enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED)[0])
	d, err := s.temporal.DescribeWorkflowExecution(ctx, run.GetID(), "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, d.WorkflowExecutionInfo.Status)
	w.Stop()
	// Whoever upgrades finds such runs by what they lack.
	require.Eventually(t, func() bool {
		found, err := s.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: "WorkflowType IN ('Mirror', 'Write', 'Backfill', 'Window') AND ExecutionStatus = 'Running' AND TemporalChangeVersion IS NULL",
		})
		require.NoError(t, err)
		return slices.ContainsFunc(found.Executions, func(e *workflowpb.WorkflowExecutionInfo) bool {
			return e.GetExecution().GetWorkflowId() == run.GetID()
		})
	}, time.Minute, 100*time.Millisecond)

	w = start(old)
	t.Cleanup(w.Stop)
	require.Equal(t, "green", s.finished(run).Outcome)
}
