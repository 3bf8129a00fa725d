package mirror_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
)

// TestIndexesTakeTheLongestValues has documents with values as long as cleaning
// lets pass, at every path that is indexed.
func TestIndexesTakeTheLongestValues(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	ctx := t.Context()
	l := landingtest.Directory(t)
	c := mirrortest.SanFrancisco(t)
	random := rand.New(rand.NewPCG(1, 2)) // nothing that a database could compress
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('a' + random.IntN(26))
		}
		return string(b)
	}
	row := func(key string) landing.Record {
		return mirrortest.Cleaned(t, c, map[string]any{
			"ttxid": key, "certificate_number": text(1<<20 - 2), "dba_name": text(70_000) + " " + text(70_000),
			"ownership_name": strings.Repeat("北", 30_000), "neighborhoods_analysis_boundaries": text(100_000),
		})
	}
	for run, key := range []string{text(512), text(512)} {
		mirrortest.BeginRuns(ctx, t, db, fmt.Sprintf("r%d", run+1))
		in := mirrortest.Crawl(ctx, t, l, run+1, []landing.Record{row(key)})
		_, err := m.Upsert(ctx, l, in)
		require.NoError(t, err)
		_, err = m.EnsureIndexes(ctx)
		require.NoError(t, err, "after a first load, and before the second")
	}
}

func TestEnsureIndexes(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	ctx := t.Context()
	l := landingtest.Directory(t)
	records := make([]landing.Record, 200)
	for i := range records {
		records[i] = landingtest.Register(t, i*3)
	}
	in := mirrortest.FirstLoad(ctx, t, l, records)
	_, err := m.Upsert(ctx, l, in)
	require.NoError(t, err)
	for range 2 {
		remade, err := m.EnsureIndexes(ctx)
		require.NoError(t, err)
		require.Empty(t, remade)
	}
	for _, ix := range mirror.Indexes() {
		specs, err := db.Collection(ix.Collection).Indexes().ListSpecifications(ctx)
		require.NoError(t, err)
		found := slices.ContainsFunc(specs, func(s mongo.IndexSpecification) bool { return s.Name == ix.Name })
		assert.True(t, found, "%s of %s", ix.Name, ix.Collection)
		assert.NotEmpty(t, ix.For)
	}
	specs, err := db.Collection(mongodb.Businesses).Indexes().ListSpecifications(ctx)
	require.NoError(t, err)
	assert.Len(t, specs, 5, "with the one on _id")

	// They answer what they are for, rows written later included.
	records[0] = landingtest.Clean(t, records[0].Key, bson.E{Key: "facets", Value: bson.D{
		{Key: "neighborhood", Value: "Mission"}, {Key: "open", Value: true}, {Key: "tokens", Value: bson.A{"zanzibar"}},
	}})
	mirrortest.BeginRuns(ctx, t, db, "r2")
	in = mirrortest.Crawl(ctx, t, l, 2, records)
	got, err := m.Upsert(ctx, l, in)
	require.NoError(t, err)
	assert.Equal(t, 1, got.Replaced)
	for name, filter := range map[string]bson.D{
		"token": {{Key: "facets.tokens", Value: bson.D{{Key: "$regex", Value: "^zanz"}}}},
	} {
		n, err := db.Collection(mongodb.Businesses).CountDocuments(ctx, filter)
		require.NoError(t, err)
		assert.EqualValues(t, 1, n, name)
	}
}

// TestAnIndexIsWhatItsNameSays: one of the right name and other keys, another
// order or another option is made anew, and one of another name that does the
// same is let be.
func TestAnIndexIsWhatItsNameSays(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	ctx := t.Context()
	rows := db.Collection(mongodb.Businesses)
	key := func(name string, direction int) bson.E { return bson.E{Key: name, Value: direction} }
	for _, ix := range []mongo.IndexModel{
		{Keys: bson.D{key("dba_name", 1)}, Options: options.Index().SetName("account")},
		{Keys: bson.D{key("facets.open", 1), key("facets.neighborhood", 1)}, Options: options.Index().SetName("neighborhood_open")},
		{Keys: bson.D{key("facets.sector", 1), key("facets.neighborhood", 1)}, Options: options.Index().SetName("sector_neighborhood").
			SetPartialFilterExpression(bson.D{{Key: "facets.open", Value: true}})},
		{Keys: bson.D{key("facets.tokens", 1)}, Options: options.Index().SetName("words of my own")},
	} {
		_, err := rows.Indexes().CreateOne(ctx, ix)
		require.NoError(t, err)
	}
	for _, want := range [][]string{{"businesses.account", "businesses.neighborhood_open", "businesses.sector_neighborhood"}, nil} {
		remade, err := m.EnsureIndexes(ctx)
		require.NoError(t, err)
		require.Equal(t, want, remade)
		var specs []bson.Raw
		cursor, err := rows.Indexes().List(ctx)
		require.NoError(t, err)
		require.NoError(t, cursor.All(ctx, &specs))
		got := map[string]string{}
		for _, s := range specs {
			got[s.Lookup("name").StringValue()] = s.Lookup("key").String()
			_, partial := s.LookupErr("partialFilterExpression")
			require.Error(t, partial, "%s", s)
		}
		require.Len(t, got, 5)
		require.Contains(t, got["account"], "business_account_number")
		require.Regexp(t, "facets.neighborhood.*facets.open", got["neighborhood_open"])
		require.Contains(t, got["words of my own"], "facets.tokens")
	}
}
