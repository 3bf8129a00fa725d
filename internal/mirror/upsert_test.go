package mirror_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
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

	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/lineage"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/quarantine"
	"padron/internal/socrata"
)

// storedDoc is what the tests look at of a stored document.
type storedDoc struct {
	Value   int
	Version int32
	Run     string
	Spec    string
	First   time.Time
	Changed time.Time
	Stale   bool
}

func dump(ctx context.Context, t require.TestingT, db *mongodb.Database) map[string]storedDoc {
	cursor, err := db.Collection(mongodb.Businesses).Find(ctx, bson.D{})
	require.NoError(t, err)
	docs := map[string]storedDoc{}
	for cursor.Next(ctx) {
		raw := cursor.Current
		l := raw.Lookup("lineage").Document()
		key := raw.Lookup("_id").StringValue()
		canonical, err := lineage.Canonical(nil, raw)
		require.NoError(t, err)
		rec := landingtest.Valued(t, key, int(raw.Lookup("value").Int32()))
		require.Equal(t, rec.Document, bson.Raw(canonical), "stored bytes are the cleaned ones")
		stale, _ := raw.Lookup("quality", "stale").BooleanOK()
		_, hash := l.Lookup("hash").Binary()
		require.Equal(t, rec.Hash[:], hash)
		docs[key] = storedDoc{
			Value: int(raw.Lookup("value").Int32()), Version: l.Lookup("version").Int32(), Run: l.Lookup("run").StringValue(),
			Spec: l.Lookup("spec").StringValue(), First: l.Lookup("first_seen").Time().UTC(), Changed: l.Lookup("changed_at").Time().UTC(),
			Stale: stale,
		}
	}
	require.NoError(t, cursor.Err())
	return docs
}

// counted is a result without the pages of keys, which have a test of their
// own.
func counted(r mirror.UpsertResult) mirror.UpsertResult {
	r.MissingKeys, r.AllKeys = landing.Ref{}, landing.Ref{}
	return r
}

func TestUpsert(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	gridFS, err := landing.Open(landing.Config{}, db)
	require.NoError(t, err)
	for name, open := range map[string]func() landing.Zone{
		"dir":    func() landing.Zone { return landingtest.Directory(t) },
		"gridfs": func() landing.Zone { return gridFS },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := db.Collection(mongodb.Businesses).DeleteMany(t.Context(), bson.D{})
			require.NoError(t, err)
			mirrortest.BeginRuns(t.Context(), t, db, "r2")
			l := open()
			in := mirrortest.FirstLoad(t.Context(), t, l,
				[]landing.Record{landingtest.Valued(t, "a", 1), landingtest.Valued(t, "b", 1), landingtest.Quarantined("bb")},
				[]landing.Record{},
				[]landing.Record{landingtest.Valued(t, "c", 1), landingtest.Valued(t, "é", 1), landingtest.Quarantined("")},
			)
			in.Spec = "s1"
			compared, err := m.Compare(t.Context(), l, in)
			require.NoError(t, err)
			want := mirror.UpsertResult{Rows: 6, Inserted: 4, Quarantined: 2, Last: "é"}
			assert.Equal(t, want, compared)
			assert.Empty(t, dump(t.Context(), t, db))
			got, err := m.Upsert(t.Context(), l, in)
			require.NoError(t, err)
			assert.Equal(t, want, got)
			first := storedDoc{Value: 1, Version: 1, Run: "r1", Spec: "s1", First: mongodbtest.Day(1), Changed: mongodbtest.Day(1)}
			assert.Equal(t, map[string]storedDoc{"a": first, "b": first, "c": first, "é": first}, dump(t.Context(), t, db))

			// b changed, c unreadable with a double, a missing, d new.
			in = mirrortest.Crawl(t.Context(), t, l, 2,
				[]landing.Record{landingtest.Valued(t, "b", 2), landingtest.Quarantined("b"), landingtest.Quarantined("c")},
				[]landing.Record{landingtest.Quarantined("c"), landingtest.Valued(t, "d", 1), landingtest.Valued(t, "é", 1)},
			)
			in.Spec = "s2"
			want = mirror.UpsertResult{Rows: 6, Inserted: 1, Replaced: 1, Unchanged: 1, Missing: 1, Quarantined: 3, Kept: 1, Last: "é", Stale: 1}
			compared, err = m.Compare(t.Context(), l, in)
			require.NoError(t, err)
			assert.Equal(t, want, compared)
			got, err = m.Upsert(t.Context(), l, in)
			require.NoError(t, err)
			assert.Equal(t, want, counted(got))
			assert.Equal(t, []string{"a"}, landingtest.Keys(t.Context(), t, l, got.MissingKeys))
			assert.Equal(t, landing.Ref{}, got.AllKeys)
			kept := first
			kept.Stale = true
			after := map[string]storedDoc{
				"a": first, "c": kept, "é": first,
				"b": {Value: 2, Version: 2, Run: "r2", Spec: "s2", First: mongodbtest.Day(1), Changed: mongodbtest.Day(2)},
				"d": {Value: 1, Version: 1, Run: "r2", Spec: "s2", First: mongodbtest.Day(2), Changed: mongodbtest.Day(2)},
			}
			assert.Equal(t, after, dump(t.Context(), t, db))

			// Out of byte order the same pages give the same, missing apart.
			in.Ordered = false
			got, err = m.Upsert(t.Context(), l, in)
			require.NoError(t, err)
			want = mirror.UpsertResult{Rows: 6, Unchanged: 3, Missing: -1, Quarantined: 3, Kept: 1, Last: "é"}
			assert.Equal(t, want, counted(got))
			assert.Equal(t, []string{"b", "c", "d", "é"}, landingtest.Keys(t.Context(), t, l, got.AllKeys))
			assert.Equal(t, landing.Ref{}, got.MissingKeys)
			assert.Equal(t, after, dump(t.Context(), t, db))

			held, err := quarantine.NewReader(db).List(t.Context(), "r2", "", 10)
			require.NoError(t, err)
			require.Len(t, held, 3)
			assert.Equal(t, quarantine.Row{
				ID: "r2/0000/00000001", Run: "r2", Page: "0000", Index: 1, Key: "b", Reason: "unreadable",
				Raw: `{"ttxid":"b"}`, At: mongodbtest.Day(2),
			}, held[0])

			n, err := db.Count(t.Context(), mongodb.Businesses)
			require.NoError(t, err)
			assert.EqualValues(t, 5, n)
		})
	}
}

func TestUpsertRange(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	l := landingtest.Directory(t)
	var records []landing.Record
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		records = append(records, landingtest.Valued(t, key, 1))
	}
	mirrortest.Load(t.Context(), t, db, l, records)
	for name, tc := range map[string]struct {
		r       socrata.Range
		missing int
	}{
		"open":        {socrata.Range{}, 5},
		"below":       {socrata.Range{UpTo: "b"}, 2},
		"middle":      {socrata.Range{After: "b", UpTo: "d"}, 2},
		"above":       {socrata.Range{After: "b"}, 3},
		"between two": {socrata.Range{After: "bb", UpTo: "bc"}, 0},
		"null keys":   {socrata.Range{NullKeys: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			in := mirrortest.Crawl(t.Context(), t, l, 2)
			in.Range = tc.r
			got, err := m.Upsert(t.Context(), l, in)
			require.NoError(t, err)
			assert.Equal(t, mirror.UpsertResult{Missing: tc.missing}, counted(got))
		})
	}
}

func TestUpsertRefuses(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	l := landingtest.Directory(t)
	good := landingtest.Valued(t, "a", 1)
	wrongHash := good
	wrongHash.Hash[0]++
	wrongID := good
	wrongID.Key = "b"
	noID := landingtest.Clean(t, "a")
	noID.Document, _ = bson.Marshal(bson.D{{Key: "x", Value: 1}})
	noID.Hash = sha256.Sum256(noID.Document)
	for name, tc := range map[string]struct {
		records []landing.Record
		r       socrata.Range
		lookup  bool
		want    error
	}{
		"double":               {records: []landing.Record{good, good}, want: landing.ErrDuplicateKey},
		"double around bad":    {records: []landing.Record{good, landingtest.Quarantined("a"), good}, want: landing.ErrDuplicateKey},
		"double, by lookup":    {records: []landing.Record{good, landingtest.Valued(t, "b", 1), good}, lookup: true, want: landing.ErrDuplicateKey},
		"falling":              {records: []landing.Record{landingtest.Valued(t, "b", 1), good}, want: landing.ErrOrder},
		"at the lower bound":   {records: []landing.Record{good}, r: socrata.Range{After: "a"}, want: landing.ErrOrder},
		"above":                {records: []landing.Record{landingtest.Valued(t, "c", 1)}, r: socrata.Range{UpTo: "b"}, want: landing.ErrOrder},
		"key among null keys":  {records: []landing.Record{good}, r: socrata.Range{NullKeys: true}, want: landing.ErrOrder},
		"hash not of document": {records: []landing.Record{wrongHash}, want: landing.ErrCorrupt},
		"_id is not the key":   {records: []landing.Record{wrongID}, want: landing.ErrCorrupt},
		"no _id":               {records: []landing.Record{noID}, want: landing.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			in := mirrortest.FirstLoad(t.Context(), t, l, tc.records)
			in.Range, in.Ordered = tc.r, !tc.lookup
			_, err := m.Upsert(t.Context(), l, in)
			require.ErrorIs(t, err, tc.want)
			assert.Empty(t, dump(t.Context(), t, db))
		})
	}
	t.Run("page is gone", func(t *testing.T) {
		in := mirrortest.FirstLoad(t.Context(), t, l, []landing.Record{good})
		require.NoError(t, l.Delete(t.Context(), in.Pages[0].ID))
		_, err := m.Upsert(t.Context(), l, in)
		require.ErrorIs(t, err, landing.ErrNoPage)
	})
	t.Run("another page", func(t *testing.T) {
		in := mirrortest.FirstLoad(t.Context(), t, l, []landing.Record{good}, []landing.Record{landingtest.Valued(t, "b", 1)})
		in.Pages[0].ID = in.Pages[1].ID
		_, err := m.Upsert(t.Context(), l, in)
		require.ErrorIs(t, err, landing.ErrCorrupt)
		assert.Empty(t, dump(t.Context(), t, db))
	})
}

// monitor counts the commands that a client sends, by name, and calls hook,
// if set, before each write to businesses.
type monitor struct {
	mu     sync.Mutex
	counts map[string]int // "insert businesses"
	hook   func(command string, n int)
}

func (m *monitor) attach(o *options.ClientOptions) {
	o.SetMonitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		collection, _ := e.Command.Lookup(e.CommandName).StringValueOK()
		m.mu.Lock()
		name := e.CommandName + " " + collection
		m.counts[name]++
		n, hook := m.counts[name], m.hook
		m.mu.Unlock()
		if hook != nil && collection == mongodb.Businesses && (e.CommandName == "insert" || e.CommandName == "update") {
			hook(e.CommandName, n)
		}
	}})
}

func (m *monitor) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts = map[string]int{}
}

func (m *monitor) writes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.counts {
		for _, verb := range []string{"insert", "update", "delete", "findAndModify", "bulkWrite"} {
			if strings.HasPrefix(name, verb+" ") {
				names = append(names, name)
			}
		}
	}
	return names
}

func TestUnchangedPageWritesNothing(t *testing.T) {
	mon := &monitor{counts: map[string]int{}}
	db := mongodbtest.OpenOn(t, mongodbtest.Connect(t, mon.attach))
	m := mirror.New(db)
	l := landingtest.Directory(t)
	records := make([]landing.Record, 5000)
	for i := range records {
		records[i] = landingtest.Valued(t, fmt.Sprintf("%06d", i), i)
	}
	in := mirrortest.FirstLoad(t.Context(), t, l, records)
	_, err := m.Upsert(t.Context(), l, in)
	require.NoError(t, err)
	assert.Contains(t, mon.writes(), "insert "+mongodb.Businesses)
	before := dump(t.Context(), t, db)

	for _, ordered := range []bool{true, false} {
		mon.reset()
		in.Run, in.At, in.Spec, in.Ordered = "r2", mongodbtest.Day(2), "another", ordered
		got, err := m.Upsert(t.Context(), l, in)
		require.NoError(t, err)
		assert.Equal(t, 5000, got.Unchanged)
		assert.Empty(t, mon.writes())
		assert.Equal(t, before, dump(t.Context(), t, db))
	}
}

// TestUpsertKilled cancels an upsert at each of its writes, before it or while
// it is on its way, and finishes with a second call.
func TestUpsertKilled(t *testing.T) {
	mon := &monitor{counts: map[string]int{}}
	client := mongodbtest.Connect(t, mon.attach)
	l := landingtest.Directory(t)
	var first, second []landing.Record
	for i := range 400 {
		key := fmt.Sprintf("%06d", i)
		if i%3 != 0 {
			first = append(first, landingtest.Valued(t, key, i))
		}
		if i%7 != 0 {
			second = append(second, landingtest.Valued(t, key, i+i%2))
		}
	}
	load := mirrortest.FirstLoad(t.Context(), t, l, first)
	sync := mirrortest.Crawl(t.Context(), t, l, 2, second)

	var want map[string]storedDoc
	for _, ordered := range []bool{true, false} {
		sync.Ordered = ordered
		for at := 0; ; at++ {
			db := mongodbtest.OpenOn(t, client)
			m := mirror.New(db, mirror.WithBatch(50, 1<<20))
			mirrortest.BeginRuns(t.Context(), t, db, "r2")
			_, err := m.Upsert(t.Context(), l, load)
			require.NoError(t, err)

			ctx, cancel := context.WithCancel(t.Context())
			seen := 0
			mon.mu.Lock()
			mon.hook = func(string, int) {
				if seen++; seen == at {
					cancel()
				}
			}
			mon.mu.Unlock()
			_, err = m.Upsert(ctx, l, sync)
			mon.mu.Lock()
			mon.hook = nil
			mon.mu.Unlock()
			cancel()
			if at == 0 {
				require.NoError(t, err)
				want = dump(t.Context(), t, db)
				continue
			}
			if err == nil {
				require.Greater(t, at, 5, "there are several writes to be killed at")
				break
			}
			require.ErrorIs(t, err, context.Canceled)
			// The server may still be busy with the killed write; a conflict
			// with it is for the next attempt.
			require.Eventually(t, func() bool {
				_, err = m.Upsert(t.Context(), l, sync)
				return err == nil
			}, 10*time.Second, 20*time.Millisecond, "%v", err)
			require.Equal(t, want, dump(t.Context(), t, db), "killed at write %d", at)
		}
	}
}

func TestUpsertConflict(t *testing.T) {
	mon := &monitor{counts: map[string]int{}}
	db := mongodbtest.OpenOn(t, mongodbtest.Connect(t, mon.attach))
	m := mirror.New(db)
	mirrortest.BeginRuns(t.Context(), t, db, "r2")
	other := mongodbtest.Connect(t).Database(db.Name()).Collection(mongodb.Businesses)
	l := landingtest.Directory(t)
	load := mirrortest.FirstLoad(t.Context(), t, l, []landing.Record{landingtest.Valued(t, "a", 1), landingtest.Valued(t, "b", 1)})
	_, err := m.Upsert(t.Context(), l, load)
	require.NoError(t, err)

	for _, record := range []landing.Record{landingtest.Valued(t, "b", 2), landingtest.Valued(t, "c", 2)} { // a replacement, an insertion
		in := mirrortest.Crawl(t.Context(), t, l, 2, []landing.Record{record})
		in.Range = socrata.Range{After: "a", UpTo: record.Key}
		var once sync.Once
		mon.mu.Lock()
		mon.hook = func(string, int) {
			once.Do(func() {
				// Another writer gets in between reading and writing.
				_, err := other.UpdateOne(t.Context(), mongodb.ByID(record.Key),
					bson.D{{Key: "$set", Value: bson.D{{Key: "lineage.version", Value: int32(9)}}}}, options.UpdateOne().SetUpsert(true))
				assert.NoError(t, err)
			})
		}
		mon.mu.Unlock()
		_, err = m.Upsert(t.Context(), l, in)
		mon.mu.Lock()
		mon.hook = nil
		mon.mu.Unlock()
		require.ErrorIs(t, err, mongodb.ErrConflict, record.Key)
		var raw bson.Raw
		raw, err = other.FindOne(t.Context(), mongodb.ByID(record.Key)).Raw()
		require.NoError(t, err)
		assert.EqualValues(t, 9, raw.Lookup("lineage", "version").Int32(), "%s: the other's row stays", record.Key)
	}
}

// TestARowReturnsOnce has two windows of a backfill bring the same removed row
// back at once, as that of its start and that of its end do.
func TestARowReturnsOnce(t *testing.T) {
	db := mongodbtest.Open(t)
	m, zone := mirror.New(db), landingtest.Directory(t)
	mirrortest.BeginRuns(t.Context(), t, db, "r2", "r3")
	gone, stays := landingtest.Valued(t, "a", 1), landingtest.Valued(t, "b", 1)
	mirrortest.Load(t.Context(), t, db, zone, []landing.Record{gone, stays})
	_, err := m.Remove(t.Context(), mirror.RemoveInput{Run: "r2", Part: "removals", At: mongodbtest.Day(2), Keys: []string{"a"}})
	require.NoError(t, err)

	in := mirrortest.Crawl(t.Context(), t, zone, 3, []landing.Record{gone, stays})
	other := in
	other.Part = "q"
	_, err = m.Upsert(t.Context(), &readZone{Zone: zone, read: func() {
		// This one has met neither row by now; the other one writes both.
		_, err := m.Upsert(t.Context(), zone, other)
		require.NoError(t, err)
	}}, in)
	require.ErrorIs(t, err, mongodb.ErrConflict)
	_, err = m.Upsert(t.Context(), zone, in)
	require.NoError(t, err)

	require.Equal(t, []int32{2, 3}, versionsOf(t, db, "a"), "removed, returned: nobody saw it open")
	require.EqualValues(t, 3, dump(t.Context(), t, db)["a"].Version)
}

// readZone calls read once a page has been read to its end.
type readZone struct {
	landing.Zone
	read func()
}

func (z *readZone) Open(ctx context.Context, id, sum string) (io.ReadCloser, error) {
	content, err := z.Zone.Open(ctx, id, sum)
	return &readPage{ReadCloser: content, read: z.read}, err
}

type readPage struct {
	io.ReadCloser
	read func()
}

func (p *readPage) Close() error {
	p.read()
	return p.ReadCloser.Close()
}

// versionsOf are the versions of a key that have an event.
func versionsOf(t *testing.T, db *mongodb.Database, key string) (versions []int32) {
	cursor, err := db.Collection(mongodb.Changes).Find(t.Context(), bson.D{{Key: "_id.key", Value: key}},
		options.Find().SetSort(bson.D{{Key: "_id.version", Value: 1}}))
	require.NoError(t, err)
	for cursor.Next(t.Context()) {
		versions = append(versions, cursor.Current.Lookup("_id", "version").Int32())
	}
	return versions
}

func TestUpsertHeartbeats(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	l := landingtest.Directory(t)
	records := make([]landing.Record, 3500)
	for i := range records {
		records[i] = landingtest.Valued(t, fmt.Sprintf("%06d", i), i)
	}
	var heartbeats []mirror.Progress
	in := mirrortest.FirstLoad(t.Context(), t, l, records)
	in.Heartbeat = func(p mirror.Progress) { heartbeats = append(heartbeats, p) }
	_, err := m.Upsert(t.Context(), l, in)
	require.NoError(t, err)
	assert.Equal(t, []mirror.Progress{{Rows: 1000, Last: "000999"}, {Rows: 2000, Last: "001999"}, {Rows: 3000, Last: "002999"}}, heartbeats)
}

func TestUpsertDatabaseGone(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	mongodb.WithCallTimeout(time.Nanosecond)(db)
	l := landingtest.Directory(t)
	_, err := m.Upsert(t.Context(), l, mirrortest.FirstLoad(t.Context(), t, l, []landing.Record{landingtest.Valued(t, "a", 1)}))
	require.Error(t, err)
	assert.True(t, mongodb.IsDown(err), "%v", err)
	assert.False(t, mongodb.IsDown(mongodb.ErrConflict))
}

// TestUpsertModel runs sequences of crawls, each of them edited at random,
// against a map that says what must be stored.
func TestUpsertModel(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db, mirror.WithBatch(7, 4096))
	l := landingtest.Directory(t)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		_, err := db.Collection(mongodb.Businesses).DeleteMany(ctx, bson.D{})
		require.NoError(t, err)
		model := map[string]storedDoc{}
		mirrortest.BeginRuns(ctx, t, db, "r0", "r1", "r2", "r3")
		keys := rapid.SliceOfNDistinct(rapid.StringMatching(`[0-9A-zé]{1,3}`), 1, 40, rapid.ID[string]).Draw(t, "keys")
		slices.Sort(keys)
		for crawl := range rapid.IntRange(1, 4).Draw(t, "crawls") {
			run := fmt.Sprintf("r%d", crawl)
			var records []landing.Record
			want := mirror.UpsertResult{}
			// The range leaves out some keys at either end.
			from, to := rapid.IntRange(0, len(keys)-1).Draw(t, "from"), rapid.IntRange(0, len(keys)-1).Draw(t, "to")
			r := socrata.Range{}
			if from > 0 {
				r.After = keys[from-1]
			}
			if to > from {
				r.UpTo = keys[to]
			}
			for _, key := range keys {
				if key <= r.After || r.UpTo != "" && key > r.UpTo {
					continue
				}
				old, exists := model[key]
				switch rapid.SampledFrom([]string{"as is", "as is", "edit", "gone", "bad", "good and bad"}).Draw(t, "fate") {
				case "gone":
					if exists {
						want.Missing++
					}
					continue
				case "bad":
					records = append(records, landingtest.Quarantined(key))
					if exists {
						want.Kept++
						if !old.Stale {
							want.Stale++
							old.Stale = true
							model[key] = old
						}
					}
					want.Quarantined++
					continue
				case "good and bad":
					records = append(records, landingtest.Quarantined(key))
					want.Quarantined++
				case "edit":
					old.Value = rapid.IntRange(0, 3).Draw(t, "value")
				}
				records = append(records, landingtest.Valued(t, key, old.Value))
				was := model[key]
				switch {
				case !exists:
					model[key] = storedDoc{Value: old.Value, Version: 1, Run: run, First: mongodbtest.Day(crawl + 1), Changed: mongodbtest.Day(crawl + 1)}
					want.Inserted++
				case was.Value != old.Value:
					model[key] = storedDoc{Value: old.Value, Version: was.Version + 1, Run: run, First: was.First, Changed: mongodbtest.Day(crawl + 1)}
					want.Replaced++
				default:
					want.Unchanged++
					if was.Stale {
						want.Stale++
						was.Stale = false
						model[key] = was
					}
				}
			}
			want.Rows = len(records)
			ordered := rapid.Bool().Draw(t, "ordered")
			if !ordered {
				rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0))
				rng.Shuffle(len(records), func(i, k int) { records[i], records[k] = records[k], records[i] })
				want.Missing = -1
			}
			if len(records) > 0 {
				want.Last = records[len(records)-1].Key
			}
			var pages [][]landing.Record
			for rest := records; len(rest) > 0; {
				n := rapid.IntRange(1, len(rest)).Draw(t, "page")
				pages, rest = append(pages, rest[:n]), rest[n:]
			}
			in := mirrortest.Crawl(ctx, t, l, crawl, pages...)
			in.At, in.Range, in.Ordered = mongodbtest.Day(crawl+1), r, ordered
			compared, err := m.Compare(ctx, l, in)
			require.NoError(t, err)
			require.Equal(t, want, compared)
			got, err := m.Upsert(ctx, l, in)
			require.NoError(t, err)
			require.Equal(t, want, counted(got))
			require.Equal(t, model, dump(ctx, t, db))

			again, err := m.Upsert(ctx, l, in)
			require.NoError(t, err)
			want.Unchanged, want.Inserted, want.Replaced = want.Unchanged+want.Inserted+want.Replaced, 0, 0
			want.Stale = 0
			require.Equal(t, want, counted(again))
		}
	})
}

func TestCommandBatchesStayBounded(t *testing.T) {
	mon := &monitor{counts: map[string]int{}}
	db := mongodbtest.OpenOn(t, mongodbtest.Connect(t, mon.attach))
	m := mirror.New(db, mirror.WithBatch(1000, 64<<10))
	l := landingtest.Directory(t)
	records := make([]landing.Record, 2000)
	for i := range records {
		records[i] = landingtest.Register(t, i*3)
	}
	_, err := m.Upsert(t.Context(), l, mirrortest.FirstLoad(t.Context(), t, l, records))
	require.NoError(t, err)
	mon.mu.Lock()
	inserts := mon.counts["insert "+mongodb.Businesses]
	mon.mu.Unlock()
	assert.Greater(t, inserts, 2000*800/(64<<10), "by bytes, not by rows")
	n, err := db.Count(t.Context(), mongodb.Businesses)
	require.NoError(t, err)
	assert.EqualValues(t, 2000, n)
}

// benchmarkRows is how many rows the benchmarks use: enough for several
// ranges.
const benchmarkRows = 200_000

func BenchmarkUpsert(b *testing.B) {
	client := mongodbtest.Connect(b)
	l := landingtest.Directory(b)
	inputs := mirrortest.Ranges(b, l, benchmarkRows, landingtest.Register)
	for _, atOnce := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("first load, %d at once", atOnce), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				db := mongodbtest.OpenOn(b, client)
				m := mirror.New(db)
				b.StartTimer()
				require.Equal(b, benchmarkRows, mirrortest.UpsertAll(b, m, l, inputs, atOnce).Inserted)
			}
			b.ReportMetric(float64(benchmarkRows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	db := mongodbtest.OpenOn(b, client)
	m := mirror.New(db)
	mirrortest.UpsertAll(b, m, l, inputs, 2)
	for _, atOnce := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("unchanged, %d at once", atOnce), func(b *testing.B) {
			for b.Loop() {
				require.Equal(b, benchmarkRows, mirrortest.UpsertAll(b, m, l, inputs, atOnce).Unchanged)
			}
			b.ReportMetric(float64(benchmarkRows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkUpsertBatch(b *testing.B) {
	client := mongodbtest.Connect(b)
	l := landingtest.Directory(b)
	inputs := mirrortest.Ranges(b, l, 100_000, landingtest.Register)
	for _, rows := range []int{500, 1000, 2000, 5000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				db := mongodbtest.OpenOn(b, client)
				m := mirror.New(db, mirror.WithBatch(rows, 8<<20))
				b.StartTimer()
				mirrortest.UpsertAll(b, m, l, inputs, 2)
			}
			b.ReportMetric(float64(100_000*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkUpsertChanged replaces every row, each with its event.
func BenchmarkUpsertChanged(b *testing.B) {
	db := mongodbtest.Open(b)
	m := mirror.New(db)
	l := landingtest.Directory(b)
	inputs := mirrortest.Ranges(b, l, 50_000, landingtest.Register)
	mirrortest.UpsertAll(b, m, l, inputs, 1)
	changed := make([]landing.Record, 50_000)
	for i := range changed {
		rec := landingtest.Register(b, i)
		var d bson.D
		require.NoError(b, bson.Unmarshal(rec.Document, &d))
		changed[i] = landingtest.Clean(b, rec.Key, append(d[1:], bson.E{Key: "dba_name_2", Value: "another"})...)
	}
	other := inputs[0]
	other.Pages = landingtest.Land(b.Context(), b, l, "r2", changed)
	days := 1
	for b.Loop() {
		in := []mirror.UpsertInput{inputs[0], other}[days%2]
		days++
		in.Run, in.At, in.FirstLoad = fmt.Sprintf("r%d", days), mongodbtest.Day(days), false
		mirrortest.BeginRuns(b.Context(), b, db, in.Run)
		got, err := m.Upsert(b.Context(), l, in)
		require.NoError(b, err)
		require.Equal(b, 50_000, got.Replaced)
	}
	b.ReportMetric(float64(50_000*b.N)/b.Elapsed().Seconds(), "rows/s")
}
