package mirror

import (
	"context"
	"crypto/sha256"
	"fmt"
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

	"padron/internal/socrata"
)

func day(n int) time.Time { return time.Date(2026, 10, n, 11, 15, 0, 0, time.UTC) }

func testRecord(t require.TestingT, key string, value int) Record {
	return cleanRecord(t, key, bson.E{Key: "value", Value: int32(value)})
}

func quarantinedRecord(key string) Record {
	return Record{Key: key, Quarantine: "unreadable", Raw: []byte(`{"ttxid":"` + key + `"}`)}
}

// landRecords lands pages of records and returns references to them.
func landRecords(ctx context.Context, t require.TestingT, l Landing, run string, pages ...[]Record) []PageRef {
	var refs []PageRef
	for i, records := range pages {
		label := fmt.Sprintf("%04d", i)
		w, err := l.Create(ctx, Meta{Run: run, Kind: KindClean, Page: label})
		require.NoError(t, err)
		writePage(t, w, records)
		entry, err := w.Commit(ctx)
		require.NoError(t, err)
		refs = append(refs, PageRef{ID: entry.ID, SHA256: entry.SHA256, Label: label})
	}
	return refs
}

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

func dump(ctx context.Context, t require.TestingT, m *Mirror) map[string]storedDoc {
	cursor, err := m.Database().Collection(Businesses).Find(ctx, bson.D{})
	require.NoError(t, err)
	docs := map[string]storedDoc{}
	for cursor.Next(ctx) {
		raw := cursor.Current
		l := raw.Lookup("lineage").Document()
		key := raw.Lookup("_id").StringValue()
		canonical, err := CanonicalOf(nil, raw)
		require.NoError(t, err)
		rec := testRecord(t, key, int(raw.Lookup("value").Int32()))
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

// counted is a result without the pages of keys, which have a test of their own.
func counted(r UpsertResult) UpsertResult {
	r.MissingKeys, r.AllKeys = PageRef{}, PageRef{}
	return r
}

// keysOn reads a page of keys.
func keysOn(ctx context.Context, t require.TestingT, m *Mirror, l Landing, ref PageRef) []string {
	var all []string
	require.NoError(t, m.EachKey(ctx, l, []PageRef{ref}, func(keys []string) error {
		all = append(all, keys...)
		return nil
	}))
	return all
}

func testDir(t testing.TB) Landing {
	l, err := newDirLanding(t.TempDir())
	require.NoError(t, err)
	return l
}

func TestUpsert(t *testing.T) {
	m := openTest(t)
	for name, open := range map[string]func() Landing{
		"dir":    func() Landing { return testDir(t) },
		"gridfs": func() Landing { return newGridFSLanding(m) },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Database().Collection(Businesses).DeleteMany(t.Context(), bson.D{})
			require.NoError(t, err)
			beginRuns(t.Context(), t, m, "r2")
			l := open()
			in := UpsertInput{Run: "r1", FirstLoad: true, Part: "0", Explain: explainTest, Spec: "s1", At: day(1), Ordered: true, Pages: landRecords(t.Context(), t, l, "r1",
				[]Record{testRecord(t, "a", 1), testRecord(t, "b", 1), quarantinedRecord("bb")},
				[]Record{},
				[]Record{testRecord(t, "c", 1), testRecord(t, "é", 1), quarantinedRecord("")},
			)}
			compared, err := m.Compare(t.Context(), l, in)
			require.NoError(t, err)
			want := UpsertResult{Rows: 6, Inserted: 4, Quarantined: 2, Last: "é"}
			assert.Equal(t, want, compared)
			assert.Empty(t, dump(t.Context(), t, m))
			got, err := m.Upsert(t.Context(), l, in)
			require.NoError(t, err)
			assert.Equal(t, want, got)
			first := storedDoc{Value: 1, Version: 1, Run: "r1", Spec: "s1", First: day(1), Changed: day(1)}
			assert.Equal(t, map[string]storedDoc{"a": first, "b": first, "c": first, "é": first}, dump(t.Context(), t, m))

			// b changed, c unreadable with a double, a missing, d new.
			in = UpsertInput{Run: "r2", Part: "0", Explain: explainTest, Spec: "s2", At: day(2), Ordered: true, Pages: landRecords(t.Context(), t, l, "r2",
				[]Record{testRecord(t, "b", 2), quarantinedRecord("b"), quarantinedRecord("c")},
				[]Record{quarantinedRecord("c"), testRecord(t, "d", 1), testRecord(t, "é", 1)},
			)}
			want = UpsertResult{Rows: 6, Inserted: 1, Replaced: 1, Unchanged: 1, Missing: 1, Quarantined: 3, Kept: 1, Last: "é", Stale: 1}
			compared, err = m.Compare(t.Context(), l, in)
			require.NoError(t, err)
			assert.Equal(t, want, compared)
			got, err = m.Upsert(t.Context(), l, in)
			require.NoError(t, err)
			assert.Equal(t, want, counted(got))
			assert.Equal(t, []string{"a"}, keysOn(t.Context(), t, m, l, got.MissingKeys))
			assert.Equal(t, PageRef{}, got.AllKeys)
			kept := first
			kept.Stale = true
			after := map[string]storedDoc{
				"a": first, "c": kept, "é": first,
				"b": {Value: 2, Version: 2, Run: "r2", Spec: "s2", First: day(1), Changed: day(2)},
				"d": {Value: 1, Version: 1, Run: "r2", Spec: "s2", First: day(2), Changed: day(2)},
			}
			assert.Equal(t, after, dump(t.Context(), t, m))

			// Out of byte order the same pages give the same, missing apart.
			in.Ordered = false
			got, err = m.Upsert(t.Context(), l, in)
			require.NoError(t, err)
			want = UpsertResult{Rows: 6, Unchanged: 3, Missing: -1, Quarantined: 3, Kept: 1, Last: "é"}
			assert.Equal(t, want, counted(got))
			assert.Equal(t, []string{"b", "c", "d", "é"}, keysOn(t.Context(), t, m, l, got.AllKeys))
			assert.Equal(t, PageRef{}, got.MissingKeys)
			assert.Equal(t, after, dump(t.Context(), t, m))

			held, err := m.QuarantineOf(t.Context(), "r2", "", 10)
			require.NoError(t, err)
			require.Len(t, held, 3)
			assert.Equal(t, Quarantined{ID: "r2/0000/00000001", Run: "r2", Page: "0000", Index: 1, Key: "b", Reason: "unreadable", Raw: `{"ttxid":"b"}`, At: day(2)}, held[0])

			n, err := m.Count(t.Context())
			require.NoError(t, err)
			assert.EqualValues(t, 5, n)
		})
	}
}

func TestUpsertRange(t *testing.T) {
	m := openTest(t)
	l := testDir(t)
	all := UpsertInput{Run: "r1", FirstLoad: true, Part: "0", Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(t.Context(), t, l, "r1",
		[]Record{testRecord(t, "a", 1), testRecord(t, "b", 1), testRecord(t, "c", 1), testRecord(t, "d", 1), testRecord(t, "e", 1)})}
	_, err := m.Upsert(t.Context(), l, all)
	require.NoError(t, err)
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
			got, err := m.Upsert(t.Context(), l, UpsertInput{Run: "r2", Part: "0", Explain: explainTest, At: day(2), Ordered: true, Range: tc.r})
			require.NoError(t, err)
			assert.Equal(t, UpsertResult{Missing: tc.missing}, counted(got))
		})
	}
}

func TestUpsertRefuses(t *testing.T) {
	m := openTest(t)
	l := testDir(t)
	good := testRecord(t, "a", 1)
	wrongHash := good
	wrongHash.Hash[0]++
	wrongID := good
	wrongID.Key = "b"
	noID := cleanRecord(t, "a")
	noID.Document, _ = bson.Marshal(bson.D{{Key: "x", Value: 1}})
	noID.Hash = sha256.Sum256(noID.Document)
	for name, tc := range map[string]struct {
		records []Record
		r       socrata.Range
		lookup  bool
		want    error
	}{
		"double":               {records: []Record{good, good}, want: ErrDuplicateKey},
		"double around bad":    {records: []Record{good, quarantinedRecord("a"), good}, want: ErrDuplicateKey},
		"double, by lookup":    {records: []Record{good, testRecord(t, "b", 1), good}, lookup: true, want: ErrDuplicateKey},
		"falling":              {records: []Record{testRecord(t, "b", 1), good}, want: ErrOrder},
		"at the lower bound":   {records: []Record{good}, r: socrata.Range{After: "a"}, want: ErrOrder},
		"above":                {records: []Record{testRecord(t, "c", 1)}, r: socrata.Range{UpTo: "b"}, want: ErrOrder},
		"key among null keys":  {records: []Record{good}, r: socrata.Range{NullKeys: true}, want: ErrOrder},
		"hash not of document": {records: []Record{wrongHash}, want: ErrCorrupt},
		"_id is not the key":   {records: []Record{wrongID}, want: ErrCorrupt},
		"no _id":               {records: []Record{noID}, want: ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			in := UpsertInput{Run: "r1", FirstLoad: true, Part: "0", Explain: explainTest, At: day(1), Ordered: !tc.lookup, Range: tc.r, Pages: landRecords(t.Context(), t, l, "r1", tc.records)}
			_, err := m.Upsert(t.Context(), l, in)
			require.ErrorIs(t, err, tc.want)
			assert.Empty(t, dump(t.Context(), t, m))
		})
	}
	t.Run("page is gone", func(t *testing.T) {
		in := UpsertInput{Run: "r1", FirstLoad: true, Part: "0", Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(t.Context(), t, l, "r1", []Record{good})}
		require.NoError(t, l.Delete(t.Context(), in.Pages[0].ID))
		_, err := m.Upsert(t.Context(), l, in)
		require.ErrorIs(t, err, ErrNoPage)
	})
	t.Run("another page", func(t *testing.T) {
		in := UpsertInput{Run: "r1", FirstLoad: true, Part: "0", Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(t.Context(), t, l, "r1", []Record{good}, []Record{testRecord(t, "b", 1)})}
		in.Pages[0].ID = in.Pages[1].ID
		_, err := m.Upsert(t.Context(), l, in)
		require.ErrorIs(t, err, ErrCorrupt)
		assert.Empty(t, dump(t.Context(), t, m))
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
		if hook != nil && collection == Businesses && (e.CommandName == "insert" || e.CommandName == "update") {
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
	m := openOn(t, connectTest(t, mon.attach))
	l := testDir(t)
	records := make([]Record, 5000)
	for i := range records {
		records[i] = testRecord(t, fmt.Sprintf("%06d", i), i)
	}
	in := UpsertInput{Run: "r1", FirstLoad: true, Part: "0", Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(t.Context(), t, l, "r1", records)}
	_, err := m.Upsert(t.Context(), l, in)
	require.NoError(t, err)
	assert.Contains(t, mon.writes(), "insert "+Businesses)
	before := dump(t.Context(), t, m)

	for _, ordered := range []bool{true, false} {
		mon.reset()
		in.Run, in.At, in.Spec, in.Ordered = "r2", day(2), "another", ordered
		got, err := m.Upsert(t.Context(), l, in)
		require.NoError(t, err)
		assert.Equal(t, 5000, got.Unchanged)
		assert.Empty(t, mon.writes())
		assert.Equal(t, before, dump(t.Context(), t, m))
	}
}

// TestUpsertKilled cancels an upsert at each of its writes, before it or while
// it is on its way, and finishes with a second call.
func TestUpsertKilled(t *testing.T) {
	mon := &monitor{counts: map[string]int{}}
	client := connectTest(t, mon.attach)
	l := testDir(t)
	var first, second []Record
	for i := range 400 {
		key := fmt.Sprintf("%06d", i)
		if i%3 != 0 {
			first = append(first, testRecord(t, key, i))
		}
		if i%7 != 0 {
			second = append(second, testRecord(t, key, i+i%2))
		}
	}
	load := UpsertInput{Run: "r1", FirstLoad: true, Part: "0", Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(t.Context(), t, l, "r1", first)}
	sync := UpsertInput{Run: "r2", Part: "0", Explain: explainTest, At: day(2), Ordered: true, Pages: landRecords(t.Context(), t, l, "r2", second)}

	var want map[string]storedDoc
	for _, ordered := range []bool{true, false} {
		sync.Ordered = ordered
		for at := 0; ; at++ {
			m := openOn(t, client, WithBatch(50, 1<<20))
			beginRuns(t.Context(), t, m, "r2")
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
				want = dump(t.Context(), t, m)
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
			require.Equal(t, want, dump(t.Context(), t, m), "killed at write %d", at)
		}
	}
}

func TestUpsertConflict(t *testing.T) {
	mon := &monitor{counts: map[string]int{}}
	m := openOn(t, connectTest(t, mon.attach))
	beginRuns(t.Context(), t, m, "r2")
	other := connectTest(t).Database(m.Database().Name()).Collection(Businesses)
	l := testDir(t)
	load := UpsertInput{Run: "r1", FirstLoad: true, Part: "0", Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(t.Context(), t, l, "r1", []Record{testRecord(t, "a", 1), testRecord(t, "b", 1)})}
	_, err := m.Upsert(t.Context(), l, load)
	require.NoError(t, err)

	for _, record := range []Record{testRecord(t, "b", 2), testRecord(t, "c", 2)} { // a replacement, an insertion
		in := UpsertInput{Run: "r2", Part: "0", Explain: explainTest, At: day(2), Ordered: true, Range: socrata.Range{After: "a", UpTo: record.Key}, Pages: landRecords(t.Context(), t, l, "r2", []Record{record})}
		var once sync.Once
		mon.mu.Lock()
		mon.hook = func(string, int) {
			once.Do(func() {
				// Another writer gets in between reading and writing.
				_, err := other.UpdateOne(t.Context(), byID(record.Key), bson.D{{Key: "$set", Value: bson.D{{Key: "lineage.version", Value: int32(9)}}}},
					options.UpdateOne().SetUpsert(true))
				assert.NoError(t, err)
			})
		}
		mon.mu.Unlock()
		_, err = m.Upsert(t.Context(), l, in)
		mon.mu.Lock()
		mon.hook = nil
		mon.mu.Unlock()
		require.ErrorIs(t, err, ErrConflict, record.Key)
		var raw bson.Raw
		raw, err = other.FindOne(t.Context(), byID(record.Key)).Raw()
		require.NoError(t, err)
		assert.EqualValues(t, 9, raw.Lookup("lineage", "version").Int32(), "%s: the other's row stays", record.Key)
	}
}

func TestUpsertBeats(t *testing.T) {
	m := openTest(t)
	l := testDir(t)
	records := make([]Record, 3500)
	for i := range records {
		records[i] = testRecord(t, fmt.Sprintf("%06d", i), i)
	}
	var beats []Progress
	_, err := m.Upsert(t.Context(), l, UpsertInput{
		Run: "r1", Part: "0", At: day(1), FirstLoad: true, Explain: explainTest, Ordered: true,
		Pages: landRecords(t.Context(), t, l, "r1", records),
		Beat:  func(p Progress) { beats = append(beats, p) },
	})
	require.NoError(t, err)
	assert.Equal(t, []Progress{{1000, "000999"}, {2000, "001999"}, {3000, "002999"}}, beats)
}

func TestUpsertDatabaseGone(t *testing.T) {
	m := openTest(t)
	m.callTimeout = time.Nanosecond
	l := testDir(t)
	_, err := m.Upsert(t.Context(), l, UpsertInput{Run: "r1", FirstLoad: true, Part: "0", Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(t.Context(), t, l, "r1", []Record{testRecord(t, "a", 1)})})
	require.Error(t, err)
	assert.True(t, IsDown(err), "%v", err)
	assert.False(t, IsDown(ErrConflict))
}

// TestUpsertModel runs sequences of crawls, each of them edited at random,
// against a map that says what must be stored.
func TestUpsertModel(t *testing.T) {
	m := openTest(t, WithBatch(7, 4096))
	l := testDir(t)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		_, err := m.Database().Collection(Businesses).DeleteMany(ctx, bson.D{})
		require.NoError(t, err)
		model := map[string]storedDoc{}
		beginRuns(ctx, t, m, "r0", "r1", "r2", "r3")
		keys := rapid.SliceOfNDistinct(rapid.StringMatching(`[0-9A-zé]{1,3}`), 1, 40, rapid.ID[string]).Draw(t, "keys")
		slices.Sort(keys)
		for crawl := range rapid.IntRange(1, 4).Draw(t, "crawls") {
			run := fmt.Sprintf("r%d", crawl)
			var records []Record
			want := UpsertResult{}
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
					records = append(records, quarantinedRecord(key))
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
					records = append(records, quarantinedRecord(key))
					want.Quarantined++
				case "edit":
					old.Value = rapid.IntRange(0, 3).Draw(t, "value")
				}
				records = append(records, testRecord(t, key, old.Value))
				was := model[key]
				switch {
				case !exists:
					model[key] = storedDoc{Value: old.Value, Version: 1, Run: run, First: day(crawl + 1), Changed: day(crawl + 1)}
					want.Inserted++
				case was.Value != old.Value:
					model[key] = storedDoc{Value: old.Value, Version: was.Version + 1, Run: run, First: was.First, Changed: day(crawl + 1)}
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
			var pages [][]Record
			for rest := records; len(rest) > 0; {
				n := rapid.IntRange(1, len(rest)).Draw(t, "page")
				pages, rest = append(pages, rest[:n]), rest[n:]
			}
			in := UpsertInput{Run: run, Part: "0", Explain: explainTest, At: day(crawl + 1), Range: r, Ordered: ordered, Pages: landRecords(ctx, t, l, run, pages...)}
			compared, err := m.Compare(ctx, l, in)
			require.NoError(t, err)
			require.Equal(t, want, compared)
			got, err := m.Upsert(ctx, l, in)
			require.NoError(t, err)
			require.Equal(t, want, counted(got))
			require.Equal(t, model, dump(ctx, t, m))

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
	m := openOn(t, connectTest(t, mon.attach), WithBatch(1000, 64<<10))
	l := testDir(t)
	records := make([]Record, 2000)
	for i := range records {
		records[i] = benchmarkDocument(t, i*3)
	}
	_, err := m.Upsert(t.Context(), l, UpsertInput{Run: "r1", FirstLoad: true, Part: "0", Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(t.Context(), t, l, "r1", records)})
	require.NoError(t, err)
	mon.mu.Lock()
	inserts := mon.counts["insert "+Businesses]
	mon.mu.Unlock()
	assert.Greater(t, inserts, 2000*800/(64<<10), "by bytes, not by rows")
	n, err := m.Count(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 2000, n)
}

// benchmarkPages lands n register-like rows as pages of 50,000.
func benchmarkPages(b *testing.B, l Landing, n int) []UpsertInput {
	b.Helper()
	var inputs []UpsertInput
	var last string
	for from := 0; from < n; from += 50_000 {
		records := make([]Record, 0, 50_000)
		for i := from; i < min(from+50_000, n); i++ {
			records = append(records, benchmarkDocument(b, i))
		}
		in := UpsertInput{
			Run: "r1", Part: "0", Spec: "spec", At: day(1), FirstLoad: true, Explain: explainTest, Ordered: true, Range: socrata.Range{After: last, UpTo: records[len(records)-1].Key},
			Pages: landRecords(b.Context(), b, l, "r1", records),
		}
		last = in.Range.UpTo
		inputs = append(inputs, in)
	}
	return inputs
}

// upsertAll runs the ranges, some at once, as the activities do.
func upsertAll(b *testing.B, m *Mirror, l Landing, inputs []UpsertInput, atOnce int) UpsertResult {
	b.Helper()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total UpsertResult
	)
	slots := make(chan struct{}, atOnce)
	for _, in := range inputs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			got, err := m.Upsert(b.Context(), l, in)
			assert.NoError(b, err) //nolint:testifylint // not on the benchmark's goroutine, where require must not be used
			mu.Lock()
			defer mu.Unlock()
			total.Inserted += got.Inserted
			total.Replaced += got.Replaced
			total.Unchanged += got.Unchanged
		})
	}
	wg.Wait()
	return total
}

// benchmarkRows is how many rows the benchmarks use: enough for several
// ranges.
const benchmarkRows = 200_000

func BenchmarkUpsert(b *testing.B) {
	client := connectTest(b)
	l := testDir(b)
	inputs := benchmarkPages(b, l, benchmarkRows)
	for _, atOnce := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("first load, %d at once", atOnce), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				m := openOn(b, client)
				b.StartTimer()
				require.Equal(b, benchmarkRows, upsertAll(b, m, l, inputs, atOnce).Inserted)
			}
			b.ReportMetric(float64(benchmarkRows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	m := openOn(b, client)
	upsertAll(b, m, l, inputs, 2)
	for _, atOnce := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("unchanged, %d at once", atOnce), func(b *testing.B) {
			for b.Loop() {
				require.Equal(b, benchmarkRows, upsertAll(b, m, l, inputs, atOnce).Unchanged)
			}
			b.ReportMetric(float64(benchmarkRows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkUpsertBatch(b *testing.B) {
	client := connectTest(b)
	l := testDir(b)
	inputs := benchmarkPages(b, l, 100_000)
	for _, rows := range []int{500, 1000, 2000, 5000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				m := openOn(b, client, WithBatch(rows, 8<<20))
				b.StartTimer()
				upsertAll(b, m, l, inputs, 2)
			}
			b.ReportMetric(float64(100_000*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkUpsertChanged replaces every row, each with its event.
func BenchmarkUpsertChanged(b *testing.B) {
	m := openOn(b, connectTest(b))
	l := testDir(b)
	inputs := benchmarkPages(b, l, 50_000)
	upsertAll(b, m, l, inputs, 1)
	changed := make([]Record, 50_000)
	for i := range changed {
		rec := benchmarkDocument(b, i)
		var d bson.D
		require.NoError(b, bson.Unmarshal(rec.Document, &d))
		changed[i] = cleanRecord(b, rec.Key, append(d[1:], bson.E{Key: "dba_name_2", Value: "another"})...)
	}
	other := inputs[0]
	other.Pages = landRecords(b.Context(), b, l, "r2", changed)
	days := 1
	for b.Loop() {
		in := []UpsertInput{inputs[0], other}[days%2]
		days++
		in.Run, in.At, in.FirstLoad = fmt.Sprintf("r%d", days), day(days), false
		beginRuns(b.Context(), b, m, in.Run)
		got, err := m.Upsert(b.Context(), l, in)
		require.NoError(b, err)
		require.Equal(b, 50_000, got.Replaced)
	}
	b.ReportMetric(float64(50_000*b.N)/b.Elapsed().Seconds(), "rows/s")
}
