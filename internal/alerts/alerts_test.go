package alerts

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/runs"
)

// due are the messages that are to be sent: the condition and whether it is
// open.
func due(t *testing.T, store *Store) map[Condition]bool {
	t.Helper()
	alerts, err := store.All(t.Context())
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
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	raise := func(run, cause string) Alert {
		a, err := store.Raise(ctx, Alert{ID: ConditionFailed, Cause: cause, Reason: cause + " in " + run, Run: run, Counts: runs.Counts{Documents: 7}})
		require.NoError(t, err)
		return a
	}
	clear := func(run string, quiet bool) Alert {
		a, err := store.Clear(ctx, Alert{ID: ConditionFailed, Reason: run + " is green", Run: run, Outcome: certificate.Green}, quiet)
		require.NoError(t, err)
		return a
	}
	sent := func(a Alert) { require.NoError(t, store.Sent(ctx, a.ID, a.Message)) }

	clear("zero", false)
	require.Empty(t, records(t, store), "what never came up leaves no record")

	first := raise("one", "portal is down")
	require.Equal(t, map[Condition]bool{ConditionFailed: true}, due(t, store))
	require.Equal(t, first, raise("one", "portal is down"), "an attempt made again changes nothing")
	sent(first)
	require.Empty(t, due(t, store))
	second := raise("two", "portal is down")
	require.Empty(t, due(t, store), "the same again is no news")
	require.Equal(t, 2, second.Times)
	require.Equal(t, "portal is down in two", second.Reason)
	require.Equal(t, first.Since, second.Since)

	third := raise("three", "token refused")
	require.NotEqual(t, first.Message, third.Message)
	require.Equal(t, map[Condition]bool{ConditionFailed: true}, due(t, store), "another cause is news")
	require.Equal(t, 3, third.Times)
	require.Equal(t, first.Since, third.Since, "it never was right in between")

	// It ends before the message about the new cause went out: of its end is
	// told all the same, for it is known to be open.
	past := clear("four", false)
	require.Equal(t, map[Condition]bool{ConditionFailed: false}, due(t, store))
	require.Equal(t, past, clear("five", false), "only the end is an end")
	sent(past)
	require.Empty(t, due(t, store))

	// Up and gone before anybody was told.
	raise("six", "portal is down")
	clear("seven", false)
	require.Empty(t, due(t, store))

	// A message that was on its way while the condition ended.
	late := raise("eight", "portal is down")
	clear("nine", false)
	sent(late)
	require.Equal(t, map[Condition]bool{ConditionFailed: false}, due(t, store), "who was told that it is open is told of its end")

	sent(raise("ten", "portal is down"))
	clear("eleven", true)
	require.Empty(t, due(t, store), "another condition says it")
	require.Len(t, records(t, store), 1, "one record for a condition")
}

// records reads the collection as it is.
func records(t *testing.T, store *Store) map[string]bson.Raw {
	t.Helper()
	all := mongodbtest.Documents(t.Context(), t, store.db, mongodb.Alerts)
	for _, raw := range all {
		require.Less(t, len(raw), 2000, "a record is small")
	}
	return all
}

func TestRunsThatFindTheSameAtOnceLoseNothing(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	var all sync.WaitGroup
	failed := make([]error, 4)
	for i := range failed {
		all.Go(func() {
			_, failed[i] = store.Raise(t.Context(), Alert{ID: ConditionNotGreen, Cause: "red", Run: fmt.Sprint(i)})
		})
	}
	all.Wait()
	for _, err := range failed {
		require.NoError(t, err)
	}
	alerts, err := store.All(t.Context())
	require.NoError(t, err)
	require.Len(t, alerts, 1)
	require.Equal(t, 4, alerts[0].Times)
}
