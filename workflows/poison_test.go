package workflows_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/workflows"
)

// TestPoisonedRowsAreKeptApart serves rows that a decoder, the database or an
// index would refuse: each goes to quarantine by itself, its last document stays,
// and the mirror of all others is proven.
func TestPoisonedRowsAreKeptApart(t *testing.T) {
	t.Parallel()
	f := newFast(t, landing.Config{})
	f.begin(t.Context(), t, portalsim.Options{Table: register.Generate(120, 1)})
	result, err := f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	before := f.dump(t.Context(), t, mongodb.Businesses)

	keys := slices.Sorted(maps.Keys(f.oracle.read(f.portal.SourceRows()).rows))
	poisons := []string{
		`"dba_name":"` + `\ud800` + `"`, `"dba_name":"` + "\xff" + `"`, `"dba_name":"a","dba_name":"b"`, `"dba_name":"` + "\x00" + `"`,
		`"location":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), `"dba_name":"` + strings.Repeat("x", 18<<20) + `"`,
		`"dba_name":"` + strings.Repeat("x", 2<<20) + `"`,
	}
	for i, poison := range poisons {
		key := keys[5+15*i]
		f.portal.ServeRaw(key, fmt.Sprintf(`{"ttxid":%q,%s}`, key, poison))
	}
	// A key that cannot be read, one that no index takes, and a name that cannot be
	// stored.
	long := keys[len(keys)-1] + strings.Repeat("9", 3000)
	for _, key := range []string{long, keys[3] + "x", keys[4] + "x"} {
		require.NoError(t, f.portal.Edit(portalsim.Open(row{"ttxid": key, "dba_name": "New"})))
	}
	f.portal.ServeRaw(keys[3]+"x", `{"ttxid":"`+keys[3]+`\ud800","dba_name":"New"}`)
	f.portal.ServeRaw(keys[4]+"x", `{"ttxid":"`+keys[4]+`x","a\u0000b":1}`)

	result, err = f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	held, err := f.mirror.Quarantine.List(t.Context(), result.Run, "", 100)
	require.NoError(t, err)
	require.Len(t, held, len(poisons)+2)
	for _, row := range held {
		require.NotEmpty(t, row.Reason)
		require.Less(t, len(row.Raw), 100<<10)
	}
	after := f.dump(t.Context(), t, mongodb.Businesses)
	require.Len(t, after, len(before)+1, "the one whose stray name is not stored")
	stale, err := f.mirror.Stale(t.Context(), keys)
	require.NoError(t, err)
	n := 0
	for _, is := range stale {
		if is {
			n++
		}
	}
	require.Equal(t, len(poisons), n)

	// The same rows again are no news; mended ones are.
	result, err = f.run(workflows.MirrorInput{Mode: "full"})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Zero(t, result.Write.Reconciled.Inserted+result.Write.Reconciled.Replaced+result.Write.Reconciled.Removed)
	for i := range poisons {
		f.portal.ServeRaw(keys[5+15*i], "")
	}
	result, err = f.run(workflows.MirrorInput{Mode: "full"})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	left, err := f.mirror.Quarantine.Count(t.Context(), result.Run)
	require.NoError(t, err)
	require.EqualValues(t, 2, left)
}

// TestShuffledTiesChangeNothing crawls rows that share keys again and again, in
// another order each time.
func TestShuffledTiesChangeNothing(t *testing.T) {
	t.Parallel()
	f := newFast(t, landing.Config{})
	f.begin(t.Context(), t, portalsim.Options{Table: register.Generate(60, 1), ShuffleTies: true})
	keys := slices.Sorted(maps.Keys(f.oracle.read(f.portal.SourceRows()).rows))
	for i, key := range keys[:4] {
		for n := range 1 + i%3 {
			require.NoError(t, f.portal.Edit(portalsim.Open(row{"ttxid": key, "dba_name": fmt.Sprintf("Double %d", n)})))
		}
	}
	result, err := f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	before := f.dump(t.Context(), t, mongodb.Businesses)
	for range 5 {
		result, err = f.run(workflows.MirrorInput{Mode: "full"})
		require.NoError(t, err)
		require.Equal(t, "green", result.Outcome, result.Why)
		require.Zero(t, result.Write.Reconciled.Inserted+result.Write.Reconciled.Replaced+result.Write.Reconciled.Removed, "nothing has changed")
		require.Zero(t, result.Write.Reconciled.Events)
	}
	require.Equal(t, before, f.dump(t.Context(), t, mongodb.Businesses))
}
