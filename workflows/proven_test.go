package workflows_test

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/backfill"
	"padron/internal/certificate"
	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/internal/statistics"
	"padron/workflows"
)

// proving is a mirror whose proof is settled: the portal's version is days old.
type proving struct {
	*fast
	t *testing.T
}

func newProving(t *testing.T, changes ...string) *proving {
	t.Helper()
	t.Parallel()
	p := &proving{fast: newFast(t, landing.Config{}, changes...), t: t}
	p.begin(t.Context(), t, portalsim.Options{Table: register.Generate(60, 7), Updated: time.Now().Add(-48 * time.Hour)})
	return p
}

// mirrored makes a run that must end so.
func (p *proving) mirrored(in workflows.MirrorInput, outcome string) workflows.MirrorResult {
	p.t.Helper()
	result, err := p.run(in)
	require.NoError(p.t, err)
	require.Equal(p.t, outcome, result.Outcome, result.Why)
	return result
}

// edit publishes a version that is settled.
func (p *proving) edit(ops ...portalsim.Op) {
	p.t.Helper()
	require.NoError(p.t, p.portal.EditAt(time.Now().Add(-24*time.Hour), ops...))
}

// years backfills 1998 to 2028, 30 windows.
func (p *proving) years(reload backfill.Reload) workflows.BackfillResult {
	p.t.Helper()
	result, err := p.backfill(workflows.BackfillInput{
		On: backfill.OnLifecycle, Since: "1998-01-01", Until: "2028-01-01", Every: backfill.EveryYear, MaxActive: 3, Reload: reload,
	})
	require.NoError(p.t, err)
	return result
}

// stored counts the windows by status.
func (p *proving) stored() map[runs.Status]int {
	p.t.Helper()
	windows, err := p.mirror.Runs.Windows(p.t.Context(), backfill.OnLifecycle, "1998-01-01", "2028-01-01")
	require.NoError(p.t, err)
	by := map[runs.Status]int{}
	for _, w := range windows {
		by[w.Status]++
	}
	return by
}

func (p *proving) requireProven(result workflows.BackfillResult) {
	p.t.Helper()
	require.Equal(p.t, "green", result.Outcome, result.Why)
	require.Equal(p.t, 30, result.Backfill.Proven)
	require.Zero(p.t, result.Backfill.Done+result.Backfill.Failed)
	require.Equal(p.t, 1, result.Backfill.Runs, "that of the snapshots: no page is asked for")
	require.Contains(p.t, result.Why, "30 windows are proven and were not reloaded: nothing new: the portal is at the version")
}

func (p *proving) requireReloaded(result workflows.BackfillResult, outcome string) {
	p.t.Helper()
	if outcome != "" {
		require.Equal(p.t, outcome, result.Outcome, result.Why)
	}
	require.Zero(p.t, result.Backfill.Proven)
	require.Equal(p.t, 30, result.Backfill.Done)
}

// TestProvenWindowsAreNotReloaded: a mirror that is proven to equal the portal
// proves all windows, and the snapshots follow; unless reloading is forced.
func TestProvenWindowsAreNotReloaded(t *testing.T) {
	p := newProving(t)
	green := p.mirrored(workflows.MirrorInput{}, "green")
	before := p.dump(t.Context(), t, mongodb.Businesses)

	result := p.years(backfill.ReloadNeeded)
	p.requireProven(result)
	require.Equal(t, map[runs.Status]int{runs.StatusProven: 30}, p.stored())
	require.Contains(t, p.ended, "**GREEN**: 30 windows are proven")
	record, err := p.mirror.Runs.Run(t.Context(), result.Run)
	require.NoError(t, err)
	require.Equal(t, result.Backfill, record.Backfill)
	windows, err := p.mirror.Runs.Windows(t.Context(), backfill.OnLifecycle, "1998-01-01", "2028-01-01")
	require.NoError(t, err)
	crawl, err := p.mirror.Runs.Run(t.Context(), green.Run)
	require.NoError(t, err)
	for _, w := range windows {
		require.Equal(t, green.Run, w.Proof)
		require.Equal(t, crawl.Version.Served.UTC(), w.Version.Served.UTC())
		require.Equal(t, result.Run, w.Run)
	}
	snaps, err := p.mirror.Statistics.Snapshots(t.Context(), 100, statistics.Reconstructed)
	require.NoError(t, err)
	require.Len(t, snaps, result.Backfill.Snapshots)
	require.Greater(t, len(snaps), 20)

	again := p.years(backfill.ReloadNeeded)
	require.Zero(t, again.Backfill.Todo, "they count as done")
	forced := p.years(backfill.ReloadAlways)
	p.requireReloaded(forced, "green")
	require.Equal(t, map[runs.Status]int{runs.StatusDone: 30}, p.stored())
	require.Equal(t, before, p.dump(t.Context(), t, mongodb.Businesses), "and it changed nothing, as was proven")
}

// TestWindowsThatAreNotProven: each of these takes the proof away.
func TestWindowsThatAreNotProven(t *testing.T) {
	for name, c := range map[string]struct {
		before  func(p *proving)
		outcome string // empty: any
	}{
		"the portal moved": {func(p *proving) { p.edit(portalsim.Republish()) }, "behind"},
		"the portal moves after the plan": {func(p *proving) {
			var once sync.Once
			p.portal.OnRequest(func(r *http.Request) {
				if q := r.URL.Query(); q.Get("$select") == "count(*)" && q.Get("$where") == "" {
					once.Do(func() { p.edit(portalsim.Republish()) })
				}
			})
		}, "behind"},
		"the last certificate is red": {func(p *proving) {
			_, err := p.db.Collection(mongodb.Businesses).DeleteOne(p.t.Context(), bson.D{})
			require.NoError(p.t, err)
			p.mirrored(workflows.MirrorInput{Job: runs.JobVerify}, "red")
		}, ""},
		"a run proved nothing": {func(p *proving) {
			run := runs.Run{ID: "u", Started: time.Now(), Status: runs.StatusDone, Outcome: certificate.Unproven}
			_, err := runs.NewStore(p.db).BeginRun(p.t.Context(), run)
			require.NoError(p.t, err)
		}, "green"},
		"a run wrote and did not finish": {func(p *proving) {
			run := runs.Run{ID: "w", Started: time.Now(), Status: runs.StatusFailed, Writes: true}
			_, err := runs.NewStore(p.db).BeginRun(p.t.Context(), run)
			require.NoError(p.t, err)
		}, "green"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProving(t)
			p.mirrored(workflows.MirrorInput{}, "green")
			c.before(p)
			p.requireReloaded(p.years(backfill.ReloadNeeded), c.outcome)
		})
	}
}

// TestFailedWindowsBecomeProven: a window that failed is proven by a later run.
func TestFailedWindowsBecomeProven(t *testing.T) {
	p := newProving(t)
	p.mirrored(workflows.MirrorInput{}, "green")
	store := runs.NewStore(p.db)
	windows, err := backfill.Windows("1998-01-01", "2028-01-01", backfill.EveryYear)
	require.NoError(t, err)
	for i, status := range []runs.Status{runs.StatusFailed, runs.StatusDone} {
		w := runs.Window{ID: windows[i].ID(backfill.OnLifecycle), Status: status, Run: "backfill-x", Rows: 3}
		require.NoError(t, store.SetWindows(t.Context(), w))
	}
	result := p.years(backfill.ReloadNeeded)
	require.Equal(t, 29, result.Backfill.Todo)
	require.Equal(t, 29, result.Backfill.Proven)
	require.Equal(t, map[runs.Status]int{runs.StatusProven: 29, runs.StatusDone: 1}, p.stored(), "what was reloaded stays so")
}

// TestQuarantinedAndStaleRowsAreProvenToo: a mirror is green with rows that could
// not become documents, and with documents that are older than their rows.
// Forcing the windows to be reloaded shows that the proof was right.
func TestQuarantinedAndStaleRowsAreProvenToo(t *testing.T) {
	p := newProving(t)
	keys := slices.Sorted(maps.Keys(p.oracle.read(p.portal.SourceRows()).rows))
	p.edit(portalsim.SetField(keys[0], "dba_end_date", noDate))
	p.mirrored(workflows.MirrorInput{}, "green")
	require.NoError(t, p.portal.EditAt(time.Now().Add(-20*time.Hour), portalsim.SetField(keys[1], "dba_end_date", noDate),
		portalsim.Open(map[string]any{"ttxid": keys[2], "certificate_number": "1"})))
	run := p.mirrored(workflows.MirrorInput{}, "green")
	record, err := p.mirror.Runs.Run(t.Context(), run.Run)
	require.NoError(t, err)
	require.EqualValues(t, 3, record.Counts.Quarantined)
	require.Positive(t, record.Counts.Kept, "one of them is stale")
	before := p.dump(t.Context(), t, mongodb.Businesses)
	p.requireProven(p.years(backfill.ReloadNeeded))
	p.requireReloaded(p.years(backfill.ReloadAlways), "green")
	require.Equal(t, before, p.dump(t.Context(), t, mongodb.Businesses))
}

// TestAProofThatWasNotHeard: its windows are recorded, the answer is lost, and the
// portal has moved by the time of the next attempt: then they are reloaded.
func TestAProofThatWasNotHeard(t *testing.T) {
	p := newProving(t)
	p.mirrored(workflows.MirrorInput{}, "green")
	p.loss.arm(2, false) // plan_backfill is the first
	result := p.years(backfill.ReloadNeeded)
	p.loss.end()
	p.requireProven(result)
	require.Equal(t, map[runs.Status]int{runs.StatusProven: 30}, p.stored(), "each once")

	failed := runs.Window{ID: runs.WindowID(backfill.OnLifecycle, "2001-01-01", "2002-01-01"), Status: runs.StatusFailed}
	require.NoError(t, runs.NewStore(p.db).SetWindows(t.Context(), failed))
	asked := 0
	p.portal.OnRequest(func(r *http.Request) {
		if q := r.URL.Query(); q.Get("$select") == "count(*)" && q.Get("$where") == "" {
			if asked++; asked == 2 {
				p.edit(portalsim.Republish())
			}
		}
	})
	p.loss.arm(2, false)
	result = p.years(backfill.ReloadNeeded)
	p.loss.end()
	require.Equal(t, "behind", result.Outcome, result.Why)
	require.Equal(t, 1, result.Backfill.Done)
	require.Zero(t, result.Backfill.Proven)
	require.Equal(t, map[runs.Status]int{runs.StatusProven: 29, runs.StatusDone: 1}, p.stored())
}

// TestALostAnswerOfABackfill has the answer of each of its first activities lost
// in turn, and done again: each window is reloaded once, and nothing changes.
func TestALostAnswerOfABackfill(t *testing.T) {
	p := newProving(t)
	p.mirrored(workflows.MirrorInput{}, "green")
	before := p.dump(t.Context(), t, mongodb.Businesses)
	for at := 1; at <= 14; at++ {
		p.loss.arm(at, false)
		result := p.years(backfill.ReloadAlways)
		p.loss.end()
		p.requireReloaded(result, "green")
		require.Equal(t, map[runs.Status]int{runs.StatusDone: 30}, p.stored())
		require.Equal(t, before, p.dump(t.Context(), t, mongodb.Businesses))
		windows, err := p.mirror.Runs.Windows(t.Context(), backfill.OnLifecycle, "1998-01-01", "2028-01-01")
		require.NoError(t, err)
		var rows int64
		for _, w := range windows {
			rows += int64(w.Rows)
		}
		require.Equal(t, rows, result.Backfill.Rows)
	}
}
