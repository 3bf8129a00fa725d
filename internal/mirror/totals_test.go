package mirror_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/landing/landingtest"
	"padron/internal/lineage"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/socrata"
)

func TestTotals(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	ctx := t.Context()
	empty, err := m.Totals(ctx, mirror.TotalsInput{Run: "r1"})
	require.NoError(t, err)
	assert.Zero(t, empty)

	mirrortest.ThreeDays(t, db)
	var want lineage.Digest
	for i := range 31 {
		key := fmt.Sprintf("%02d", i)
		value := map[string]int{"05": 2, "06": 3}[key]
		switch {
		case key == "07" || key == "09" || i >= 20 && i < 30:
			continue
		case value == 0:
			value = 1
		}
		want.Add(key, landingtest.Valued(t, key, value).Hash)
	}
	for name, ranges := range map[string][]socrata.Range{
		"one":                nil,
		"of a plan":          {{UpTo: "05"}, {After: "05", UpTo: "11"}, {After: "11"}, {NullKeys: true}},
		"of another order":   {{UpTo: "11"}, {After: "11", UpTo: "05"}, {After: "05"}},
		"with holes":         {{After: "03", UpTo: "05"}},
		"beyond all":         {{UpTo: "99"}, {After: "99"}},
		"the same once more": {{UpTo: "05"}, {UpTo: "05"}},
	} {
		for run, counts := range map[string][2]int64{"r1": {15, 0}, "r2": {1, 1}, "r3": {0, 2}, "r9": {0, 0}} {
			got, err := m.Totals(ctx, mirror.TotalsInput{Run: run, Ranges: ranges})
			require.NoError(t, err)
			assert.Equal(t, mirror.Totals{Documents: 19, Inserted: counts[0], Replaced: counts[1], Digest: want}, got, "%s, %s", name, run)
		}
	}

	// What somebody else put there counts, and is in no digest.
	for _, doc := range []bson.D{
		mongodbtest.WithID(int32(1)), mongodbtest.WithID(""), mongodbtest.WithID(bson.NewObjectID()), mongodbtest.WithID("03x"),
		{{Key: "_id", Value: "03y"}, {Key: "lineage", Value: bson.D{
			{Key: "hash", Value: "x"}, {Key: "version", Value: int32(1)}, {Key: "run", Value: "r1"},
		}}},
	} {
		_, err := db.Collection(mongodb.Businesses).InsertOne(ctx, doc)
		require.NoError(t, err)
	}
	got, err := m.Totals(ctx, mirror.TotalsInput{Run: "r1", Ranges: []socrata.Range{{UpTo: "05"}, {After: "05"}}})
	require.NoError(t, err)
	assert.Equal(t, mirror.Totals{Documents: 24, Foreign: 5, Inserted: 15, Digest: want}, got)
}

// loadBenchmark fills a mirror with n rows, in ranges of 50,000.
func loadBenchmark(b *testing.B, m *mirror.Mirror, n int) []socrata.Range {
	l := landingtest.Directory(b)
	inputs := mirrortest.Ranges(b, l, n, landingtest.Register)
	mirrortest.UpsertAll(b, m, l, inputs, 2)
	ranges := make([]socrata.Range, len(inputs))
	for i := range inputs {
		ranges[i] = inputs[i].Range
	}
	return ranges
}

func BenchmarkTotals(b *testing.B) {
	const rows = 368_000
	db := mongodbtest.Open(b)
	m := mirror.New(db)
	ranges := loadBenchmark(b, m, rows)
	for b.Loop() {
		totals, err := m.Totals(b.Context(), mirror.TotalsInput{Run: "r1", Ranges: ranges})
		require.NoError(b, err)
		require.EqualValues(b, rows, totals.Documents)
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
