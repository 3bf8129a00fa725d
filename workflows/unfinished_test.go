package workflows_test

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/activities"
	"padron/internal/alerts"
	"padron/internal/certificate"
	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

// Cleaning up after a run comes after its record, and fails nothing.
func TestARunEndsWhateverCleaningUpComesTo(t *testing.T) {
	root := t.TempDir()
	s := newStack(t, register.Generate(1500, 1), func(a *activities.Activities) {
		a.Landing, a.KeepCrawls = landing.Config{Dir: root}, 1
	})
	first := s.run(runs.ModeAuto)
	require.Equal(t, "green", first.Outcome, first.Why)
	zone := filepath.Join(root, s.db.Name())
	stray := filepath.Join(zone, landing.SafeName(first.Run), "notes.json")
	require.NoError(t, os.WriteFile(stray, []byte("not a page"), 0o600))
	second := s.run(runs.ModeFull)
	require.Equal(t, "green", second.Outcome, second.Why)
	require.FileExists(t, stray)

	// A landing that cannot be read at all.
	require.NoError(t, os.RemoveAll(zone))
	require.NoError(t, os.WriteFile(zone, []byte("in the way"), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	var verified workflows.MirrorResult
	require.NoError(t, s.start(workflows.MirrorInput{Job: runs.JobVerify}).Get(ctx, &verified))
	require.Equal(t, "green", verified.Outcome, verified.Why)
	record, err := s.mirror.Runs.Run(t.Context(), verified.Run)
	require.NoError(t, err)
	require.Equal(t, runs.StatusDone, record.Status)
	require.Contains(t, strings.Join(record.Warnings, "\n"), "cleaning up after the run failed")

	// Once nothing is in the way, the next run cleans up.
	require.NoError(t, os.Remove(zone))
	require.NoError(t, os.Mkdir(zone, 0o700))
	third := s.run(runs.ModeFull)
	require.Equal(t, "green", third.Outcome, third.Why)
	record, err = s.mirror.Runs.Run(t.Context(), third.Run)
	require.NoError(t, err)
	require.Empty(t, record.Warnings)
}

// A column that cleaning cannot read any more leaves old documents: few are
// named, more are not green, and many are not written at all.
func TestStaleRowsAreNotGreen(t *testing.T) {
	s := newStack(t, register.Generate(2000, 61))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	spoil := func(keys ...string) {
		var ops []portalsim.Op
		for _, key := range keys {
			ops = append(ops, portalsim.SetField(key, "dba_end_date", noDate), portalsim.Rename(key, "Renamed"))
		}
		require.NoError(t, s.portal.Edit(ops...))
	}
	keys := s.keys(2000)
	spoil(keys[:10]...)
	few := s.run(runs.ModeAuto)
	require.Equal(t, "green", few.Outcome, few.Why)
	require.Contains(t, few.Why, "10 of the documents stale")

	spoil(keys[10:11]...)
	more := s.run(runs.ModeAuto)
	require.Equal(t, "red", more.Outcome, more.Why)
	require.Contains(t, more.Why, "11 documents are stale, more than the 10 that max_stale allows")
	verified := s.job(workflows.MirrorInput{Job: runs.JobVerify})
	require.Equal(t, "red", verified.Outcome, verified.Why)

	before := s.dump(mongodb.Businesses)
	spoil(keys[11:]...)
	err := s.fails(s.start(workflows.MirrorInput{}))
	require.Equal(t, runs.GateClosed, err.Type())
	require.Contains(t, err.Error(), "2,000 of 2,000 rows are in quarantine: unreadable value in required column dba_end_date (2,000); max_quarantined allows 100")
	require.Equal(t, before, s.dump(mongodb.Businesses))
}

// A run that wrote and did not come to its end is finished by the next, even
// where version and spec are those of the last green run.
func TestAHalfWrittenMirrorIsFinished(t *testing.T) {
	t.Parallel()
	f := newFast(t, landing.Config{})
	mine, other := f.spec, specNamed(t, f.name, otherRules...)
	for _, end := range []struct {
		after string // this step the run ends
		in    workflows.MirrorInput
		skips bool // the next run does: nothing was written
	}{
		{"gate", workflows.MirrorInput{Mode: runs.ModeFull}, true},
		{"upsert_page", workflows.MirrorInput{Mode: runs.ModeFull}, false},
		{"index", workflows.MirrorInput{Mode: runs.ModeFull}, false},
		{"reconcile", workflows.MirrorInput{Mode: runs.ModeFull}, false},
		{"aggregate_snapshot", workflows.MirrorInput{Mode: runs.ModeFull}, false},
		{"", workflows.MirrorInput{Mode: runs.ModeFull}, false},
	} {
		t.Run(end.after, func(t *testing.T) {
			f.serve(mine)
			f.begin(t.Context(), t, portalsim.Options{Table: register.Generate(60, 1)})
			first, err := f.run(workflows.MirrorInput{})
			require.NoError(t, err)
			require.Equal(t, "green", first.Outcome, first.Why)

			f.serve(other)
			f.loss.endAfter(end.after)
			_, err = f.run(end.in)
			f.loss.endAfter("")
			require.Equal(t, end.after == "", err == nil, "%v", err)

			f.serve(mine)
			next, err := f.run(workflows.MirrorInput{})
			require.NoError(t, err)
			if end.skips {
				require.Equal(t, workflows.OutcomeSkipped, next.Outcome, next.Why)
			} else {
				require.Equal(t, "green", next.Outcome, next.Why)
			}
			f.oracle.require(t, f.dump(t.Context(), t, mongodb.Businesses), f.oracle.read(f.portal.SourceRows()))
			again, err := f.run(workflows.MirrorInput{})
			require.NoError(t, err)
			require.Equal(t, workflows.OutcomeSkipped, again.Outcome, again.Why)
		})
	}
}

// Portals that say less of their version are crawled once: what they say is used,
// and where nothing shows the version, the run says so.
func TestPortalsThatSayLessOfTheirVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		says  portalsim.Says
		proof certificate.VersionProof // empty: nothing shows it
		quiet int64                    // requests of a run that finds nothing new
	}{
		{portalsim.SaysAll, certificate.ByTruth, 1},
		{portalsim.SaysNoTruth, certificate.ByStatement, 1},
		{portalsim.SaysLegacy, certificate.ByMetadata, 2},
		{portalsim.SaysNothing, "", 0},
	} {
		t.Run(cmp.Or(string(c.says), "everything"), func(t *testing.T) {
			t.Parallel()
			f := newFast(t, landing.Config{})
			f.begin(t.Context(), t, portalsim.Options{Table: register.Generate(60, 1), Says: c.says, Updated: time.Now().Add(-3 * time.Hour)})
			outcome := map[bool]string{true: "green", false: "unproven"}[c.proof != ""]
			run := func(what, outcome string, crawls int) runs.Run {
				requests := f.portal.Requests()
				result, err := f.run(workflows.MirrorInput{})
				require.NoError(t, err, what)
				require.Equal(t, outcome, result.Outcome, "%s: %s", what, result.Why)
				record, err := f.mirror.Runs.Run(t.Context(), result.Run)
				require.NoError(t, err)
				require.Equal(t, crawls, record.Crawls, what)
				t.Logf("%s: %s in %d requests, %d crawls: %s", what, result.Outcome, f.portal.Requests()-requests, record.Crawls, result.Why)
				if outcome == workflows.OutcomeSkipped {
					require.Equal(t, c.quiet, f.portal.Requests()-requests, what)
				} else {
					require.Equal(t, c.proof, record.Crawl.Proof, what)
				}
				return record
			}
			first := run("first", outcome, 1)
			if c.proof != "" {
				require.Contains(t, first.Certificate.Checks[0].Detail, c.proof.String())
			} else {
				require.Contains(t, first.Reason, "does not say which version it serves")
			}
			snapshots, err := f.mirror.Statistics.Snapshots(t.Context(), 1)
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), snapshots[0].AsOf, 3*24*time.Hour)
			if c.proof != "" {
				run("quiet", workflows.OutcomeSkipped, 0)
			} else {
				run("quiet", "unproven", 1)
			}

			keys := slices.Sorted(maps.Keys(f.oracle.read(f.portal.SourceRows()).rows))
			require.NoError(t, f.portal.EditAt(time.Now().Add(-2*time.Hour), portalsim.Delete(keys[7]), portalsim.Rename(keys[8], "Renamed")))
			removed := run("after a removal", outcome, 1)
			require.EqualValues(t, map[bool]int{true: 1, false: 0}[c.proof != ""], removed.Counts.Removed)
			if c.proof == "" {
				return
			}
			f.oracle.require(t, f.dump(t.Context(), t, mongodb.Businesses), f.oracle.read(f.portal.SourceRows()))
			verified, err := f.run(workflows.MirrorInput{Job: runs.JobVerify})
			require.NoError(t, err)
			require.Equal(t, "green", verified.Outcome, verified.Why)

			// The portal moves while it is read: once, after the third page.
			var pages atomic.Int64
			f.portal.OnRequest(func(r *http.Request) {
				if r.URL.Query().Get("$order") != "" && pages.Add(1) == 3 {
					_ = f.portal.EditAt(time.Now().Add(-time.Hour/2), portalsim.Rename(keys[2], "Renamed meanwhile"))
				}
			})
			require.NoError(t, f.portal.EditAt(time.Now().Add(-time.Hour), portalsim.Rename(keys[3], "Renamed too")))
			run("moved meanwhile", outcome, 2)
			f.portal.OnRequest(nil)
			f.oracle.require(t, f.dump(t.Context(), t, mongodb.Businesses), f.oracle.read(f.portal.SourceRows()))

			// A copy that lags throughout.
			f.portal.Lag(true)
			require.NoError(t, f.portal.Edit(portalsim.Rename(keys[4], "Renamed again"), portalsim.Delete(keys[5])))
			lagging, err := f.run(workflows.MirrorInput{})
			require.NoError(t, err)
			require.Equal(t, "unproven", lagging.Outcome, lagging.Why)
			f.portal.CatchUp()
			verified, err = f.run(workflows.MirrorInput{Job: runs.JobVerify})
			require.NoError(t, err)
			require.Equal(t, "behind", verified.Outcome, verified.Why)
		})
	}
}

// A portal that answers and publishes nothing leaves the mirror green: that it
// stands still is told of its own, by runs and by the look at the freshness.
func TestAPortalThatStandsStillIsTold(t *testing.T) {
	t.Parallel()
	f := newFast(t, landing.Config{})
	begin := func(age time.Duration) {
		f.begin(t.Context(), t, portalsim.Options{Table: register.Generate(60, 1), Updated: time.Now().Add(-age)})
	}
	run := func() {
		result, err := f.run(workflows.MirrorInput{})
		require.NoError(t, err)
		require.Contains(t, []string{"green", workflows.OutcomeSkipped}, result.Outcome, result.Why)
	}
	told := func() *alerts.Alert {
		known, err := f.mirror.Alerts.All(t.Context())
		require.NoError(t, err)
		for _, a := range known {
			if a.ID == alerts.ConditionStandstill {
				return &a
			}
			require.False(t, a.Open, "%s: %s", a.ID, a.Reason)
		}
		return nil
	}
	begin(6 * 24 * time.Hour)
	run()
	require.Nil(t, told(), "the spec gives it a week")

	begin(20 * 24 * time.Hour)
	run()
	require.True(t, told().Open)
	require.Contains(t, told().Reason, "20 days ago; that may be 7 days")
	run()
	require.Equal(t, 2, told().Times, "the run that skipped found it too")
	require.NoError(t, f.execute(workflows.FreshnessID(f.name, "a-look"), workflows.Freshness,
		workflows.FreshnessInput{Dataset: f.name, Limit: 26 * time.Hour}, nil))
	require.Equal(t, 3, told().Times)

	require.NoError(t, f.portal.Edit(portalsim.Republish()))
	run()
	require.False(t, told().Open)
}
