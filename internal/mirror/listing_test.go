package mirror

import (
	"context"
	"errors"
	"fmt"
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
)

// brief is an event in one line.
func brief(events []Event) (lines []string) {
	for _, e := range events {
		lines = append(lines, fmt.Sprintf("%s@%d %s %s", e.Key, e.Version, strings.Join(e.Kinds, "+"), e.Run))
	}
	return lines
}

func TestListChanges(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	threeDays(t, m)
	// What a crash left: of a row, of a removed row, and of a key never seen.
	beginRuns(ctx, t, m, "r4")
	require.NoError(t, m.SetRun(ctx, "r4", bson.D{{Key: "change_pages.0", Value: 2}}))
	for _, orphan := range []EventID{{"05", 3}, {"07", 3}, {"99", 1}} {
		_, err := m.db.Collection(Changes).InsertOne(ctx, Event{EventID: orphan, Kinds: []string{KindUpdated}, Run: "r4", Page: PageOfEvents("r4", "0", 0)})
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
		events, err := m.ChangesOf(ctx, key)
		require.NoError(t, err)
		assert.Equal(t, want, brief(events), key)
	}

	list := func(since time.Time) (pages [][]string) {
		require.NoError(t, m.EachChange(ctx, since, func(events []Event) error {
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
	assert.Equal(t, append(second, third), list(day(2)))
	assert.Equal(t, [][]string{third}, list(day(2).Add(time.Second)))
	assert.Empty(t, list(day(4)))
	stop := errors.New("enough")
	require.ErrorIs(t, m.EachChange(ctx, day(1), func([]Event) error { return stop }), stop)

	docs, err := m.Documents(ctx, []string{"05", "07", "08", "99"})
	require.NoError(t, err)
	require.Len(t, docs, 3)
	for key, want := range map[string][2]int32{"05": {2, 2}, "07": {1, 2}, "08": {1, 3}} {
		assert.Equal(t, want, [2]int32{docs[key].Lookup("value").Int32(), docs[key].Lookup("lineage", "version").Int32()}, key)
	}
}

// Runs that started at the same time, and more than are looked at together.
func TestEachChangeOfManyRuns(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	var want []string
	var events, rows []any
	for i := range runsAtOnce + 20 {
		id := fmt.Sprintf("r-%03d", i)
		_, err := m.BeginRun(ctx, Run{ID: id, Started: day(1 + i/60), ChangePages: map[string]int{"0": 1, "10": 1, "2": 1}})
		require.NoError(t, err)
		for n, part := range []string{"0", "2", "10"} {
			key := fmt.Sprintf("%s-%d", id, 9-n)
			rows = append(rows, bson.D{{Key: "_id", Value: key}, {Key: "lineage", Value: bson.D{{Key: "version", Value: int32(1)}}}})
			events = append(events, Event{EventID: EventID{key, 1}, Kinds: []string{KindOpened}, Run: id, Page: PageOfEvents(id, part, 0)})
			want = append(want, key)
		}
	}
	for collection, docs := range map[string][]any{Businesses: rows, Changes: events} {
		_, err := m.db.Collection(collection).InsertMany(ctx, docs)
		require.NoError(t, err)
	}
	var got []string
	require.NoError(t, m.EachChange(ctx, time.Time{}, func(events []Event) error {
		for _, e := range events {
			got = append(got, e.Key)
		}
		return nil
	}))
	assert.Equal(t, want, got)
}

func TestQuarantineByKeyAndRun(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	keys, err := m.QuarantinedKeys(ctx, "r1")
	require.NoError(t, err)
	assert.Empty(t, keys)

	var rows []Quarantined
	for _, run := range []string{"r1", "r2", "r 2", "r3"} {
		for i, key := range []string{"b", "", "a", "b", "c"} {
			rows = append(rows, Quarantined{Run: run, Page: "0.0", Index: i, Key: key, Reason: "unreadable", Raw: "{}", At: day(1)})
		}
	}
	require.NoError(t, m.StoreQuarantine(ctx, rows))
	keys, err = m.QuarantinedKeys(ctx, "r2")
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "c"}, keys)
	for key, want := range map[string][]string{"b": {"r2/0.0/00000000", "r2/0.0/00000003"}, "c": {"r2/0.0/00000004"}, "x": nil} {
		ids, err := m.QuarantinedOf(ctx, "r2", key)
		require.NoError(t, err)
		assert.Equal(t, want, ids, key)
	}
	require.NoError(t, m.ResolveQuarantine(ctx, "r2", []string{"b", "c", "x"}))
	count := func(run string) int64 {
		n, err := m.CountQuarantine(ctx, run)
		require.NoError(t, err)
		return n
	}
	assert.EqualValues(t, 2, count("r2"), "a, and the one without key")
	assert.EqualValues(t, 5, count("r1"))

	beginRuns(ctx, t, m, "r2", "r9")
	require.NoError(t, m.SetRun(ctx, "r2", bson.D{{Key: "crawl", Value: Crawl{Whole: true}}}))
	listed, err := m.QuarantineOf(ctx, "r2", "", 10)
	require.NoError(t, err)
	require.Len(t, listed, 2)
	row, err := m.QuarantinedRow(ctx, listed[1].ID)
	require.NoError(t, err)
	assert.Equal(t, "a", row.Key)
	_, err = m.QuarantinedRow(ctx, "r2/nothing")
	require.ErrorIs(t, err, ErrNotQuarantined)
	require.NoError(t, m.DeleteQuarantined(ctx, []string{listed[1].ID, "nothing"}))
	assert.EqualValues(t, 1, count("r2"))

	pruned, err := m.PruneQuarantine(ctx, "r2", "r3", "r7")
	require.NoError(t, err)
	assert.Equal(t, 2, pruned)
	assert.Equal(t, []int64{0, 1, 0, 5}, []int64{count("r1"), count("r2"), count("r 2"), count("r3")})
	pruned, err = m.PruneQuarantine(ctx)
	require.NoError(t, err)
	assert.Equal(t, 2, pruned)
}

// reads collects the find commands that a client sends.
type reads struct {
	mu       sync.Mutex
	on       bool
	commands []bson.Raw
}

func (r *reads) attach(o *options.ClientOptions) {
	o.SetMonitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.on && e.CommandName == "find" {
			r.commands = append(r.commands, slices.Clone(e.Command))
		}
	}})
}

func (r *reads) of(t *testing.T, f func() error) []bson.Raw {
	r.mu.Lock()
	r.on, r.commands = true, nil
	r.mu.Unlock()
	require.NoError(t, f())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = false
	return r.commands
}

// No listing and no probe makes the server look at more documents than it
// hands out: each is a step or a range in an index, nothing is filtered or
// sorted away behind it. What must look at all documents says so where it is
// documented: Census, Rehash, GroupCounts, Count, snapshots' counts, and
// Landing.List and Prune of all runs.
func TestListingsExamineNoMoreThanTheyReturn(t *testing.T) {
	var sent reads
	m := openOn(t, connectTest(t, sent.attach))
	ctx := t.Context()
	require.NoError(t, m.EnsureIndexes(ctx))
	threeDays(t, m)
	for i := range 200 {
		run := Run{ID: fmt.Sprintf("s%03d", i), Started: day(4).Add(time.Duration(i) * time.Minute), Status: StatusSkipped}
		_, err := m.BeginRun(ctx, run)
		require.NoError(t, err)
	}
	require.NoError(t, m.SetRun(ctx, "r2", bson.D{
		{Key: "outcome", Value: OutcomeGreen},
		{Key: "certificate", Value: Verdict{Outcome: OutcomeGreen}},
		{Key: "crawl", Value: Crawl{Whole: true}},
	}))
	var rows []Quarantined
	for i := range 50 {
		for _, run := range []string{"r1", "r2"} {
			rows = append(rows, Quarantined{Run: run, Page: "0", Index: i, Key: fmt.Sprint(i), Reason: "unreadable", Raw: "{}"})
		}
	}
	require.NoError(t, m.StoreQuarantine(ctx, rows))
	for n := 1; n < 20; n++ {
		_, _, err := m.TakeSnapshot(ctx, SnapshotInput{AsOf: day(n), Run: "r1", Outcome: OutcomeGreen})
		require.NoError(t, err)
	}
	past := ReconstructInput{AsOf: monthsFrom(dateOf(2024, 6, 1), 29), Date: dateOf(2026, 10, 20), Run: "r1"}
	_, err := m.Reconstruct(ctx, past)
	require.NoError(t, err)
	l := newGridFSLanding(m)
	for _, run := range []string{"r1", "r2"} {
		landRecords(ctx, t, l, run, []Record{testRecord(t, "a", 1)}, []Record{testRecord(t, "b", 1)})
	}

	green := func(run Run, err error) error {
		assert.Equal(t, "r2", run.ID)
		return err
	}
	reader := m.BusinessReader(strings.Fields, nil)
	for name, tc := range map[string]struct {
		finds int
		read  func() error
	}{
		"businesses":        {1, func() error { _, err := reader.List(ctx, BusinessFilters{}, "05", 3); return err }},
		"business":          {1, func() error { _, err := reader.Business(ctx, "05"); return err }},
		"business, removed": {2, func() error { _, err := reader.Business(ctx, "07"); return err }},
		"LastGreen":         {2, func() error { return green(m.LastGreen(ctx)) }},
		"NewestCertificate": {2, func() error { return green(m.NewestCertificate(ctx)) }},
		"LastCrawl":         {2, func() error { return green(m.LastCrawl(ctx)) }},
		"LastDone":          {2, func() error { _, err := m.LastDone(ctx); return err }},
		"Run":               {1, func() error { _, err := m.Run(ctx, "r1"); return err }},
		"Runs":              {2, func() error { _, err := m.Runs(ctx, 20, time.Time{}); return err }},
		"Runs since":        {2, func() error { _, err := m.RunsSince(ctx, "", day(3), 20); return err }},
		"Runs that failed":  {1, func() error { _, err := m.RunsSince(ctx, Ending(StatusFailed), time.Time{}, 20); return err }},
		"Runs before":       {2, func() error { _, err := m.Runs(ctx, 20, day(4).Add(time.Hour)); return err }},
		"ChangesOf":         {2, func() error { _, err := m.ChangesOf(ctx, "05"); return err }},
		"ChangesOf removed": {3, func() error { _, err := m.ChangesOf(ctx, "07"); return err }},
		"EachChange": {2*4 - 1 + 3 + 3 + 1, func() error {
			return m.EachChange(ctx, day(2), func([]Event) error { return nil })
		}},
		"Documents":       {2, func() error { _, err := m.Documents(ctx, []string{"05", "07"}); return err }},
		"QuarantineOf":    {1, func() error { _, err := m.QuarantineOf(ctx, "r1", "", 10); return err }},
		"QuarantinedRow":  {1, func() error { _, err := m.QuarantinedRow(ctx, "r2/0/00000007"); return err }},
		"QuarantinedKeys": {1, func() error { _, err := m.QuarantinedKeys(ctx, "r1"); return err }},
		"Snapshots":       {2, func() error { _, err := m.Snapshots(ctx, 5); return err }},
		"Snapshot":        {2, func() error { _, err := m.Snapshot(ctx, latest); return err }},
		"Snapshot by id":  {1, func() error { _, err := m.Snapshot(ctx, "2026-10-03-observed"); return err }},
		"Series":          {2, func() error { var rows []Tallied; return m.Series(ctx, "2026-10-03-observed", SeriesSector, &rows) }},
		"Snapshots observed": {2, func() error {
			snaps, err := m.Snapshots(ctx, 5, Observed)
			assert.Len(t, snaps, 5)
			return err
		}},
		"Snapshots observed, all": {3, func() error {
			snaps, err := m.Snapshots(ctx, 30, Observed)
			assert.Len(t, snaps, 19)
			return err
		}},
		"Snapshots reconstructed": {2 + 1, func() error {
			snaps, err := m.Snapshots(ctx, 5, Reconstructed)
			assert.Len(t, snaps, 5)
			return err
		}},
		"Snapshot reconstructed": {1, func() error { _, err := m.Snapshot(ctx, "2026-10-01-reconstructed"); return err }},
		"Series reconstructed": {2, func() error {
			var rows []Tallied
			return m.Series(ctx, "2026-10-01-reconstructed", SeriesSector, &rows)
		}},
		"Reconstruct":  {2, func() error { _, err := m.Reconstruct(ctx, past); return err }},
		"Landing.List": {1, func() error { _, err := l.List(ctx, "r1"); return err }},
		"DigestOf":     {1, func() error { _, _, err := m.DigestOf(ctx, []string{"05", "06", "07"}); return err }},
		"stored rows": {1, func() error {
			rows, err := m.storedRows(ctx, pieces(nil)[0])
			if err == nil {
				rows.close(ctx)
			}
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			commands := sent.of(t, tc.read)
			assert.Len(t, commands, tc.finds)
			for _, command := range commands {
				assertExaminesWhatItReturns(t, m, command)
			}
		})
	}
}

// assertExaminesWhatItReturns asks the server how it answers a find command.
// MongoDB counts what it examined. The engine that speaks its protocol on top
// of PostgreSQL tells its plan: what it examines is what it returns when an
// index answers the whole filter (no scan of the collection, no filter behind
// the index) and no limit comes after a sort.
func assertExaminesWhatItReturns(t *testing.T, m *Mirror, command bson.Raw) {
	var find bson.D
	elements, err := command.Elements()
	require.NoError(t, err)
	for _, e := range elements {
		if slices.Contains([]string{"find", "filter", "sort", "limit", "projection"}, e.Key()) {
			find = append(find, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	raw, err := m.db.RunCommand(t.Context(), bson.D{{Key: "explain", Value: find}, {Key: "verbosity", Value: "executionStats"}}).Raw()
	require.NoError(t, err)
	if stats, ok := raw.Lookup("executionStats").DocumentOK(); ok {
		assert.LessOrEqual(t, number(stats, "totalDocsExamined"), max(number(stats, "nReturned"), 1), "%s", command)
		return
	}
	var nodes []string
	walkPlan(raw.Lookup("queryPlanner", "Plan").Document(), false, func(node bson.Raw, limited bool) {
		kind := text(node, "Node Type")
		nodes = append(nodes, kind)
		assert.NotContains(t, []string{"Seq Scan", "Parallel Seq Scan"}, kind, "%s", command)
		assert.False(t, limited && strings.Contains(kind, "Sort"), "a limit after a sort: %s", command)
		_, err := node.LookupErr("Filter")
		assert.Error(t, err, "filtered: %s: %s", command, node.Lookup("Filter")) //nolint:testifylint // more than one can be wrong
	})
	assert.True(t, slices.ContainsFunc(nodes, func(kind string) bool { return strings.Contains(kind, "Index") || kind == "Result" }), "no index in %s: %s", nodes, command)
}

func walkPlan(node bson.Raw, limited bool, visit func(node bson.Raw, limited bool)) {
	visit(node, limited)
	limited = limited || text(node, "Node Type") == "Limit"
	plans, ok := node.Lookup("Plans").ArrayOK()
	if !ok {
		return
	}
	values, err := plans.Values()
	if err != nil {
		return
	}
	for _, p := range values {
		walkPlan(p.Document(), limited, visit)
	}
}
