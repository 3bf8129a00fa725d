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

// threeDays is a mirror with a first load of the keys 00 to 19, a second day
// that changes 05 and 06, brings 30, and removes 07, 08 and 09, and a third on
// which 08 returns.
func threeDays(t testing.TB, m *Mirror) {
	ctx := t.Context()
	l := testDir(t)
	for n := range 3 {
		_, err := m.BeginRun(ctx, Run{ID: fmt.Sprintf("r%d", n+1), Started: day(n + 1), FirstLoad: n == 0})
		require.NoError(t, err)
	}
	value := map[string]int{}
	write := func(n int) {
		var records []Record
		for i := range 31 {
			key := fmt.Sprintf("%02d", i)
			if v, ok := value[key]; ok {
				records = append(records, testRecord(t, key, v))
			}
		}
		run := fmt.Sprintf("r%d", n)
		_, err := m.Upsert(ctx, l, UpsertInput{
			Run: run, Spec: "s", At: day(n), Part: "0", FirstLoad: n == 1, Ordered: true, Explain: explainTest,
			Pages: landRecords(ctx, t, l, run, records),
		})
		require.NoError(t, err)
		require.NoError(t, m.SetRun(ctx, run, bson.D{{Key: "status", Value: StatusDone}}))
	}
	for i := range 20 {
		value[fmt.Sprintf("%02d", i)] = 1
	}
	write(1)
	value["05"], value["06"], value["30"] = 2, 2, 1
	for _, key := range []string{"07", "08", "09"} {
		delete(value, key)
	}
	write(2)
	removed, err := m.Remove(ctx, RemoveInput{Run: "r2", Part: "sweep", At: day(2), Keys: []string{"07", "08", "09"}})
	require.NoError(t, err)
	require.Equal(t, 3, removed)
	value["06"], value["08"] = 3, 1
	write(3)
}

func rehash(ctx context.Context, t require.TestingT, m *Mirror) DeepReport {
	report, err := m.Rehash(ctx, RehashInput{
		FirstLoads: []time.Time{day(1)},
		Ranges:     []socrata.Range{{UpTo: "05"}, {After: "05", UpTo: "085"}, {After: "085"}, {NullKeys: true}},
	})
	require.NoError(t, err)
	return report
}

func TestRehash(t *testing.T) {
	client := connectTest(t)
	change := func(key string, version int32) bson.D {
		return withID(bson.D{{Key: "key", Value: key}, {Key: "version", Value: version}})
	}
	set := func(collection string, id, fields bson.D) func(context.Context, testing.TB, *Mirror) {
		return func(ctx context.Context, t testing.TB, m *Mirror) {
			res, err := m.db.Collection(collection).UpdateOne(ctx, id, bson.D{{Key: "$set", Value: fields}})
			require.NoError(t, err)
			require.EqualValues(t, 1, res.ModifiedCount)
		}
	}
	drop := func(collection string, id bson.D) func(context.Context, testing.TB, *Mirror) {
		return func(ctx context.Context, t testing.TB, m *Mirror) {
			res, err := m.db.Collection(collection).DeleteOne(ctx, id)
			require.NoError(t, err)
			require.EqualValues(t, 1, res.DeletedCount)
		}
	}
	insert := func(collection string, doc bson.D) func(context.Context, testing.TB, *Mirror) {
		return func(ctx context.Context, t testing.TB, m *Mirror) {
			_, err := m.db.Collection(collection).InsertOne(ctx, doc)
			require.NoError(t, err)
		}
	}
	event := func(key string, version int32, run string) bson.D {
		return append(change(key, version), bson.D{{Key: "kinds", Value: bson.A{KindUpdated}}, {Key: "run", Value: run}, {Key: "fields", Value: bson.A{}}}...)
	}
	copied := func(from, to, key string) func(context.Context, testing.TB, *Mirror) {
		return func(ctx context.Context, t testing.TB, m *Mirror) {
			raw, err := m.db.Collection(from).FindOne(ctx, byID(key)).Raw()
			require.NoError(t, err)
			_, err = m.db.Collection(to).InsertOne(ctx, raw)
			require.NoError(t, err)
		}
	}
	found := func(kind string, keys ...string) []Finding {
		return []Finding{{Kind: kind, Count: int64(len(keys)), Keys: keys}}
	}
	for name, tc := range map[string]struct {
		harm    func(context.Context, testing.TB, *Mirror)
		want    []Finding
		pending int64
	}{
		"nothing": {harm: func(context.Context, testing.TB, *Mirror) {}},
		"stale flag is no harm": {
			harm: set(Businesses, byID("12"), bson.D{{Key: "quality.stale", Value: true}}),
		},
		"a value of a row": {
			harm: set(Businesses, byID("12"), bson.D{{Key: "value", Value: int32(7)}}),
			want: found(FindingCorrupt, "12"),
		},
		"a value of a removed row": {
			harm: set(Removed, byID("09"), bson.D{{Key: "value", Value: int32(7)}}),
			want: found(FindingCorrupt, "09"),
		},
		"the type of a value": {
			harm: set(Businesses, byID("12"), bson.D{{Key: "value", Value: int64(1)}}),
			want: found(FindingCorrupt, "12"),
		},
		"a row without lineage": {
			harm: insert(Businesses, bson.D{{Key: "_id", Value: "13x"}, {Key: "value", Value: int32(1)}}),
			want: found(FindingForeign, "13x"),
		},
		"rows of other types, at both ends": {
			harm: func(ctx context.Context, t testing.TB, m *Mirror) {
				for _, id := range []any{int32(5), "", true} {
					insert(Businesses, withID(id))(ctx, t, m)
				}
			},
			want: found(FindingForeign, `{"$numberInt":"5"}`, `""`, "true"),
		},
		"an event of no row": {
			harm: insert(Changes, withID(bson.D{{Key: "key", Value: "12"}, {Key: "version", Value: "2"}})),
			want: found(FindingForeign, `{"key": "12","version": "2"}`),
		},
		"a removed row of another type": {
			harm: insert(Removed, withID(int32(5))),
			want: found(FindingForeign, `{"$numberInt":"5"}`),
		},
		"version of a row, upwards": {
			harm: set(Businesses, byID("05"), bson.D{{Key: "lineage.version", Value: int32(4)}}),
			want: []Finding{{FindingEventMissing, 2, []string{"05"}}},
		},
		"version of a row, downwards": {
			harm: set(Businesses, byID("12"), bson.D{{Key: "lineage.version", Value: int32(0)}}),
			want: found(FindingVersion, "12"),
		},
		"a row thrown back": {
			harm: set(Businesses, byID("05"), bson.D{{Key: "lineage.version", Value: int32(1)}}),
			want: found(FindingEventExtra, "05"),
		},
		"the event of an opening":   {harm: drop(Changes, change("30", 1)), want: found(FindingEventMissing, "30")},
		"the event of a change":     {harm: drop(Changes, change("05", 2)), want: found(FindingEventMissing, "05")},
		"an event in between":       {harm: drop(Changes, change("06", 2)), want: found(FindingEventMissing, "06")},
		"the event of a removal":    {harm: drop(Changes, change("07", 2)), want: found(FindingEventMissing, "07")},
		"the event before a return": {harm: drop(Changes, change("08", 2)), want: found(FindingEventMissing, "08")},
		"an opening in a first load": {
			harm: insert(Changes, event("12", 1, "r1")),
			want: found(FindingEventExtra, "12"),
		},
		"an event above, of a finished run": {harm: insert(Changes, event("12", 2, "r3")), want: found(FindingEventExtra, "12")},
		"an event above, of no run":         {harm: insert(Changes, event("12", 2, "r9")), want: found(FindingEventExtra, "12")},
		"an event above, of a running run": {
			harm: func(ctx context.Context, t testing.TB, m *Mirror) {
				beginRuns(ctx, t, m, "r4")
				insert(Changes, event("12", 2, "r4"))(ctx, t, m)
				insert(Changes, event("99", 1, "r4"))(ctx, t, m)
			},
			pending: 2,
		},
		"an event of a key that is nowhere": {harm: insert(Changes, event("99", 1, "r3")), want: found(FindingEventExtra, "99")},
		"a value in an event": {
			harm: set(Changes, change("05", 2), bson.D{{Key: "fields.0.to", Value: int32(9)}}),
			want: found(FindingEventDiffers, "05"),
		},
		"a value in an earlier event shows nowhere": {
			harm: set(Changes, change("06", 2), bson.D{{Key: "fields.0.to", Value: int32(9)}}),
		},
		"a removal that is told as a change": {
			harm: set(Changes, change("07", 2), bson.D{{Key: "kinds", Value: bson.A{KindUpdated}}}),
			want: found(FindingEventDiffers, "07"),
		},
		"a lost row": {
			harm: drop(Businesses, byID("30")),
			want: found(FindingEventExtra, "30"),
		},
		"a removed row that is back": {
			harm: copied(Removed, Businesses, "09"),
			want: []Finding{{FindingBoth, 1, []string{"09"}}, {FindingEventDiffers, 1, []string{"09"}}},
		},
		"a row that is removed too": {harm: copied(Businesses, Removed, "12"), want: found(FindingBoth, "12")},
	} {
		t.Run(name, func(t *testing.T) {
			m := openOn(t, client)
			threeDays(t, m)
			tc.harm(t.Context(), t, m)
			report := rehash(t.Context(), t, m)
			assert.Equal(t, tc.want, report.Findings)
			assert.Equal(t, tc.pending, report.Pending)
			if name == "nothing" {
				// 20 loaded, 2 left, 1 came; events: 2 changes, 1 opening, 3
				// removals, 1 return, 1 more change.
				assert.Equal(t, DeepReport{Documents: 19, Removed: 2, Events: 8}, report)
			}
		})
	}

	t.Run("a first load that is not known as one", func(t *testing.T) {
		m := openOn(t, client)
		threeDays(t, m)
		report, err := m.Rehash(t.Context(), RehashInput{})
		require.NoError(t, err)
		require.Len(t, report.Findings, 1)
		assert.Equal(t, FindingEventMissing, report.Findings[0].Kind)
		assert.EqualValues(t, 20, report.Findings[0].Count, "and not 30, which was opened")
		assert.Len(t, report.Findings[0].Keys, findingKeys)
	})
	t.Run("silent paths", func(t *testing.T) {
		m := openOn(t, client)
		threeDays(t, m)
		set(Changes, change("05", 2), bson.D{{Key: "fields.0.to", Value: int32(9)}})(t.Context(), t, m)
		report, err := m.Rehash(t.Context(), RehashInput{FirstLoads: []time.Time{day(1)}, Silent: func(path string) bool { return path == "value" }})
		require.NoError(t, err)
		assert.Empty(t, report.Findings)
	})
	t.Run("an empty mirror", func(t *testing.T) {
		report, err := openOn(t, client).Rehash(t.Context(), RehashInput{})
		require.NoError(t, err)
		assert.Zero(t, report)
	})
}

func withID(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }
