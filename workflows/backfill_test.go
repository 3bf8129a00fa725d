package workflows_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/backfill"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/internal/statistics"
	"padron/internal/testenv"
	"padron/workflows"
)

// backfill starts a backfill; what is not said is a year at a time, from 1990
// until 2026, and always reloaded.
func (s *stack) backfill(in workflows.BackfillInput) client.WorkflowRun {
	s.t.Helper()
	in.Dataset = s.spec.Name
	defaults := workflows.BackfillInput{On: backfill.OnLifecycle, Since: "1990-01-01", Until: "2026-01-01", Every: backfill.EveryYear, MaxActive: 4, Reload: backfill.ReloadAlways}
	if in.On == "" {
		in.On = defaults.On
	}
	if in.Since == "" {
		in.Since, in.Until = defaults.Since, defaults.Until
	}
	if in.Every == "" {
		in.Every = defaults.Every
	}
	if in.MaxActive == 0 {
		in.MaxActive = defaults.MaxActive
	}
	if in.Reload == "" {
		in.Reload = defaults.Reload
	}
	run, err := s.temporal.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID:        workflows.BackfillID(s.spec.Name, "backfill-"+time.Now().UTC().Format("2006-01-02T15:04:05.000Z")),
		TaskQueue: s.queue,
	}, workflows.Backfill, in)
	require.NoError(s.t, err)
	return run
}

func (s *stack) backfilled(run client.WorkflowRun) workflows.BackfillResult {
	s.t.Helper()
	var result workflows.BackfillResult
	require.NoError(s.t, run.Get(s.t.Context(), &result))
	return result
}

// smallPages makes a few hundred rows windows of a page or so each, so that few of
// them share one.
func smallPages(a *activities.Activities) { a.PageSize = 20 }

// within says whether a source row starts or ends within a span: the first of
// the ends that it has is its end.
func within(r row, since, until backfill.Day) bool {
	end := r["location_end_date"]
	if end == nil {
		end = r["dba_end_date"]
	}
	for _, v := range []any{r["location_start_date"], end} {
		if text, ok := v.(string); ok && text[:len(time.DateOnly)] >= string(since) && text[:len(time.DateOnly)] < string(until) {
			return true
		}
	}
	return false
}

// rowsOf counts the source rows of a window.
func (s *stack) rowsOf(w backfill.Window) (rows int) {
	for r := range s.portal.SourceRows() {
		if within(r, w.Since, w.Until) {
			rows++
		}
	}
	return rows
}

// past counts the source rows as they were at the beginning of a day: those that
// had started, closed where they had ended.
func (s *stack) past(day time.Time) (totals statistics.Totals, undated statistics.Undated) {
	before := func(v any) bool {
		text, ok := v.(string)
		return ok && text[:len(time.DateOnly)] < day.Format(time.DateOnly)
	}
	for row := range s.portal.SourceRows() {
		end := row["location_end_date"]
		if end == nil {
			end = row["dba_end_date"]
		}
		administrative := row["administratively_closed"] != nil
		switch {
		case row["location_start_date"] == nil:
			undated.NoStart++
		case !before(row["location_start_date"]):
		case administrative && end == nil:
			undated.ClosedWithoutDate++
		case before(end):
			totals.Rows++
			totals.Closed++
			if administrative {
				totals.AdministrativelyClosed++
			}
		default:
			totals.Rows++
			totals.Open++
		}
	}
	return totals, undated
}

func TestBackfillReloadsEveryWindow(t *testing.T) {
	s := newStack(t, register.Generate(3000, 31))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	before, landed := s.dump(mongodb.Businesses), len(s.dump("landing.files"))
	s.writes.since()

	result := s.backfilled(s.backfill(workflows.BackfillInput{}))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 36, result.Backfill.Windows)
	require.Equal(t, 36, result.Backfill.Done)
	require.Equal(t, before, s.dump(mongodb.Businesses), "an unchanged portal changes nothing")
	require.Zero(t, s.writes.since()[mongodb.Businesses])
	windows, err := backfill.Windows("1990-01-01", "2026-01-01", backfill.EveryYear)
	require.NoError(t, err)
	stored, err := s.mirror.Runs.Windows(t.Context(), backfill.OnLifecycle, "1990-01-01", "2026-01-01")
	require.NoError(t, err)
	require.Len(t, stored, len(windows))
	total := 0
	for _, w := range windows {
		done := stored[runs.WindowID(backfill.OnLifecycle, string(w.Since), string(w.Until))]
		require.Equal(t, runs.StatusDone, done.Status)
		require.Equal(t, s.rowsOf(w), done.Rows, w.String())
		total += done.Rows
	}
	require.EqualValues(t, total, result.Backfill.Rows)
	require.Greater(t, total, 2000)
	require.Equal(t, 36, result.Backfill.Snapshots)
	snaps, err := s.mirror.Statistics.Snapshots(t.Context(), 100, statistics.Reconstructed)
	require.NoError(t, err)
	require.Len(t, snaps, 36)
	for _, snap := range snaps {
		totals, undated := s.past(snap.AsOf)
		require.Equal(t, totals, snap.Totals, snap.ID)
		require.Equal(t, &undated, snap.Undated, snap.ID)
	}

	run, err := s.mirror.Runs.Run(t.Context(), result.Run)
	require.NoError(t, err)
	require.Equal(t, runs.StatusDone, run.Status)
	require.Equal(t, result.Backfill, run.Backfill)
	require.Len(t, s.dump("landing.files"), landed, "the raw pages of the crawl alone")
}

// TestFewRowsShareARequest: 36 windows with 300 rows take one page, one child
// workflow and one write, and are counted as exactly as windows by themselves.
func TestFewRowsShareARequest(t *testing.T) {
	s := newStack(t, register.Generate(300, 44))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	for order, newest := range map[string]bool{"oldest first": false, "newest first": true} {
		s.writes.since()
		var pages atomic.Int64
		s.portal.OnRequest(func(r *http.Request) {
			if strings.Contains(r.URL.RawQuery, "%24order") {
				pages.Add(1)
			}
		})
		result := s.backfilled(s.backfill(workflows.BackfillInput{NewestFirst: newest}))
		s.portal.OnRequest(nil)
		require.Equal(t, "green", result.Outcome, result.Why)
		require.Equal(t, 36, result.Backfill.Done, order)
		require.EqualValues(t, 1, pages.Load(), order)
		require.Equal(t, 1, s.writes.since()[mongodb.Windows], order)
		stored, err := s.mirror.Runs.Windows(t.Context(), backfill.OnLifecycle, "1990-01-01", "2026-01-01")
		require.NoError(t, err)
		require.Len(t, stored, 36)
		var total int64
		for id, w := range stored {
			days := strings.Split(id, "/")
			require.Equal(t, s.rowsOf(backfill.Window{Since: backfill.Day(days[1]), Until: backfill.Day(days[2])}), w.Rows, id)
			require.Equal(t, "1990-01-01_2026-01-01", w.Stretch)
			total += int64(w.Rows)
		}
		require.Equal(t, total, result.Backfill.Rows)
	}
	result := s.backfilled(s.backfill(workflows.BackfillInput{On: ":updated_at", Since: "2020-01-01", Until: "2030-01-01"}))
	require.EqualValues(t, 300, result.Backfill.Rows, "moments are not counted by window, and each window is asked for")
	require.Equal(t, 10, result.Backfill.Done)
}

// TestWindowsThatCannotBeCountedGoAlone: a portal that refuses to count by date.
func TestWindowsThatCannotBeCountedGoAlone(t *testing.T) {
	s := newStack(t, register.Generate(300, 45))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1, Match: func(r *http.Request) bool {
		return strings.Contains(r.URL.Query().Get("$select"), "date_trunc")
	}})
	result := s.backfilled(s.backfill(workflows.BackfillInput{Since: "2010-01-01", Until: "2015-01-01"}))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 5, result.Backfill.Done)
	stored, err := s.mirror.Runs.Windows(t.Context(), backfill.OnLifecycle, "2010-01-01", "2015-01-01")
	require.NoError(t, err)
	for _, w := range stored {
		require.Empty(t, w.Stretch)
	}
}

// TestBackfillBringsWhatChanged reloads rows that the portal changed after the
// crawl: they are rewritten with their events, and the mirror is behind.
func TestBackfillBringsWhatChanged(t *testing.T) {
	s := newStack(t, register.Generate(1500, 32))
	first := s.run(runs.ModeAuto)
	require.Equal(t, "green", first.Outcome)
	keys := s.keys(3)
	inside := time.Date(2001, 5, 5, 0, 0, 0, 0, time.UTC)
	require.NoError(t, s.portal.Edit(
		portalsim.SetField(keys[0], "location_start_date", inside), portalsim.Rename(keys[0], "Reloaded Books"),
		portalsim.SetField(keys[1], "location_start_date", inside), portalsim.SetField(keys[1], "supervisor_district", "first"),
		portalsim.Delete(keys[2]),
		portalsim.Open(map[string]any{"ttxid": "9999999-01-001", "certificate_number": "9999999", "location_start_date": inside}),
	))
	result := s.backfilled(s.backfill(workflows.BackfillInput{Since: "2001-01-01", Until: "2002-01-01", Every: backfill.EveryMonth}))
	require.Equal(t, "behind", result.Outcome, result.Why)
	require.EqualValues(t, 1, result.Backfill.Inserted)
	require.GreaterOrEqual(t, result.Backfill.Replaced, int64(2))
	require.Len(t, s.dump(mongodb.Businesses), 1501, "nothing is removed")
	events, err := s.mirror.ChangesOf(t.Context(), keys[0])
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, workflows.BackfillOf(events[0].Run), result.Run)
	require.Equal(t, "behind", s.job(workflows.MirrorInput{Job: runs.JobVerify, Deep: true}).Outcome)

	// To repeat the older crawl now would take the newer rows back.
	refused := s.fails(s.start(workflows.MirrorInput{Job: runs.JobRerun, Of: first.Run, From: runs.FromClean}))
	require.Contains(t, refused.Message(), "run "+result.Run+".1 came after "+first.Run+" and wrote the mirror")

	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	requireMirrors(t, s)
}

// TestWhatOnlyACrawlCanJudgeIsLeft has rows of one key in two windows: the crawl
// took the first, and a window that has only the second must not put it in its
// place.
func TestWhatOnlyACrawlCanJudgeIsLeft(t *testing.T) {
	s := newStack(t, register.Generate(300, 33))
	key := s.keys(1)[0]
	require.NoError(t, s.portal.Edit(
		portalsim.SetField(key, "location_start_date", time.Date(1995, 2, 2, 0, 0, 0, 0, time.UTC)),
		portalsim.Open(map[string]any{"ttxid": key, "certificate_number": "1", "location_start_date": time.Date(2005, 2, 2, 0, 0, 0, 0, time.UTC)}),
	))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	before := s.dump(mongodb.Businesses)
	result := s.backfilled(s.backfill(workflows.BackfillInput{}))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, before, s.dump(mongodb.Businesses))
	requireMirrors(t, s)
}

// hold stops the portal's page requests from the nth on until the returned
// function is called; reached is closed when one waits.
func (s *stack) hold(n int64) (reached chan struct{}, release func()) {
	reached, goOn := make(chan struct{}), make(chan struct{})
	var seen atomic.Int64
	s.portal.OnRequest(func(r *http.Request) {
		if !strings.Contains(r.URL.RawQuery, "%24order") {
			return
		}
		switch i := seen.Add(1); {
		case i < n:
		default:
			if i == n {
				close(reached)
			}
			<-goOn
		}
	})
	return reached, func() {
		s.portal.OnRequest(nil)
		close(goOn)
	}
}

func (s *stack) update(run client.WorkflowRun, name string, args ...any) client.WorkflowUpdateHandle {
	s.t.Helper()
	h, err := s.temporal.UpdateWorkflow(s.t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	require.NoError(s.t, err)
	return h
}

func TestBackfillPausesAndResumes(t *testing.T) {
	s := newStack(t, register.Generate(400, 34), smallPages)
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	reached, release := s.hold(10)
	run := s.backfill(workflows.BackfillInput{MaxActive: 2})
	<-reached
	paused := s.update(run, workflows.UpdatePause, "portal is moving")
	release()
	require.NoError(t, paused.Get(t.Context(), nil))
	record, err := s.mirror.Runs.Run(t.Context(), workflows.RunID(run.GetID()))
	require.NoError(t, err)
	require.Equal(t, "portal is moving", record.Backfill.Paused)
	require.Equal(t, runs.StatusRunning, record.Status)
	require.Greater(t, record.Backfill.Done, 5)
	require.Less(t, record.Backfill.Done, 30)

	// A paused backfill holds nothing.
	require.Equal(t, "green", s.run(runs.ModeFull).Outcome)
	require.NoError(t, s.update(run, workflows.UpdateResume).Get(t.Context(), nil))
	result := s.backfilled(run)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 36, result.Backfill.Done)
	stored, err := s.mirror.Runs.Windows(t.Context(), backfill.OnLifecycle, "1990-01-01", "2026-01-01")
	require.NoError(t, err)
	by := map[string]int{}
	for _, w := range stored {
		by[w.Run]++
	}
	require.Equal(t, map[string]int{result.Run + ".1": record.Backfill.Done, result.Run + ".2": 36 - record.Backfill.Done}, by, "no window is reloaded twice")
	require.Equal(t, 3, result.Backfill.Runs, "one until the pause, one after it, one for the snapshots")
	requireMirrors(t, s)
}

func TestAScheduledRunGoesBeforeABackfill(t *testing.T) {
	s := newStack(t, register.Generate(400, 35), smallPages)
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	reached, release := s.hold(8)
	run := s.backfill(workflows.BackfillInput{MaxActive: 2})
	<-reached
	scheduled := s.trigger(t)
	require.Eventually(t, func() bool { // it asks to go first
		d, err := s.temporal.DescribeWorkflowExecution(t.Context(), scheduled.GetID(), "")
		if err != nil {
			return false
		}
		for _, p := range d.PendingActivities {
			if p.ActivityType.Name == "await_writer" {
				return true
			}
		}
		return false
	}, time.Minute, 50*time.Millisecond)
	release()
	first := s.finished(scheduled)
	require.Equal(t, "green", first.Outcome, first.Why)
	record, err := s.mirror.Runs.Run(t.Context(), workflows.RunID(run.GetID()))
	require.NoError(t, err)
	require.Equal(t, runs.StatusRunning, record.Status, "the backfill waited")
	result := s.backfilled(run)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 36, result.Backfill.Done)
	requireMirrors(t, s)
}

func TestACancelledBackfillIsTakenUpAgain(t *testing.T) {
	s := newStack(t, register.Generate(400, 36), smallPages)
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	reached, release := s.hold(10)
	run := s.backfill(workflows.BackfillInput{NewestFirst: true})
	<-reached
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), ""))
	release()
	err := run.Get(t.Context(), nil)
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	record, err := s.mirror.Runs.Run(t.Context(), workflows.RunID(run.GetID()))
	require.NoError(t, err)
	require.Equal(t, runs.StatusCancelled, record.Status)
	stored, err := s.mirror.Runs.Windows(t.Context(), backfill.OnLifecycle, "1990-01-01", "2026-01-01")
	require.NoError(t, err)
	require.NotEmpty(t, stored)
	require.Less(t, len(stored), 36)
	require.Contains(t, stored, runs.WindowID(backfill.OnLifecycle, "2025-01-01", "2026-01-01"), "the newest came first")
	requireMirrors(t, s)
	require.Equal(t, "green", s.job(workflows.MirrorInput{Job: runs.JobVerify, Deep: true}).Outcome)

	result := s.backfilled(s.backfill(workflows.BackfillInput{Reload: backfill.ReloadNeeded}))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 36-len(stored), result.Backfill.Todo, "the rest")
	require.Equal(t, 36, result.Backfill.Snapshots)
}

func TestFailedWindowsAreTriedAgain(t *testing.T) {
	s := newStack(t, register.Generate(500, 37))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	// Windows are asked for together: any request that spans the day is refused.
	span := regexp.MustCompile(`>= '([\d-]{10})T.*?< '([\d-]{10})T`)
	refused := func(day string) portalsim.Fault {
		return portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1, Match: func(r *http.Request) bool {
			of := span.FindStringSubmatch(r.URL.Query().Get("$where"))
			return strings.Contains(r.URL.RawQuery, "%24order") && of != nil && (day == "" || of[1] <= day && day < of[2])
		}}
	}
	s.portal.Fail(refused("1994-01-01"), refused("2003-01-01"))
	result := s.backfilled(s.backfill(workflows.BackfillInput{MaxActive: 1}))
	require.Equal(t, "red", result.Outcome)
	require.Contains(t, result.Why, "2 of 36 windows failed, the first one 1994: ")
	require.Equal(t, 34, result.Backfill.Done)
	require.Equal(t, runs.PortalRefused, result.Failed[0].Type)

	none := s.backfilled(s.backfill(workflows.BackfillInput{Reload: backfill.ReloadNew}))
	require.Zero(t, none.Backfill.Todo)
	s.portal.Heal()
	require.NoError(t, s.portal.Edit(portalsim.Republish())) // or the mirror would prove them
	again := s.backfilled(s.backfill(workflows.BackfillInput{Reload: backfill.ReloadNeeded}))
	require.Equal(t, "behind", again.Outcome, again.Why)
	require.Equal(t, 2, again.Backfill.Done)
	all := s.backfilled(s.backfill(workflows.BackfillInput{Reload: backfill.ReloadAlways}))
	require.Equal(t, 36, all.Backfill.Done)

	// What fails every window ends the backfill.
	s.portal.Fail(refused(""))
	err := s.fails(s.backfill(workflows.BackfillInput{Reload: backfill.ReloadAlways, MaxActive: 1}))
	require.Equal(t, workflows.ErrStopped, err.Type())
	require.Contains(t, err.Message(), "3 windows failed one after the other")
	require.Contains(t, err.Message(), "33 windows were not tried")
}

// TestWindowsUnderWay reads the history of a backfill's writing: never more
// stretches of windows under way than allowed, and never fewer while one is left.
func TestWindowsUnderWay(t *testing.T) {
	s := newStack(t, register.Generate(400, 38), smallPages)
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	every, all := backfill.EveryYear, 36
	if testenv.Long() {
		every, all = backfill.EveryQuarter, 144
	}
	result := s.backfilled(s.backfill(workflows.BackfillInput{MaxActive: 4, Every: every}))
	require.Equal(t, all, result.Backfill.Done)
	var events []*historypb.HistoryEvent
	begun, underWay, most, decided, stretches := 0, 0, 0, false, 0
	read := s.temporal.GetWorkflowHistory(t.Context(), workflows.WriteID(s.spec.Name), s.writeOf(result.Run+".1"), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for read.HasNext() {
		e, err := read.Next()
		require.NoError(t, err)
		if events = append(events, e); e.EventType == enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED {
			stretches++
		}
	}
	require.Greater(t, stretches, 8)
	require.Less(t, stretches, all, "the oldest have few rows and share pages")
	for _, e := range events {
		if decided && e.EventType != enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED {
			// The workflow has answered all that it knew of: what ended since comes
			// behind its answer.
			decided = false
			require.True(t, begun == 0 || begun == stretches || underWay == 4, "%d under way after %d were begun", underWay, begun)
		}
		switch e.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			decided = true
		case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
			begun++
			underWay++
			most = max(most, underWay)
		case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
			underWay--
		default:
		}
	}
	require.Equal(t, 4, most)
}

// writeOf is Temporal's run id of the writing of a run.
func (s *stack) writeOf(run string) string {
	s.t.Helper()
	var result workflows.MirrorResult
	require.NoError(s.t, s.temporal.GetWorkflow(s.t.Context(), workflows.MirrorID(s.spec.Name, run), "").Get(s.t.Context(), &result))
	return result.Write.TemporalID
}

func TestBackfillsThatCannotBe(t *testing.T) {
	s := newStack(t, register.Generate(100, 39))
	refused := func(in workflows.BackfillInput, want string) {
		t.Helper()
		err := s.fails(s.backfill(in))
		require.Equal(t, runs.NothingToDo, err.Type())
		require.Contains(t, err.Message(), want)
	}
	refused(workflows.BackfillInput{}, "nothing was mirrored yet: `starter run` does that")
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	refused(workflows.BackfillInput{On: "dba_name"}, "the column dba_name is of type text: use lifecycle, or one of the portal's dates: ")
	refused(workflows.BackfillInput{On: "no_such"}, "no column \"no_such\"")
	refused(workflows.BackfillInput{Since: "2020-01-01", Until: "2020-01-01"}, "the span from 2020-01-01 to 2020-01-01 is empty")
	require.NoError(t, s.portal.Edit(portalsim.AddColumn("brand_new", "text")))
	refused(workflows.BackfillInput{}, "the portal's columns changed since run ")
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	result := s.backfilled(s.backfill(workflows.BackfillInput{On: ":updated_at", Since: "2020-01-01", Until: "2030-01-01"}))
	require.EqualValues(t, 100, result.Backfill.Rows)
}

// backfillOf is the test environment of a backfill whose runs are stood in for by
// mirror, and whose windows are planned as given. The last record is kept.
func backfillOf(windows []backfill.Window, mirror any) (env *testsuite.TestWorkflowEnvironment, recorded *atomic.Pointer[activities.FinishBackfillInput]) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet())
	env, recorded = suite.NewTestWorkflowEnvironment(), new(atomic.Pointer[activities.FinishBackfillInput])
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflows.BackfillID("town", "backfill-2026-11-25T19:27:48.123Z")})
	env.RegisterWorkflow(workflows.Backfill)
	env.RegisterWorkflowWithOptions(mirror, workflow.RegisterOptions{Name: "Mirror"})
	env.RegisterActivityWithOptions(func(activities.BackfillPlanInput) (activities.BackfillPlan, error) {
		return activities.BackfillPlan{Spec: "s", Total: len(windows), Windows: windows}, nil
	}, activity.RegisterOptions{Name: "PlanBackfill"})
	env.RegisterActivityWithOptions(func(in activities.FinishBackfillInput) (activities.AlertResult, error) {
		recorded.Store(&in)
		return activities.AlertResult{}, nil
	}, activity.RegisterOptions{Name: "RecordBackfill"})
	return env, recorded
}

// answered is the answer to an update of a workflow in a test environment.
type answered struct {
	at  time.Time
	err error
}

func updated(env *testsuite.TestWorkflowEnvironment, name string, args ...any) *answered {
	a := &answered{}
	env.UpdateWorkflow(name, name+env.Now().String(), &testsuite.TestUpdateCallback{
		OnReject:   func(err error) { a.err = err },
		OnAccept:   func() {},
		OnComplete: func(_ any, err error) { a.at, a.err = env.Now(), err },
	}, args...)
	return a
}

// TestALongBackfillContinuesAsNew gives a backfill a long history, by its own
// measure or by the server's: a new execution goes on with what is left.
func TestALongBackfillContinuesAsNew(t *testing.T) {
	for name, long := range map[string]func(*testsuite.TestWorkflowEnvironment){
		"by its own measure": func(env *testsuite.TestWorkflowEnvironment) { env.SetCurrentHistoryLength(2000) },
		"by the server's":    func(env *testsuite.TestWorkflowEnvironment) { env.SetContinueAsNewSuggested(true) },
	} {
		t.Run(name, func(t *testing.T) { requireContinuesAsNew(t, long) })
	}
}

func requireContinuesAsNew(t *testing.T, long func(*testsuite.TestWorkflowEnvironment)) {
	windows, err := backfill.Windows("2020-01-01", "2023-06-01", backfill.EveryDay)
	require.NoError(t, err)
	var seen []backfill.Window
	in := workflows.BackfillInput{Dataset: "town", On: "lifecycle", Since: "2020-01-01", Until: "2023-06-01", Every: backfill.EveryDay, MaxActive: 3, Reload: backfill.ReloadAlways}
	for execution := 1; execution < 10; execution++ {
		// A run that reloads all that it is given.
		env, _ := backfillOf(windows, func(_ workflow.Context, in workflows.MirrorInput) (*workflows.MirrorResult, error) {
			seen = append(seen, in.Reload.Windows...)
			return &workflows.MirrorResult{Outcome: "green", Write: &workflows.WriteResult{Reloaded: &workflows.Reloaded{Done: len(in.Reload.Windows), Rows: 7}}}, nil
		})
		long(env)
		env.ExecuteWorkflow(workflows.Backfill, in)
		err := env.GetWorkflowError()
		if err == nil {
			var result workflows.BackfillResult
			require.NoError(t, env.GetWorkflowResult(&result))
			require.Equal(t, 3, execution)
			require.Equal(t, windows, seen, "each window once, in order")
			require.Equal(t, len(windows), result.Backfill.Done)
			require.EqualValues(t, 21, result.Backfill.Rows)
			require.Equal(t, "backfill-2026-11-25T19:27:48.123Z", result.Run)
			return
		}
		in = continued(t, err)
	}
	require.Fail(t, "it never ends")
}

// continued is what a backfill hands to its next execution.
func continued(t *testing.T, err error) (in workflows.BackfillInput) {
	t.Helper()
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	return in
}

// TestAPausedBackfillAddsNoHistory pauses a backfill whose windows under way take
// hours, and leaves it paused for a day.
func TestAPausedBackfillAddsNoHistory(t *testing.T) {
	windows, err := backfill.Windows("1990-01-01", "2000-01-01", backfill.EveryYear)
	require.NoError(t, err)
	in := workflows.BackfillInput{Dataset: "town", On: "lifecycle", Since: "1990-01-01", Until: "2000-01-01", Every: backfill.EveryYear, MaxActive: 3, Reload: backfill.ReloadAlways}
	const underWay = 3 * time.Hour
	run := func(version workflow.Version) (result workflows.BackfillResult, timers, asked int, paused, again, resumed *answered) {
		begun := 0
		env, recorded := backfillOf(windows, func(ctx workflow.Context, in workflows.MirrorInput) (*workflows.MirrorResult, error) {
			left := in.Reload.Windows
			if begun++; begun == 1 {
				yield := workflow.GetSignalChannel(ctx, activities.SignalYield)
				if version > 0 {
					yield.Receive(ctx, nil)
				}
				if err := workflow.Sleep(ctx, underWay); err != nil {
					return nil, err
				}
				asked += 1 + yield.Len()
				return &workflows.MirrorResult{Outcome: "green", Write: &workflows.WriteResult{Reloaded: &workflows.Reloaded{Done: 3, Left: left[3:]}}}, nil
			}
			return &workflows.MirrorResult{Outcome: "green", Write: &workflows.WriteResult{Reloaded: &workflows.Reloaded{Done: len(left)}}}, nil
		})
		env.OnGetVersion("padron", workflow.DefaultVersion, workflow.Version(2)).Return(workflow.Version(2))
		env.OnGetVersion("quiet-backfill", workflow.DefaultVersion, workflow.Version(1)).Return(version)
		env.OnSignalExternalWorkflow(mock.Anything, workflows.WriteID("town"), "", activities.SignalYield, "").Return(nil).Maybe()
		env.SetOnTimerScheduledListener(func(_ string, d time.Duration) {
			if d != underWay {
				timers++
			}
		})
		env.RegisterDelayedCallback(func() { paused = updated(env, workflows.UpdatePause, "a reason") }, time.Minute)
		env.RegisterDelayedCallback(func() { again = updated(env, workflows.UpdatePause, "another") }, time.Hour)
		env.RegisterDelayedCallback(func() {
			require.NotNil(t, recorded.Load())
			require.Equal(t, "another", recorded.Load().Backfill.Paused)
			require.Equal(t, 1, begun, "no run begins in a pause")
			resumed = updated(env, workflows.UpdateResume)
		}, 24*time.Hour)
		env.SetWorkflowRunTimeout(48 * time.Hour)
		env.ExecuteWorkflow(workflows.Backfill, in)
		require.NoError(t, env.GetWorkflowError())
		require.NoError(t, env.GetWorkflowResult(&result))
		return result, timers, asked, paused, again, resumed
	}
	result, timers, asked, paused, again, resumed := run(1)
	require.Zero(t, timers)
	require.Equal(t, 1, asked, "a run is asked once")
	for _, a := range []*answered{paused, again, resumed} {
		require.NoError(t, a.err)
		require.NotZero(t, a.at)
	}
	require.Equal(t, 10, result.Backfill.Done)
	require.Equal(t, 2, result.Backfill.Runs)

	result, timers, _, _, _, _ = run(workflow.DefaultVersion) // that an older release began
	require.Greater(t, timers, 2000, "the measure itself")
	t.Log(timers, "timers of the older way")
	require.Equal(t, 10, result.Backfill.Done)
}

// TestAPausedBackfillContinuesAsNew: one whose history is long does not keep it
// through a pause, and stays paused.
func TestAPausedBackfillContinuesAsNew(t *testing.T) {
	windows, err := backfill.Windows("1990-01-01", "2000-01-01", backfill.EveryYear)
	require.NoError(t, err)
	in := workflows.BackfillInput{Dataset: "town", On: "lifecycle", Since: "1990-01-01", Until: "2000-01-01", Every: backfill.EveryYear, MaxActive: 3, Reload: backfill.ReloadAlways}
	mirror := func(ctx workflow.Context, in workflows.MirrorInput) (*workflows.MirrorResult, error) {
		left, done := in.Reload.Windows, 0
		if len(left) == 10 {
			workflow.GetSignalChannel(ctx, activities.SignalYield).Receive(ctx, nil)
			done, left = 4, left[4:]
		} else {
			done, left = len(left), nil
		}
		return &workflows.MirrorResult{Outcome: "green", Write: &workflows.WriteResult{Reloaded: &workflows.Reloaded{Done: done, Left: left}}}, nil
	}
	env, _ := backfillOf(windows, mirror)
	env.SetCurrentHistoryLength(2000)
	var paused *answered
	env.RegisterDelayedCallback(func() { paused = updated(env, workflows.UpdatePause, "a reason") }, time.Minute)
	env.ExecuteWorkflow(workflows.Backfill, in)
	next := continued(t, env.GetWorkflowError())
	require.NotZero(t, paused.at, "the pause was answered")
	require.True(t, next.State.Paused)
	require.Equal(t, windows[4:], next.State.Left)

	env, recorded := backfillOf(windows, mirror)
	env.RegisterDelayedCallback(func() {
		require.Nil(t, recorded.Load())
		updated(env, workflows.UpdateResume)
	}, time.Hour)
	env.ExecuteWorkflow(workflows.Backfill, next)
	var result workflows.BackfillResult
	require.NoError(t, env.GetWorkflowResult(&result))
	require.Equal(t, 10, result.Backfill.Done)
	require.Empty(t, result.Backfill.Paused)
}

// TestABackfillThatWaitsForTheWriterPauses has another run write, and a
// backfill's run wait for it: a pause does not wait as well, and leaves all
// windows for later.
func TestABackfillThatWaitsForTheWriterPauses(t *testing.T) {
	s := newStack(t, register.Generate(500, 39))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	release := s.holdPages()
	other := s.start(workflows.MirrorInput{Mode: runs.ModeFull})
	s.awaitWriting()
	run := s.backfill(workflows.BackfillInput{})
	waits := func(n int) {
		t.Helper()
		id := workflows.MirrorID(s.spec.Name, workflows.ReloadID(workflows.RunID(run.GetID()), n))
		require.Eventually(t, func() bool { return s.under(id, "", "await_writer") }, time.Minute, 20*time.Millisecond)
	}
	events := func() (n int) {
		for all := s.temporal.GetWorkflowHistory(t.Context(), run.GetID(), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); all.HasNext(); n++ {
			_, err := all.Next()
			require.NoError(t, err)
		}
		return n
	}
	waits(1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, s.update(run, workflows.UpdatePause, "the other run first").Get(ctx, nil), "the other run writes on")
	record, err := s.mirror.Runs.Run(t.Context(), workflows.RunID(run.GetID()))
	require.NoError(t, err)
	require.Equal(t, "the other run first", record.Backfill.Paused)
	require.Zero(t, record.Backfill.Done)
	ended, err := s.mirror.Runs.Run(t.Context(), workflows.ReloadID(record.ID, 1))
	require.NoError(t, err)
	require.Equal(t, runs.StatusSkipped, ended.Status)
	require.Equal(t, "the backfill was paused before this run began to write", ended.Reason)
	before := events()
	require.Less(t, before, 60)
	time.Sleep(6 * time.Second)
	require.Equal(t, before, events(), "a paused backfill adds no history")

	require.NoError(t, s.update(run, workflows.UpdateResume).Get(t.Context(), nil))
	waits(2)
	before = events()
	time.Sleep(6 * time.Second)
	require.Equal(t, before, events(), "nor does one that waits for the writer")
	release()
	require.Equal(t, "green", s.finished(other).Outcome)
	result := s.backfilled(run)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 36, result.Backfill.Done)
	requireMirrors(t, s)
}

// TestABackfillsRunIsAskedBeforeItWrites asks a run to end early while it is
// still being prepared: it never begins to write.
func TestABackfillsRunIsAskedBeforeItWrites(t *testing.T) {
	windows, err := backfill.Windows("1990-01-01", "2000-01-01", backfill.EveryYear)
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet())
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflows.MirrorID("town", "backfill-2026-11-25T19:27:48.123Z.1")})
	env.RegisterWorkflow(workflows.Mirror)
	env.RegisterWorkflowWithOptions(func(workflow.Context, workflows.WriteInput) (*workflows.WriteResult, error) {
		return &workflows.WriteResult{Why: "it wrote"}, nil
	}, workflow.RegisterOptions{Name: "Write"})
	env.RegisterActivityWithOptions(func(activities.ProbeInput) (activities.ProbeResult, error) {
		env.SignalWorkflow(activities.SignalYield, "")
		return activities.ProbeResult{}, nil
	}, activity.RegisterOptions{Name: "Prepare"})
	env.RegisterActivityWithOptions(func(in activities.FinishInput) (activities.AlertResult, error) {
		require.Equal(t, runs.StatusSkipped, in.Status)
		return activities.AlertResult{}, nil
	}, activity.RegisterOptions{Name: "Finish"})
	env.ExecuteWorkflow(workflows.Mirror, workflows.MirrorInput{
		Dataset: "town", Job: runs.JobReload, Of: "backfill-2026-11-25T19:27:48.123Z", Reload: &activities.Reload{Windows: windows},
	})
	require.NoError(t, env.GetWorkflowError())
	var result workflows.MirrorResult
	require.NoError(t, env.GetWorkflowResult(&result))
	require.Equal(t, workflows.OutcomeSkipped, result.Outcome, result.Why)
	require.Equal(t, windows, result.Write.Reloaded.Left)
}
