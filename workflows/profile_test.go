package workflows

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"padron/activities"
	"padron/internal/certificate"
	"padron/internal/runs"
	"padron/workflows/dag"
)

// TestAKeptProfileIsShown: where nothing is described, the step says why.
func TestAKeptProfileIsShown(t *testing.T) {
	env := new(testsuite.WorkflowTestSuite).NewTestWorkflowEnvironment()
	env.RegisterWorkflow(Write)
	env.RegisterActivityWithOptions(func(context.Context, activities.SnapshotInput) (activities.SnapshotResult, error) {
		return activities.SnapshotResult{ID: "2026-10-01-observed", Outcome: certificate.Green, Why: "proven"}, nil
	}, activity.RegisterOptions{Name: "AggregateSnapshot"})
	env.RegisterActivityWithOptions(func(context.Context, activities.ProfileInput) (activities.ProfileResult, error) {
		return activities.ProfileResult{Kept: "no document changed; what run r0 found is shown"}, nil
	}, activity.RegisterOptions{Name: "ProfileColumns"})
	env.ExecuteWorkflow(Write, WriteInput{
		Run: activities.Run{ID: "r1", Dataset: "d"},
		Job: activities.JobSpec{Name: runs.JobRerun, Of: "r0", From: runs.FromSnapshot},
	})
	require.NoError(t, env.GetWorkflowError())
	value, err := env.QueryWorkflow(QueryStatus)
	require.NoError(t, err)
	var status []dag.Status
	require.NoError(t, value.Get(&status))
	assert.Contains(t, dag.Markdown(status), "no document changed; what run r0 found is shown")
}

// TestAFailedProfileIsShownAndTakesNothingFromTheRun: the run is as green as its
// certificate, and the step says why there is no profile.
func TestAFailedProfileIsShownAndTakesNothingFromTheRun(t *testing.T) {
	for name, failure := range map[string]error{
		"none":                nil,
		"the engine gave up":  temporal.NewNonRetryableApplicationError("the engine gave up", "Failed", nil),
		"no end of a trouble": errors.New("no end of a trouble"), // retried until the deadline
	} {
		t.Run(name, func(t *testing.T) {
			env := new(testsuite.WorkflowTestSuite).NewTestWorkflowEnvironment()
			env.RegisterWorkflow(Write)
			env.RegisterActivityWithOptions(func(context.Context, activities.SnapshotInput) (activities.SnapshotResult, error) {
				return activities.SnapshotResult{ID: "2026-10-01-observed", Outcome: certificate.Green, Why: "proven"}, nil
			}, activity.RegisterOptions{Name: "AggregateSnapshot"})
			var described activities.ProfileInput
			env.RegisterActivityWithOptions(func(_ context.Context, in activities.ProfileInput) (activities.ProfileResult, error) {
				described = in
				return activities.ProfileResult{Fields: 3, Rows: 5}, failure
			}, activity.RegisterOptions{Name: "ProfileColumns"})
			env.ExecuteWorkflow(Write, WriteInput{
				Run: activities.Run{ID: "r1", Dataset: "d"},
				Job: activities.JobSpec{Name: runs.JobRerun, Of: "r0", From: runs.FromSnapshot},
			})
			require.NoError(t, env.GetWorkflowError())
			var got WriteResult
			require.NoError(t, env.GetWorkflowResult(&got))
			assert.Equal(t, certificate.Green, got.Outcome)
			assert.Equal(t, "2026-10-01-observed", described.Snapshot)
			require.Len(t, got.Steps, 2)
			assert.Equal(t, "profile_columns", got.Steps[1].Name)
			if failure == nil {
				assert.Equal(t, string(dag.Done), got.Steps[1].State)
				return
			}
			assert.Equal(t, string(dag.Skipped), got.Steps[1].State)
			value, err := env.QueryWorkflow(QueryStatus)
			require.NoError(t, err)
			var status []dag.Status
			require.NoError(t, value.Get(&status))
			assert.Contains(t, dag.Markdown(status), "the columns were not described: "+name)
		})
	}
}
