package workflows_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"padron/activities"
	"padron/internal/runs"
	"padron/workflows"
)

// TestACancelledRunIsCancelledThoughItsStepFails has a step fail, rather than stop,
// when its run is cancelled: the run, or its writing.
func TestACancelledRunIsCancelledThoughItsStepFails(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"probe", "plan"} {
		var suite testsuite.WorkflowTestSuite
		suite.SetLogger(quiet())
		env := suite.NewTestWorkflowEnvironment()
		env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflows.MirrorID("x", "manual-1"), TaskQueue: workflows.Queue("padron", "x")})
		workflows.Register(env)
		activities.Register(env, &activities.Activities{})
		boom := func() error {
			env.CancelWorkflow()
			return temporal.NewNonRetryableApplicationError("500: boom", runs.PortalUnavailable, nil)
		}
		env.OnActivity("probe", mock.Anything, mock.Anything).Return(func(context.Context, activities.ProbeInput) (activities.ProbeResult, error) {
			if step == "probe" {
				return activities.ProbeResult{}, boom()
			}
			return activities.ProbeResult{Rows: 1}, nil
		})
		env.OnActivity("plan", mock.Anything, mock.Anything).Return(func(context.Context, activities.PlanInput) (activities.PlanResult, error) {
			return activities.PlanResult{}, boom()
		})
		var closed activities.FinishInput
		env.OnActivity("finish", mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.FinishInput) (activities.FinishResult, error) {
			closed = in
			return activities.FinishResult{}, nil
		})
		env.ExecuteWorkflow(workflows.Mirror, workflows.MirrorInput{Dataset: "x", Mode: runs.ModeAuto})
		require.Equal(t, runs.StatusCancelled, closed.Status, "%s: %s", step, closed.Why)
		require.True(t, temporal.IsCanceledError(env.GetWorkflowError()), "%s: %v", step, env.GetWorkflowError())
	}
}
