package landing_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/landing"
	"padron/internal/landing/landingtest"
)

func TestKeyPages(t *testing.T) {
	l := landingtest.Directory(t)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		var (
			refs []landing.Ref
			want []string
		)
		for range rapid.IntRange(0, 3).Draw(t, "pages") {
			keys := rapid.SliceOfNDistinct(rapid.StringN(1, 5, -1), 0, 40, rapid.ID[string]).Draw(t, "keys")
			slices.Sort(keys)
			want = append(want, keys...)
			refs = append(refs, landingtest.LandKeys(ctx, t, l, keys...))
		}
		require.Equal(t, want, landingtest.Keys(ctx, t, l, refs...))
	})

	t.Run("of no keys there is no page", func(t *testing.T) {
		l := landingtest.Directory(t)
		assert.Zero(t, landingtest.LandKeys(ctx, t, l))
		aborted := landing.NewKeyWriter(ctx, l, "r1", "0")
		require.NoError(t, aborted.Add("a"))
		aborted.Abort()
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
		ref := landingtest.LandKeys(ctx, t, l, keys...)
		assert.Equal(t, "0", ref.Label)
		require.NoError(t, landing.EachKey(ctx, l, []landing.Ref{ref, {}, ref}, func(keys []string) error {
			sizes = append(sizes, len(keys))
			return nil
		}))
		assert.Equal(t, []int{1000, 1000, 1000, 1000, 600}, sizes)
	})
	t.Run("refuses", func(t *testing.T) {
		page := landing.NewKeyWriter(ctx, l, "r1", "0")
		defer page.Abort()
		require.NoError(t, page.Add("b"))
		require.ErrorIs(t, page.Add("b"), landing.ErrDuplicateKey)
		require.ErrorIs(t, page.Add("a"), landing.ErrOrder)
		require.Error(t, page.Add(""))
		require.Error(t, page.Add(strings.Repeat("c", landing.MaxKey+1)))
		require.NoError(t, page.Add(strings.Repeat("c", landing.MaxKey)))
	})
	t.Run("corrupt", func(t *testing.T) {
		for name, content := range map[string][]byte{
			"ends within a key":    {0, 3, 'a', 'b'},
			"ends after a length":  {0, 3},
			"ends within a length": {0},
			"empty key":            {0, 0},
			"too long":             binary.BigEndian.AppendUint16(nil, landing.MaxKey+1),
			"falling":              {0, 1, 'b', 0, 1, 'a'},
			"twice":                {0, 1, 'b', 0, 1, 'b'},
		} {
			w, err := l.Create(ctx, landing.Meta{Run: "r1", Kind: landing.KindKeys, Page: "0"})
			require.NoError(t, err)
			_, err = w.Write(content)
			require.NoError(t, err)
			entry, err := w.Commit(ctx)
			require.NoError(t, err)
			err = landing.EachKey(ctx, l, []landing.Ref{{ID: entry.ID, SHA256: entry.SHA256}}, func([]string) error { return nil })
			require.ErrorIs(t, err, landing.ErrCorrupt, name)
		}
	})
}
