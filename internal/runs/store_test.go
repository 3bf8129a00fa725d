package runs

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/socrata"
)

func TestRuns(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()

	_, err := store.Run(ctx, "manual-1")
	require.ErrorIs(t, err, ErrNoRun)
	_, err = store.LastGreen(ctx)
	require.ErrorIs(t, err, ErrNoRun)
	_, err = store.LastDone(ctx)
	require.ErrorIs(t, err, ErrNoRun)
	require.ErrorIs(t, store.SetRun(ctx, "manual-1", bson.D{{Key: "status", Value: StatusDone}}), ErrNoRun)
	_, err = store.BeginRun(ctx, Run{})
	require.Error(t, err)

	begun, err := store.BeginRun(ctx, Run{ID: "manual-1", Trigger: TriggerManual, Mode: ModeAuto, Started: mongodbtest.Day(1), Spec: "s1", WorkflowID: "mirror/register/manual-1", TemporalRunID: "t1"})
	require.NoError(t, err)
	assert.Equal(t, StatusRunning, begun.Status)
	assert.Equal(t, "register", begun.Dataset)
	assert.WithinDuration(t, time.Now(), begun.Updated, time.Minute)

	version := socrata.Version{Served: mongodbtest.Day(1), Truth: mongodbtest.Day(1), RequestID: "x"}
	ranges := []Range{{Range: socrata.Range{UpTo: "b"}, Rows: 3}, {Range: socrata.Range{After: "b"}}, {Range: socrata.Range{NullKeys: true}}}
	require.NoError(t, store.SetRun(ctx, "manual-1", bson.D{
		{Key: "status", Value: StatusDone},
		{Key: "outcome", Value: certificate.Green},
		{Key: "finished", Value: mongodbtest.Day(2)},
		{Key: "version", Value: version},
		{Key: "ranges", Value: ranges},
		{Key: "progress.upsert.0", Value: int64(2)},
		{Key: "progress.upsert.1", Value: int64(3)},
		{Key: "certificate", Value: certificate.Verdict{Outcome: certificate.Green, Checks: []certificate.Check{{Name: "counts", OK: true, Detail: "5 = 5"}}}},
		{Key: "counts", Value: Counts{PortalRows: 5, Documents: 5}},
	}))
	got, err := store.Run(ctx, "manual-1")
	require.NoError(t, err)
	assert.Equal(t, version.Served, got.Version.Served.UTC())
	assert.Equal(t, ranges, got.Ranges)
	assert.EqualValues(t, 5, got.Progress.Rows("upsert"))
	assert.Zero(t, got.Progress.Rows("clean"))
	assert.Equal(t, Counts{PortalRows: 5, Documents: 5}, got.Counts)
	assert.Equal(t, "counts", got.Certificate.Checks[0].Name)

	// A second beginning, of a retry, changes nothing.
	again, err := store.BeginRun(ctx, Run{ID: "manual-1", Trigger: TriggerSchedule, Started: mongodbtest.Day(9)})
	require.NoError(t, err)
	assert.Equal(t, got, again)

	// What is not known is not there.
	raw, err := store.db.Collection(mongodb.Runs).FindOne(ctx, mongodb.ByID("manual-1")).Raw()
	require.NoError(t, err)
	for _, field := range []string{"probe", "gate", "stats", "snapshot", "logical_date", "reason"} {
		_, err := raw.LookupErr(field)
		require.Error(t, err, field)
	}

	for i, tc := range []struct {
		status  Status
		outcome certificate.Outcome
	}{{StatusDone, certificate.Red}, {StatusFailed, ""}, {StatusSkipped, ""}, {StatusRunning, ""}} {
		_, err := store.BeginRun(ctx, Run{ID: fmt.Sprintf("scheduled-%d", i), Started: mongodbtest.Day(3 + i), Status: tc.status, Outcome: tc.outcome})
		require.NoError(t, err)
	}
	green, err := store.LastGreen(ctx)
	require.NoError(t, err)
	assert.Equal(t, "manual-1", green.ID)
	done, err := store.LastDone(ctx)
	require.NoError(t, err)
	assert.Equal(t, "scheduled-0", done.ID)

	ids := func(runs []Run) (ids []string) {
		for _, r := range runs {
			ids = append(ids, r.ID)
		}
		return ids
	}
	page, err := store.Runs(ctx, 2, time.Time{})
	require.NoError(t, err)
	assert.Equal(t, []string{"scheduled-3", "scheduled-2"}, ids(page))
	page, err = store.Runs(ctx, 10, page[1].Started)
	require.NoError(t, err)
	assert.Equal(t, []string{"scheduled-1", "scheduled-0", "manual-1"}, ids(page))
}
