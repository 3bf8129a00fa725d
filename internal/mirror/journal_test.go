package mirror_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/changes"
	"padron/internal/changes/changestest"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/lineage"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/runs"
)

// storedEvents reads a collection's events by key and version.
func storedEvents(ctx context.Context, t require.TestingT, db *mongodb.Database) map[changes.EventID]changes.Event {
	cursor, err := db.Collection(mongodb.Changes).Find(ctx, bson.D{})
	require.NoError(t, err)
	var events []changes.Event
	require.NoError(t, cursor.All(ctx, &events))
	byID := map[changes.EventID]changes.Event{}
	for _, e := range events {
		e.At = e.At.UTC()
		byID[e.EventID] = e
	}
	return byID
}

// TestUpsertEvents takes one row of each sort through a second day.
func TestUpsertEvents(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	ctx := t.Context()
	l := landingtest.Directory(t)
	mirrortest.BeginRuns(ctx, t, db, "r1", "r2", "r3")
	row := func(key string, list ...bson.E) landing.Record { return landingtest.Clean(t, key, list...) }
	upsert := func(in mirror.UpsertInput, records ...landing.Record) mirror.UpsertResult {
		in.Part, in.Classify, in.Ordered = "p", mirrortest.Classify, true
		in.Pages = landingtest.Land(ctx, t, l, in.Run, records)
		got, err := m.Upsert(ctx, l, in)
		require.NoError(t, err)
		return got
	}
	address := func(street string) bson.E {
		return bson.E{Key: "address", Value: bson.D{{Key: "city", Value: "San Francisco"}, {Key: "street", Value: street}}}
	}
	name := func(s string) bson.E { return bson.E{Key: "name", Value: s} }
	upsert(mirror.UpsertInput{Run: "r1", Spec: "s1", At: mongodbtest.Day(1), FirstLoad: true},
		row("changed", name("A"), address("1 Main St"), bson.E{Key: "secret", Value: "old"}),
		row("gone", name("B")),
		row("same", name("C")),
		row("untracked", name("D"), bson.E{Key: "untracked", Value: 1}),
	)
	assert.Empty(t, storedEvents(ctx, t, db), "a first load makes no events")
	n, err := m.Remove(ctx, mirror.RemoveInput{
		Run: "r2", Part: "removals", At: mongodbtest.Day(2), Keys: []string{"gone", "never there", "gone"},
	})
	require.NoError(t, err)
	assert.Equal(t, 1, n)

	upsert(mirror.UpsertInput{Run: "r2", Spec: "s1", At: mongodbtest.Day(2)},
		row("changed", name("A and Sons"), address("2 Main St"), bson.E{Key: "secret", Value: "new"}),
		row("new", name("N"), address("9 Oak St"), bson.E{Key: "secret", Value: "x"}, bson.E{Key: "none", Value: bson.D{}}),
		row("same", name("C")),
		row("untracked", name("D"), bson.E{Key: "untracked", Value: 2}),
	)
	upsert(mirror.UpsertInput{Run: "r3", Spec: "s2", At: mongodbtest.Day(3)},
		row("changed", name("A and Sons"), bson.E{Key: "address", Value: nil}),
		row("gone", name("B again")),
		row("new", name("N"), address("9 Oak St"), bson.E{Key: "secret", Value: "x"}, bson.E{Key: "none", Value: bson.D{}}),
		row("same", name("C")),
		row("untracked", name("D"), bson.E{Key: "untracked", Value: 2}),
	)

	id := func(key string, version int32) changes.EventID { return changes.EventID{Key: key, Version: version} }
	second, third := mongodbtest.Day(2), mongodbtest.Day(3)
	want := map[changes.EventID]changestest.Told{
		id("gone", 2): {Kinds: "removed", Cause: changes.CauseSource, Run: "r2", At: second, Page: "r2/removals/0000"},
		id("changed", 2): {Kinds: "renamed updated", Cause: changes.CauseSource, Run: "r2", At: second, Page: "r2/p/0000", Fields: []string{
			`name: "A" -> "A and Sons"`, `address.street: "1 Main St" -> "2 Main St"`, `secret:  -> `,
		}},
		id("new", 1): {Kinds: "opened", Cause: changes.CauseSource, Run: "r2", At: second, Page: "r2/p/0000", Fields: []string{
			`_id:  -> "new"`, `name:  -> "N"`, `address.city:  -> "San Francisco"`, `address.street:  -> "9 Oak St"`, `secret:  -> `, `none:  -> {}`,
		}},
		id("changed", 3): {Kinds: "updated", Cause: changes.CauseRules, Run: "r3", At: third, Page: "r3/p/0000", Fields: []string{
			`address:  -> null`, `address.city: "San Francisco" -> `, `address.street: "2 Main St" -> `, `secret:  -> `,
		}},
		id("gone", 3): {Kinds: "returned renamed", Cause: changes.CauseSource, Run: "r3", At: third, Page: "r3/p/0000", Fields: []string{
			`name: "B" -> "B again"`,
		}},
	}
	for id, e := range storedEvents(ctx, t, db) {
		assert.Equal(t, want[id], changestest.Tell(e), "%v", id)
		delete(want, id)
	}
	assert.Empty(t, want)

	lineages := map[string]lineage.Lineage{}
	for key, raw := range mongodbtest.Documents(ctx, t, db, mongodb.Businesses) {
		l, err := lineage.Of(raw)
		require.NoError(t, err)
		l.Hash = [lineage.HashSize]byte{}
		lineages[key] = l
	}
	assert.Equal(t, map[string]lineage.Lineage{
		"changed":   {Version: 3, Run: "r3", Spec: "s2", FirstSeen: mongodbtest.Day(1), ChangedAt: mongodbtest.Day(3)},
		"gone":      {Version: 3, Run: "r3", Spec: "s2", FirstSeen: mongodbtest.Day(1), ChangedAt: mongodbtest.Day(3)},
		"new":       {Version: 1, Run: "r2", Spec: "s1", FirstSeen: mongodbtest.Day(2), ChangedAt: mongodbtest.Day(2)},
		"same":      {Version: 1, Run: "r1", Spec: "s1", FirstSeen: mongodbtest.Day(1), ChangedAt: mongodbtest.Day(1)},
		"untracked": {Version: 1, Run: "r1", Spec: "s1", FirstSeen: mongodbtest.Day(1), ChangedAt: mongodbtest.Day(1)},
	}, lineages)
	untracked := mongodbtest.Documents(ctx, t, db, mongodb.Businesses)["untracked"]
	assert.EqualValues(t, 2, untracked.Lookup("untracked").AsInt64(), "replaced all the same")
	assert.Empty(t, mongodbtest.Documents(ctx, t, db, mongodb.Removed))
}

// TestEventPages: no page has more events than its bound, and the run's record
// knows all pages, also when a part is written by several calls.
func TestEventPages(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db, mirror.WithBatch(300, 1<<20))
	ctx := t.Context()
	l := landingtest.Directory(t)
	mirrortest.BeginRuns(ctx, t, db, "r1")
	var records []landing.Record
	for i := range 1300 {
		records = append(records, landingtest.Valued(t, fmt.Sprintf("%06d", i), i))
	}
	for _, n := range []int{1200, 1201, 1300} { // the second and third call have 1 and 99 events
		_, err := m.Upsert(ctx, l, mirrortest.Crawl(ctx, t, l, 1, records[:n]))
		require.NoError(t, err)
	}
	pages := map[string]int{}
	for _, e := range storedEvents(ctx, t, db) {
		pages[e.Page]++
	}
	assert.Equal(t, map[string]int{"r1/p/0000": 500, "r1/p/0001": 500, "r1/p/0002": 200, "r1/p/0003": 1, "r1/p/0004": 99}, pages)
	raw, err := db.Collection(mongodb.Runs).FindOne(ctx, mongodb.ByID("r1")).Raw()
	require.NoError(t, err)
	assert.EqualValues(t, 5, raw.Lookup("change_pages", "p").AsInt64())
}

func TestUpsertNeedsWhatEventsNeed(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	ctx := t.Context()
	l := landingtest.Directory(t)
	good := mirrortest.Crawl(ctx, t, l, 1, []landing.Record{landingtest.Valued(t, "a", 1)})
	_, err := m.Upsert(ctx, l, good)
	require.ErrorIs(t, err, runs.ErrNoRun)
	assert.Empty(t, storedEvents(ctx, t, db))
	assert.Empty(t, dump(ctx, t, db))
	for _, part := range []string{"", "a.b", "a/b", "$a"} {
		in := good
		in.Part = part
		_, err := m.Upsert(ctx, l, in)
		require.ErrorContains(t, err, "label", part)
		_, err = m.Remove(ctx, mirror.RemoveInput{Run: "r1", Part: part, Keys: []string{"a"}})
		require.ErrorContains(t, err, "label", part)
	}
	in := good
	in.Classify = nil
	_, err = m.Upsert(ctx, l, in)
	require.Error(t, err)
	_, err = m.Compare(ctx, l, in)
	require.NoError(t, err)
}

// TestStoredEventsApply: the difference of two documents, in the form that
// events are stored in, applied to the one gives the other.
func TestStoredEventsApply(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, err := bson.Marshal(changestest.Document(2).Draw(t, "old"))
		require.NoError(t, err)
		now, err := bson.Marshal(changestest.Document(2).Draw(t, "now"))
		require.NoError(t, err)
		fields, err := changes.Diff(old, now)
		require.NoError(t, err)
		event := changes.Event{
			EventID: changes.EventID{Key: "k", Version: 2}, Kinds: []string{changes.KindUpdated}, Cause: changes.CauseSource,
			Run: "r", At: mongodbtest.Day(1), Fields: fields, Page: "r/p/0000",
		}
		element, err := mirror.AppendEventUpsert(nil, &event)
		require.NoError(t, err)
		require.NoError(t, bson.Raw(element).Validate())
		var stored changes.Event
		require.NoError(t, bson.Unmarshal(bson.Raw(element).Lookup("u").Document(), &stored))
		require.Equal(t, event.EventID, stored.EventID)
		stored.At = stored.At.UTC()
		require.Equal(t, changestest.Tell(event), changestest.Tell(stored))

		leaves, err := changes.LeavesOf(old)
		require.NoError(t, err)
		want, err := changes.LeavesOf(now)
		require.NoError(t, err)
		require.Equal(t, len(fields) == 0, leaves.Equal(want))
		leaves.Apply(stored)
		require.True(t, leaves.Equal(want), "%v is not %v", leaves, want)
	})
}
