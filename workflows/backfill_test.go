package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.temporal.io/sdk/client"

	"padron/activities"
	"padron/internal/mirror"
	"padron/internal/socrata/socratatest"
	"padron/workflows"
)

// backfill starts a backfill; what is not said is a year at a time, from 1990
// until 2026.
func (s *stack) backfill(in workflows.BackfillInput) client.WorkflowRun {
	s.t.Helper()
	in.Dataset = s.spec.Name
	defaults := workflows.BackfillInput{On: activities.OnLifecycle, Since: "1990-01-01", Until: "2026-01-01", Every: activities.EveryYear, MaxActive: 4, Reprocess: activities.ReprocessFailed}
	if in.On == "" {
		in.On = defaults.On
	}
	if in.Since == "" {
		in.Since, in.Until = defaults.Since, defaults.Until
	}
	if in.Every == "" {
		in.Every = defaults.Every
	}
	if in.MaxActive == 0 {
		in.MaxActive = defaults.MaxActive
	}
	if in.Reprocess == "" {
		in.Reprocess = defaults.Reprocess
	}
	run, err := s.temporal.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID:        workflows.BackfillID(s.spec.Name, "backfill-"+time.Now().UTC().Format("2006-01-02T15:04:05.000Z")),
		TaskQueue: s.queue,
	}, workflows.Backfill, in)
	require.NoError(s.t, err)
	return run
}

func (s *stack) backfilled(run client.WorkflowRun) workflows.BackfillResult {
	s.t.Helper()
	var result workflows.BackfillResult
	require.NoError(s.t, run.Get(s.t.Context(), &result))
	return result
}

// rowsOf counts the source rows that start or end within a window: the first of
// the ends that a row has is its end.
func (s *stack) rowsOf(w activities.Window) (rows int) {
	within := func(v any) bool {
		text, ok := v.(string)
		return ok && text[:len(time.DateOnly)] >= string(w.Since) && text[:len(time.DateOnly)] < string(w.Until)
	}
	for row := range s.portal.SourceRows() {
		end := row["location_end_date"]
		if end == nil {
			end = row["dba_end_date"]
		}
		if within(row["location_start_date"]) || within(end) {
			rows++
		}
	}
	return rows
}

func TestBackfillReloadsEveryWindow(t *testing.T) {
	s := newStack(t, socratatest.Generate(3000, 31))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	before := s.dump(mirror.Businesses)
	s.writes.since()

	result := s.backfilled(s.backfill(workflows.BackfillInput{}))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 36, result.Backfill.Windows)
	require.Equal(t, 36, result.Backfill.Done)
	require.Equal(t, before, s.dump(mirror.Businesses), "an unchanged portal changes nothing")
	require.Zero(t, s.writes.since()[mirror.Businesses])
	windows, err := activities.Windows("1990-01-01", "2026-01-01", activities.EveryYear)
	require.NoError(t, err)
	stored, err := s.mirror.Windows(t.Context(), activities.OnLifecycle, "1990-01-01", "2026-01-01")
	require.NoError(t, err)
	require.Len(t, stored, len(windows))
	total := 0
	for _, w := range windows {
		done := stored[mirror.WindowID(activities.OnLifecycle, string(w.Since), string(w.Until))]
		require.Equal(t, mirror.StatusDone, done.Status)
		require.Equal(t, s.rowsOf(w), done.Rows, w.String())
		total += done.Rows
	}
	require.EqualValues(t, total, result.Backfill.Rows)
	require.Greater(t, total, 2000)
	require.Equal(t, 36, result.Backfill.Snapshots)
	snaps, err := s.mirror.Snapshots(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, snaps, 37)

	run, err := s.mirror.Run(t.Context(), result.Run)
	require.NoError(t, err)
	require.Equal(t, mirror.StatusDone, run.Status)
	require.Equal(t, result.Backfill, run.Backfill)
	pages, err := s.mirror.Database().Collection("landing.files").CountDocuments(t.Context(), bson.D{})
	require.NoError(t, err)
	require.EqualValues(t, 4, pages, "the raw pages of the crawl alone")
}
