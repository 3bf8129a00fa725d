package main_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"padron/activities"
	"padron/internal/certificate"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

// inFlight is how many steps can be on their way to a worker when it is told to
// stop: what it has free slots for, four for each of its two queues.
const inFlight = 8

// TestAWorkerIsDrained tells a worker to stop while it is in the middle of a
// step. It takes no new work, ends what it has or gives it back, and another
// worker goes on at once: no step that it began has to time out.
func TestAWorkerIsDrained(t *testing.T) {
	t.Parallel()
	table := register.Generate(*rows, 44)
	for _, step := range []string{"fetch_page", "clean_page", "upsert_page"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, table)
			s.pages()
			leaving := s.worker("PADRON_LOG_LEVEL=debug") // tells which steps it begins
			s.ok("run")
			halted := s.haltWithin(leaving, step)
			require.NoError(t, leaving.signal(syscall.SIGTERM)) // it gets it when it goes on
			told := time.Now()
			s.proceed(leaving)
			// With the race detector (-short), or halted for long by a test that gets no
			// processor, it may be too slow to heartbeat.
			heartbeats := !testing.Short() && told.Sub(halted) < activities.HeartbeatEvery
			staying := s.worker()
			require.Zero(t, leaving.exits(stopsWithin), "%s", &leaving.errors)
			left := time.Since(told)
			require.Less(t, left, 20*time.Second, "within its stop timeout")

			run := s.ended()
			require.Equal(t, certificate.Green, run.Certificate.Outcome, run.Reason)
			require.EqualValues(t, *rows, s.documents())
			t.Logf("left after %s, the run ended %s later", left.Round(100*time.Millisecond), time.Since(told)-left)

			after := map[string]int{}
			for _, e := range s.events(run.ID) {
				started := e.GetActivityTaskStartedEventAttributes()
				if started == nil {
					continue
				}
				if started.LastFailure.GetTimeoutFailureInfo() != nil {
					// What it began has ended, or been given back, when it has left. Before
					// that a worker that gets no processor may be too slow to heartbeat.
					// Temporal may lose a step on its way to a worker that hangs up, and
					// what becomes of the next attempt is no matter of this worker.
					lost := e.EventTime.AsTime().Sub(told) > left && leaving.began(e.workflow, started.ScheduledEventId, started.Attempt-1)
					require.False(t, lost && heartbeats, "%s %d: %v\n%s", e.workflow, e.EventId, started.LastFailure, &leaving.errors)
					t.Logf("%s %d was lost on its way", e.workflow, e.EventId)
				}
				if e.EventTime.AsTime().After(told) {
					after[worker(started.Identity)]++
				}
				if started.Attempt == 1 && worker(started.Identity) == leaving.identity() {
					require.True(t, leaving.began(e.workflow, started.ScheduledEventId, 1), "its log tells of %s %d", e.workflow, started.ScheduledEventId)
				}
			}
			require.LessOrEqual(t, after[leaving.identity()], inFlight, "it takes no new work: %v", after)
			require.NotZero(t, after[staying.identity()], "the other one goes on: %v", after)
		})
	}
}

// ended waits for the end of the newest run and returns its record.
func (s *stack) ended() runs.Run {
	s.t.Helper()
	var run runs.Run
	require.Eventually(s.t, func() (ok bool) {
		run, ok = s.newest()
		return ok && run.Status != runs.StatusRunning
	}, runTakes, 50*time.Millisecond, "the run never ended")
	require.Equal(s.t, runs.StatusDone, run.Status, run.Reason)
	return run
}

// began says whether a worker that logs all began an attempt of an activity,
// which the event that scheduled it names.
func (p *process) began(workflow string, scheduled int64, attempt int32) bool {
	words := []string{"step begins", " WorkflowID=" + workflow + " ", fmt.Sprintf(" ActivityID=%d ", scheduled), fmt.Sprintf(" Attempt=%d ", attempt)}
	for line := range strings.Lines(p.errors.String()) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			return true
		}
	}
	return false
}

// event is an event of a workflow's history.
type event struct {
	*historypb.HistoryEvent
	workflow string // its id
}

// events are the histories of a run and of its writing.
func (s *stack) events(run string) []event {
	s.t.Helper()
	var all []event
	read := func(id, runID string) {
		for events := s.temporal.GetWorkflowHistory(s.t.Context(), id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
			e, err := events.Next()
			require.NoError(s.t, err)
			all = append(all, event{e, id})
		}
	}
	read(workflows.MirrorID(s.name, run), "")
	for _, e := range all {
		if child := e.GetChildWorkflowExecutionStartedEventAttributes(); child != nil {
			read(child.WorkflowExecution.WorkflowId, child.WorkflowExecution.RunId)
		}
	}
	return all
}

// worker is the process of an identity, which Temporal's SDK makes of process
// id, host and more.
func worker(identity string) string {
	pid, _, _ := strings.Cut(identity, "@")
	return pid
}

// identity is how a worker process shows in histories.
func (p *process) identity() string { return fmt.Sprint(p.cmd.Process.Pid) }
