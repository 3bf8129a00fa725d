package mirror_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/changes"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/lineage"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
)

// collections reads everything that the write path leaves, pages of events
// apart: which page an event is on depends on the attempts.
func collections(ctx context.Context, t require.TestingT, db *mongodb.Database) map[string]map[string]bson.Raw {
	all := map[string]map[string]bson.Raw{}
	for _, name := range []string{mongodb.Businesses, mongodb.Removed, mongodb.Changes, mongodb.Quarantine} {
		all[name] = mongodbtest.Documents(ctx, t, db, name)
	}
	for id, doc := range all[mongodb.Changes] {
		var d bson.D
		require.NoError(t, bson.Unmarshal(doc, &d))
		d = slices.DeleteFunc(d, func(e bson.E) bool { return e.Key == "page" })
		raw, err := bson.Marshal(d)
		require.NoError(t, err)
		all[mongodb.Changes][id] = raw
	}
	return all
}

// TestWritesKilled kills a day's writing at each of its writes, and does the
// day again: what is stored is, byte for byte, what it is without the crash.
func TestWritesKilled(t *testing.T) {
	kill := &mongodbtest.Killer{}
	client := mongodbtest.Connect(t, kill.Attach)
	l := landingtest.Directory(t)
	row := func(i, day int, list ...bson.E) landing.Record {
		return landingtest.Clean(t, fmt.Sprintf("%03d", i), append([]bson.E{{Key: "day", Value: day}}, list...)...)
	}
	own := bson.E{Key: "quality", Value: bson.D{{Key: "flags", Value: bson.A{"odd"}}}}
	var first, second, third []landing.Record
	var gone, goneThen []string
	for i := range 64 {
		key := fmt.Sprintf("%03d", i)
		bad := landingtest.Quarantined(key)
		switch i % 8 {
		case 0: // as it is
			first, second, third = append(first, row(i, 1)), append(second, row(i, 1)), append(third, row(i, 1))
		case 1: // changed twice
			first, second, third = append(first, row(i, 1)), append(second, row(i, 2)), append(third, row(i, 3))
		case 2: // new on the third day
			third = append(third, row(i, 3))
		case 3: // gone on the second day, back on the third
			first, third = append(first, row(i, 1)), append(third, row(i, 3))
			gone = append(gone, key)
		case 4: // gone on the third day
			first, second = append(first, row(i, 1)), append(second, row(i, 1, own))
			goneThen = append(goneThen, key)
		case 5: // unreadable on the second day only
			first, second, third = append(first, row(i, 1)), append(second, bad), append(third, row(i, 1))
		case 6: // the same, with quality of its own; unreadable on the third day again
			first, second, third = append(first, row(i, 1, own)), append(second, bad), append(third, []landing.Record{row(i, 1, own), bad}[i/8%2])
		case 7: // differences in untracked fields only
			first, second = append(first, row(i, 1)), append(second, row(i, 1))
			third = append(third, row(i, 1, bson.E{Key: "untracked", Value: 3}))
		}
	}
	day1 := mirrortest.FirstLoad(t.Context(), t, l, first)
	day2 := mirrortest.Crawl(t.Context(), t, l, 2, second)
	day3 := mirrortest.Crawl(t.Context(), t, l, 3, third)
	for _, in := range []*mirror.UpsertInput{&day1, &day2, &day3} {
		in.Spec = "s"
	}
	prepare := func(batch int) (*mongodb.Database, *mirror.Mirror) {
		db := mongodbtest.OpenOn(t, client)
		m := mirror.New(db, mirror.WithBatch(batch, 1<<20))
		mirrortest.BeginRuns(t.Context(), t, db, "r2", "r3")
		for _, in := range []mirror.UpsertInput{day1, day2} {
			_, err := m.Upsert(t.Context(), l, in)
			require.NoError(t, err)
		}
		_, err := m.Remove(t.Context(), mirror.RemoveInput{Run: "r2", Part: "removals", At: mongodbtest.Day(2), Keys: gone})
		require.NoError(t, err)
		return db, m
	}
	sync := func(ctx context.Context, m *mirror.Mirror) error {
		if _, err := m.Upsert(ctx, l, day3); err != nil {
			return err
		}
		if _, err := m.Settle(ctx); err != nil {
			return err
		}
		_, err := m.Remove(ctx, mirror.RemoveInput{Run: "r3", Part: "removals", At: mongodbtest.Day(3), Keys: goneThen})
		return err
	}
	for _, batch := range []int{100, 6} {
		db, m := prepare(batch)
		before := kill.Writes()
		require.NoError(t, sync(t.Context(), m))
		writes := kill.Writes() - before
		want := collections(t.Context(), t, db)
		require.Len(t, want[mongodb.Businesses], 56)
		require.Len(t, want[mongodb.Removed], 8)
		require.Greater(t, writes, 10)
		for at := 1; at <= writes; at++ {
			for _, after := range []bool{false, true} {
				if !after && batch < 100 {
					continue // once is enough of what depends on the server's timing
				}
				db, m := prepare(batch)
				killed, err := kill.During(t.Context(), at, after, func(ctx context.Context) error { return sync(ctx, m) })
				require.True(t, killed)
				if at < writes || !after {
					require.Error(t, err, "killed at write %d", at)
				}
				// The server may still be busy with the killed write; a
				// conflict with it is for the next attempt.
				require.Eventually(t, func() bool {
					err = sync(t.Context(), m)
					return err == nil
				}, 10*time.Second, 20*time.Millisecond, "%v", err)
				got := collections(t.Context(), t, db)
				for name := range want {
					require.Equal(t, want[name], got[name], "%s, killed at write %d of %d, after: %v", name, at, writes, after)
				}
				checkHistory(t.Context(), t, db, nil)
			}
		}
	}
}

// checkHistory holds every row against its events: versions without a gap, the
// row's own lineage that of its newest event, pages known to the run's record
// and within their bound, and, where the first load is given, its documents and
// the events since making up the document of today. Events above a row's
// version, or of no row, are of no account.
func checkHistory(ctx context.Context, t require.TestingT, db *mongodb.Database, loaded map[string]changes.Leaves) {
	events := storedEvents(ctx, t, db)
	pages := map[string]int{}
	for _, e := range events {
		pages[e.Page]++
	}
	for page, n := range pages {
		require.LessOrEqual(t, n, mirror.EventsPerPage, page)
		name := strings.Split(page, "/")
		require.Len(t, name, 3)
		raw, err := db.Collection(mongodb.Runs).FindOne(ctx, mongodb.ByID(name[0])).Raw()
		require.NoError(t, err)
		require.Less(t, name[2], fmt.Sprintf("%04d", raw.Lookup("change_pages", name[1]).AsInt64()), page)
	}
	rows := mongodbtest.Documents(ctx, t, db, mongodb.Removed)
	maps.Copy(rows, mongodbtest.Documents(ctx, t, db, mongodb.Businesses))
	for key, raw := range rows {
		l, err := lineage.Of(raw)
		require.NoError(t, err)
		canonical, err := lineage.Canonical(nil, raw)
		require.NoError(t, err)
		require.Equal(t, l.Hash, sha256.Sum256(canonical), key)
		first := int32(1)
		if _, ok := events[changes.EventID{Key: key, Version: 1}]; !ok {
			first = 2
			require.Equal(t, mongodbtest.Day(1), l.FirstSeen, "only a first load inserts without event")
		}
		rebuilt := maps.Clone(loaded[key])
		if first == 1 {
			rebuilt = changes.Leaves{}
		}
		for v := first; v <= l.Version; v++ {
			e, ok := events[changes.EventID{Key: key, Version: v}]
			require.True(t, ok, "%s at version %d has no event %d", key, l.Version, v)
			require.NotEmpty(t, e.Kinds)
			if v == l.Version {
				require.Equal(t, []any{l.Run, l.ChangedAt}, []any{e.Run, e.At}, key)
			}
			if rebuilt != nil {
				rebuilt.Apply(e)
			}
		}
		if loaded == nil {
			continue
		}
		now, err := changes.LeavesOf(canonical)
		require.NoError(t, err)
		delete(now, "untracked")
		delete(rebuilt, "untracked")
		require.True(t, rebuilt.Equal(now), "%s at version %d: %v is not %v", key, l.Version, rebuilt, now)
	}
}

// TestHistoryModel runs sequences of days, each of them edited at random and
// killed at random, and then done again or given up for the next day. After
// each, crash or not, every row's events must lead to what it is; after a day
// that was done, the rows must be the day's.
func TestHistoryModel(t *testing.T) {
	kill := &mongodbtest.Killer{}
	db := mongodbtest.OpenOn(t, mongodbtest.Connect(t, kill.Attach))
	m := mirror.New(db, mirror.WithBatch(5, 4096))
	l := landingtest.Directory(t)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		for _, name := range []string{mongodb.Businesses, mongodb.Removed, mongodb.Changes, mongodb.Runs} {
			_, err := db.Collection(name).DeleteMany(ctx, bson.D{})
			require.NoError(t, err)
		}
		loaded := map[string]changes.Leaves{}
		loading := true
		for d := range rapid.IntRange(1, 6).Draw(t, "days") {
			run := fmt.Sprintf("r%d", d)
			mirrortest.BeginRuns(ctx, t, db, run)
			stored := mongodbtest.Documents(ctx, t, db, mongodb.Businesses)
			records, missing := someDay(t, stored)
			in := mirrortest.Crawl(ctx, t, l, d, records)
			in.Spec = rapid.SampledFrom([]string{"s1", "s2"}).Draw(t, "spec")
			in.At, in.FirstLoad, in.Ordered = mongodbtest.Day(d+1), loading, rapid.Bool().Draw(t, "ordered")
			if loading {
				in.At = mongodbtest.Day(1)
			}
			sync := func(ctx context.Context) error {
				if _, err := m.Upsert(ctx, l, in); err != nil || in.FirstLoad {
					return err
				}
				if _, err := m.Settle(ctx); err != nil {
					return err
				}
				_, err := m.Remove(ctx, mirror.RemoveInput{Run: run, Part: "removals", At: in.At, Keys: missing})
				return err
			}
			done := false
			for attempt := 0; !done && attempt < 3; attempt++ {
				killed, err := kill.During(ctx, rapid.IntRange(0, 12).Draw(t, "killed at write"), true, sync)
				done = err == nil
				require.True(t, done || killed, "%v", err)
				if loading {
					for key, raw := range mongodbtest.Documents(ctx, t, db, mongodb.Businesses) {
						if _, ok := loaded[key]; !ok {
							loaded[key] = leavesOf(t, raw)
						}
					}
				}
				checkHistory(ctx, t, db, loaded)
				if !done && rapid.Bool().Draw(t, "given up") {
					break
				}
			}
			if !done {
				continue // to another day, its rows and its run
			}
			now := mongodbtest.Documents(ctx, t, db, mongodb.Businesses)
			for i := range records {
				rec := &records[i]
				raw, ok := now[rec.Key]
				if rec.Quarantine != "" {
					if ok {
						require.True(t, raw.Lookup("quality", "stale").Boolean(), rec.Key)
					}
					delete(now, rec.Key)
					continue
				}
				require.True(t, ok, rec.Key)
				canonical, err := lineage.Canonical(nil, raw)
				require.NoError(t, err)
				require.Equal(t, rec.Document, bson.Raw(canonical))
				_, err = raw.LookupErr("quality", "stale")
				require.Error(t, err, rec.Key)
				delete(now, rec.Key)
			}
			if loading {
				loading = false // what an earlier, given up first load left stays until it is missed
				continue
			}
			require.Empty(t, now)
			for key := range mongodbtest.Documents(ctx, t, db, mongodb.Removed) {
				_, there := mongodbtest.Documents(ctx, t, db, mongodb.Businesses)[key]
				require.False(t, there, "%s is in both", key)
			}
		}
	})
}

// someDay draws the records of a crawl, and says which of the stored rows it
// misses.
func someDay(t *rapid.T, stored map[string]bson.Raw) (records []landing.Record, missing []string) {
	for i := range 14 {
		key := fmt.Sprintf("%02d", i)
		_, known := stored[key]
		switch rapid.SampledFrom([]string{"there", "there", "there", "gone", "bad"}).Draw(t, "fate") {
		case "gone":
			if known {
				missing = append(missing, key)
			}
		case "bad":
			records = append(records, landingtest.Quarantined(key))
		default:
			list := []bson.E{{Key: "name", Value: rapid.SampledFrom([]string{"A", "A", "B"}).Draw(t, "name")}}
			if rapid.Bool().Draw(t, "inner") {
				list = append(list, bson.E{Key: "inner", Value: bson.D{{Key: "x", Value: rapid.IntRange(0, 1).Draw(t, "x")}}})
			}
			if rapid.Bool().Draw(t, "flagged") {
				list = append(list, bson.E{Key: "quality", Value: bson.D{{Key: "flags", Value: bson.A{"odd"}}}})
			}
			list = append(list, bson.E{Key: "untracked", Value: rapid.IntRange(0, 1).Draw(t, "untracked")})
			records = append(records, landingtest.Clean(t, key, list...))
		}
	}
	return records, missing
}

func leavesOf(t require.TestingT, stored bson.Raw) changes.Leaves {
	canonical, err := lineage.Canonical(nil, stored)
	require.NoError(t, err)
	leaves, err := changes.LeavesOf(canonical)
	require.NoError(t, err)
	return leaves
}

func TestRemove(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	ctx := t.Context()
	l := landingtest.Directory(t)
	mirrortest.BeginRuns(ctx, t, db, "r2")
	var records []landing.Record
	var keys []string
	for i := range 1203 {
		records = append(records, landingtest.Valued(t, fmt.Sprintf("%06d", i), i))
		keys = append(keys, records[i].Key)
	}
	load := mirrortest.FirstLoad(ctx, t, l, records)
	load.Spec = "s1"
	_, err := m.Upsert(ctx, l, load)
	require.NoError(t, err)
	// A stale flag is not taken along.
	_, err = m.Upsert(ctx, l, mirrortest.Crawl(ctx, t, l, 2, []landing.Record{landingtest.Quarantined(keys[0])}))
	require.NoError(t, err)
	require.True(t, dump(ctx, t, db)[keys[0]].Stale)

	in := mirror.RemoveInput{Run: "r2", Part: "removals", At: mongodbtest.Day(2), Keys: append([]string{"unknown"}, keys[:1202]...)}
	n, err := m.Remove(ctx, in)
	require.NoError(t, err)
	assert.Equal(t, 1202, n)
	n, err = m.Remove(ctx, in)
	require.NoError(t, err)
	assert.Zero(t, n, "done is done")

	assert.Equal(t, []string{keys[1202]}, slices.Collect(maps.Keys(mongodbtest.Documents(ctx, t, db, mongodb.Businesses))))
	removed := mongodbtest.Documents(ctx, t, db, mongodb.Removed)
	require.Len(t, removed, 1202)
	want, err := lineage.Append(nil, records[0].Document, &lineage.Lineage{
		Hash: records[0].Hash, Version: 2, Run: "r2", FirstSeen: mongodbtest.Day(1), ChangedAt: mongodbtest.Day(2), Spec: "s1",
	})
	require.NoError(t, err)
	assert.Equal(t, bson.Raw(want), removed[keys[0]])
	assert.Len(t, storedEvents(ctx, t, db), 1202)
	checkHistory(ctx, t, db, nil)

	n, err = m.Settle(ctx)
	require.NoError(t, err)
	assert.Zero(t, n)
	// As a removal leaves it that was killed before its end: in both.
	for _, key := range []string{keys[3], keys[1100]} {
		_, err := db.Collection(mongodb.Businesses).InsertOne(ctx, removed[key])
		require.NoError(t, err)
	}
	n, err = m.Settle(ctx)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	assert.Len(t, mongodbtest.Documents(ctx, t, db, mongodb.Removed), 1200)
	assert.Len(t, mongodbtest.Documents(ctx, t, db, mongodb.Businesses), 3)
}

func TestRemoveConflict(t *testing.T) {
	kill := &mongodbtest.Killer{}
	db := mongodbtest.OpenOn(t, mongodbtest.Connect(t, kill.Attach))
	m := mirror.New(db)
	ctx := t.Context()
	l := landingtest.Directory(t)
	mirrortest.BeginRuns(ctx, t, db, "r2")
	_, err := m.Upsert(ctx, l, mirrortest.FirstLoad(ctx, t, l, []landing.Record{landingtest.Valued(t, "a", 1)}))
	require.NoError(t, err)
	other := mongodbtest.Connect(t).Database(db.Name()).Collection(mongodb.Businesses)
	// Another writer gets in when the copy is there (the third write).
	kill.At(3, true, func() {
		_, err := other.UpdateOne(ctx, mongodb.ByID("a"), bson.D{{Key: "$set", Value: bson.D{{Key: "lineage.version", Value: int32(9)}}}})
		assert.NoError(t, err)
	})
	_, err = m.Remove(ctx, mirror.RemoveInput{Run: "r2", Part: "removals", At: mongodbtest.Day(2), Keys: []string{"a"}})
	require.ErrorIs(t, err, mongodb.ErrConflict)
	require.NotErrorIs(t, err, context.Canceled)
	assert.Len(t, mongodbtest.Documents(ctx, t, db, mongodb.Businesses), 1, "the other's row stays")
}
