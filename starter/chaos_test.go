package main_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"padron/internal/certificate"
	"padron/internal/changes"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/internal/statistics"
	"padron/internal/testenv"
)

// kills is how often the servers are killed in the middle of a backfill.
var kills = flag.Int("kills", testenv.Times(1, 3), "how often a backfill's worker and Temporal server are killed")

// TestAKilledTemporalIsSurvived kills the Temporal server in the middle of a
// run, with the worker and without it, and starts it again on what it left.
func TestAKilledTemporalIsSurvived(t *testing.T) {
	t.Parallel()
	table := register.Generate(*rows, 20)
	whole := newStack(t, table)
	whole.pages()
	whole.worker()
	whole.load()
	for name, c := range map[string]struct {
		step       string
		workerDies bool
	}{
		"server and worker": {"upsert_page", true},
		"server alone":      {"clean_page", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newTemporalServer(t)
			s := newStackAt(t, table, server.address)
			s.pages()
			worker := s.worker()
			s.ok("run")
			s.haltWithin(worker, c.step)
			server.Kill()
			killed := time.Now()
			if c.workerDies {
				require.NoError(t, worker.cmd.Process.Kill())
				<-worker.done
			} else {
				s.proceed(worker)
			}
			time.Sleep(2 * time.Second) // for those that are left to notice

			server.Start()
			if c.workerDies {
				s.worker()
			}
			run := s.ended()
			require.Equal(t, certificate.Green, run.Certificate.Outcome)
			t.Logf("ended %s after the server was killed", time.Since(killed).Round(time.Second))
			requireSameMirror(t, whole, s)
			require.Contains(t, s.ok("verify", "--deep"), "green: ")
		})
	}
}

// TestABackfillSurvivesEveryKill kills the worker and the Temporal server at
// random moments of a backfill, while rows are edited on the portal and
// scheduled runs come in between, and starts both again. In the end the mirror
// is what a fresh load of the same portal is, with an event for every version.
func TestABackfillSurvivesEveryKill(t *testing.T) {
	t.Parallel()
	server := newTemporalServer(t)
	s := newStackAt(t, register.Generate(3000, 77), server.address)
	worker := s.worker()
	s.load()
	s.ok("schedule", "apply")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // chance, not secrecy
	keys := s.someKeys(300)
	since, windows := "2018-01-01", 104
	if testenv.Long() {
		since, windows = "1990-01-01", 440
	}
	started := s.ok("backfill", "--since", since, "--until", "2026-09-01", "--max-active", "4", "--reload", "always", "--wait=false")
	id := regexp.MustCompile(`backfill-\S+Z`).FindString(started)

	scheduled := 0
	for i := range *kills {
		time.Sleep(time.Duration(500+random.IntN(4000)) * time.Millisecond)
		require.NoError(t, s.portal.Edit(portalsim.Rename(keys[random.IntN(len(keys))], "Renamed Before Kill"), portalsim.Close(keys[random.IntN(len(keys))], time.Date(2020, 1, 1+random.IntN(20), 0, 0, 0, 0, time.UTC))))
		if i%2 == 0 && s.starter("schedule", "trigger").code == 0 {
			scheduled++
			time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		}
		// Either may be the first to go.
		ends := []func(){server.Kill, func() {
			require.NoError(t, worker.cmd.Process.Kill())
			<-worker.done
		}}
		random.Shuffle(len(ends), func(i, j int) { ends[i], ends[j] = ends[j], ends[i] })
		ends[0]()
		time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		ends[1]()
		server.Start()
		worker = s.worker()
	}
	var run runs.Run
	require.Eventually(t, func() bool {
		var err error
		run, err = s.reader().Runs.Run(t.Context(), id)
		require.NoError(t, err)
		return run.Status != runs.StatusRunning
	}, runTakes, 200*time.Millisecond, "the backfill never ended")
	require.Equal(t, runs.StatusDone, run.Status, run.Reason)
	require.Equal(t, windows, run.Backfill.Done+run.Backfill.Failed)
	require.Zero(t, run.Backfill.Failed, run.Reason)
	require.Equal(t, run.Backfill.Windows, run.Backfill.Snapshots)
	t.Logf("%d kills, %d scheduled runs, %d runs of the backfill, %s", *kills, scheduled, run.Backfill.Runs, run.Finished.Sub(run.Started).Round(time.Second))

	s.ok("run", "--wait")
	require.Contains(t, s.ok("verify", "--deep"), "green: ")
	fresh := s.freshMirror(t)
	require.Equal(t, fresh, bare(t, s.mongo.Database(s.database()).Collection(mongodb.Businesses)))
	s.requireVersions(t)
	s.requireOneSnapshotOfARun(t)
}

// freshMirror loads the portal as it is now into another database.
func (s *stack) freshMirror(t *testing.T) map[string]string {
	t.Helper()
	other := *s
	other.env = maps.Clone(s.env)
	other.env["MONGODB_DATABASE"], other.env["PADRON_TASK_QUEUE"] = "padronfresh", s.name+"fresh"
	t.Cleanup(func() {
		require.NoError(t, s.mongo.Database("padronfresh_"+s.name).Drop(context.WithoutCancel(t.Context())))
	})
	other.worker()
	other.ok("run", "--wait")
	return bare(t, s.mongo.Database("padronfresh_"+s.name).Collection(mongodb.Businesses))
}

// bare are documents by key, without their lineage save the hash.
func bare(t *testing.T, of *mongo.Collection) map[string]string {
	t.Helper()
	cursor, err := of.Find(t.Context(), bson.D{})
	require.NoError(t, err)
	all := map[string]string{}
	for cursor.Next(t.Context()) {
		d := cursor.Current
		elements, err := d.Elements()
		require.NoError(t, err)
		elements = slices.DeleteFunc(elements, func(e bson.RawElement) bool { return e.Key() == "lineage" })
		all[d.Lookup("_id").StringValue()] = fmt.Sprint(elements, d.Lookup("lineage", "hash"))
	}
	require.NoError(t, cursor.Err())
	return all
}

// requireVersions holds each row's events to its version: one for each version
// from the second to the one of its document, none doubled and none missing.
func (s *stack) requireVersions(t *testing.T) {
	t.Helper()
	versions := map[string][]int32{}
	cursor, err := s.mongo.Database(s.database()).Collection(mongodb.Changes).Find(t.Context(), bson.D{})
	require.NoError(t, err)
	var events []changes.Event
	require.NoError(t, cursor.All(t.Context(), &events))
	for _, e := range events {
		versions[e.Key] = append(versions[e.Key], e.Version)
	}
	require.NotEmpty(t, versions)
	all := s.all(t)
	for all.Next(t.Context()) {
		key := all.Current.Lookup("_id").StringValue()
		var want []int32
		for v := int32(2); v <= all.Current.Lookup("lineage", "version").Int32(); v++ {
			want = append(want, v)
		}
		slices.Sort(versions[key])
		require.Equal(t, want, versions[key], key)
	}
	require.NoError(t, all.Err())
}

// requireOneSnapshotOfARun: the attempts of a step that were killed, and made
// again, leave one.
func (s *stack) requireOneSnapshotOfARun(t *testing.T) {
	t.Helper()
	snaps, err := s.reader().Statistics.Snapshots(t.Context(), 1000, statistics.Observed)
	require.NoError(t, err)
	of := map[string]int{}
	for _, snap := range snaps {
		of[snap.Run]++
	}
	for run, n := range of {
		require.Equal(t, 1, n, run)
	}
}
