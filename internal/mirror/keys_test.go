package mirror

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/socrata"
)

func landKeys(ctx context.Context, t require.TestingT, l Landing, keys ...string) PageRef {
	page := newKeyPage(ctx, l, "r1", "0")
	defer page.abort()
	for _, key := range keys {
		require.NoError(t, page.add(key))
	}
	ref, err := page.commit(ctx)
	require.NoError(t, err)
	return ref
}

func TestKeyPages(t *testing.T) {
	l := testDir(t)
	m := &Mirror{} // EachKey needs no database
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		var (
			refs []PageRef
			want []string
		)
		for range rapid.IntRange(0, 3).Draw(t, "pages") {
			keys := rapid.SliceOfNDistinct(rapid.StringN(1, 5, -1), 0, 40, rapid.ID[string]).Draw(t, "keys")
			slices.Sort(keys)
			want = append(want, keys...)
			refs = append(refs, landKeys(ctx, t, l, keys...))
		}
		var got []string
		require.NoError(t, m.EachKey(ctx, l, refs, func(keys []string) error {
			got = append(got, keys...)
			return nil
		}))
		require.Equal(t, want, got)
	})

	t.Run("of no keys there is no page", func(t *testing.T) {
		l := testDir(t)
		assert.Zero(t, landKeys(ctx, t, l))
		aborted := newKeyPage(ctx, l, "r1", "0")
		require.NoError(t, aborted.add("a"))
		aborted.abort()
		entries, err := l.List(ctx, "")
		require.NoError(t, err)
		assert.Empty(t, entries)
	})
	t.Run("batches of a thousand", func(t *testing.T) {
		keys := make([]string, 2300)
		for i := range keys {
			keys[i] = fmt.Sprintf("%07d", i)
		}
		var sizes []int
		ref := landKeys(ctx, t, l, keys...)
		assert.Equal(t, "0", ref.Label)
		require.NoError(t, m.EachKey(ctx, l, []PageRef{ref, {}, ref}, func(keys []string) error {
			sizes = append(sizes, len(keys))
			return nil
		}))
		assert.Equal(t, []int{1000, 1000, 1000, 1000, 600}, sizes)
	})
	t.Run("refuses", func(t *testing.T) {
		page := newKeyPage(ctx, l, "r1", "0")
		defer page.abort()
		require.NoError(t, page.add("b"))
		require.ErrorIs(t, page.add("b"), ErrDuplicateKey)
		require.ErrorIs(t, page.add("a"), ErrOrder)
		require.Error(t, page.add(""))
		require.Error(t, page.add(strings.Repeat("c", maxKey+1)))
		require.NoError(t, page.add(strings.Repeat("c", maxKey)))
	})
	t.Run("corrupt", func(t *testing.T) {
		for name, content := range map[string][]byte{
			"ends within a key":    {0, 3, 'a', 'b'},
			"ends after a length":  {0, 3},
			"ends within a length": {0},
			"empty key":            {0, 0},
			"too long":             binary.BigEndian.AppendUint16(nil, maxKey+1),
			"falling":              {0, 1, 'b', 0, 1, 'a'},
			"twice":                {0, 1, 'b', 0, 1, 'b'},
		} {
			w, err := l.Create(ctx, Meta{Run: "r1", Kind: KindKeys, Page: "0"})
			require.NoError(t, err)
			_, err = w.Write(content)
			require.NoError(t, err)
			entry, err := w.Commit(ctx)
			require.NoError(t, err)
			err = m.EachKey(ctx, l, []PageRef{{ID: entry.ID, SHA256: entry.SHA256}}, func([]string) error { return nil })
			require.ErrorIs(t, err, ErrCorrupt, name)
		}
	})
}

// Of a crawl in any order, the missing rows are those of a set difference.
func TestMissingOf(t *testing.T) {
	m := openTest(t)
	l := testDir(t)
	ctx := t.Context()
	stored := map[string]Record{}
	for i := range 60 {
		key := fmt.Sprintf("%02d", i)
		stored[key] = testRecord(t, key, i)
	}
	records := slices.SortedFunc(maps.Values(stored), func(a, b Record) int { return strings.Compare(a.Key, b.Key) })
	_, err := m.Upsert(ctx, l, UpsertInput{
		Run: "r1", Part: "0", FirstLoad: true, Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(ctx, t, l, "r1", records),
	})
	require.NoError(t, err)

	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.Map(rapid.IntRange(-5, 65), func(i int) string { return fmt.Sprintf("%02d", i) }), 0, 60, rapid.ID[string]).Draw(t, "crawled")
		parts := make([][]string, rapid.IntRange(1, 4).Draw(t, "parts"))
		for i, key := range keys {
			parts[i%len(parts)] = append(parts[i%len(parts)], key)
		}
		refs := make([]PageRef, len(parts))
		for i := range parts {
			slices.Sort(parts[i])
			refs[i] = landKeys(ctx, t, l, parts[i]...)
		}
		var (
			want   []string
			digest Digest
		)
		for _, r := range records {
			if !slices.Contains(keys, r.Key) {
				want = append(want, r.Key)
				digest.Add(r.Key, r.Hash)
			}
		}
		missing, err := m.MissingOf(ctx, l, MissingInput{Run: "r2", Part: "missing", Pages: refs})
		require.NoError(t, err)
		require.EqualValues(t, len(want), missing.Rows)
		require.Equal(t, digest, missing.Digest)
		require.Equal(t, len(want) == 0, missing.Page == PageRef{})
		var got []string
		require.NoError(t, m.EachKey(ctx, l, []PageRef{missing.Page}, func(keys []string) error {
			got = append(got, keys...)
			return nil
		}))
		require.Equal(t, want, got)

		n, sum, err := m.DigestOf(ctx, append(want, "nobody"))
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		require.Equal(t, digest, sum)
	})

	for name, pages := range map[string][][]string{
		"twice in the middle": {{"01", "02"}, {"02", "03"}},
		"twice at the end":    {{"01", "99"}, {"99"}},
	} {
		var refs []PageRef
		for _, keys := range pages {
			refs = append(refs, landKeys(ctx, t, l, keys...))
		}
		_, err := m.MissingOf(ctx, l, MissingInput{Run: "r2", Part: "missing", Pages: refs})
		require.ErrorIs(t, err, ErrDuplicateKey, name)
	}
	_, err = m.MissingOf(ctx, l, MissingInput{Run: "r2", Part: "missing", Pages: []PageRef{{ID: "r1/keys-0-gone"}}})
	require.ErrorIs(t, err, ErrNoPage)
}

func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[a-c]{0,2}`)
		ranges := rapid.SliceOf(rapid.Custom(func(t *rapid.T) socrata.Range {
			return socrata.Range{After: key.Draw(t, "after"), UpTo: key.Draw(t, "up to"), NullKeys: rapid.Bool().Draw(t, "null")}
		})).Draw(t, "ranges")
		k := rapid.StringMatching(`[a-c]{1,3}`).Draw(t, "key")
		in := 0
		for _, r := range pieces(ranges) {
			if k > r.After && (r.UpTo == "" || k <= r.UpTo) {
				in++
			}
		}
		require.Equal(t, 1, in, "each key is in one piece")
	})
}
