package main_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/portalsim/register"
	"padron/internal/statistics"
)

// large is from how many rows on a load has several ranges at the default page
// size. Loads of that size are made one after the other and timed.
const large = 200_000

func TestAKilledWorkerIsSurvived(t *testing.T) {
	t.Parallel()
	table := register.Generate(*rows, 20)
	whole := newStack(t, table)
	whole.pages()
	whole.worker()
	whole.report(whole.load(), "uninterrupted")

	for _, step := range []string{"fetch_page", "clean_page", "upsert_page"} {
		t.Run(step, func(t *testing.T) {
			if *rows < large {
				t.Parallel()
			}
			s := newStack(t, table)
			s.pages()
			worker := s.worker()
			run := s.start(t, "starter", nil, "run", "--wait", "-o", "json")
			s.killWithin(worker, step)
			killed := time.Now()

			s.worker() // and nothing else
			r := run.result()
			require.Zero(t, r.code, r.errors)
			var sum summary
			require.NoError(t, json.Unmarshal([]byte(r.out), &sum), r.out)
			require.Equal(t, "green", sum.Outcome, sum.Why)
			s.report(sum, "killed in "+step+", ended "+time.Since(killed).Round(time.Second).String()+" later")
			requireSameMirror(t, whole, s)
		})
	}
}

// pages makes the load one of several ranges.
func (s *stack) pages() {
	if *rows < large {
		s.env["PADRON_PAGE_SIZE"] = strconv.Itoa(*rows / 20)
	}
}

func (s *stack) report(sum summary, what string) {
	stats := sum.Record.Stats
	s.t.Logf("%s rows, %s: %s, %s rows/s, worker's peak memory %s, %d history events", humanize.Comma(sum.Record.Counts.Documents), what,
		time.Duration(stats.TookMS)*time.Millisecond, humanize.Comma(int64(stats.RowsPerSecond)), humanize.IBytes(uint64(stats.PeakMemoryBytes)), sum.HistoryEvents)
	for _, step := range sum.Record.Steps {
		s.t.Logf("  %s: %s", step.Name, time.Duration(step.TookMS)*time.Millisecond)
	}
}

// killWithin kills a worker while it is at an activity of this name and the
// step is neither at its beginning nor done.
func (s *stack) killWithin(worker *process, activity string) {
	s.t.Helper()
	s.haltWithin(worker, activity)
	require.NoError(s.t, worker.signal(syscall.SIGKILL))
	<-worker.done
}

// haltWithin halts a worker while it is at an activity of this name and the step
// is neither at its beginning nor done: what is seen is still so when something
// is done to it. It returns since when.
func (s *stack) haltWithin(worker *process, activity string) (halted time.Time) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		halted = time.Now()
		if !s.pending(activity) || worker.signal(syscall.SIGSTOP) != nil {
			return false
		}
		if s.pending(activity) && s.midway(activity) {
			return true
		}
		_ = worker.signal(syscall.SIGCONT) // the next look finds out
		return false
	}, runTakes, 3*time.Millisecond, "%s was never found half done", activity)
	return halted
}

// proceed lets a halted worker go on.
func (s *stack) proceed(worker *process) {
	s.t.Helper()
	require.NoError(s.t, worker.signal(syscall.SIGCONT))
}

// midway says whether a step has done some of its rows and not all.
func (s *stack) midway(activity string) bool {
	var done int64
	if activity == "upsert_page" {
		done = s.documents() // what counts is what is in the mirror
	} else if run, ok := s.newest(); ok {
		done = run.Progress.Rows(map[string]string{"fetch_page": "fetch", "clean_page": "clean"}[activity])
	}
	return done > 0 && done < int64(*rows)
}

// requireSameMirror compares two mirrors document by document, byte for byte.
// Of the lineage, run and times are each load's own, and so is the spec, since
// the datasets' names differ.
func requireSameMirror(t *testing.T, want, got *stack) {
	t.Helper()
	wanted, found := want.all(t), got.all(t)
	digest := got.openSpec().Digest()
	n := 0
	for ; wanted.Next(t.Context()); n++ {
		require.True(t, found.Next(t.Context()), "only %d documents", n)
		require.Equal(t, wanted.Current.Lookup("_id"), found.Current.Lookup("_id"))
		key := found.Current.Lookup("_id").StringValue()
		if !bytes.Equal(content(t, wanted.Current), content(t, found.Current)) {
			require.Equal(t, wanted.Current.String(), found.Current.String(), key)
		}
		require.Equal(t, digest, found.Current.Lookup("lineage", "spec").StringValue(), key)
	}
	require.False(t, found.Next(t.Context()), "more than %d documents", n)
	require.NoError(t, wanted.Err())
	require.NoError(t, found.Err())
	require.Equal(t, *rows, n)

	for _, s := range []*stack{want, got} {
		runs, err := s.reader().Runs.Runs(t.Context(), 10, time.Time{})
		require.NoError(t, err)
		require.Len(t, runs, 1, "one run, however many workers")
		zone, err := landing.Open(landing.Config{}, s.db())
		require.NoError(t, err)
		pages, err := zone.List(t.Context(), "")
		require.NoError(t, err)
		for _, p := range pages {
			require.Equal(t, landing.KindRaw, p.Kind, "cleaned pages are gone")
		}
	}
	require.Equal(t, want.snapshot().Totals, got.snapshot().Totals)
}

func (s *stack) all(t *testing.T) *mongo.Cursor {
	t.Helper()
	cursor, err := s.mongo.Database(s.database()).Collection(mongodb.Businesses).
		Find(t.Context(), bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	require.NoError(t, err)
	t.Cleanup(func() { _ = cursor.Close(t.Context()) }) // read to its end
	return cursor
}

// content is a document's bytes with, of its lineage, only what the source
// decides.
func content(t *testing.T, d bson.Raw) []byte {
	t.Helper()
	elements, err := d.Elements()
	require.NoError(t, err)
	var all []byte
	for _, e := range elements {
		if e.Key() != "lineage" {
			all = append(all, e...)
		}
	}
	for _, field := range []string{"hash", "version"} {
		all = append(all, d.Lookup("lineage", field).Value...)
	}
	return all
}

func (s *stack) snapshot() statistics.Snapshot {
	s.t.Helper()
	all, err := s.reader().Statistics.Snapshots(s.t.Context(), 10)
	require.NoError(s.t, err)
	require.Len(s.t, all, 1)
	return all[0]
}
