package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"padron/activities"
	"padron/internal/guard"
	"padron/internal/mongodb"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

// TestQueues checks that no two datasets share a queue, whatever their names are,
// nor one with the queues that all of them shared before.
func TestQueues(t *testing.T) {
	require.Equal(t, "padron/sf-business", workflows.Queue("padron", "sf-business"))
	require.Equal(t, "padron/sf-business-portal", workflows.PortalQueue(workflows.Queue("padron", "sf-business")))
	seen := map[string]bool{"padron": true, workflows.PortalQueue("padron"): true}
	for _, dataset := range []string{"a", "a-b", "padron", "portal", "portal-a"} { // a name that ends with -portal is refused by the spec
		for _, queue := range []string{workflows.Queue("padron", dataset), workflows.PortalQueue(workflows.Queue("padron", dataset))} {
			require.False(t, seen[queue], queue)
			seen[queue] = true
		}
	}
}

// TestARunOnASharedQueueWaitsForAWorkerThatServesIt has a run on a queue where
// only a worker of another dataset is; then one that serves it comes, and the
// other one stays.
func TestARunOnASharedQueueWaitsForAWorkerThatServesIt(t *testing.T) {
	s := newStack(t, register.Generate(50, 124))
	spec := specNamed(t, s.spec.Name+"-x")
	t.Cleanup(func() {
		require.NoError(t, s.database.Database(s.prefix+"_"+spec.Name).Drop(context.WithoutCancel(t.Context())))
	})
	run, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: workflows.MirrorID(spec.Name, "manual-1"), TaskQueue: s.queue,
	}, workflows.Mirror, workflows.MirrorInput{Dataset: spec.Name, Mode: runs.ModeAuto})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		d, err := s.temporal.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
		require.NoError(t, err)
		for _, p := range d.PendingActivities {
			if f := p.GetLastFailure(); f != nil && p.GetAttempt() > 2 {
				require.Equal(t, runs.UnknownDataset, f.GetApplicationFailureInfo().GetType())
				require.Contains(t, f.GetMessage(), "waiting for one that does, whose PADRON_DATASET names it")
				return true
			}
		}
		return false
	}, time.Minute, 100*time.Millisecond, "it is tried again")

	a := &activities.Activities{
		Mongo: s.database, MongoDatabase: s.prefix, KeepCrawls: 2, PageSize: pageSize, PortalURL: s.portalURL, Temporal: s.temporal,
		Portal:   guard.New(guard.Options{Name: "portal", Down: activities.PortalDown}),
		Database: guard.New(guard.Options{Name: "mongodb", Down: mongodb.IsDown}),
	}
	a.Serve(spec)
	s.works(a)
	require.Equal(t, "green", s.finished(run).Outcome)
}
