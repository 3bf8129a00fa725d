package workflows

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/certificate"
	"padron/internal/runs"
	"padron/workflows/dag"
)

// TestTheEndOfARun: whatever the probe finds and however the run ends, its
// record is closed, and what is due is told, by tasks of the graph.
func TestTheEndOfARun(t *testing.T) {
	refused := temporal.NewNonRetryableApplicationError("access refused", "PortalRefused", nil)
	down := temporal.NewNonRetryableApplicationError("the database is gone", "DatabaseFailed", nil)
	nothing := dag.Status{State: dag.Skipped, Why: "there is nothing to tell"}
	noHistory := dag.Status{State: dag.Skipped, Why: "there is none to reconstruct"}
	for name, c := range map[string]struct {
		probed         activities.ProbeResult
		probe, finish  error
		due            bool
		want           map[string]dag.Status
		status         runs.Status
		failed, lostIs string // the run's error; why the Notify is told of a run that has no record
	}{
		"nothing new": {
			probed: activities.ProbeResult{Skip: true, Why: "nothing new"}, status: runs.StatusSkipped,
			want: map[string]dag.Status{
				"probe":  {State: dag.Done, Chose: []string{"finish"}},
				"write":  {State: dag.Skipped, Why: "left out by probe"},
				"finish": {State: dag.Done}, "notify": nothing, "history": noHistory,
			},
		},
		"written, and something recovered": {
			due: true, status: runs.StatusDone,
			want: map[string]dag.Status{
				"probe": {State: dag.Done, Chose: []string{"write"}},
				"write": {State: dag.Done}, "finish": {State: dag.Done}, "notify": {State: dag.Done}, "history": noHistory,
			},
		},
		"the probe fails": {
			probe: refused, due: true, status: runs.StatusFailed, failed: "access refused",
			want: map[string]dag.Status{
				"probe": {State: dag.Failed, Error: "access refused"}, "write": {State: dag.Skipped, Why: "probe failed"},
				"finish": {State: dag.Done}, "notify": {State: dag.Done}, "history": noHistory,
			},
		},
		"its end cannot be recorded": {
			probed: activities.ProbeResult{Skip: true}, finish: down, status: runs.StatusSkipped,
			failed: "the database is gone", lostIs: "its end could not be recorded: the database is gone",
			want: map[string]dag.Status{
				"probe":  {State: dag.Done, Chose: []string{"finish"}},
				"write":  {State: dag.Skipped, Why: "left out by probe"},
				"finish": {State: dag.Failed, Error: "the database is gone"}, "notify": {State: dag.Done},
				"history": {State: dag.Skipped, Why: "finish failed"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := new(testsuite.WorkflowTestSuite).NewTestWorkflowEnvironment()
			env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: MirrorID("d", "r1")})
			env.RegisterWorkflow(Mirror)
			env.RegisterActivityWithOptions(func(context.Context, activities.ProbeInput) (activities.ProbeResult, error) {
				return c.probed, c.probe
			}, activity.RegisterOptions{Name: "Probe"})
			var closed activities.FinishInput
			env.RegisterActivityWithOptions(func(_ context.Context, in activities.FinishInput) (activities.AlertResult, error) {
				closed = in
				return activities.AlertResult{Due: c.due}, c.finish
			}, activity.RegisterOptions{Name: "Finish"})
			env.RegisterWorkflowWithOptions(func(workflow.Context, WriteInput) (*WriteResult, error) {
				return &WriteResult{Outcome: certificate.Green}, nil
			}, workflow.RegisterOptions{Name: "Write"})
			told := []activities.NotifyInput{}
			env.RegisterWorkflowWithOptions(func(_ workflow.Context, in activities.NotifyInput) error {
				told = append(told, in)
				return nil
			}, workflow.RegisterOptions{Name: "Notify"})
			env.ExecuteWorkflow(Mirror, MirrorInput{Dataset: "d"})

			if err := env.GetWorkflowError(); c.failed == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.failed)
			}
			require.Equal(t, c.status, closed.Status)
			value, err := env.QueryWorkflow(QueryStatus)
			require.NoError(t, err)
			var tasks []dag.Status
			require.NoError(t, value.Get(&tasks))
			got := map[string]dag.Status{}
			for _, s := range tasks {
				got[s.Name] = dag.Status{State: s.State, Why: s.Why, Chose: s.Chose, Error: s.Error}
			}
			require.Equal(t, c.want, got)
			if c.want["notify"].State == dag.Skipped {
				require.Empty(t, told)
				return
			}
			require.Len(t, told, 1)
			if c.lostIs != "" {
				require.Equal(t, c.lostIs, told[0].Unrecorded.Why)
			}
		})
	}
}
