package mirror_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/changes"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/runs"
	"padron/internal/socrata"
)

func rehash(ctx context.Context, t require.TestingT, db *mongodb.Database) mirror.DeepReport {
	report, err := mirror.New(db).Rehash(ctx, mirror.RehashInput{
		FirstLoads: []time.Time{mongodbtest.Day(1)},
		Ranges:     []socrata.Range{{UpTo: "05"}, {After: "05", UpTo: "085"}, {After: "085"}, {NullKeys: true}},
	})
	require.NoError(t, err)
	return report
}

func TestRehash(t *testing.T) {
	client := mongodbtest.Connect(t)
	change := func(key string, version int32) bson.D {
		return mongodbtest.WithID(bson.D{{Key: "key", Value: key}, {Key: "version", Value: version}})
	}
	set := func(collection string, id, fields bson.D) func(context.Context, testing.TB, *mongodb.Database) {
		return func(ctx context.Context, t testing.TB, db *mongodb.Database) {
			res, err := db.Collection(collection).UpdateOne(ctx, id, bson.D{{Key: "$set", Value: fields}})
			require.NoError(t, err)
			require.EqualValues(t, 1, res.ModifiedCount)
		}
	}
	drop := func(collection string, id bson.D) func(context.Context, testing.TB, *mongodb.Database) {
		return func(ctx context.Context, t testing.TB, db *mongodb.Database) {
			res, err := db.Collection(collection).DeleteOne(ctx, id)
			require.NoError(t, err)
			require.EqualValues(t, 1, res.DeletedCount)
		}
	}
	insert := func(collection string, doc bson.D) func(context.Context, testing.TB, *mongodb.Database) {
		return func(ctx context.Context, t testing.TB, db *mongodb.Database) {
			_, err := db.Collection(collection).InsertOne(ctx, doc)
			require.NoError(t, err)
		}
	}
	event := func(key string, version int32, run string) bson.D {
		return append(change(key, version), bson.D{
			{Key: "kinds", Value: bson.A{changes.KindUpdated}}, {Key: "run", Value: run}, {Key: "fields", Value: bson.A{}},
		}...)
	}
	copied := func(from, to, key string) func(context.Context, testing.TB, *mongodb.Database) {
		return func(ctx context.Context, t testing.TB, db *mongodb.Database) {
			raw, err := db.Collection(from).FindOne(ctx, mongodb.ByID(key)).Raw()
			require.NoError(t, err)
			_, err = db.Collection(to).InsertOne(ctx, raw)
			require.NoError(t, err)
		}
	}
	found := func(kind string, keys ...string) []certificate.Finding {
		return []certificate.Finding{{Kind: kind, Count: int64(len(keys)), Keys: keys}}
	}
	db := mongodbtest.OpenOn(t, client)
	mirrortest.ThreeDays(t, db)
	restore := mongodbtest.Save(t, db)
	for name, tc := range map[string]struct {
		harm    func(context.Context, testing.TB, *mongodb.Database)
		want    []certificate.Finding
		pending int64
	}{
		"nothing": {harm: func(context.Context, testing.TB, *mongodb.Database) {}},
		"stale flag is no harm": {
			harm: set(mongodb.Businesses, mongodb.ByID("12"), bson.D{{Key: "quality.stale", Value: true}}),
		},
		"a value of a row": {
			harm: set(mongodb.Businesses, mongodb.ByID("12"), bson.D{{Key: "value", Value: int32(7)}}),
			want: found(mirror.FindingCorrupt, "12"),
		},
		"a value of a removed row": {
			harm: set(mongodb.Removed, mongodb.ByID("09"), bson.D{{Key: "value", Value: int32(7)}}),
			want: found(mirror.FindingCorrupt, "09"),
		},
		"the type of a value": {
			harm: set(mongodb.Businesses, mongodb.ByID("12"), bson.D{{Key: "value", Value: int64(1)}}),
			want: found(mirror.FindingCorrupt, "12"),
		},
		"a row without lineage": {
			harm: insert(mongodb.Businesses, bson.D{{Key: "_id", Value: "13x"}, {Key: "value", Value: int32(1)}}),
			want: found(mirror.FindingForeign, "13x"),
		},
		"rows of other types, at both ends": {
			harm: func(ctx context.Context, t testing.TB, db *mongodb.Database) {
				for _, id := range []any{int32(5), "", true} {
					insert(mongodb.Businesses, mongodbtest.WithID(id))(ctx, t, db)
				}
			},
			want: found(mirror.FindingForeign, `{"$numberInt":"5"}`, `""`, "true"),
		},
		"an event of no row": {
			harm: insert(mongodb.Changes, mongodbtest.WithID(bson.D{{Key: "key", Value: "12"}, {Key: "version", Value: "2"}})),
			want: found(mirror.FindingForeign, `{"key": "12","version": "2"}`),
		},
		"a removed row of another type": {
			harm: insert(mongodb.Removed, mongodbtest.WithID(int32(5))),
			want: found(mirror.FindingForeign, `{"$numberInt":"5"}`),
		},
		"version of a row, upwards": {
			harm: set(mongodb.Businesses, mongodb.ByID("05"), bson.D{{Key: "lineage.version", Value: int32(4)}}),
			want: []certificate.Finding{{Kind: mirror.FindingEventMissing, Count: 2, Keys: []string{"05"}}},
		},
		"version of a row, downwards": {
			harm: set(mongodb.Businesses, mongodb.ByID("12"), bson.D{{Key: "lineage.version", Value: int32(0)}}),
			want: found(mirror.FindingVersion, "12"),
		},
		"a row thrown back": {
			harm: set(mongodb.Businesses, mongodb.ByID("05"), bson.D{{Key: "lineage.version", Value: int32(1)}}),
			want: found(mirror.FindingEventExtra, "05"),
		},
		"the event of an opening":   {harm: drop(mongodb.Changes, change("30", 1)), want: found(mirror.FindingEventMissing, "30")},
		"the event of a change":     {harm: drop(mongodb.Changes, change("05", 2)), want: found(mirror.FindingEventMissing, "05")},
		"an event in between":       {harm: drop(mongodb.Changes, change("06", 2)), want: found(mirror.FindingEventMissing, "06")},
		"the event of a removal":    {harm: drop(mongodb.Changes, change("07", 2)), want: found(mirror.FindingEventMissing, "07")},
		"the event before a return": {harm: drop(mongodb.Changes, change("08", 2)), want: found(mirror.FindingEventMissing, "08")},
		"an opening in a first load": {
			harm: insert(mongodb.Changes, event("12", 1, "r1")),
			want: found(mirror.FindingEventExtra, "12"),
		},
		"an event above, of a finished run": {harm: insert(mongodb.Changes, event("12", 2, "r3")), want: found(mirror.FindingEventExtra, "12")},
		"an event above, of no run":         {harm: insert(mongodb.Changes, event("12", 2, "r9")), want: found(mirror.FindingEventExtra, "12")},
		"an event above, of a running run": {
			harm: func(ctx context.Context, t testing.TB, db *mongodb.Database) {
				mirrortest.BeginRuns(ctx, t, db, "r4")
				insert(mongodb.Changes, event("12", 2, "r4"))(ctx, t, db)
				insert(mongodb.Changes, event("99", 1, "r4"))(ctx, t, db)
			},
			pending: 2,
		},
		"an event of a key that is nowhere": {harm: insert(mongodb.Changes, event("99", 1, "r3")), want: found(mirror.FindingEventExtra, "99")},
		"a value in an event": {
			harm: set(mongodb.Changes, change("05", 2), bson.D{{Key: "fields.0.to", Value: int32(9)}}),
			want: found(mirror.FindingEventDiffers, "05"),
		},
		"a value in an earlier event shows nowhere": {
			harm: set(mongodb.Changes, change("06", 2), bson.D{{Key: "fields.0.to", Value: int32(9)}}),
		},
		"a removal that is told as a change": {
			harm: set(mongodb.Changes, change("07", 2), bson.D{{Key: "kinds", Value: bson.A{changes.KindUpdated}}}),
			want: found(mirror.FindingEventDiffers, "07"),
		},
		"a lost row": {
			harm: drop(mongodb.Businesses, mongodb.ByID("30")),
			want: found(mirror.FindingEventExtra, "30"),
		},
		"a removed row that is back": {
			harm: copied(mongodb.Removed, mongodb.Businesses, "09"),
			want: []certificate.Finding{{Kind: mirror.FindingBoth, Count: 1, Keys: []string{"09"}}, {Kind: mirror.FindingEventDiffers, Count: 1, Keys: []string{"09"}}},
		},
		"a row that is removed too": {harm: copied(mongodb.Businesses, mongodb.Removed, "12"), want: found(mirror.FindingBoth, "12")},
	} {
		t.Run(name, func(t *testing.T) {
			restore(t)
			tc.harm(t.Context(), t, db)
			report := rehash(t.Context(), t, db)
			assert.Equal(t, tc.want, report.Findings)
			assert.Equal(t, tc.pending, report.Pending)
			if name == "nothing" {
				// 20 loaded, 2 left, 1 came; events: 2 changes, 1 opening, 3
				// removals, 1 return, 1 more change.
				assert.Equal(t, mirror.DeepReport{Documents: 19, Removed: 2, Events: 8}, report)
			}
			mended := requireMended(t, db)
			toMend := slices.ContainsFunc(tc.want, func(f certificate.Finding) bool { return !unmendable(f.Kind) && f.Kind != mirror.FindingBoth })
			assert.Equal(t, toMend || name == "a value of a removed row", mended > 0)
		})
	}

	t.Run("a first load that is not known as one", func(t *testing.T) {
		db := mongodbtest.OpenOn(t, client)
		m := mirror.New(db)
		mirrortest.ThreeDays(t, db)
		report, err := m.Rehash(t.Context(), mirror.RehashInput{})
		require.NoError(t, err)
		require.Len(t, report.Findings, 1)
		assert.Equal(t, mirror.FindingEventMissing, report.Findings[0].Kind)
		assert.EqualValues(t, 20, report.Findings[0].Count, "and not 30, which was opened")
		assert.Len(t, report.Findings[0].Keys, mirror.FindingKeys)
	})
	t.Run("untracked paths", func(t *testing.T) {
		db := mongodbtest.OpenOn(t, client)
		m := mirror.New(db)
		mirrortest.ThreeDays(t, db)
		set(mongodb.Changes, change("05", 2), bson.D{{Key: "fields.0.to", Value: int32(9)}})(t.Context(), t, db)
		report, err := m.Rehash(t.Context(), mirror.RehashInput{
			FirstLoads: []time.Time{mongodbtest.Day(1)}, Untracked: func(path string) bool { return path == "value" },
		})
		require.NoError(t, err)
		assert.Empty(t, report.Findings)
	})
	t.Run("an empty mirror", func(t *testing.T) {
		report, err := mirror.New(mongodbtest.OpenOn(t, client)).Rehash(t.Context(), mirror.RehashInput{})
		require.NoError(t, err)
		assert.Zero(t, report)
	})
}

// unmendable reports whether a finding about documents in businesses is left: what
// the portal has is written anew by an upsert, what is not Padron's stays.
func unmendable(kind string) bool {
	return kind == mirror.FindingForeign || kind == mirror.FindingCorrupt
}

// requireMended mends versions and events twice, and requires that a deep check
// finds nothing more of them. It returns how many rows the first time mended.
func requireMended(t *testing.T, db *mongodb.Database) int {
	m, ctx := mirror.New(db), t.Context()
	mirrortest.BeginRuns(ctx, t, db, "r5")
	_, err := m.Settle(ctx)
	require.NoError(t, err)
	in := mirror.MendInput{
		RehashInput: mirror.RehashInput{FirstLoads: []time.Time{mongodbtest.Day(1)}}, Run: "r5", Part: "repair", At: mongodbtest.Day(5),
	}
	first, err := m.Mend(ctx, in)
	require.NoError(t, err)
	for range 2 {
		for _, f := range rehash(ctx, t, db).Findings {
			require.True(t, unmendable(f.Kind), "%+v is left", f)
			require.NotEqual(t, []string{"09"}, f.Keys, "a removed document is taken as it is")
		}
		again, err := m.Mend(ctx, in)
		require.NoError(t, err)
		require.Zero(t, again)
		require.NoError(t, runs.NewStore(db).SetRun(ctx, "r5", bson.D{{Key: "status", Value: runs.StatusDone}}))
	}
	return first
}

// TestRepair replaces a document that another hand changed, although the portal's
// row is as it was, and says why.
func TestRepair(t *testing.T) {
	for name, ordered := range map[string]bool{"in order of keys": true, "by key": false} {
		t.Run(name, func(t *testing.T) {
			db, ctx := mongodbtest.Open(t), t.Context()
			m, zone := mirror.New(db), landingtest.Directory(t)
			mirrortest.BeginRuns(ctx, t, db, "r1", "r2")
			rows := func() []landing.Record {
				return []landing.Record{landingtest.Valued(t, "a", 1), landingtest.Valued(t, "b", 1), landingtest.Valued(t, "c", 1)}
			}
			mirrortest.Load(ctx, t, db, zone, rows())
			_, err := db.Collection(mongodb.Businesses).UpdateOne(ctx, mongodb.ByID("b"), bson.D{{Key: "$set", Value: bson.D{{Key: "value", Value: int32(7)}}}})
			require.NoError(t, err)

			for _, repair := range []bool{false, true, true} {
				compared, err := m.CompareTo(ctx, socrata.Range{}, repair)
				require.NoError(t, err)
				for _, r := range rows() {
					_, err := compared.Row(ctx, r.Key, r.Hash)
					require.NoError(t, err)
				}
				would, err := compared.End(ctx)
				require.NoError(t, err)
				in := mirrortest.Crawl(ctx, t, zone, 2, rows())
				in.Ordered, in.Repair = ordered, repair
				done, err := m.Upsert(ctx, zone, in)
				require.NoError(t, err)
				require.Equal(t, would.Replaced, done.Replaced)
				if !repair {
					require.Zero(t, done.Replaced, "its hash says that it is the portal's")
				}
			}
			var event changes.Event
			require.NoError(t, db.Collection(mongodb.Changes).FindOne(ctx, bson.D{}).Decode(&event))
			require.Equal(t, []any{"b", int32(2), changes.CauseRepair, "r2", "value"}, []any{event.Key, event.Version, event.Cause, event.Run, event.Fields[0].Path})
			n, err := db.Collection(mongodb.Changes).CountDocuments(ctx, bson.D{})
			require.NoError(t, err)
			require.EqualValues(t, 1, n, "once is enough")
			report, err := m.Rehash(ctx, mirror.RehashInput{FirstLoads: []time.Time{mongodbtest.Day(1)}})
			require.NoError(t, err)
			require.Empty(t, report.Findings)
		})
	}
}

func BenchmarkRehash(b *testing.B) {
	const rows = 368_000
	db := mongodbtest.Open(b)
	m := mirror.New(db)
	ranges := loadBenchmark(b, m, rows)
	for b.Loop() {
		report, err := m.Rehash(b.Context(), mirror.RehashInput{Ranges: ranges, FirstLoads: []time.Time{mongodbtest.Day(1)}})
		require.NoError(b, err)
		require.EqualValues(b, rows, report.Documents)
		require.Empty(b, report.Findings)
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
