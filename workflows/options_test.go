package workflows

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"padron/workflows/dag"
)

// TestOptionsOfACall: what a task declares holds for the activities that it
// calls, and the run's defaults where it declares nothing.
func TestOptionsOfACall(t *testing.T) {
	got := map[string]workflow.ActivityOptions{}
	note := func(name string) func(workflow.Context) error {
		return func(ctx workflow.Context) error {
			got[name] = options(ctx, strings.Repeat("ñ", maxSummary+1))
			return nil
		}
	}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		g, err := dag.New(
			dag.Task{Name: "plain", Run: note("plain")},
			dag.Task{Name: "large", Run: func(ctx workflow.Context) error { return note("large")(forRows(ctx, 184_000_000)) }},
			dag.Task{Name: "own", Run: note("own"), Activities: workflow.ActivityOptions{
				StartToCloseTimeout: time.Minute, HeartbeatTimeout: time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
			}},
		)
		if err != nil {
			return err
		}
		return g.Run(ctx)
	})
	require.NoError(t, env.GetWorkflowError())

	plain, own := got["plain"], got["own"]
	require.Equal(t, attemptDeadline, plain.StartToCloseTimeout)
	require.Equal(t, runDeadline, plain.ScheduleToCloseTimeout)
	require.Equal(t, heartbeatTimeout, plain.HeartbeatTimeout)
	require.Zero(t, plain.RetryPolicy.MaximumAttempts)
	require.Equal(t, 36_800*time.Second, got["large"].StartToCloseTimeout, "deadlines grow with the register")
	require.Equal(t, 184_000*time.Second, got["large"].ScheduleToCloseTimeout)
	require.Equal(t, heartbeatTimeout, got["large"].HeartbeatTimeout)
	require.Equal(t, time.Minute, own.StartToCloseTimeout)
	require.Equal(t, runDeadline, own.ScheduleToCloseTimeout)
	require.Equal(t, time.Second, own.HeartbeatTimeout)
	require.EqualValues(t, 3, own.RetryPolicy.MaximumAttempts)
	for _, o := range got {
		require.True(t, o.WaitForCancellation)
		require.Len(t, []rune(o.Summary), maxSummary)
	}
}
