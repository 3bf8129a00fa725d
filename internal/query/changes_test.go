package query

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/changes"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/runs"
)

// brief is an event in one line.
func brief(events []changes.Event) (lines []string) {
	for _, e := range events {
		lines = append(lines, fmt.Sprintf("%s@%d %s %s", e.Key, e.Version, strings.Join(e.Kinds, "+"), e.Run))
	}
	return lines
}

func TestListChanges(t *testing.T) {
	db := mongodbtest.Open(t)
	r := New(db)
	ctx := t.Context()
	mirrortest.ThreeDays(t, db)
	// What a crash left: of a row, of a removed row, and of a key never seen.
	mirrortest.BeginRuns(ctx, t, db, "r4")
	require.NoError(t, runs.NewStore(db).SetRun(ctx, "r4", bson.D{{Key: "change_pages.0", Value: 2}}))
	for _, orphan := range []changes.EventID{{Key: "05", Version: 3}, {Key: "07", Version: 3}, {Key: "99", Version: 1}} {
		_, err := db.Collection(mongodb.Changes).InsertOne(ctx, changes.Event{
			EventID: orphan, Kinds: []string{changes.KindUpdated}, Run: "r4", Page: changes.PageName("r4", "0", 0),
		})
		require.NoError(t, err)
	}

	for key, want := range map[string][]string{
		"05": {"05@2 updated r2"},
		"06": {"06@2 updated r2", "06@3 updated r3"},
		"07": {"07@2 removed r2"},
		"08": {"08@2 removed r2", "08@3 returned r3"},
		"30": {"30@1 opened r2"},
		"12": nil, "99": nil, "0": nil, "": nil,
	} {
		events, err := r.ChangesOf(ctx, key)
		require.NoError(t, err)
		assert.Equal(t, want, brief(events), key)
	}

	list := func(since time.Time) (pages [][]string) {
		require.NoError(t, r.EachChange(ctx, since, func(events []changes.Event) error {
			pages = append(pages, brief(events))
			return nil
		}))
		return pages
	}
	second := [][]string{
		{"05@2 updated r2", "06@2 updated r2", "30@1 opened r2"},
		{"07@2 removed r2", "08@2 removed r2", "09@2 removed r2"},
	}
	third := []string{"06@3 updated r3", "08@3 returned r3"}
	assert.Equal(t, append(second, third), list(time.Time{}))
	assert.Equal(t, append(second, third), list(mongodbtest.Day(2)))
	assert.Equal(t, [][]string{third}, list(mongodbtest.Day(2).Add(time.Second)))
	assert.Empty(t, list(mongodbtest.Day(4)))
	stop := errors.New("enough")
	require.ErrorIs(t, r.EachChange(ctx, mongodbtest.Day(1), func([]changes.Event) error { return stop }), stop)

	docs, err := r.Documents(ctx, []string{"05", "07", "08", "99"})
	require.NoError(t, err)
	require.Len(t, docs, 3)
	for key, want := range map[string][2]int32{"05": {2, 2}, "07": {1, 2}, "08": {1, 3}} {
		assert.Equal(t, want, [2]int32{docs[key].Lookup("value").Int32(), docs[key].Lookup("lineage", "version").Int32()}, key)
	}
}

// Runs that started at the same time, and more than are looked at together.
func TestEachChangeOfManyRuns(t *testing.T) {
	db := mongodbtest.Open(t)
	r := New(db)
	ctx := t.Context()
	var want []string
	var events, rows []any
	for i := range runsAtOnce + 20 {
		id := fmt.Sprintf("r-%03d", i)
		_, err := runs.NewStore(db).BeginRun(ctx, runs.Run{
			ID: id, Started: mongodbtest.Day(1 + i/60), ChangePages: map[string]int{"0": 1, "10": 1, "2": 1},
		})
		require.NoError(t, err)
		for n, part := range []string{"0", "2", "10"} {
			key := fmt.Sprintf("%s-%d", id, 9-n)
			rows = append(rows, bson.D{{Key: "_id", Value: key}, {Key: "lineage", Value: bson.D{{Key: "version", Value: int32(1)}}}})
			events = append(events, changes.Event{
				EventID: changes.EventID{Key: key, Version: 1}, Kinds: []string{changes.KindOpened}, Run: id, Page: changes.PageName(id, part, 0),
			})
			want = append(want, key)
		}
	}
	for collection, docs := range map[string][]any{mongodb.Businesses: rows, mongodb.Changes: events} {
		_, err := db.Collection(collection).InsertMany(ctx, docs)
		require.NoError(t, err)
	}
	var got []string
	require.NoError(t, r.EachChange(ctx, time.Time{}, func(events []changes.Event) error {
		for _, e := range events {
			got = append(got, e.Key)
		}
		return nil
	}))
	assert.Equal(t, want, got)
}

func TestPlaceReadsBack(t *testing.T) {
	t.Parallel()
	p := Place{entry: "2026-11-20T06:00:00.000/manual-2026-11-20T06:00:00Z", page: 3, event: 499}
	back, ok := ParsePlace(p.String())
	require.True(t, ok)
	require.Equal(t, p, back)
	none, ok := ParsePlace("")
	require.True(t, ok)
	require.Equal(t, Place{}, none)
	require.Empty(t, none.String())
	for _, wrong := range []string{
		"x", "1.2", "1.2@", "1.2@x", "1@2026-11-20T06:00:00.000/r", "-1.2@2026-11-20T06:00:00.000/r",
		"1.x@2026-11-20T06:00:00.000/r", "1.2@2026-11-20T06:00:00.000/", "1.2@2026-11-20/r",
	} {
		_, ok := ParsePlace(wrong)
		require.False(t, ok, wrong)
	}
}

// TestChangesBackInSteps walks all changes by steps of every size: each change
// is met once, and runs come newest first.
func TestChangesBackInSteps(t *testing.T) {
	db := mongodbtest.Open(t)
	r := New(db)
	ctx := t.Context()
	mirrortest.ThreeDays(t, db)
	var byRun [][]string
	var last string
	require.NoError(t, r.EachChange(ctx, time.Time{}, func(events []changes.Event) error {
		if events[0].Run != last {
			byRun, last = append(byRun, nil), events[0].Run
		}
		byRun[len(byRun)-1] = append(byRun[len(byRun)-1], brief(events)...)
		return nil
	}))
	slices.Reverse(byRun)
	want := slices.Concat(byRun...)
	require.Greater(t, len(want), 5)

	for step := 1; step <= len(want)+1; step++ {
		for pages := 1; pages <= 4; pages++ {
			var got []string
			place, calls := Place{}, 0
			for {
				n := 0
				next, err := r.ChangesBack(ctx, time.Time{}, place, pages, func(e *changes.Event) bool {
					got = append(got, brief([]changes.Event{*e})...)
					n++
					return n == step
				})
				require.NoError(t, err)
				calls++
				require.Less(t, calls, 100)
				if next == nil {
					break
				}
				var ok bool
				place, ok = ParsePlace(next.String())
				require.True(t, ok, next)
			}
			require.Equal(t, want, got, "by %d, %d pages at once", step, pages)
		}
	}
	var newest []string
	_, err := r.ChangesBack(ctx, mongodbtest.Day(3), Place{}, 10, func(e *changes.Event) bool {
		newest = append(newest, brief([]changes.Event{*e})...)
		return false
	})
	require.NoError(t, err)
	require.Equal(t, byRun[0], newest, "since a day")
}
