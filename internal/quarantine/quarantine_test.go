package quarantine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/mongodb/mongodbtest"
)

func TestQuarantine(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	require.NoError(t, store.Put(ctx, nil))
	var rows []Row
	for i := range 5 {
		rows = append(rows, Row{Run: "manual-1", Page: "0001", Index: i, Key: fmt.Sprint(i), Reason: "unreadable", Raw: `{"a":"$x"}`, At: mongodbtest.Day(1)})
	}
	rows = append(rows, Row{Run: "manual-10", Page: "0001", Reason: "no key", Raw: "{}", At: mongodbtest.Day(1)})
	require.NoError(t, store.Put(ctx, rows))
	rows[1].Reason = "another"
	require.NoError(t, store.Put(ctx, rows))

	n, err := store.Count(ctx, "manual-1")
	require.NoError(t, err)
	assert.EqualValues(t, 5, n)
	page, err := store.List(ctx, "manual-1", "", 2)
	require.NoError(t, err)
	require.Len(t, page, 2)
	assert.Equal(t, "another", page[1].Reason)
	rest, err := store.List(ctx, "manual-1", page[1].ID, 10)
	require.NoError(t, err)
	require.Len(t, rest, 3)
	assert.Equal(t, 2, rest[0].Index)

	require.NoError(t, store.Clear(ctx, "manual-1"))
	n, err = store.Count(ctx, "manual-1")
	require.NoError(t, err)
	assert.Zero(t, n)
	n, err = store.Count(ctx, "manual-10")
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

func TestByKeyAndRun(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	keys, err := store.Keys(ctx, "r1")
	require.NoError(t, err)
	assert.Empty(t, keys)

	var rows []Row
	for _, run := range []string{"r1", "r2", "r 2", "r3"} {
		for i, key := range []string{"b", "", "a", "b", "c"} {
			rows = append(rows, Row{Run: run, Page: "0.0", Index: i, Key: key, Reason: "unreadable", Raw: "{}", At: mongodbtest.Day(1)})
		}
	}
	require.NoError(t, store.Put(ctx, rows))
	keys, err = store.Keys(ctx, "r2")
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "c"}, keys)
	for key, want := range map[string][]string{"b": {"r2/0.0/00000000", "r2/0.0/00000003"}, "c": {"r2/0.0/00000004"}, "x": nil} {
		ids, err := store.WithKey(ctx, "r2", key)
		require.NoError(t, err)
		assert.Equal(t, want, ids, key)
	}
	require.NoError(t, store.Resolve(ctx, "r2", []string{"b", "c", "x"}))
	count := func(run string) int64 {
		n, err := store.Count(ctx, run)
		require.NoError(t, err)
		return n
	}
	assert.EqualValues(t, 2, count("r2"), "a, and the one without key")
	assert.EqualValues(t, 5, count("r1"))

	listed, err := store.List(ctx, "r2", "", 10)
	require.NoError(t, err)
	require.Len(t, listed, 2)
	row, err := store.Get(ctx, listed[1].ID)
	require.NoError(t, err)
	assert.Equal(t, "a", row.Key)
	_, err = store.Get(ctx, "r2/nothing")
	require.ErrorIs(t, err, ErrNoRow)
	require.NoError(t, store.Delete(ctx, []string{listed[1].ID, "nothing"}))
	assert.EqualValues(t, 1, count("r2"))

	pruned, err := store.Prune(ctx, "r2", "r3", "r7")
	require.NoError(t, err)
	assert.Equal(t, 2, pruned)
	assert.Equal(t, []int64{0, 1, 0, 5}, []int64{count("r1"), count("r2"), count("r 2"), count("r3")})
	pruned, err = store.Prune(ctx)
	require.NoError(t, err)
	assert.Equal(t, 2, pruned)
}
