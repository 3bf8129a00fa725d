package lineage

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/mongodb/mongodbtest"
)

func TestAppend(t *testing.T) {
	doc, err := bson.Marshal(bson.D{
		{Key: "_id", Value: "0000024-01-001"},
		{Key: "dba_name", Value: "Café"},
		{Key: "facets", Value: bson.D{{Key: "open", Value: true}}},
	})
	require.NoError(t, err)
	first := time.Date(2026, 10, 3, 11, 15, 0, 123_000_000, time.UTC)
	changed := first.AddDate(0, 0, 1)
	lineage := Lineage{Hash: sha256.Sum256(doc), Version: 7, Run: "manual-1", FirstSeen: first, ChangedAt: changed, Spec: "abc"}

	before := []byte("in front")
	got, err := Append(before, doc, &lineage)
	require.NoError(t, err)
	assert.Equal(t, "in front", string(got[:8]))
	stored := bson.Raw(got[8:])
	require.NoError(t, stored.Validate())

	// Marshalling the same fields the usual way is the reference.
	want, err := bson.Marshal(bson.D{
		{Key: "_id", Value: "0000024-01-001"},
		{Key: "dba_name", Value: "Café"},
		{Key: "facets", Value: bson.D{{Key: "open", Value: true}}},
		{Key: "lineage", Value: bson.D{
			{Key: "hash", Value: bson.Binary{Data: lineage.Hash[:]}},
			{Key: "version", Value: int32(7)},
			{Key: "run", Value: "manual-1"},
			{Key: "first_seen", Value: first},
			{Key: "changed_at", Value: changed},
			{Key: "spec", Value: "abc"},
		}},
	})
	require.NoError(t, err)
	assert.Equal(t, bson.Raw(want), stored)

	canonical, err := Canonical(nil, stored)
	require.NoError(t, err)
	assert.Equal(t, lineage.Hash, sha256.Sum256(canonical))
}

func TestAppendRefusesWhatIsNotBSON(t *testing.T) {
	for name, doc := range map[string]bson.Raw{
		"nothing":       nil,
		"short":         {4, 0, 0, 0},
		"wrong length":  {6, 0, 0, 0, 0},
		"no terminator": {5, 0, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Append([]byte("in front"), doc, &Lineage{})
			require.Error(t, err)
			assert.Equal(t, "in front", string(got))
		})
	}
}

func TestLineageKeepsCanonicalBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, err := bson.Marshal(rapid.Map(
			rapid.MapOf(rapid.StringMatching(`[a-z_]{1,8}`), rapid.String()),
			func(m map[string]string) bson.D {
				d := bson.D{}
				for k, v := range m {
					d = append(d, bson.E{Key: k, Value: v})
				}
				return d
			}).Filter(func(d bson.D) bool {
			for _, e := range d {
				if e.Key == "lineage" {
					return false
				}
			}
			return true
		}).Draw(t, "document"))
		require.NoError(t, err)
		stored, err := Append(nil, doc, &Lineage{Run: rapid.String().Draw(t, "run"), Version: rapid.Int32().Draw(t, "version")})
		require.NoError(t, err)
		require.NoError(t, bson.Raw(stored).Validate())
		canonical, err := Canonical(nil, stored)
		require.NoError(t, err)
		require.Equal(t, doc, canonical)
	})
}

func TestCanonicalDropsStale(t *testing.T) {
	for name, tc := range map[string]struct{ stored, want bson.D }{
		"stale alone":       {bson.D{{Key: "_id", Value: "a"}, {Key: "quality", Value: bson.D{{Key: "stale", Value: true}}}}, bson.D{{Key: "_id", Value: "a"}}},
		"stale with flags":  {bson.D{{Key: "quality", Value: bson.D{{Key: "flags", Value: bson.A{"x"}}, {Key: "stale", Value: true}}}, {Key: "b", Value: 1}}, bson.D{{Key: "quality", Value: bson.D{{Key: "flags", Value: bson.A{"x"}}}}, {Key: "b", Value: 1}}},
		"flags alone":       {bson.D{{Key: "quality", Value: bson.D{{Key: "flags", Value: bson.A{"x"}}}}}, bson.D{{Key: "quality", Value: bson.D{{Key: "flags", Value: bson.A{"x"}}}}}},
		"behind lineage":    {bson.D{{Key: "a", Value: 1}, {Key: "lineage", Value: bson.D{}}, {Key: "quality", Value: bson.D{{Key: "stale", Value: true}}}}, bson.D{{Key: "a", Value: 1}}},
		"stale elsewhere":   {bson.D{{Key: "stale", Value: true}, {Key: "a", Value: bson.D{{Key: "stale", Value: true}}}}, bson.D{{Key: "stale", Value: true}, {Key: "a", Value: bson.D{{Key: "stale", Value: true}}}}},
		"quality as a text": {bson.D{{Key: "quality", Value: "stale"}}, bson.D{{Key: "quality", Value: "stale"}}},
	} {
		t.Run(name, func(t *testing.T) {
			stored, err := bson.Marshal(tc.stored)
			require.NoError(t, err)
			want, err := bson.Marshal(tc.want)
			require.NoError(t, err)
			got, err := Canonical([]byte("in front"), stored)
			require.NoError(t, err)
			assert.Equal(t, "in front", string(got[:8]))
			assert.Equal(t, bson.Raw(want), bson.Raw(got[8:]))
		})
	}
	_, err := Canonical(nil, bson.Raw{9, 0, 0, 0, 2, 'a', 0, 9, 0})
	require.Error(t, err)
}

func TestOfRefuses(t *testing.T) {
	whole := bson.D{
		{Key: "hash", Value: make([]byte, HashSize)},
		{Key: "version", Value: int32(1)},
		{Key: "run", Value: "r"},
		{Key: "first_seen", Value: mongodbtest.Day(1)},
		{Key: "changed_at", Value: mongodbtest.Day(1)},
		{Key: "spec", Value: "s"},
	}
	read := func(lineage any) error {
		doc, err := bson.Marshal(bson.D{{Key: "_id", Value: "a"}, {Key: "lineage", Value: lineage}})
		require.NoError(t, err)
		_, err = Of(doc)
		return err
	}
	require.NoError(t, read(whole))
	require.Error(t, read("text"))
	for i := range whole {
		require.Error(t, read(append(append(bson.D{}, whole[:i]...), whole[i+1:]...)), "without %s", whole[i].Key)
		wrong := append(bson.D{}, whole...)
		wrong[i].Value = 1.5
		require.Error(t, read(wrong), "wrong %s", whole[i].Key)
	}
}
