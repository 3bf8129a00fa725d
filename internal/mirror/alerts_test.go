package mirror

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// due are the messages that are to be sent: the condition and whether it is open.
func due(t *testing.T, m *Mirror) map[Condition]bool {
	t.Helper()
	alerts, err := m.Alerts(t.Context())
	require.NoError(t, err)
	found := map[Condition]bool{}
	for _, a := range alerts {
		if a.Due() {
			found[a.ID] = a.Open
		}
	}
	return found
}

func TestAConditionIsToldOnceAndItsEndOnce(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	raise := func(run, cause string) Alert {
		a, err := m.Raise(ctx, Alert{ID: ConditionFailed, Cause: cause, Reason: cause + " in " + run, Run: run, Counts: Counts{Documents: 7}})
		require.NoError(t, err)
		return a
	}
	clear := func(run string, quiet bool) Alert {
		a, err := m.Clear(ctx, Alert{ID: ConditionFailed, Reason: run + " is green", Run: run, Outcome: OutcomeGreen}, quiet)
		require.NoError(t, err)
		return a
	}
	sent := func(a Alert) { require.NoError(t, m.Sent(ctx, a.ID, a.Message)) }

	clear("zero", false)
	require.Empty(t, m.all(t), "what never came up leaves no record")

	first := raise("one", "portal is down")
	require.Equal(t, map[Condition]bool{ConditionFailed: true}, due(t, m))
	require.Equal(t, first, raise("one", "portal is down"), "an attempt made again changes nothing")
	sent(first)
	require.Empty(t, due(t, m))
	second := raise("two", "portal is down")
	require.Empty(t, due(t, m), "the same again is no news")
	require.Equal(t, 2, second.Times)
	require.Equal(t, "portal is down in two", second.Reason)
	require.Equal(t, first.Since, second.Since)

	third := raise("three", "token refused")
	require.NotEqual(t, first.Message, third.Message)
	require.Equal(t, map[Condition]bool{ConditionFailed: true}, due(t, m), "another cause is news")
	require.Equal(t, 3, third.Times)
	require.Equal(t, first.Since, third.Since, "it never was right in between")

	// It ends before the message about the new cause went out: of its end is
	// told all the same, for it is known to be open.
	past := clear("four", false)
	require.Equal(t, map[Condition]bool{ConditionFailed: false}, due(t, m))
	require.Equal(t, past, clear("five", false), "only the end is an end")
	sent(past)
	require.Empty(t, due(t, m))

	// Up and gone before anybody was told.
	raise("six", "portal is down")
	clear("seven", false)
	require.Empty(t, due(t, m))

	// A message that was on its way while the condition ended.
	late := raise("eight", "portal is down")
	clear("nine", false)
	sent(late)
	require.Equal(t, map[Condition]bool{ConditionFailed: false}, due(t, m), "who was told that it is open is told of its end")

	sent(raise("ten", "portal is down"))
	clear("eleven", true)
	require.Empty(t, due(t, m), "another condition says it")
	require.Len(t, m.all(t), 1, "one record for a condition")
}

// all reads the collection as it is.
func (m *Mirror) all(t *testing.T) []bson.Raw {
	t.Helper()
	cursor, err := m.db.Collection(AlertRecords).Find(t.Context(), bson.D{})
	require.NoError(t, err)
	var all []bson.Raw
	require.NoError(t, cursor.All(t.Context(), &all))
	for _, raw := range all {
		require.Less(t, len(raw), 2000, "a record is small")
	}
	return all
}

func TestRunsThatFindTheSameAtOnceLoseNothing(t *testing.T) {
	m := openTest(t)
	var all sync.WaitGroup
	failed := make([]error, 4)
	for i := range failed {
		all.Go(func() {
			_, failed[i] = m.Raise(t.Context(), Alert{ID: ConditionNotGreen, Cause: "red", Run: fmt.Sprint(i)})
		})
	}
	all.Wait()
	for _, err := range failed {
		require.NoError(t, err)
	}
	alerts, err := m.Alerts(t.Context())
	require.NoError(t, err)
	require.Len(t, alerts, 1)
	require.Equal(t, 4, alerts[0].Times)
}

func TestTheLastProof(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	created, err := m.Created(ctx)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), created, time.Minute)
	run := func(id string, d int, job string, fields ...bson.E) {
		_, err := m.BeginRun(ctx, Run{ID: id, Job: job, Started: day(d)})
		require.NoError(t, err)
		require.NoError(t, m.SetRun(ctx, id, fields))
	}
	field := func(name string, value any) bson.E { return bson.E{Key: name, Value: value} }
	proof := func() string {
		last, err := m.LastProof(ctx)
		if err != nil {
			require.ErrorIs(t, err, ErrNoRun)
		}
		return last.ID
	}
	run("failed", 1, JobMirror, field("status", StatusFailed))
	assert.Empty(t, proof())
	run("green", 2, JobMirror, field("certificate", Verdict{Outcome: OutcomeGreen}), field("status", StatusDone), field("outcome", OutcomeGreen))
	assert.Equal(t, "green", proof())
	run("busy", 3, JobMirror, field("probe", Probe{Decision: "full"}), field("status", StatusSkipped))
	assert.Equal(t, "green", proof(), "a run that was skipped because another one wrote proves nothing")
	run("unchanged", 4, JobMirror, field("probe", Probe{Decision: ProbeSkip}), field("status", StatusSkipped))
	assert.Equal(t, "unchanged", proof())
	run("verified", 5, "verify", field("certificate", Verdict{Outcome: OutcomeGreen}), field("status", StatusDone), field("outcome", OutcomeGreen))
	assert.Equal(t, "verified", proof())
	run("red", 6, JobMirror, field("certificate", Verdict{Outcome: OutcomeRed}), field("status", StatusDone), field("outcome", OutcomeRed))
	assert.Equal(t, "unchanged", proof(), "of certificates the newest counts, and it is red")
}
