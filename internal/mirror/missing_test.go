package mirror_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/lineage"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb/mongodbtest"
)

// Of a crawl in any order, the missing rows are those of a set difference.
func TestMissingOf(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	l := landingtest.Directory(t)
	ctx := t.Context()
	stored := map[string]landing.Record{}
	for i := range 60 {
		key := fmt.Sprintf("%02d", i)
		stored[key] = landingtest.Valued(t, key, i)
	}
	records := slices.SortedFunc(maps.Values(stored), func(a, b landing.Record) int { return strings.Compare(a.Key, b.Key) })
	_, err := m.Upsert(ctx, l, mirrortest.FirstLoad(ctx, t, l, records))
	require.NoError(t, err)

	rapid.Check(t, func(t *rapid.T) {
		someKey := rapid.Map(rapid.IntRange(-5, 65), func(i int) string { return fmt.Sprintf("%02d", i) })
		keys := rapid.SliceOfNDistinct(someKey, 0, 60, rapid.ID[string]).Draw(t, "crawled")
		parts := make([][]string, rapid.IntRange(1, 4).Draw(t, "parts"))
		for i, key := range keys {
			parts[i%len(parts)] = append(parts[i%len(parts)], key)
		}
		refs := make([]landing.Ref, len(parts))
		for i := range parts {
			slices.Sort(parts[i])
			refs[i] = landingtest.LandKeys(ctx, t, l, parts[i]...)
		}
		var (
			want   []string
			digest lineage.Digest
		)
		for _, r := range records {
			if !slices.Contains(keys, r.Key) {
				want = append(want, r.Key)
				digest.Add(r.Key, r.Hash)
			}
		}
		missing, err := m.MissingOf(ctx, l, mirror.MissingInput{Run: "r2", Part: "missing", Pages: refs})
		require.NoError(t, err)
		require.EqualValues(t, len(want), missing.Rows)
		require.Equal(t, digest, missing.Digest)
		require.Equal(t, len(want) == 0, missing.Page == landing.Ref{})
		require.Equal(t, want, landingtest.Keys(ctx, t, l, missing.Page))

		n, sum, err := m.DigestOf(ctx, append(want, "nobody"))
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		require.Equal(t, digest, sum)
	})

	for name, pages := range map[string][][]string{
		"twice in the middle": {{"01", "02"}, {"02", "03"}},
		"twice at the end":    {{"01", "99"}, {"99"}},
	} {
		var refs []landing.Ref
		for _, keys := range pages {
			refs = append(refs, landingtest.LandKeys(ctx, t, l, keys...))
		}
		_, err := m.MissingOf(ctx, l, mirror.MissingInput{Run: "r2", Part: "missing", Pages: refs})
		require.ErrorIs(t, err, landing.ErrDuplicateKey, name)
	}
	_, err = m.MissingOf(ctx, l, mirror.MissingInput{Run: "r2", Part: "missing", Pages: []landing.Ref{{ID: "r1/keys-0-gone"}}})
	require.ErrorIs(t, err, landing.ErrNoPage)
}
