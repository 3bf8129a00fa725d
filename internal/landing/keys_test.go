package landing_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
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

// counting counts what is read of a zone.
type counting struct {
	landing.Zone
	bytes      int
	open, most int // pages that are open, and were at once
}

func (c *counting) Open(ctx context.Context, id, sum string) (io.ReadCloser, error) {
	content, err := c.Zone.Open(ctx, id, sum)
	if err != nil {
		return nil, err
	}
	c.open++
	c.most = max(c.most, c.open)
	return countingReader{content, c}, nil
}

type countingReader struct {
	io.ReadCloser
	of *counting
}

func (r countingReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.of.bytes += n
	return n, err
}

func (r countingReader) Close() error {
	r.of.open--
	return r.ReadCloser.Close()
}

// TestAMergeOpensFewPages merges more pages than are open at once, in no order:
// what comes out is all keys, and what was landed on the way is gone but for the
// pages that are being read.
func TestAMergeOpensFewPages(t *testing.T) {
	ctx := t.Context()
	const atOnce = 16
	for _, pages := range []int{0, 1, atOnce, atOnce + 1, atOnce*atOnce + 1} {
		l := &counting{Zone: landingtest.Directory(t)}
		var refs []landing.Ref
		var want []string
		for i := range pages {
			var keys []string
			for n := range 5 {
				keys = append(keys, fmt.Sprintf("%03d-%04d", n, i))
			}
			want = append(want, keys...)
			refs = append(refs, landingtest.LandKeys(ctx, t, l, keys...), landing.Ref{})
		}
		slices.Sort(want)
		merge, err := landing.MergeKeys(ctx, l, "r1", refs)
		require.NoError(t, err)
		var got []string
		for {
			key, more, err := merge.Next()
			require.NoError(t, err)
			if !more {
				break
			}
			got = append(got, key)
		}
		merge.Close()
		require.Equal(t, want, got, "%d pages", pages)
		require.LessOrEqual(t, l.most, atOnce)
		require.Zero(t, l.open, "all are closed")
		left, err := l.List(ctx, "")
		require.NoError(t, err)
		require.LessOrEqual(t, len(left), pages+atOnce)

		if pages > atOnce {
			refs[0] = landingtest.LandKeys(ctx, t, l, want[len(want)-1])
			_, err = landing.MergeKeys(ctx, l, "r1", append(refs, refs[0]))
			require.ErrorIs(t, err, landing.ErrDuplicateKey)
			require.Zero(t, l.open)
		}
	}
}

// TestBatchKeys lands keys in batches: together they are the same keys, each is
// full but the last, and to make and to read all of them costs as much for each key
// however many there are.
func TestBatchKeys(t *testing.T) {
	ctx := t.Context()
	perKey := func(n int) int {
		l := &counting{Zone: landingtest.Directory(t)}
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprintf("%07d", i)
		}
		var refs []landing.Ref
		for page := range slices.Chunk(keys, 700) {
			refs = append(refs, landingtest.LandKeys(ctx, t, l, page...), landing.Ref{})
		}
		batches, err := landing.BatchKeys(ctx, l, "r1", "missing", 300, refs)
		require.NoError(t, err)
		require.Len(t, batches, (n+299)/300)
		var all []string
		for i, batch := range batches {
			require.Equal(t, fmt.Sprintf("missing%04d", i), batch.Label)
			of := landingtest.Keys(ctx, t, l, batch)
			require.Len(t, of, min(300, n-300*i))
			all = append(all, of...)
		}
		require.Equal(t, keys, all)
		return l.bytes / n
	}
	require.Equal(t, perKey(2_000), perKey(32_000))

	l := landingtest.Directory(t)
	none, err := landing.BatchKeys(ctx, l, "r1", "missing", 300, []landing.Ref{{}})
	require.NoError(t, err)
	require.Empty(t, none)
	b, a := landingtest.LandKeys(ctx, t, l, "b"), landingtest.LandKeys(ctx, t, l, "a")
	for _, size := range []int{1, 2} {
		_, err = landing.BatchKeys(ctx, l, "r1", "missing", size, []landing.Ref{b, a})
		require.ErrorIs(t, err, landing.ErrOrder)
		_, err = landing.BatchKeys(ctx, l, "r1", "missing", size, []landing.Ref{a, a})
		require.ErrorIs(t, err, landing.ErrDuplicateKey)
	}
	_, err = landing.BatchKeys(ctx, l, "r1", "missing", 2, []landing.Ref{{ID: "r1/keys-0-gone"}})
	require.ErrorIs(t, err, landing.ErrNoPage)
}
