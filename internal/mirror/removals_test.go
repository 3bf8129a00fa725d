package mirror

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"
)

// killer ends a context at a client's k-th write: while it is on its way, or
// when it is done and nobody has heard of it yet.
type killer struct {
	mu     sync.Mutex
	left   int // writes until then; 0: never
	after  bool
	cancel context.CancelFunc
	writes int
}

func (k *killer) attach(o *options.ClientOptions) {
	isWrite := func(name string) bool { return name == "insert" || name == "update" || name == "delete" }
	o.SetMonitor(&event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			if isWrite(e.CommandName) {
				k.count(false)
			}
		},
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			if isWrite(e.CommandName) {
				k.count(true)
			}
		},
	})
}

func (k *killer) count(after bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if after {
		k.writes++
	}
	if k.left > 0 && after == k.after {
		if k.left--; k.left == 0 {
			k.cancel()
		}
	}
}

// during runs f with a context that ends at the k-th write (0: never), and
// reports whether it did.
func (k *killer) during(ctx context.Context, at int, after bool, f func(ctx context.Context) error) (killed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.mu.Lock()
	k.left, k.after, k.cancel = at, after, cancel
	k.mu.Unlock()
	err = f(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left = 0
	return ctx.Err() != nil, err
}

// collections reads everything that the write path leaves, pages of events
// apart: which page an event is on depends on the attempts.
func collections(ctx context.Context, t require.TestingT, m *Mirror) map[string]map[string]bson.Raw {
	all := map[string]map[string]bson.Raw{}
	for _, name := range []string{Businesses, Removed, Changes, Quarantine} {
		all[name] = rawDocuments(ctx, t, m, name)
	}
	for id, doc := range all[Changes] {
		var d bson.D
		require.NoError(t, bson.Unmarshal(doc, &d))
		d = slices.DeleteFunc(d, func(e bson.E) bool { return e.Key == "page" })
		raw, err := bson.Marshal(d)
		require.NoError(t, err)
		all[Changes][id] = raw
	}
	return all
}

// TestWritesKilled kills a day's writing at each of its writes, and does the
// day again: what is stored is, byte for byte, what it is without the crash.
func TestWritesKilled(t *testing.T) {
	kill := &killer{}
	client := connectTest(t, kill.attach)
	l := testDir(t)
	row := func(i, day int, list ...bson.E) Record {
		return cleanRecord(t, fmt.Sprintf("%03d", i), append([]bson.E{{Key: "day", Value: day}}, list...)...)
	}
	own := bson.E{Key: "quality", Value: bson.D{{Key: "flags", Value: bson.A{"odd"}}}}
	var first, second, third []Record
	var gone, goneThen []string
	for i := range 64 {
		key := fmt.Sprintf("%03d", i)
		bad := quarantinedRecord(key)
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
			first, second, third = append(first, row(i, 1, own)), append(second, bad), append(third, []Record{row(i, 1, own), bad}[i/8%2])
		case 7: // silent differences only
			first, second = append(first, row(i, 1)), append(second, row(i, 1))
			third = append(third, row(i, 1, bson.E{Key: "silent", Value: 3}))
		}
	}
	day1 := UpsertInput{Run: "r1", Part: "p", Spec: "s", At: day(1), FirstLoad: true, Explain: explainTest, Ordered: true, Pages: landRecords(t.Context(), t, l, "r1", first)}
	day2 := UpsertInput{Run: "r2", Part: "p", Spec: "s", At: day(2), Explain: explainTest, Ordered: true, Pages: landRecords(t.Context(), t, l, "r2", second)}
	day3 := UpsertInput{Run: "r3", Part: "p", Spec: "s", At: day(3), Explain: explainTest, Ordered: true, Pages: landRecords(t.Context(), t, l, "r3", third)}
	prepare := func(batch int) *Mirror {
		m := openOn(t, client, WithBatch(batch, 1<<20))
		beginRuns(t.Context(), t, m, "r2", "r3")
		for _, in := range []UpsertInput{day1, day2} {
			_, err := m.Upsert(t.Context(), l, in)
			require.NoError(t, err)
		}
		_, err := m.Remove(t.Context(), RemoveInput{Run: "r2", Part: "sweep", At: day(2), Keys: gone})
		require.NoError(t, err)
		return m
	}
	sync := func(ctx context.Context, m *Mirror) error {
		if _, err := m.Upsert(ctx, l, day3); err != nil {
			return err
		}
		if _, err := m.Settle(ctx); err != nil {
			return err
		}
		_, err := m.Remove(ctx, RemoveInput{Run: "r3", Part: "sweep", At: day(3), Keys: goneThen})
		return err
	}
	for _, batch := range []int{100, 6} {
		m := prepare(batch)
		before := kill.writes
		require.NoError(t, sync(t.Context(), m))
		writes := kill.writes - before
		want := collections(t.Context(), t, m)
		require.Len(t, want[Businesses], 56)
		require.Len(t, want[Removed], 8)
		require.Greater(t, writes, 10)
		for at := 1; at <= writes; at++ {
			for _, after := range []bool{false, true} {
				if !after && batch < 100 {
					continue // once is enough of what depends on the server's timing
				}
				m := prepare(batch)
				killed, err := kill.during(t.Context(), at, after, func(ctx context.Context) error { return sync(ctx, m) })
				require.True(t, killed)
				if at < writes || !after {
					require.Error(t, err, "killed at write %d", at)
				}
				// The server may still be busy with the killed write; a conflict
				// with it is for the next attempt.
				require.Eventually(t, func() bool {
					err = sync(t.Context(), m)
					return err == nil
				}, 10*time.Second, 20*time.Millisecond, "%v", err)
				got := collections(t.Context(), t, m)
				for name := range want {
					require.Equal(t, want[name], got[name], "%s, killed at write %d of %d, after: %v", name, at, writes, after)
				}
				checkHistory(t.Context(), t, m, nil)
			}
		}
	}
}

// checkHistory holds every row against its events: versions without a gap, the
// row's own lineage that of its newest event, pages known to the run's record
// and within their bound, and, where the first load is given, its documents and
// the events since making up the document of today. Events above a row's
// version, or of no row, are of no account.
func checkHistory(ctx context.Context, t require.TestingT, m *Mirror, loaded map[string]Leaves) {
	events := storedEvents(ctx, t, m)
	pages := map[string]int{}
	for _, e := range events {
		pages[e.Page]++
	}
	for page, n := range pages {
		require.LessOrEqual(t, n, eventsPerPage, page)
		name := strings.Split(page, "/")
		require.Len(t, name, 3)
		raw, err := m.Database().Collection(RunRecords).FindOne(ctx, byID(name[0])).Raw()
		require.NoError(t, err)
		require.Less(t, name[2], fmt.Sprintf("%04d", raw.Lookup("change_pages", name[1]).AsInt64()), page)
	}
	rows := rawDocuments(ctx, t, m, Removed)
	maps.Copy(rows, rawDocuments(ctx, t, m, Businesses))
	for key, raw := range rows {
		l, err := LineageOf(raw)
		require.NoError(t, err)
		canonical, err := CanonicalOf(nil, raw)
		require.NoError(t, err)
		require.Equal(t, l.Hash, sha256.Sum256(canonical), key)
		first := int32(1)
		if _, ok := events[EventID{key, 1}]; !ok {
			first = 2
			require.Equal(t, day(1), l.FirstSeen, "only a first load inserts without event")
		}
		rebuilt := maps.Clone(loaded[key])
		if first == 1 {
			rebuilt = Leaves{}
		}
		for v := first; v <= l.Version; v++ {
			e, ok := events[EventID{key, v}]
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
		now, err := LeavesOf(canonical)
		require.NoError(t, err)
		delete(now, "silent")
		delete(rebuilt, "silent")
		require.True(t, rebuilt.Equal(now), "%s at version %d: %v is not %v", key, l.Version, rebuilt, now)
	}
}

// TestHistoryModel runs sequences of days, each of them edited at random and
// killed at random, and then done again or given up for the next day. After
// each, crash or not, every row's events must lead to what it is; after a day
// that was done, the rows must be the day's.
func TestHistoryModel(t *testing.T) {
	kill := &killer{}
	m := openOn(t, connectTest(t, kill.attach), WithBatch(5, 4096))
	l := testDir(t)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		for _, name := range []string{Businesses, Removed, Changes, RunRecords} {
			_, err := m.Database().Collection(name).DeleteMany(ctx, bson.D{})
			require.NoError(t, err)
		}
		loaded := map[string]Leaves{}
		loading := true
		for d := range rapid.IntRange(1, 6).Draw(t, "days") {
			run := fmt.Sprintf("r%d", d)
			beginRuns(ctx, t, m, run)
			stored := rawDocuments(ctx, t, m, Businesses)
			records, missing := someDay(t, stored)
			in := UpsertInput{
				Run: run, Part: "p", Spec: rapid.SampledFrom([]string{"s1", "s2"}).Draw(t, "spec"), At: day(d + 1),
				FirstLoad: loading, Explain: explainTest, Ordered: rapid.Bool().Draw(t, "ordered"), Pages: landRecords(ctx, t, l, run, records),
			}
			if loading {
				in.At = day(1)
			}
			sync := func(ctx context.Context) error {
				if _, err := m.Upsert(ctx, l, in); err != nil || in.FirstLoad {
					return err
				}
				if _, err := m.Settle(ctx); err != nil {
					return err
				}
				_, err := m.Remove(ctx, RemoveInput{Run: run, Part: "sweep", At: in.At, Keys: missing})
				return err
			}
			done := false
			for attempt := 0; !done && attempt < 3; attempt++ {
				killed, err := kill.during(ctx, rapid.IntRange(0, 12).Draw(t, "killed at write"), true, sync)
				done = err == nil
				require.True(t, done || killed, "%v", err)
				if loading {
					for key, raw := range rawDocuments(ctx, t, m, Businesses) {
						if _, ok := loaded[key]; !ok {
							loaded[key] = leavesOf(t, raw)
						}
					}
				}
				checkHistory(ctx, t, m, loaded)
				if !done && rapid.Bool().Draw(t, "given up") {
					break
				}
			}
			if !done {
				continue // to another day, its rows and its run
			}
			now := rawDocuments(ctx, t, m, Businesses)
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
				canonical, err := CanonicalOf(nil, raw)
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
			for key := range rawDocuments(ctx, t, m, Removed) {
				_, there := rawDocuments(ctx, t, m, Businesses)[key]
				require.False(t, there, "%s is in both", key)
			}
		}
	})
}

// someDay draws the records of a crawl, and says which of the stored rows it
// misses.
func someDay(t *rapid.T, stored map[string]bson.Raw) (records []Record, missing []string) {
	for i := range 14 {
		key := fmt.Sprintf("%02d", i)
		_, known := stored[key]
		switch rapid.SampledFrom([]string{"there", "there", "there", "gone", "bad"}).Draw(t, "fate") {
		case "gone":
			if known {
				missing = append(missing, key)
			}
		case "bad":
			records = append(records, quarantinedRecord(key))
		default:
			list := []bson.E{{Key: "name", Value: rapid.SampledFrom([]string{"A", "A", "B"}).Draw(t, "name")}}
			if rapid.Bool().Draw(t, "inner") {
				list = append(list, bson.E{Key: "inner", Value: bson.D{{Key: "x", Value: rapid.IntRange(0, 1).Draw(t, "x")}}})
			}
			if rapid.Bool().Draw(t, "flagged") {
				list = append(list, bson.E{Key: "quality", Value: bson.D{{Key: "flags", Value: bson.A{"odd"}}}})
			}
			list = append(list, bson.E{Key: "silent", Value: rapid.IntRange(0, 1).Draw(t, "silent")})
			records = append(records, cleanRecord(t, key, list...))
		}
	}
	return records, missing
}

func leavesOf(t require.TestingT, stored bson.Raw) Leaves {
	canonical, err := CanonicalOf(nil, stored)
	require.NoError(t, err)
	leaves, err := LeavesOf(canonical)
	require.NoError(t, err)
	return leaves
}

func TestRemove(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	l := testDir(t)
	beginRuns(ctx, t, m, "r2")
	var records []Record
	var keys []string
	for i := range 1203 {
		records = append(records, testRecord(t, fmt.Sprintf("%06d", i), i))
		keys = append(keys, records[i].Key)
	}
	_, err := m.Upsert(ctx, l, UpsertInput{Run: "r1", Part: "p", Spec: "s1", At: day(1), FirstLoad: true, Explain: explainTest, Ordered: true, Pages: landRecords(ctx, t, l, "r1", records)})
	require.NoError(t, err)
	// A stale flag is not taken along.
	_, err = m.Upsert(ctx, l, UpsertInput{Run: "r2", Part: "p", At: day(2), Explain: explainTest, Ordered: true, Pages: landRecords(ctx, t, l, "r2", []Record{quarantinedRecord(keys[0])})})
	require.NoError(t, err)
	require.True(t, dump(ctx, t, m)[keys[0]].Stale)

	in := RemoveInput{Run: "r2", Part: "sweep", At: day(2), Keys: append([]string{"unknown"}, keys[:1202]...)}
	n, err := m.Remove(ctx, in)
	require.NoError(t, err)
	assert.Equal(t, 1202, n)
	n, err = m.Remove(ctx, in)
	require.NoError(t, err)
	assert.Zero(t, n, "done is done")

	assert.Equal(t, []string{keys[1202]}, slices.Collect(maps.Keys(rawDocuments(ctx, t, m, Businesses))))
	removed := rawDocuments(ctx, t, m, Removed)
	require.Len(t, removed, 1202)
	want, err := AppendWithLineage(nil, records[0].Document, &Lineage{Hash: records[0].Hash, Version: 2, Run: "r2", FirstSeen: day(1), ChangedAt: day(2), Spec: "s1"})
	require.NoError(t, err)
	assert.Equal(t, bson.Raw(want), removed[keys[0]])
	assert.Len(t, storedEvents(ctx, t, m), 1202)
	checkHistory(ctx, t, m, nil)

	n, err = m.Settle(ctx)
	require.NoError(t, err)
	assert.Zero(t, n)
	// As a removal leaves it that was killed before its end: in both.
	for _, key := range []string{keys[3], keys[1100]} {
		_, err := m.Database().Collection(Businesses).InsertOne(ctx, removed[key])
		require.NoError(t, err)
	}
	n, err = m.Settle(ctx)
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	assert.Len(t, rawDocuments(ctx, t, m, Removed), 1200)
	assert.Len(t, rawDocuments(ctx, t, m, Businesses), 3)
}

func TestRemoveConflict(t *testing.T) {
	kill := &killer{}
	m := openOn(t, connectTest(t, kill.attach))
	ctx := t.Context()
	l := testDir(t)
	beginRuns(ctx, t, m, "r2")
	_, err := m.Upsert(ctx, l, UpsertInput{Run: "r1", Part: "p", At: day(1), FirstLoad: true, Explain: explainTest, Ordered: true, Pages: landRecords(ctx, t, l, "r1", []Record{testRecord(t, "a", 1)})})
	require.NoError(t, err)
	other := connectTest(t).Database(m.Database().Name()).Collection(Businesses)
	// Another writer gets in when the copy is there (the third write).
	_, err = kill.during(ctx, 0, true, func(context.Context) error {
		kill.left = 3
		kill.cancel = func() {
			_, err := other.UpdateOne(ctx, byID("a"), bson.D{{Key: "$set", Value: bson.D{{Key: "lineage.version", Value: int32(9)}}}})
			assert.NoError(t, err)
		}
		_, err := m.Remove(ctx, RemoveInput{Run: "r2", Part: "sweep", At: day(2), Keys: []string{"a"}})
		return err
	})
	require.ErrorIs(t, err, ErrConflict)
	require.NotErrorIs(t, err, context.Canceled)
	assert.Len(t, rawDocuments(ctx, t, m, Businesses), 1, "the other's row stays")
}
