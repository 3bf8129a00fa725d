package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/internal/statistics"
	"padron/workflows"
	"padron/workflows/dag"
)

// profile is that beside the newest snapshot, which must be that of a run.
func (s *stack) profile(of workflows.MirrorResult) statistics.DataProfile {
	s.t.Helper()
	require.Equal(s.t, "green", of.Outcome, of.Why)
	snap, err := s.mirror.Statistics.Snapshot(s.t.Context(), "latest")
	require.NoError(s.t, err)
	require.Equal(s.t, of.Run, snap.Run)
	p, err := s.mirror.Statistics.DataProfile(s.t.Context(), snap.ID)
	require.NoError(s.t, err)
	var rows int64
	for _, r := range p.Matrix.Rows {
		rows += r[3] + r[4]
	}
	require.Equal(s.t, snap.Totals.Rows, rows, "of the snapshot's own counts")
	return p
}

// described is how the step ended that describes the columns.
func described(t *testing.T, of workflows.MirrorResult) string {
	t.Helper()
	i := slices.IndexFunc(of.Write.Steps, func(step runs.Step) bool { return step.Name == "profile_columns" })
	require.GreaterOrEqual(t, i, 0)
	return of.Write.Steps[i].State
}

// TestAProfileIsThatOfTheLastCrawlWithChanges: whose run it is of is kept with
// it; a crawl without a change and jobs that do not read all rows describe
// nothing anew; and no row is read from the database for it.
func TestAProfileIsThatOfTheLastCrawlWithChanges(t *testing.T) {
	s := newStack(t, register.Generate(2500, 31))
	first := s.run(runs.ModeAuto)
	p := s.profile(first)
	require.Equal(t, first.Run, p.Run)
	require.Equal(t, string(dag.Done), described(t, first))
	require.EqualValues(t, 2500, p.Rows)

	unchanged := s.run(runs.ModeFull)
	require.Equal(t, string(dag.Skipped), described(t, unchanged))
	kept := s.profile(unchanged)
	require.Equal(t, first.Run, kept.Run)
	require.Equal(t, p.Columns, kept.Columns)

	require.NoError(t, s.portal.Edit(portalsim.Rename(s.keys(1)[0], "Renamed"), portalsim.SetField(s.keys(2)[1], "dba_end_date", noDate)))
	changed := s.run(runs.ModeAuto)
	require.Equal(t, string(dag.Skipped), described(t, changed), "most rows were passed over")
	require.Equal(t, p.Columns, s.profile(changed).Columns)

	again := s.job(workflows.MirrorInput{Job: runs.JobRerun, Of: changed.Run, From: runs.FromClean})
	require.Equal(t, string(dag.Done), described(t, again), "every row was cleaned")
	p = s.profile(again)
	require.Equal(t, again.Run, p.Run)
	require.EqualValues(t, 2499, p.Rows, "the row in quarantine is not described")

	snapshot := s.job(workflows.MirrorInput{Job: runs.JobRerun, Of: changed.Run, From: runs.FromSnapshot})
	require.Equal(t, string(dag.Skipped), described(t, snapshot))
	require.Equal(t, p.Columns, s.profile(snapshot).Columns)

	time.Sleep(1100 * time.Millisecond) // the portal's versions have seconds
	require.NoError(t, s.portal.Edit(portalsim.SetField(s.keys(2)[1], "dba_end_date", nil)))
	retried := s.job(workflows.MirrorInput{Job: runs.JobRetry})
	require.Equal(t, string(dag.Skipped), described(t, retried), "some rows only")
	last, err := s.mirror.Statistics.LastProfile(t.Context())
	require.NoError(t, err)
	require.Equal(t, again.Run, last.Run)
}

// TestADescriptionOfAnotherVersionHasEveryRowCleaned: after an upgrade the columns
// are described by the first crawl, not after a week.
func TestADescriptionOfAnotherVersionHasEveryRowCleaned(t *testing.T) {
	s := newStack(t, register.Generate(1200, 33))
	first := s.run(runs.ModeAuto)
	require.Equal(t, "green", first.Outcome, first.Why)
	_, err := s.db.Collection(mongodb.Snapshots).UpdateMany(t.Context(), bson.D{{Key: "rows.run", Value: first.Run}},
		bson.D{{Key: "$unset", Value: bson.D{{Key: "rows.sketch", Value: ""}}}})
	require.NoError(t, err)
	require.NoError(t, s.portal.Edit(portalsim.Rename(s.keys(1)[0], "Renamed")))
	second := s.run(runs.ModeAuto)
	require.Equal(t, string(dag.Done), described(t, second))
	require.Equal(t, second.Run, s.profile(second).Run)
}

// TestPagesOfTheVersionBeforeAreRepeated: they have no sketch, so that the last
// profile stays, and all else is done.
func TestPagesOfTheVersionBeforeAreRepeated(t *testing.T) {
	s := newStack(t, register.Generate(1500, 32))
	first := s.run(runs.ModeAuto)
	require.Equal(t, "green", first.Outcome)
	businesses := s.db.Collection(mongodb.Businesses)
	var extra []any
	for range 600 {
		extra = append(extra, bson.D{{Key: "_id", Value: "x" + bson.NewObjectID().Hex()}, {Key: "lineage", Value: bson.D{
			{Key: "hash", Value: bson.Binary{Data: make([]byte, 32)}}, {Key: "version", Value: int32(1)},
		}}})
	}
	_, err := businesses.InsertMany(t.Context(), extra)
	require.NoError(t, err)
	require.NoError(t, s.portal.Edit(portalsim.Rename(s.keys(1)[0], "Renamed")))
	closed := s.start(workflows.MirrorInput{Mode: runs.ModeFull, Deep: true}) // which cleans every row
	require.Equal(t, runs.GateClosed, s.fails(closed).Type())
	_, err = businesses.DeleteMany(t.Context(), bson.D{{Key: "lineage.run", Value: bson.D{{Key: "$exists", Value: false}}}})
	require.NoError(t, err)

	zone, err := landing.Open(landing.Config{}, s.db)
	require.NoError(t, err)
	entries, err := zone.List(t.Context(), workflows.RunID(closed.GetID()))
	require.NoError(t, err)
	stripped := 0
	for _, e := range entries {
		if e.Kind != landing.KindClean {
			continue
		}
		summary := map[string]any{}
		_, err := zone.Summary(t.Context(), e.ID, &summary)
		require.NoError(t, err)
		require.NotEmpty(t, summary["sketch"])
		delete(summary, "sketch")
		require.NoError(t, zone.Attach(t.Context(), e.ID, summary))
		stripped++
	}
	require.NotZero(t, stripped)

	again := s.job(workflows.MirrorInput{Job: runs.JobRerun, Of: workflows.RunID(closed.GetID()), From: runs.FromGate})
	require.Equal(t, string(dag.Skipped), described(t, again))
	require.Equal(t, first.Run, s.profile(again).Run)
	requireMirrors(t, s)
}
