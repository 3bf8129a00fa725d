package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/activities"
	"padron/internal/backfill"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/internal/statistics"
	"padron/workflows"
)

// yearly asks for the counts of each year since 2000.
var yearly = []string{"# no history", "history: {since: 2000-01-01, every: year}"}

// reconstructed waits for the run that reconstructs the history.
func (s *stack) reconstructed(id string) workflows.MirrorResult {
	s.t.Helper()
	require.NotEmpty(s.t, id)
	return s.finished(s.temporal.GetWorkflow(s.t.Context(), workflows.MirrorID(s.spec.Name, id), ""))
}

// TestTheFirstGreenRunReconstructsTheHistory: nobody asks for it, the green run
// does not wait for it, it is made once, and a backfill finds it done.
func TestTheFirstGreenRunReconstructsTheHistory(t *testing.T) {
	s := newStackOf(t, register.Generate(1000, 41), yearly)
	first := s.run(runs.ModeAuto)
	require.Equal(t, "green", first.Outcome, first.Why)
	made := s.reconstructed(first.History)
	require.Equal(t, "green", made.Outcome, made.Why)

	now := time.Now().In(s.spec.Location())
	until := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	windows, err := backfill.Windows("2000-01-01", backfill.DayOf(until), backfill.EveryYear)
	require.NoError(t, err)
	snaps, err := s.mirror.Statistics.Snapshots(t.Context(), 100, statistics.Reconstructed)
	require.NoError(t, err)
	require.Len(t, snaps, len(windows))
	for _, snap := range snaps {
		totals, undated := s.past(snap.AsOf)
		require.Equal(t, totals, snap.Totals, snap.ID)
		require.Equal(t, &undated, snap.Undated, snap.ID)
	}
	stored, err := s.mirror.Runs.Windows(t.Context(), backfill.OnLifecycle, "2000-01-01", string(backfill.DayOf(until)))
	require.NoError(t, err)
	require.Len(t, stored, len(windows))
	for _, w := range stored {
		require.Equal(t, runs.StatusProven, w.Status)
		require.Equal(t, first.Run, w.Proof)
		require.Equal(t, first.History, w.Run)
	}
	green, err := s.mirror.Runs.Run(t.Context(), first.Run)
	require.NoError(t, err)
	record, err := s.mirror.Runs.Run(t.Context(), first.History)
	require.NoError(t, err)
	require.True(t, green.Finished.Before(record.Finished), "the green run does not wait")
	require.Equal(t, runs.TriggerHistory, record.Trigger)
	require.Equal(t, runs.StatusDone, record.Status)
	require.Equal(t, len(windows), record.Backfill.Snapshots)

	require.Empty(t, s.run(runs.ModeFull).History, "it is made once")
	result := s.backfilled(s.backfill(workflows.BackfillInput{
		Since: "2000-01-01", Until: backfill.DayOf(until), Reload: backfill.ReloadNeeded,
	}))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Zero(t, result.Backfill.Todo, "a backfill finds it done")
}

// TestAHistoryThatWasNotMadeIsMadeUpFor: by the next run that proves the mirror,
// unless somebody cancelled it.
func TestAHistoryThatWasNotMadeIsMadeUpFor(t *testing.T) {
	s := newStackOf(t, register.Generate(300, 42), yearly)
	last := s.run(runs.ModeAuto).History
	s.reconstructed(last)
	store := runs.NewStore(s.db)
	for _, c := range []struct {
		name   string
		fields bson.D
		again  bool
	}{
		{"failed", bson.D{{Key: "status", Value: runs.StatusFailed}}, true},
		{"under way", bson.D{{Key: "status", Value: runs.StatusRunning}, {Key: "workflow_id", Value: ""}}, false},
		{"cancelled", bson.D{{Key: "status", Value: runs.StatusCancelled}}, false},
		{"of another span", bson.D{{Key: "status", Value: runs.StatusDone}, {Key: "backfill.since", Value: "2010-01-01"}}, true},
		{"done", bson.D{{Key: "status", Value: runs.StatusDone}}, false},
	} {
		require.NoError(t, store.SetRun(t.Context(), last, c.fields), c.name)
		next := s.run(runs.ModeFull)
		require.Equal(t, "green", next.Outcome, next.Why)
		require.Equal(t, c.again, next.History != "", c.name)
		if c.again {
			last = next.History
			require.Equal(t, "green", s.reconstructed(last).Outcome)
		}
	}
}

// TestAHistoryNeedsAMirrorThatStands: one whose green run is no longer the last
// word is refused, without an alarm, and waits for the next green run.
func TestAHistoryNeedsAMirrorThatStands(t *testing.T) {
	s := newStackOf(t, register.Generate(300, 43), yearly)
	s.reconstructed(s.run(runs.ModeAuto).History)
	_, err := runs.NewStore(s.db).BeginRun(t.Context(), runs.Run{ID: "w", Started: time.Now(), Status: runs.StatusFailed, Writes: true})
	require.NoError(t, err)
	refused := s.fails(s.start(workflows.MirrorInput{Job: runs.JobReconstruct, Reload: &activities.Reload{History: true}}))
	require.Equal(t, runs.NothingToDo, refused.Type())
	require.Contains(t, refused.Message(), "the history waits for the next green run: run w wrote and did not finish")
}
