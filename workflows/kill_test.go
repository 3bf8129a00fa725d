package workflows_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/changes"
	"padron/internal/landing"
	"padron/internal/lineage"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/quarantine"
	"padron/internal/runs"
	"padron/internal/testenv"
	"padron/workflows"
)

// TestKilledAtEveryWrite makes a run that has everything to do, once for each
// write of it (by default the first ones of each kind) and each way to cut it, and compares what is there in the
// end with what a run leaves that was not disturbed: no event lost or doubled,
// every version, count and snapshot the same.
func TestKilledAtEveryWrite(t *testing.T) {
	var mu sync.Mutex
	hit := map[string]int{}
	together(t, killShifts, func(t *testing.T, shift int) {
		k := newKilling(t)
		for i, c := range k.cuts() {
			if i%killShifts != shift {
				continue
			}
			done := k.again(t, c)
			require.Len(t, done, 1, "%s of %q number %d", c.how, c.command, c.at)
			mu.Lock()
			hit[done[0]]++
			mu.Unlock()
		}
	})
	for _, write := range []string{
		"insert businesses", "update businesses", "delete businesses", "update changes", "update removed", "delete removed",
		"update quarantine", "insert snapshots", "update snapshots", "insert runs", "update runs", "insert landing.chunks", "insert landing.files",
	} {
		require.NotZero(t, hit[write], "no write was cut of the kind %q, but %v", write, hit)
	}
	t.Log("cut:", hit)
}

// TestKilledAtRandom cuts several writes of one run.
func TestKilledAtRandom(t *testing.T) {
	together(t, killShifts, func(t *testing.T, shift int) {
		k := newKilling(t)
		random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(shift)))
		for range testenv.Times(2, 5) {
			var cuts []cut
			for range 2 + random.IntN(3) {
				cuts = append(cuts, cut{at: 1 + random.IntN(len(k.writes)/2), how: how(random.IntN(int(unheard) + 1))})
			}
			k.again(t, cuts...)
		}
	})
}

// killShifts is how many databases the killed runs are shared out to.
const killShifts = 4

// killing is a run that has everything to do, and what it must lead to.
type killing struct {
	*fast
	ctx    context.Context
	before map[string][]bson.Raw // all collections
	want   outcome
	writes []string // of the undisturbed run
}

func newKilling(t *testing.T) *killing {
	k := &killing{fast: newFast(t, landing.Config{}, modelSpec...), ctx: t.Context()}
	k.stage(t, 1)
	require.Equal(t, "green", k.must(t, workflows.MirrorInput{}).Outcome)
	k.stage(t, 2)
	require.Equal(t, "green", k.must(t, workflows.MirrorInput{}).Outcome)
	k.before = k.save(k.ctx, t)

	k.stage(t, 3)
	result := k.must(t, workflows.MirrorInput{})
	require.Equal(t, "green", result.Outcome, result.Why)
	k.writes, _ = k.wire.seen()
	k.want = k.outcome(t, result)
	return k
}

func (k *killing) must(t *testing.T, in workflows.MirrorInput) workflows.MirrorResult {
	t.Helper()
	k.wire.arm()
	result, err := k.run(in)
	require.NoError(t, err)
	return result
}

// stage serves the register as it is for the first load, for a second run that
// makes rows stale and removes some, and for the run that is killed.
func (k *killing) stage(t *testing.T, stage int) {
	updated := time.Now().Add(-96 * time.Hour).Truncate(24 * time.Hour)
	o := portalsim.Options{Table: register.Generate(26, 77), Updated: updated, HideComputed: true, NoMetadataContents: true}
	if stage == 1 {
		k.begin(k.ctx, t, o)
	}
	portal, err := portalsim.New(o)
	require.NoError(t, err)
	k.portal = portal
	k.served.Store(portal)
	keys := slices.Sorted(maps.Keys(k.oracle.read(portal.SourceRows()).rows))
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	if stage >= 2 {
		former := portal.Row(keys[3])
		require.NoError(t, portal.EditAt(updated.Add(time.Hour),
			portalsim.Delete(keys[3]), portalsim.Delete(keys[20]), portalsim.SetField(keys[5], "supervisor_district", "unreadable"),
			portalsim.Rename(keys[6], "Second Name")))
		if stage >= 3 {
			maps.DeleteFunc(former, func(column string, _ any) bool { return strings.HasPrefix(column, "data_") })
			require.NoError(t, portal.EditAt(updated.Add(30*time.Hour),
				portalsim.Open(former), // returns
				portalsim.Open(row{"ttxid": "0000001-01-001", "dba_name": "First"}),                // is new, in the first range
				portalsim.Open(row{"ttxid": "9999999-01-001", "dba_name": "Last"}),                 // and in the last
				portalsim.Open(row{"dba_name": "No Key"}),                                          // goes to quarantine
				portalsim.Open(row{"ttxid": keys[8], "dba_name": "Twin"}),                          // too
				portalsim.SetField(keys[9], "supervisor_district", "unreadable"),                   // too, and its document is stale
				portalsim.SetField(keys[5], "supervisor_district", "3"),                            // is no longer
				portalsim.Rename(keys[6], "Third Name"), portalsim.Rename(keys[22], "Second Name"), // change
				portalsim.Close(keys[10], day), portalsim.SetField(keys[11], "uniqueid", "untracked"),
				portalsim.Delete(keys[12]), portalsim.Delete(keys[23]), // are removed
			))
		}
	}
}

// cuts are two of each of the undisturbed run's writes, before and after the
// server has done it. The first write of each kind loses its connections; the
// others get an error instead, which takes no time to recover from.
func (k *killing) cuts() []cut {
	var cuts []cut
	nth := map[string]int{}
	most := testenv.Times(2, len(k.writes)) // of a kind
	for _, write := range k.writes {
		nth[write]++
		if nth[write] > most {
			continue
		}
		ways := []how{failed, unheard}
		if nth[write] == 1 {
			ways = []how{unsent, undone}
		}
		for _, how := range ways {
			cuts = append(cuts, cut{command: write, at: nth[write], how: how})
		}
	}
	// Writes do not come in the same order in each database, and all shifts must
	// share out the same list.
	slices.SortStableFunc(cuts, func(a, b cut) int { return cmp.Compare(a.command, b.command) })
	return cuts
}

// again makes the run anew with cuts and returns which writes they hit.
func (k *killing) again(t *testing.T, cuts ...cut) []string {
	t.Helper()
	k.restore(k.ctx, t, k.before)
	k.stage(t, 3)
	k.wire.arm(cuts...)
	result, err := k.run(workflows.MirrorInput{})
	_, hit := k.wire.seen()
	k.wire.arm()
	told := fmt.Sprintf("cut: %v", cuts)
	require.NoError(t, err, told)
	require.Equal(t, "green", result.Outcome, "%s: %s", told, result.Why)
	require.Equal(t, k.want, k.outcome(t, result), told)
	return hit
}

// outcome is what a run leaves, without its name, its times, and the pages that
// its events are listed by.
type outcome struct {
	Rows, Removed, Events, Quarantine, Snapshots []string
	Counts                                       runs.Counts
	Record                                       string
}

func (k *killing) outcome(t *testing.T, result workflows.MirrorResult) outcome {
	t.Helper()
	var o outcome
	k.oracle.require(t, k.dump(k.ctx, t, mongodb.Businesses), k.oracle.read(k.portal.SourceRows()))
	versions := map[string]int32{}
	for _, place := range []struct {
		collection string
		rows       *[]string
	}{{mongodb.Businesses, &o.Rows}, {mongodb.Removed, &o.Removed}} {
		for _, d := range k.dump(k.ctx, t, place.collection) {
			canonical, err := lineage.Canonical(nil, d)
			require.NoError(t, err)
			versions[d.Lookup("_id").StringValue()] = version(d)
			*place.rows = append(*place.rows, fmt.Sprintf("%s version %d stale %t", bson.Raw(canonical), version(d), stale(d)))
		}
	}
	for _, d := range k.dump(k.ctx, t, mongodb.Changes) {
		var e changes.Event
		require.NoError(t, bson.Unmarshal(d, &e))
		require.LessOrEqual(t, e.Version, versions[e.Key], "an event above its row is left of %s", e.Key)
		o.Events = append(o.Events, fmt.Sprintf("%s %d %v %s %s", e.Key, e.Version, e.Kinds, e.Cause, d.Lookup("fields")))
	}
	listed := 0
	require.NoError(t, k.mirror.EachChange(k.ctx, time.Time{}, func(events []changes.Event) error {
		listed += len(events)
		return nil
	}))
	require.Len(t, o.Events, listed, "every event is listed once")

	held, err := k.mirror.Quarantine.List(k.ctx, result.Run, "", 1000)
	require.NoError(t, err)
	slices.SortFunc(held, func(a, b quarantine.Row) int { return cmp.Compare(a.Key+a.Raw, b.Key+b.Raw) })
	for _, q := range held {
		o.Quarantine = append(o.Quarantine, fmt.Sprintf("%s %s %s", q.Key, q.Reason, q.Raw))
	}
	snapshots, err := k.mirror.Statistics.Snapshots(k.ctx, 100)
	require.NoError(t, err)
	for _, s := range snapshots {
		o.Snapshots = append(o.Snapshots, fmt.Sprintf("%s %+v", s.ID, s.Totals))
	}
	run, err := k.mirror.Runs.Run(k.ctx, result.Run)
	require.NoError(t, err)
	o.Counts = run.Counts
	// Cleaning up comes after the end: what fails of it is left to the next run.
	warnings := slices.DeleteFunc(run.Warnings, func(w string) bool { return strings.HasPrefix(w, "cleaning up after the run failed") })
	o.Record = fmt.Sprint(run.Status, run.Outcome, run.Crawl.Digest, run.Crawl.Rows, run.Snapshot, run.FirstLoad, warnings)
	for _, check := range run.Certificate.Checks {
		o.Record += fmt.Sprint("; ", check.Name, check.OK, check.Detail)
	}
	require.Equal(t, runs.ModeAuto, string(run.Mode))
	return o
}
