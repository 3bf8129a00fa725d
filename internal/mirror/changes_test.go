package mirror

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// explainTest: a difference in "silent" alone means nothing, one in "name" is
// a new name, and what "secret" holds is nobody's business.
func explainTest(old, now bson.Raw, sameSpec bool) (Explanation, error) {
	meaning := Explanation{Cause: CauseSource, Drop: func(path string) bool { return path == "secret" }}
	if old == nil {
		meaning.Kinds = []string{KindOpened}
		return meaning, nil
	}
	if !sameSpec {
		meaning.Cause = CauseRules
	}
	fields, err := Diff(old, now)
	for _, f := range fields {
		switch f.Path {
		case "silent":
		case "name":
			meaning.Kinds = primary(KindRenamed, meaning.Kinds)
		default:
			if !slices.Contains(meaning.Kinds, KindUpdated) {
				meaning.Kinds = append(meaning.Kinds, KindUpdated)
			}
		}
	}
	return meaning, err
}

func beginRuns(ctx context.Context, t require.TestingT, m *Mirror, ids ...string) {
	for _, id := range ids {
		_, err := m.BeginRun(ctx, Run{ID: id})
		require.NoError(t, err)
	}
}

// storedEvents reads a collection's events by key and version.
func storedEvents(ctx context.Context, t require.TestingT, m *Mirror) map[EventID]Event {
	cursor, err := m.Database().Collection(Changes).Find(ctx, bson.D{})
	require.NoError(t, err)
	var events []Event
	require.NoError(t, cursor.All(ctx, &events))
	byID := map[EventID]Event{}
	for _, e := range events {
		e.At = e.At.UTC()
		byID[e.EventID] = e
	}
	return byID
}

// told is an event as a test writes it.
type told struct {
	kinds, cause, run string
	at                time.Time
	page              string
	fields            []string
}

func tell(e Event) told {
	t := told{strings.Join(e.Kinds, " "), e.Cause, e.Run, e.At, e.Page, nil}
	for _, f := range e.Fields {
		t.fields = append(t.fields, f.Path+": "+shown(f.From)+" -> "+shown(f.To))
	}
	return t
}

func shown(v bson.RawValue) string {
	if v.IsZero() {
		return ""
	}
	return v.String()
}

// TestUpsertEvents takes one row of each sort through a second day.
func TestUpsertEvents(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	l := testDir(t)
	beginRuns(ctx, t, m, "r1", "r2", "r3")
	row := func(key string, list ...bson.E) Record { return cleanRecord(t, key, list...) }
	upsert := func(in UpsertInput, records ...Record) UpsertResult {
		in.Part, in.Explain, in.Ordered, in.Pages = "p", explainTest, true, landRecords(ctx, t, l, in.Run, records)
		got, err := m.Upsert(ctx, l, in)
		require.NoError(t, err)
		return got
	}
	address := func(street string) bson.E {
		return bson.E{Key: "address", Value: bson.D{{Key: "city", Value: "San Francisco"}, {Key: "street", Value: street}}}
	}
	name := func(s string) bson.E { return bson.E{Key: "name", Value: s} }
	upsert(UpsertInput{Run: "r1", Spec: "s1", At: day(1), FirstLoad: true},
		row("changed", name("A"), address("1 Main St"), bson.E{Key: "secret", Value: "old"}),
		row("gone", name("B")),
		row("same", name("C")),
		row("silent", name("D"), bson.E{Key: "silent", Value: 1}),
	)
	assert.Empty(t, storedEvents(ctx, t, m), "a first load makes no events")
	n, err := m.Remove(ctx, RemoveInput{Run: "r2", Part: "sweep", At: day(2), Keys: []string{"gone", "never there", "gone"}})
	require.NoError(t, err)
	assert.Equal(t, 1, n)

	upsert(UpsertInput{Run: "r2", Spec: "s1", At: day(2)},
		row("changed", name("A and Sons"), address("2 Main St"), bson.E{Key: "secret", Value: "new"}),
		row("new", name("N"), address("9 Oak St"), bson.E{Key: "secret", Value: "x"}, bson.E{Key: "none", Value: bson.D{}}),
		row("same", name("C")),
		row("silent", name("D"), bson.E{Key: "silent", Value: 2}),
	)
	upsert(UpsertInput{Run: "r3", Spec: "s2", At: day(3)},
		row("changed", name("A and Sons"), bson.E{Key: "address", Value: nil}),
		row("gone", name("B again")),
		row("new", name("N"), address("9 Oak St"), bson.E{Key: "secret", Value: "x"}, bson.E{Key: "none", Value: bson.D{}}),
		row("same", name("C")),
		row("silent", name("D"), bson.E{Key: "silent", Value: 2}),
	)

	want := map[EventID]told{
		{"gone", 2}: {"removed", CauseSource, "r2", day(2), "r2/sweep/0000", nil},
		{"changed", 2}: {"renamed updated", CauseSource, "r2", day(2), "r2/p/0000", []string{
			`name: "A" -> "A and Sons"`, `address.street: "1 Main St" -> "2 Main St"`, `secret:  -> `,
		}},
		{"new", 1}: {"opened", CauseSource, "r2", day(2), "r2/p/0000", []string{
			`_id:  -> "new"`, `name:  -> "N"`, `address.city:  -> "San Francisco"`, `address.street:  -> "9 Oak St"`, `secret:  -> `, `none:  -> {}`,
		}},
		{"changed", 3}: {"updated", CauseRules, "r3", day(3), "r3/p/0000", []string{
			`address:  -> null`, `address.city: "San Francisco" -> `, `address.street: "2 Main St" -> `, `secret:  -> `,
		}},
		{"gone", 3}: {"returned renamed", CauseSource, "r3", day(3), "r3/p/0000", []string{`name: "B" -> "B again"`}},
	}
	for id, e := range storedEvents(ctx, t, m) {
		assert.Equal(t, want[id], tell(e), "%v", id)
		delete(want, id)
	}
	assert.Empty(t, want)

	lineages := map[string]Lineage{}
	for key, raw := range rawDocuments(ctx, t, m, Businesses) {
		l, err := LineageOf(raw)
		require.NoError(t, err)
		l.Hash = [HashSize]byte{}
		lineages[key] = l
	}
	assert.Equal(t, map[string]Lineage{
		"changed": {Version: 3, Run: "r3", Spec: "s2", FirstSeen: day(1), ChangedAt: day(3)},
		"gone":    {Version: 3, Run: "r3", Spec: "s2", FirstSeen: day(1), ChangedAt: day(3)},
		"new":     {Version: 1, Run: "r2", Spec: "s1", FirstSeen: day(2), ChangedAt: day(2)},
		"same":    {Version: 1, Run: "r1", Spec: "s1", FirstSeen: day(1), ChangedAt: day(1)},
		"silent":  {Version: 1, Run: "r1", Spec: "s1", FirstSeen: day(1), ChangedAt: day(1)},
	}, lineages)
	assert.EqualValues(t, 2, rawDocuments(ctx, t, m, Businesses)["silent"].Lookup("silent").AsInt64(), "replaced all the same")
	assert.Empty(t, rawDocuments(ctx, t, m, Removed))
}

// rawDocuments reads a collection, by _id.
func rawDocuments(ctx context.Context, t require.TestingT, m *Mirror, collection string) map[string]bson.Raw {
	cursor, err := m.Database().Collection(collection).Find(ctx, bson.D{}, options.Find().SetBatchSize(5000))
	require.NoError(t, err)
	var list []bson.Raw
	require.NoError(t, cursor.All(ctx, &list))
	docs := make(map[string]bson.Raw, len(list))
	for _, d := range list {
		id, ok := d.Lookup("_id").StringValueOK()
		if !ok {
			id = d.Lookup("_id").String()
		}
		docs[id] = d
	}
	return docs
}

// TestEventPages: no page has more events than its bound, and the run's record
// knows all pages, also when a part is written by several calls.
func TestEventPages(t *testing.T) {
	m := openTest(t, WithBatch(300, 1<<20))
	ctx := t.Context()
	l := testDir(t)
	beginRuns(ctx, t, m, "r1")
	var records []Record
	for i := range 1300 {
		records = append(records, testRecord(t, fmt.Sprintf("%06d", i), i))
	}
	in := UpsertInput{Run: "r1", Part: "p", At: day(1), Explain: explainTest, Ordered: true}
	for _, n := range []int{1200, 1201, 1300} { // the second and third call have 1 and 99 events
		in.Pages = landRecords(ctx, t, l, "r1", records[:n])
		_, err := m.Upsert(ctx, l, in)
		require.NoError(t, err)
	}
	pages := map[string]int{}
	for _, e := range storedEvents(ctx, t, m) {
		pages[e.Page]++
	}
	assert.Equal(t, map[string]int{"r1/p/0000": 500, "r1/p/0001": 500, "r1/p/0002": 200, "r1/p/0003": 1, "r1/p/0004": 99}, pages)
	raw, err := m.Database().Collection(RunRecords).FindOne(ctx, byID("r1")).Raw()
	require.NoError(t, err)
	assert.EqualValues(t, 5, raw.Lookup("change_pages", "p").AsInt64())
}

func TestUpsertNeedsWhatEventsNeed(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	l := testDir(t)
	good := UpsertInput{Run: "r1", Part: "p", At: day(1), Explain: explainTest, Ordered: true, Pages: landRecords(ctx, t, l, "r1", []Record{testRecord(t, "a", 1)})}
	_, err := m.Upsert(ctx, l, good)
	require.ErrorIs(t, err, ErrNoRun)
	assert.Empty(t, storedEvents(ctx, t, m))
	assert.Empty(t, dump(ctx, t, m))
	for _, part := range []string{"", "a.b", "a/b", "$a"} {
		in := good
		in.Part = part
		_, err := m.Upsert(ctx, l, in)
		require.ErrorContains(t, err, "label", part)
		_, err = m.Remove(ctx, RemoveInput{Run: "r1", Part: part, Keys: []string{"a"}})
		require.ErrorContains(t, err, "label", part)
	}
	in := good
	in.Explain = nil
	_, err = m.Upsert(ctx, l, in)
	require.Error(t, err)
	_, err = m.Compare(ctx, l, in)
	require.NoError(t, err)
}
