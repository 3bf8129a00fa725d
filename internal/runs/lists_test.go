package runs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/mongodb/mongodbtest"
)

// Which runs count as mirroring, and what of it a record must say.
func TestRunLists(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	for i, run := range []Run{
		{ID: "mirrored", Job: JobMirror},
		{ID: "again", Job: JobRerun, From: "gate"},
		{ID: "summed again", Job: JobRerun, From: "aggregate_snapshot"},
		{ID: "approved", Job: "approve"},
		{ID: "verified", Job: "verify"},
	} {
		run.Started = mongodbtest.Day(i + 1)
		_, err := store.BeginRun(ctx, run)
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
			newest(func() (Run, error) { return store.LastDone(ctx) }),
			newest(func() (Run, error) { return store.LastGreen(ctx) }),
			newest(func() (Run, error) { return store.NewestCertificate(ctx) }),
		}
	}
	set := func(id string, fields ...bson.E) { require.NoError(t, store.SetRun(ctx, id, fields)) }
	done := bson.E{Key: "status", Value: StatusDone}
	green := bson.E{Key: "outcome", Value: certificate.Green}
	certified := bson.E{Key: "certificate", Value: certificate.Verdict{Outcome: certificate.Red}}

	assert.Equal(t, [3]string{}, lists())
	set("mirrored", green, certified)
	assert.Equal(t, [3]string{}, lists(), "it goes on")
	set("mirrored", done)
	assert.Equal(t, [3]string{"mirrored", "mirrored", "mirrored"}, lists())
	set("summed again", done, green)
	set("approved", done, green)
	set("verified", done, green, certified)
	assert.Equal(t, [3]string{"mirrored", "mirrored", "verified"}, lists())
	set("again", done, bson.E{Key: "outcome", Value: string(certificate.Green)})
	assert.Equal(t, [3]string{"again", "again", "verified"}, lists())

	deep := func() string { return newest(func() (Run, error) { return store.LastDeep(ctx) }) }
	assert.Empty(t, deep())
	set("approved", bson.E{Key: "certificate", Value: certificate.Verdict{Outcome: certificate.Red, Checks: []certificate.Check{{Name: "deep"}}}})
	assert.Equal(t, "approved", deep())

	// A crash after an entry, before the record says so; and one before there
	// is any record.
	_, err := store.BeginRun(ctx, Run{ID: "cut short", Started: mongodbtest.Day(9)})
	require.NoError(t, err)
	cut, err := store.Run(ctx, "cut short")
	require.NoError(t, err)
	require.NoError(t, store.enter(ctx, &cut, allLists()))
	require.NoError(t, store.enter(ctx, &Run{ID: "never begun", Started: mongodbtest.Day(10)}, allLists()))
	require.NoError(t, store.enter(ctx, &Run{ID: "mirrored", Started: mongodbtest.Day(11)}, allLists()))
	assert.Equal(t, [3]string{"again", "again", "verified"}, lists())
	newestOnes, err := store.Runs(ctx, 3, time.Time{})
	require.NoError(t, err)
	require.Len(t, newestOnes, 3)
	assert.Equal(t, []string{"cut short", "verified", "approved"}, []string{newestOnes[0].ID, newestOnes[1].ID, newestOnes[2].ID})
}

func TestTheLastProof(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	run := func(id string, d int, job Job, fields ...bson.E) {
		_, err := store.BeginRun(ctx, Run{ID: id, Job: job, Started: mongodbtest.Day(d)})
		require.NoError(t, err)
		require.NoError(t, store.SetRun(ctx, id, fields))
	}
	field := func(name string, value any) bson.E { return bson.E{Key: name, Value: value} }
	proof := func() string {
		last, err := store.LastProof(ctx)
		if err != nil {
			require.ErrorIs(t, err, ErrNoRun)
		}
		return last.ID
	}
	run("failed", 1, JobMirror, field("status", StatusFailed))
	assert.Empty(t, proof())
	run("green", 2, JobMirror, field("certificate", certificate.Verdict{Outcome: certificate.Green}), field("status", StatusDone), field("outcome", certificate.Green))
	assert.Equal(t, "green", proof())
	run("busy", 3, JobMirror, field("probe", Probe{Decision: "full"}), field("status", StatusSkipped))
	assert.Equal(t, "green", proof(), "a run that was skipped because another one wrote proves nothing")
	run("unchanged", 4, JobMirror, field("probe", Probe{Decision: ProbeSkip}), field("status", StatusSkipped))
	assert.Equal(t, "unchanged", proof())
	run("verified", 5, "verify", field("certificate", certificate.Verdict{Outcome: certificate.Green}), field("status", StatusDone), field("outcome", certificate.Green))
	assert.Equal(t, "verified", proof())
	run("red", 6, JobMirror, field("certificate", certificate.Verdict{Outcome: certificate.Red}), field("status", StatusDone), field("outcome", certificate.Red))
	assert.Equal(t, "unchanged", proof(), "of certificates the newest counts, and it is red")
}
