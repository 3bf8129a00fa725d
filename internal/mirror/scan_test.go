package mirror_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/socrata"
)

func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[a-c]{0,2}`)
		ranges := rapid.SliceOf(rapid.Custom(func(t *rapid.T) socrata.Range {
			return socrata.Range{After: key.Draw(t, "after"), UpTo: key.Draw(t, "up to"), NullKeys: rapid.Bool().Draw(t, "null")}
		})).Draw(t, "ranges")
		k := rapid.StringMatching(`[a-c]{1,3}`).Draw(t, "key")
		in := 0
		for _, r := range mirror.Pieces(ranges) {
			if k > r.After && (r.UpTo == "" || k <= r.UpTo) {
				in++
			}
		}
		require.Equal(t, 1, in, "each key is in one piece")
	})
}

// Neither looks at more documents than it returns. What must look at all of
// them says so where it is documented: Totals, Rehash, GroupCounts and
// MissingOf.
func TestReadsExamineNoMoreThanTheyReturn(t *testing.T) {
	var sent mongodbtest.Reads
	db := mongodbtest.OpenOn(t, mongodbtest.Connect(t, sent.Attach))
	m := mirror.New(db)
	_, err := m.EnsureIndexes(t.Context())
	require.NoError(t, err)
	mirrortest.ThreeDays(t, db)
	for name, read := range map[string]func() error{
		"DigestOf":    func() error { _, _, err := m.DigestOf(t.Context(), []string{"05", "06", "07"}); return err },
		"stored rows": func() error { return m.ReadStored(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			commands := sent.Of(t, read)
			assert.Len(t, commands, 1)
			for _, command := range commands {
				mongodbtest.AssertExaminesWhatItReturns(t, db, command)
			}
		})
	}
}
