package mirror

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/socrata"
)

func TestCensus(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	empty, err := m.Census(ctx, CensusInput{Run: "r1"})
	require.NoError(t, err)
	assert.Zero(t, empty)

	threeDays(t, m)
	var want Digest
	for i := range 31 {
		key := fmt.Sprintf("%02d", i)
		value := map[string]int{"05": 2, "06": 3}[key]
		switch {
		case key == "07" || key == "09" || i >= 20 && i < 30:
			continue
		case value == 0:
			value = 1
		}
		want.Add(key, testRecord(t, key, value).Hash)
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
			got, err := m.Census(ctx, CensusInput{Run: run, Ranges: ranges})
			require.NoError(t, err)
			assert.Equal(t, Census{Documents: 19, Inserted: counts[0], Replaced: counts[1], Digest: want}, got, "%s, %s", name, run)
		}
	}

	// What somebody else put there counts, and is in no digest.
	for _, doc := range []bson.D{
		withID(int32(1)), withID(""), withID(bson.NewObjectID()), withID("03x"),
		{{Key: "_id", Value: "03y"}, {Key: "lineage", Value: bson.D{{Key: "hash", Value: "x"}, {Key: "version", Value: int32(1)}, {Key: "run", Value: "r1"}}}},
	} {
		_, err := m.db.Collection(Businesses).InsertOne(ctx, doc)
		require.NoError(t, err)
	}
	got, err := m.Census(ctx, CensusInput{Run: "r1", Ranges: []socrata.Range{{UpTo: "05"}, {After: "05"}}})
	require.NoError(t, err)
	assert.Equal(t, Census{Documents: 24, Foreign: 5, Inserted: 15, Digest: want}, got)
}

func TestCensusBeats(t *testing.T) {
	beats := 0
	err := beating(t.Context(), func(rows int64) { beats++; assert.EqualValues(t, 7, rows) }, func(_ context.Context, p *pulse) error {
		p.add(7)
		time.Sleep(beatInterval * 5 / 2)
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 2, beats)
}

func TestGroupCounts(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	l := testDir(t)
	doc := func(key string, fields ...bson.E) Record { return cleanRecord(t, key, fields...) }
	address := func(city string) bson.E { return bson.E{Key: "address", Value: bson.D{{Key: "city", Value: city}}} }
	original := func(column string, value any) bson.E {
		return bson.E{Key: "source", Value: bson.D{{Key: column, Value: value}}}
	}
	_, err := m.Upsert(ctx, l, UpsertInput{
		Run: "r1", Part: "0", FirstLoad: true, Explain: explainTest, At: day(1), Ordered: true,
		Pages: landRecords(ctx, t, l, "r1", []Record{
			doc("a", address("San Francisco"), original("city", "San+francisco")),
			doc("b", address("San Francisco")),
			doc("c", address("San Francisco"), original("state", "ca")),
			doc("d", address("Oakland"), bson.E{Key: "district", Value: int32(3)}),
			doc("e", bson.E{Key: "district", Value: int64(3)}),
			doc("f", original("city", " "), bson.E{Key: "district", Value: 3.0}),
			doc("g", bson.E{Key: "open", Value: true}, bson.E{Key: "district", Value: 3.5}),
			doc("h", bson.E{Key: "day", Value: time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC)}, original("district", bson.D{{Key: "json", Value: "[1]"}})),
		}),
	})
	require.NoError(t, err)
	got, err := m.GroupCounts(ctx,
		SourceColumn{"city", "address.city"}, SourceColumn{"district", "district"}, SourceColumn{"open", "open"}, SourceColumn{"day", "day"}, SourceColumn{"none", "none"})
	require.NoError(t, err)
	null := func(rows int64) GroupValue { return GroupValue{Null: true, Rows: rows} }
	assert.Equal(t, []Group{
		{"city", []GroupValue{null(3), {Value: " ", Rows: 1}, {Value: "Oakland", Rows: 1}, {Value: "San Francisco", Rows: 2}, {Value: "San+francisco", Rows: 1}}},
		{"district", []GroupValue{null(3), {Value: "3", Rows: 3}, {Value: "3.5", Rows: 1}, {Value: "[1]", Rows: 1}}},
		{"open", []GroupValue{null(7), {Value: "true", Rows: 1}}},
		{"day", []GroupValue{null(7), {Value: "2026-10-03T00:00:00.000", Rows: 1}}},
		{"none", []GroupValue{null(8)}},
	}, got)
}

// loadBenchmark fills a mirror with n rows, in ranges of 50,000.
func loadBenchmark(b *testing.B, m *Mirror, n int) []socrata.Range {
	l := testDir(b)
	inputs := benchmarkPages(b, l, n)
	upsertAll(b, m, l, inputs, 2)
	ranges := make([]socrata.Range, len(inputs))
	for i := range inputs {
		ranges[i] = inputs[i].Range
	}
	return ranges
}

func BenchmarkCensus(b *testing.B) {
	const rows = 368_000
	m := openTest(b)
	ranges := loadBenchmark(b, m, rows)
	for b.Loop() {
		census, err := m.Census(b.Context(), CensusInput{Run: "r1", Ranges: ranges})
		require.NoError(b, err)
		require.EqualValues(b, rows, census.Documents)
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkRehash(b *testing.B) {
	const rows = 368_000
	m := openTest(b)
	ranges := loadBenchmark(b, m, rows)
	for b.Loop() {
		report, err := m.Rehash(b.Context(), RehashInput{Ranges: ranges, FirstLoads: []time.Time{day(1)}})
		require.NoError(b, err)
		require.EqualValues(b, rows, report.Documents)
		require.Empty(b, report.Findings)
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
