package workflows_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

// begunAs starts a run under a name, within a time, and waits until it has a
// record.
func (s *stack) begunAs(name string, within time.Duration) client.WorkflowRun {
	s.t.Helper()
	run, err := s.temporal.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID: workflows.MirrorID(s.spec.Name, name), TaskQueue: s.queue, WorkflowExecutionTimeout: within,
	}, workflows.Mirror, workflows.MirrorInput{Dataset: s.spec.Name, Mode: runs.ModeFull})
	require.NoError(s.t, err)
	require.Eventually(s.t, func() bool {
		_, err := s.mirror.Runs.Run(s.t.Context(), name)
		return err == nil
	}, time.Minute, 20*time.Millisecond)
	return run
}

// reopened makes a record say again that its run is running: what a backup has
// that was made meanwhile, or what is left when the last write was lost.
func (s *stack) reopened(run string) {
	s.t.Helper()
	require.NoError(s.t, runs.NewStore(s.db).SetRun(s.t.Context(), run, bson.D{
		{Key: "status", Value: runs.StatusRunning}, {Key: "outcome", Value: ""}, {Key: "finished", Value: time.Time{}},
	}))
}

// closes is how a record ends up, and for which reason.
type closes struct {
	status runs.Status
	reason string
}

func (s *stack) requireClosed(want map[string]closes) {
	s.t.Helper()
	for id, c := range want {
		record, err := s.mirror.Runs.Run(s.t.Context(), id)
		require.NoError(s.t, err)
		require.Equal(s.t, c.status, record.Status, "run %s: %q", id, record.Reason)
		require.Contains(s.t, record.Reason, c.reason, id)
		require.False(s.t, record.Finished.IsZero(), id)
		ended, err := s.mirror.Runs.RunsSince(s.t.Context(), runs.Ending(c.status), time.Time{}, 100)
		require.NoError(s.t, err)
		var ids []string
		for _, run := range ended {
			ids = append(ids, run.ID)
		}
		require.Contains(s.t, ids, id, "the list of those that ended so")
	}
}

// TestARecordOfARunThatHasEndedIsClosed has runs end in every way without
// closing their records: the next run closes them, and leaves alone those that
// are running.
func TestARecordOfARunThatHasEndedIsClosed(t *testing.T) {
	s := newStack(t, register.Generate(300, 210))
	ctx := t.Context()
	completed := s.run(runs.ModeAuto).Run
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1})
	failed := s.start(workflows.MirrorInput{})
	_ = s.fails(failed)
	s.portal.Heal()

	reached, release := s.hold(1)
	release = sync.OnceFunc(release)
	t.Cleanup(release)
	terminated := s.begunAs("terminated", 0)
	<-reached
	require.NoError(t, s.temporal.TerminateWorkflow(ctx, terminated.GetID(), "", "by a test"))
	require.Error(t, terminated.Get(ctx, nil))
	cancelled := s.begunAs("cancelled", 0)
	require.NoError(t, s.temporal.CancelWorkflow(ctx, cancelled.GetID(), ""))
	require.Error(t, cancelled.Get(ctx, nil))
	require.Error(t, s.begunAs("timed-out", 3*time.Second).Get(ctx, nil))
	running := s.begunAs("running", 0)
	_, err := runs.NewStore(s.db).BeginRun(ctx, runs.Run{ID: "gone", WorkflowID: workflows.MirrorID(s.spec.Name, "gone"), TemporalRunID: "t"})
	require.NoError(t, err)
	for _, run := range []string{completed, workflows.RunID(failed.GetID()), "cancelled"} {
		s.reopened(run)
	}

	next := s.begunAs("next", 0)
	require.Eventually(t, func() bool {
		record, err := s.mirror.Runs.Run(ctx, "gone")
		return err == nil && record.Status != runs.StatusRunning
	}, 30*time.Second, 50*time.Millisecond, "the next run closes what it finds before it begins")
	s.requireClosed(map[string]closes{
		completed:                       {runs.StatusFailed, "its workflow came to its end, but what it came to is not recorded"},
		workflows.RunID(failed.GetID()): {runs.StatusFailed, "refused (403)"},
		"terminated":                    {runs.StatusFailed, "its workflow was terminated"},
		"cancelled":                     {runs.StatusCancelled, "cancelled"},
		"timed-out":                     {runs.StatusFailed, "its workflow timed out"},
		"gone":                          {runs.StatusFailed, "Temporal knows nothing of its workflow any more"},
	})
	record, err := s.mirror.Runs.Run(ctx, "running")
	require.NoError(t, err)
	require.Equal(t, runs.StatusRunning, record.Status)
	release()
	require.Equal(t, "green", s.finished(running).Outcome)
	require.Equal(t, "green", s.finished(next).Outcome)
	unfinished, err := s.mirror.Runs.Unfinished(ctx)
	require.NoError(t, err)
	require.Empty(t, unfinished)
}

// TestTheLookAtTheFreshnessClosesRecordsToo, so that they are closed though no
// run begins; and that a backfill is dead is told as such.
func TestTheLookAtTheFreshnessClosesRecordsToo(t *testing.T) {
	r := newReceiver(t)
	s := newStack(t, register.Generate(300, 211), r.telling)
	ctx := t.Context()
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	reached, release := s.hold(1)
	t.Cleanup(release)
	run := s.backfill(workflows.BackfillInput{})
	<-reached
	name := workflows.RunID(run.GetID())
	require.NoError(t, s.temporal.TerminateWorkflow(ctx, run.GetID(), "", "by a test"))
	s.freshness(time.Hour)
	s.requireClosed(map[string]closes{name: {runs.StatusFailed, "its workflow was terminated"}})
	require.Equal(t, []string{"backfill_failed"}, s.told(r, 0, 1))
	described, err := s.temporal.DescribeWorkflowExecution(ctx, workflows.MirrorID(s.spec.Name, name+".1"), "")
	require.NoError(t, err)
	if described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		record, err := s.mirror.Runs.Run(ctx, name+".1")
		require.NoError(t, err)
		require.Equal(t, runs.StatusRunning, record.Status, "it has not ended yet")
	}
}

// TestARunWaitsForAWritingWhoseRunWasTerminated, once: the writing ends later
// than the run that it is of, and holds the writer's id until then.
func TestARunWaitsForAWritingWhoseRunWasTerminated(t *testing.T) {
	s := newStack(t, register.Generate(300, 212))
	ctx := t.Context()
	reached, release := s.hold(1)
	release = sync.OnceFunc(release)
	t.Cleanup(release)
	terminated := s.begunAs("terminated", 0)
	<-reached
	require.NoError(t, s.temporal.TerminateWorkflow(ctx, terminated.GetID(), "", "by a test"))
	waiting := s.begunAs("waiting", 0)
	time.Sleep(3 * time.Second)
	release()
	require.Equal(t, "green", s.finished(waiting).Outcome)
	waits := 0
	events := s.temporal.GetWorkflowHistory(ctx, waiting.GetID(), waiting.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(t, err)
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == "await_writer" {
			waits++
		}
	}
	require.LessOrEqual(t, waits, 1)
}
