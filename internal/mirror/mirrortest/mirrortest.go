// Package mirrortest loads mirrors for tests and benchmarks.
package mirrortest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/changes"
	"padron/internal/cleaning"
	"padron/internal/dataset"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// Classify is what changes mean in tests: a difference in the field untracked
// alone means nothing, one in name is a new name, and the values of secret are
// not kept.
func Classify(old, now bson.Raw, sameSpec bool) (changes.Classification, error) {
	meaning := changes.Classification{Cause: changes.CauseSource, Drop: func(path string) bool { return path == "secret" }}
	if old == nil {
		meaning.Kinds = []string{changes.KindOpened}
		return meaning, nil
	}
	if !sameSpec {
		meaning.Cause = changes.CauseRules
	}
	fields, err := changes.Diff(old, now)
	for _, f := range fields {
		switch f.Path {
		case "untracked":
		case "name":
			meaning.Kinds = changes.WithPrimary(changes.KindRenamed, meaning.Kinds)
		default:
			if !slices.Contains(meaning.Kinds, changes.KindUpdated) {
				meaning.Kinds = append(meaning.Kinds, changes.KindUpdated)
			}
		}
	}
	return meaning, err
}

// BeginRuns makes records of runs, which start now.
func BeginRuns(ctx context.Context, t require.TestingT, db *mongodb.Database, ids ...string) {
	for _, id := range ids {
		_, err := runs.NewStore(db).BeginRun(ctx, runs.Run{ID: id})
		require.NoError(t, err)
	}
}

// Crawl is what the run r<n> writes on the n-th day, ordered pages of records.
func Crawl(ctx context.Context, t require.TestingT, zone landing.Zone, n int, pages ...[]landing.Record) mirror.UpsertInput {
	run := fmt.Sprintf("r%d", n)
	return mirror.UpsertInput{
		Run: run, Part: "p", At: mongodbtest.Day(n), Classify: Classify, Ordered: true,
		Pages: landingtest.Land(ctx, t, zone, run, pages...),
	}
}

// FirstLoad is the first day's crawl, which loads an empty mirror.
func FirstLoad(ctx context.Context, t require.TestingT, zone landing.Zone, pages ...[]landing.Record) mirror.UpsertInput {
	in := Crawl(ctx, t, zone, 1, pages...)
	in.FirstLoad = true
	return in
}

// Load writes records, in order of their keys, into an empty mirror.
func Load(ctx context.Context, t require.TestingT, db *mongodb.Database, zone landing.Zone, records []landing.Record) {
	_, err := mirror.New(db).Upsert(ctx, zone, FirstLoad(ctx, t, zone, records))
	require.NoError(t, err)
}

// ThreeDays is a mirror with a first load of the keys 00 to 19, a second day
// that changes 05 and 06, brings 30, and removes 07, 08 and 09, and a third on
// which 08 returns and 06 changes again. The days' runs are r1, r2 and r3.
func ThreeDays(t testing.TB, db *mongodb.Database) {
	t.Helper()
	ctx := t.Context()
	zone := landingtest.Directory(t)
	m, store := mirror.New(db), runs.NewStore(db)
	for n := range 3 {
		_, err := store.BeginRun(ctx, runs.Run{ID: fmt.Sprintf("r%d", n+1), Started: mongodbtest.Day(n + 1), FirstLoad: n == 0})
		require.NoError(t, err)
	}
	value := map[string]int{}
	write := func(n int) {
		var records []landing.Record
		for i := range 31 {
			key := fmt.Sprintf("%02d", i)
			if v, ok := value[key]; ok {
				records = append(records, landingtest.Valued(t, key, v))
			}
		}
		in := Crawl(ctx, t, zone, n, records)
		in.Part, in.Spec, in.FirstLoad = "0", "s", n == 1
		_, err := m.Upsert(ctx, zone, in)
		require.NoError(t, err)
		require.NoError(t, store.SetRun(ctx, in.Run, bson.D{{Key: "status", Value: runs.StatusDone}}))
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
	removed, err := m.Remove(ctx, mirror.RemoveInput{Run: "r2", Part: "removals", At: mongodbtest.Day(2), Keys: []string{"07", "08", "09"}})
	require.NoError(t, err)
	require.Equal(t, 3, removed)
	value["06"], value["08"] = 3, 1
	write(3)
}

// rangeRows is how many rows of a benchmark make a range.
const rangeRows = 50_000

// Ranges lands n records, which are made one by one in order of their keys, as
// first loads of ranges of 50,000.
func Ranges(b *testing.B, zone landing.Zone, n int, record func(t require.TestingT, i int) landing.Record) []mirror.UpsertInput {
	b.Helper()
	var inputs []mirror.UpsertInput
	last := ""
	for from := 0; from < n; from += rangeRows {
		records := make([]landing.Record, 0, rangeRows)
		for i := from; i < min(from+rangeRows, n); i++ {
			records = append(records, record(b, i))
		}
		in := FirstLoad(b.Context(), b, zone, records)
		in.Spec, in.Range = "spec", socrata.Range{After: last, UpTo: records[len(records)-1].Key}
		last = in.Range.UpTo
		inputs = append(inputs, in)
	}
	return inputs
}

// UpsertAll writes ranges, some at once, as the activities do.
func UpsertAll(b *testing.B, m *mirror.Mirror, zone landing.Zone, inputs []mirror.UpsertInput, atOnce int) mirror.UpsertResult {
	b.Helper()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total mirror.UpsertResult
	)
	slots := make(chan struct{}, atOnce)
	for _, in := range inputs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			got, err := m.Upsert(b.Context(), zone, in)
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

// SanFrancisco cleans rows of San Francisco's register.
func SanFrancisco(t testing.TB) *cleaning.Cleaner {
	t.Helper()
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	c, err := cleaning.New(spec)
	require.NoError(t, err)
	return c
}

// Cleaned is the record of a row that the cleaner finds clean.
func Cleaned(t require.TestingT, c *cleaning.Cleaner, row map[string]any) landing.Record {
	raw, err := json.Marshal(row)
	require.NoError(t, err)
	cleaned, err := c.Clean(raw)
	require.NoError(t, err)
	require.Empty(t, cleaned.Quarantine)
	return landing.Record{Key: cleaned.Key, Hash: cleaned.Hash, Document: slices.Clone(cleaned.Document)}
}

// LoadSanFrancisco loads a register as San Francisco's is: n generated rows,
// cleaned by its spec, with the indexes on top. It returns the keys.
func LoadSanFrancisco(b *testing.B, db *mongodb.Database, n int) []string {
	b.Helper()
	portal, err := portalsim.New(portalsim.Options{Table: register.Generate(n, 7)})
	require.NoError(b, err)
	c, zone := SanFrancisco(b), landingtest.Directory(b)
	var (
		keys    []string
		records []landing.Record
		inputs  []mirror.UpsertInput
		after   string
	)
	land := func() {
		slices.SortFunc(records, func(x, y landing.Record) int { return strings.Compare(x.Key, y.Key) })
		records = slices.CompactFunc(records, func(x, y landing.Record) bool { return x.Key == y.Key })
		in := FirstLoad(b.Context(), b, zone, records)
		in.Spec, in.Range = "spec", socrata.Range{After: after, UpTo: records[len(records)-1].Key}
		after = in.Range.UpTo
		inputs, records = append(inputs, in), nil
	}
	for row := range portal.SourceRows() {
		raw, err := json.Marshal(row)
		require.NoError(b, err)
		cleaned, err := c.Clean(raw)
		require.NoError(b, err)
		if len(cleaned.Quarantine) > 0 || cleaned.Key <= after {
			continue
		}
		records = append(records, landing.Record{Key: cleaned.Key, Hash: cleaned.Hash, Document: slices.Clone(cleaned.Document)})
		keys = append(keys, cleaned.Key)
		if len(records) == rangeRows {
			land()
		}
	}
	if len(records) > 0 {
		land()
	}
	m := mirror.New(db)
	UpsertAll(b, m, zone, inputs, 2)
	_, err = m.EnsureIndexes(b.Context())
	require.NoError(b, err)
	return keys
}
