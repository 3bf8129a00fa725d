package mirror

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/socrata"
)

func TestRuns(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	require.NoError(t, m.EnsureIndexes(ctx))

	_, err := m.Run(ctx, "manual-1")
	require.ErrorIs(t, err, ErrNoRun)
	_, err = m.LastGreen(ctx)
	require.ErrorIs(t, err, ErrNoRun)
	_, err = m.LastDone(ctx)
	require.ErrorIs(t, err, ErrNoRun)
	require.ErrorIs(t, m.SetRun(ctx, "manual-1", bson.D{{Key: "status", Value: StatusDone}}), ErrNoRun)
	_, err = m.BeginRun(ctx, Run{})
	require.Error(t, err)

	begun, err := m.BeginRun(ctx, Run{ID: "manual-1", Trigger: TriggerManual, Mode: ModeAuto, Started: day(1), Spec: "s1", WorkflowID: "mirror/register/manual-1", TemporalRunID: "t1"})
	require.NoError(t, err)
	assert.Equal(t, StatusRunning, begun.Status)
	assert.Equal(t, "register", begun.Dataset)
	assert.WithinDuration(t, time.Now(), begun.Updated, time.Minute)

	version := socrata.Version{Served: day(1), Truth: day(1), RequestID: "x"}
	ranges := []RunRange{{Range: socrata.Range{UpTo: "b"}, Rows: 3}, {Range: socrata.Range{After: "b"}}, {Range: socrata.Range{NullKeys: true}}}
	require.NoError(t, m.SetRun(ctx, "manual-1", bson.D{
		{Key: "status", Value: StatusDone},
		{Key: "outcome", Value: OutcomeGreen},
		{Key: "finished", Value: day(2)},
		{Key: "version", Value: version},
		{Key: "ranges", Value: ranges},
		{Key: "progress.upsert.0", Value: int64(2)},
		{Key: "progress.upsert.1", Value: int64(3)},
		{Key: "certificate", Value: Verdict{Outcome: OutcomeGreen, Checks: []Check{{Name: "counts", OK: true, Detail: "5 = 5"}}}},
		{Key: "counts", Value: Counts{PortalRows: 5, Documents: 5}},
	}))
	got, err := m.Run(ctx, "manual-1")
	require.NoError(t, err)
	assert.Equal(t, version.Served, got.Version.Served.UTC())
	assert.Equal(t, ranges, got.Ranges)
	assert.EqualValues(t, 5, got.Progress.Rows("upsert"))
	assert.Zero(t, got.Progress.Rows("clean"))
	assert.Equal(t, Counts{PortalRows: 5, Documents: 5}, got.Counts)
	assert.Equal(t, "counts", got.Certificate.Checks[0].Name)

	// A second beginning, of a retry, changes nothing.
	again, err := m.BeginRun(ctx, Run{ID: "manual-1", Trigger: TriggerSchedule, Started: day(9)})
	require.NoError(t, err)
	assert.Equal(t, got, again)

	// What is not known is not there.
	raw, err := m.Database().Collection(RunRecords).FindOne(ctx, byID("manual-1")).Raw()
	require.NoError(t, err)
	for _, field := range []string{"probe", "gate", "stats", "snapshot", "nominal", "reason"} {
		_, err := raw.LookupErr(field)
		require.Error(t, err, field)
	}

	for i, tc := range []struct {
		status  Status
		outcome Outcome
	}{{StatusDone, OutcomeRed}, {StatusFailed, ""}, {StatusSkipped, ""}, {StatusRunning, ""}} {
		_, err := m.BeginRun(ctx, Run{ID: fmt.Sprintf("scheduled-%d", i), Started: day(3 + i), Status: tc.status, Outcome: tc.outcome})
		require.NoError(t, err)
	}
	green, err := m.LastGreen(ctx)
	require.NoError(t, err)
	assert.Equal(t, "manual-1", green.ID)
	done, err := m.LastDone(ctx)
	require.NoError(t, err)
	assert.Equal(t, "scheduled-0", done.ID)

	ids := func(runs []Run) (ids []string) {
		for _, r := range runs {
			ids = append(ids, r.ID)
		}
		return ids
	}
	page, err := m.Runs(ctx, 2, time.Time{})
	require.NoError(t, err)
	assert.Equal(t, []string{"scheduled-3", "scheduled-2"}, ids(page))
	page, err = m.Runs(ctx, 10, page[1].Started)
	require.NoError(t, err)
	assert.Equal(t, []string{"scheduled-1", "scheduled-0", "manual-1"}, ids(page))
}

func TestQuarantine(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	require.NoError(t, m.StoreQuarantine(ctx, nil))
	var rows []Quarantined
	for i := range 5 {
		rows = append(rows, Quarantined{Run: "manual-1", Page: "0001", Index: i, Key: fmt.Sprint(i), Reason: "unreadable", Raw: `{"a":"$x"}`, At: day(1)})
	}
	rows = append(rows, Quarantined{Run: "manual-10", Page: "0001", Reason: "no key", Raw: "{}", At: day(1)})
	require.NoError(t, m.StoreQuarantine(ctx, rows))
	rows[1].Reason = "another"
	require.NoError(t, m.StoreQuarantine(ctx, rows))

	n, err := m.CountQuarantine(ctx, "manual-1")
	require.NoError(t, err)
	assert.EqualValues(t, 5, n)
	page, err := m.QuarantineOf(ctx, "manual-1", "", 2)
	require.NoError(t, err)
	require.Len(t, page, 2)
	assert.Equal(t, "another", page[1].Reason)
	rest, err := m.QuarantineOf(ctx, "manual-1", page[1].ID, 10)
	require.NoError(t, err)
	require.Len(t, rest, 3)
	assert.Equal(t, 2, rest[0].Index)

	require.NoError(t, m.ClearQuarantine(ctx, "manual-1"))
	n, err = m.CountQuarantine(ctx, "manual-1")
	require.NoError(t, err)
	assert.Zero(t, n)
	n, err = m.CountQuarantine(ctx, "manual-10")
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

func TestEnsureIndexes(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	l := testDir(t)
	records := make([]Record, 200)
	for i := range records {
		records[i] = benchmarkDocument(t, i*3)
	}
	in := UpsertInput{Run: "r1", Part: "p", FirstLoad: true, Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(ctx, t, l, "r1", records)}
	_, err := m.Upsert(ctx, l, in)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, m.EnsureIndexes(ctx))
	}
	for _, ix := range Indexes() {
		found, err := m.hasIndex(ctx, ix)
		require.NoError(t, err)
		assert.True(t, found, "%s of %s", ix.Name, ix.Collection)
		assert.NotEmpty(t, ix.For)
	}
	specs, err := m.Database().Collection(Businesses).Indexes().ListSpecifications(ctx)
	require.NoError(t, err)
	assert.Len(t, specs, 5, "with the one on _id")

	// They answer what they are for, rows written later included.
	records[0] = cleanRecord(t, records[0].Key, bson.E{Key: "facets", Value: bson.D{{Key: "neighborhood", Value: "Mission"}, {Key: "open", Value: true}, {Key: "tokens", Value: bson.A{"zanzibar"}}}})
	beginRuns(ctx, t, m, "r2")
	in = UpsertInput{Run: "r2", Part: "p", Explain: explainTest, At: day(2), Ordered: true, Pages: landRecords(ctx, t, l, "r2", records)}
	got, err := m.Upsert(ctx, l, in)
	require.NoError(t, err)
	assert.Equal(t, 1, got.Replaced)
	for name, filter := range map[string]bson.D{
		"token": {{Key: "facets.tokens", Value: bson.D{{Key: "$regex", Value: "^zanz"}}}},
	} {
		n, err := m.Database().Collection(Businesses).CountDocuments(ctx, filter)
		require.NoError(t, err)
		assert.EqualValues(t, 1, n, name)
	}
}
