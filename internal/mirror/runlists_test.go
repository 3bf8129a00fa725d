package mirror

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// Which runs count as mirroring, and what of it a record must say.
func TestRunLists(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	for i, run := range []Run{
		{ID: "mirrored", Job: JobMirror},
		{ID: "again", Job: JobRerun, From: "gate"},
		{ID: "summed again", Job: JobRerun, From: "aggregate_snapshot"},
		{ID: "approved", Job: "approve"},
		{ID: "verified", Job: "verify"},
	} {
		run.Started = day(i + 1)
		_, err := m.BeginRun(ctx, run)
		require.NoError(t, err)
	}
	newest := func(f func() (Run, error)) string {
		run, err := f()
		if err != nil {
			require.ErrorIs(t, err, ErrNoRun)
		}
		return run.ID
	}
	lists := func() [3]string {
		return [3]string{
			newest(func() (Run, error) { return m.LastDone(ctx) }),
			newest(func() (Run, error) { return m.LastGreen(ctx) }),
			newest(func() (Run, error) { return m.NewestCertificate(ctx) }),
		}
	}
	set := func(id string, fields ...bson.E) { require.NoError(t, m.SetRun(ctx, id, fields)) }
	done := bson.E{Key: "status", Value: StatusDone}
	green := bson.E{Key: "outcome", Value: OutcomeGreen}
	certificate := bson.E{Key: "certificate", Value: Verdict{Outcome: OutcomeRed}}

	assert.Equal(t, [3]string{}, lists())
	set("mirrored", green, certificate)
	assert.Equal(t, [3]string{}, lists(), "it goes on")
	set("mirrored", done)
	assert.Equal(t, [3]string{"mirrored", "mirrored", "mirrored"}, lists())
	set("summed again", done, green)
	set("approved", done, green)
	set("verified", done, green, certificate)
	assert.Equal(t, [3]string{"mirrored", "mirrored", "verified"}, lists())
	set("again", done, bson.E{Key: "outcome", Value: string(OutcomeGreen)})
	assert.Equal(t, [3]string{"again", "again", "verified"}, lists())

	// A crash after an entry, before the record says so; and one before there
	// is any record.
	_, err := m.BeginRun(ctx, Run{ID: "cut short", Started: day(9)})
	require.NoError(t, err)
	cut, err := m.Run(ctx, "cut short")
	require.NoError(t, err)
	require.NoError(t, m.list(ctx, &cut, runLists()))
	require.NoError(t, m.list(ctx, &Run{ID: "never begun", Started: day(10)}, runLists()))
	require.NoError(t, m.list(ctx, &Run{ID: "mirrored", Started: day(11)}, runLists()))
	assert.Equal(t, [3]string{"again", "again", "verified"}, lists())
	runs, err := m.Runs(ctx, 3, time.Time{})
	require.NoError(t, err)
	require.Len(t, runs, 3)
	assert.Equal(t, []string{"cut short", "verified", "approved"}, []string{runs[0].ID, runs[1].ID, runs[2].ID})
}
