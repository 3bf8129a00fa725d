package workflows_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/mirror"
	"padron/internal/socrata/socratatest"
	"padron/workflows"
)

// backfill starts a backfill; what is not said is a year at a time, from 1990
// until 2026.
func (s *stack) backfill(in workflows.BackfillInput) client.WorkflowRun {
	s.t.Helper()
	in.Dataset = s.spec.Name
	defaults := workflows.BackfillInput{On: activities.OnLifecycle, Since: "1990-01-01", Until: "2026-01-01", Every: activities.EveryYear, MaxActive: 4, Reprocess: activities.ReprocessFailed}
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
	if in.Reprocess == "" {
		in.Reprocess = defaults.Reprocess
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

// within says whether a source row starts or ends within a span: the first of
// the ends that it has is its end.
func within(r row, since, until activities.Day) bool {
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
func (s *stack) rowsOf(w activities.Window) (rows int) {
	for r := range s.portal.SourceRows() {
		if within(r, w.Since, w.Until) {
			rows++
		}
	}
	return rows
}

// past counts the source rows as they were at the beginning of a day: those that
// had started, closed where they had ended.
func (s *stack) past(day time.Time) (totals mirror.Totals, undated mirror.Undated) {
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
	s := newStack(t, socratatest.Generate(3000, 31))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	before, landed := s.dump(mirror.Businesses), len(s.dump("landing.files"))
	s.writes.since()

	result := s.backfilled(s.backfill(workflows.BackfillInput{}))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 36, result.Backfill.Windows)
	require.Equal(t, 36, result.Backfill.Done)
	require.Equal(t, before, s.dump(mirror.Businesses), "an unchanged portal changes nothing")
	require.Zero(t, s.writes.since()[mirror.Businesses])
	windows, err := activities.Windows("1990-01-01", "2026-01-01", activities.EveryYear)
	require.NoError(t, err)
	stored, err := s.mirror.Windows(t.Context(), activities.OnLifecycle, "1990-01-01", "2026-01-01")
	require.NoError(t, err)
	require.Len(t, stored, len(windows))
	total := 0
	for _, w := range windows {
		done := stored[mirror.WindowID(activities.OnLifecycle, string(w.Since), string(w.Until))]
		require.Equal(t, mirror.StatusDone, done.Status)
		require.Equal(t, s.rowsOf(w), done.Rows, w.String())
		total += done.Rows
	}
	require.EqualValues(t, total, result.Backfill.Rows)
	require.Greater(t, total, 2000)
	require.Equal(t, 36, result.Backfill.Snapshots)
	snaps, err := s.mirror.Snapshots(t.Context(), 100, mirror.Reconstructed)
	require.NoError(t, err)
	require.Len(t, snaps, 36)
	for _, snap := range snaps {
		totals, undated := s.past(snap.AsOf)
		require.Equal(t, totals, snap.Totals, snap.ID)
		require.Equal(t, &undated, snap.Undated, snap.ID)
	}

	run, err := s.mirror.Run(t.Context(), result.Run)
	require.NoError(t, err)
	require.Equal(t, mirror.StatusDone, run.Status)
	require.Equal(t, result.Backfill, run.Backfill)
	require.Len(t, s.dump("landing.files"), landed, "the raw pages of the crawl alone")
}

// TestBackfillBringsWhatChanged reloads rows that the portal changed after the
// crawl: they are rewritten with their events, and the mirror is behind.
func TestBackfillBringsWhatChanged(t *testing.T) {
	s := newStack(t, socratatest.Generate(1500, 32))
	first := s.run(activities.Auto)
	require.Equal(t, "green", first.Outcome)
	keys := s.keys(3)
	inside := time.Date(2001, 5, 5, 0, 0, 0, 0, time.UTC)
	require.NoError(t, s.portal.Edit(
		socratatest.SetField(keys[0], "location_start_date", inside), socratatest.Rename(keys[0], "Reloaded Books"),
		socratatest.SetField(keys[1], "location_start_date", inside), socratatest.SetField(keys[1], "supervisor_district", "first"),
		socratatest.Delete(keys[2]),
		socratatest.Open(map[string]any{"ttxid": "9999999-01-001", "certificate_number": "9999999", "location_start_date": inside}),
	))
	result := s.backfilled(s.backfill(workflows.BackfillInput{Since: "2001-01-01", Until: "2002-01-01", Every: activities.EveryMonth}))
	require.Equal(t, "behind", result.Outcome, result.Why)
	require.EqualValues(t, 1, result.Backfill.Inserted)
	require.GreaterOrEqual(t, result.Backfill.Replaced, int64(2))
	require.Len(t, s.dump(mirror.Businesses), 1501, "nothing is removed")
	events, err := s.mirror.ChangesOf(t.Context(), keys[0])
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, workflows.BackfillOf(events[0].Run), result.Run)
	require.Equal(t, "behind", s.job(workflows.MirrorInput{Job: workflows.JobVerify, Deep: true}).Outcome)

	// To repeat the older crawl now would take the newer rows back.
	refused := s.fails(s.start(workflows.MirrorInput{Job: workflows.JobRerun, Of: first.Run, From: activities.FromClean}))
	require.Contains(t, refused.Message(), "run "+result.Run+".1 came after "+first.Run+" and wrote the mirror")

	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	requireMirrors(t, s)
}

// TestWhatOnlyACrawlCanJudgeIsLeft has rows of one key in two windows: the crawl
// took the first, and a window that has only the second must not put it in its
// place.
func TestWhatOnlyACrawlCanJudgeIsLeft(t *testing.T) {
	s := newStack(t, socratatest.Generate(300, 33))
	key := s.keys(1)[0]
	require.NoError(t, s.portal.Edit(
		socratatest.SetField(key, "location_start_date", time.Date(1995, 2, 2, 0, 0, 0, 0, time.UTC)),
		socratatest.Open(map[string]any{"ttxid": key, "certificate_number": "1", "location_start_date": time.Date(2005, 2, 2, 0, 0, 0, 0, time.UTC)}),
	))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	before := s.dump(mirror.Businesses)
	result := s.backfilled(s.backfill(workflows.BackfillInput{}))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, before, s.dump(mirror.Businesses))
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
	s := newStack(t, socratatest.Generate(1000, 34))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	reached, release := s.hold(10)
	run := s.backfill(workflows.BackfillInput{MaxActive: 2})
	<-reached
	paused := s.update(run, workflows.UpdatePause, "portal is moving")
	release()
	require.NoError(t, paused.Get(t.Context(), nil))
	record, err := s.mirror.Run(t.Context(), workflows.RunID(run.GetID()))
	require.NoError(t, err)
	require.Equal(t, "portal is moving", record.Backfill.Paused)
	require.Equal(t, mirror.StatusRunning, record.Status)
	require.Greater(t, record.Backfill.Done, 5)
	require.Less(t, record.Backfill.Done, 30)

	// A paused backfill holds nothing.
	require.Equal(t, "green", s.run(activities.Full).Outcome)
	require.NoError(t, s.update(run, workflows.UpdateResume).Get(t.Context(), nil))
	result := s.backfilled(run)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 36, result.Backfill.Done)
	stored, err := s.mirror.Windows(t.Context(), activities.OnLifecycle, "1990-01-01", "2026-01-01")
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
	s := newStack(t, socratatest.Generate(1000, 35))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
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
	record, err := s.mirror.Run(t.Context(), workflows.RunID(run.GetID()))
	require.NoError(t, err)
	require.Equal(t, mirror.StatusRunning, record.Status, "the backfill waited")
	result := s.backfilled(run)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 36, result.Backfill.Done)
	requireMirrors(t, s)
}

func TestACancelledBackfillIsTakenUpAgain(t *testing.T) {
	s := newStack(t, socratatest.Generate(1000, 36))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	reached, release := s.hold(10)
	run := s.backfill(workflows.BackfillInput{NewestFirst: true})
	<-reached
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), ""))
	release()
	err := run.Get(t.Context(), nil)
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	record, err := s.mirror.Run(t.Context(), workflows.RunID(run.GetID()))
	require.NoError(t, err)
	require.Equal(t, mirror.StatusCancelled, record.Status)
	stored, err := s.mirror.Windows(t.Context(), activities.OnLifecycle, "1990-01-01", "2026-01-01")
	require.NoError(t, err)
	require.NotEmpty(t, stored)
	require.Less(t, len(stored), 36)
	require.Contains(t, stored, mirror.WindowID(activities.OnLifecycle, "2025-01-01", "2026-01-01"), "the newest came first")
	requireMirrors(t, s)
	require.Equal(t, "green", s.job(workflows.MirrorInput{Job: workflows.JobVerify, Deep: true}).Outcome)

	result := s.backfilled(s.backfill(workflows.BackfillInput{}))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 36-len(stored), result.Backfill.Todo, "the rest")
	require.Equal(t, 36, result.Backfill.Snapshots)
}

func TestFailedWindowsAreTriedAgain(t *testing.T) {
	s := newStack(t, socratatest.Generate(500, 37))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	refused := func(day string) socratatest.Fault {
		return socratatest.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1, Match: func(r *http.Request) bool {
			return strings.Contains(r.URL.RawQuery, "%24order") && strings.Contains(r.URL.Query().Get("$where"), ">= '"+day)
		}}
	}
	s.portal.Fail(refused("1994-01-01"), refused("2003-01-01"))
	result := s.backfilled(s.backfill(workflows.BackfillInput{MaxActive: 1}))
	require.Equal(t, "red", result.Outcome)
	require.Contains(t, result.Why, "2 of 36 windows failed, the first one 1994: ")
	require.Equal(t, 34, result.Backfill.Done)
	require.Equal(t, activities.PortalRefused, result.Failed[0].Type)

	none := s.backfilled(s.backfill(workflows.BackfillInput{Reprocess: activities.ReprocessNone}))
	require.Zero(t, none.Backfill.Todo)
	s.portal.Heal()
	again := s.backfilled(s.backfill(workflows.BackfillInput{}))
	require.Equal(t, "green", again.Outcome, again.Why)
	require.Equal(t, 2, again.Backfill.Done)
	all := s.backfilled(s.backfill(workflows.BackfillInput{Reprocess: activities.ReprocessAll}))
	require.Equal(t, 36, all.Backfill.Done)

	// What fails every window ends the backfill.
	s.portal.Fail(refused(""))
	err := s.fails(s.backfill(workflows.BackfillInput{Reprocess: activities.ReprocessAll, MaxActive: 1}))
	require.Equal(t, workflows.ErrStopped, err.Type())
	require.Contains(t, err.Message(), "3 windows failed one after the other")
	require.Contains(t, err.Message(), "33 windows were not tried")
}

// TestWindowsUnderWay reads the history of a backfill's writing: never more
// windows under way than allowed, and never fewer while one is left.
func TestWindowsUnderWay(t *testing.T) {
	s := newStack(t, socratatest.Generate(500, 38))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	result := s.backfilled(s.backfill(workflows.BackfillInput{MaxActive: 4, Every: activities.EveryQuarter}))
	require.Equal(t, 144, result.Backfill.Done)
	const all = 144
	events := s.temporal.GetWorkflowHistory(t.Context(), workflows.WriteID(s.spec.Name), s.writeOf(result.Run+".1"), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	begun, underWay, most, decided := 0, 0, 0, false
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(t, err)
		if decided && e.EventType != enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED {
			// The workflow has answered all that it knew of: what ended since comes
			// behind its answer.
			decided = false
			require.True(t, begun == 0 || begun == all || underWay == 4, "%d under way after %d were begun", underWay, begun)
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
	require.Equal(t, all, begun)
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
	s := newStack(t, socratatest.Generate(100, 39))
	refused := func(in workflows.BackfillInput, want string) {
		t.Helper()
		err := s.fails(s.backfill(in))
		require.Equal(t, activities.NothingToDo, err.Type())
		require.Contains(t, err.Message(), want)
	}
	refused(workflows.BackfillInput{}, "nothing was mirrored yet: `starter run` does that")
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	refused(workflows.BackfillInput{On: "dba_name"}, "the column dba_name is of type text: use lifecycle, or one of the portal's dates: ")
	refused(workflows.BackfillInput{On: "no_such"}, "no column \"no_such\"")
	refused(workflows.BackfillInput{Since: "2020-01-01", Until: "2020-01-01"}, "the span from 2020-01-01 to 2020-01-01 is empty")
	require.NoError(t, s.portal.Edit(socratatest.AddColumn("brand_new", "text")))
	refused(workflows.BackfillInput{}, "the portal's columns changed since run ")
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	result := s.backfilled(s.backfill(workflows.BackfillInput{On: ":updated_at", Since: "2020-01-01", Until: "2030-01-01"}))
	require.EqualValues(t, 100, result.Backfill.Rows)
}

// TestALongBackfillContinuesAsNew has Temporal say after each run of a backfill
// that its history is long: a new execution goes on with what is left.
func TestALongBackfillContinuesAsNew(t *testing.T) {
	windows, err := activities.Windows("2020-01-01", "2023-06-01", activities.EveryDay)
	require.NoError(t, err)
	var seen []activities.Window
	in := workflows.BackfillInput{Dataset: "town", On: "lifecycle", Since: "2020-01-01", Until: "2023-06-01", Every: activities.EveryDay, MaxActive: 3, Reprocess: activities.ReprocessAll}
	for execution := 1; execution < 10; execution++ {
		var suite testsuite.WorkflowTestSuite
		suite.SetLogger(quiet())
		env := suite.NewTestWorkflowEnvironment()
		env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflows.BackfillID("town", "backfill-2026-11-25T19:27:48.123Z")})
		env.SetContinueAsNewSuggested(true)
		env.RegisterWorkflow(workflows.Backfill)
		// A run that reloads all that it is given.
		env.RegisterWorkflowWithOptions(func(_ workflow.Context, in workflows.MirrorInput) (*workflows.MirrorResult, error) {
			seen = append(seen, in.Reload.Windows...)
			return &workflows.MirrorResult{Outcome: "green", Write: &workflows.WriteResult{Reloaded: &workflows.Reloaded{Done: len(in.Reload.Windows), Rows: 7}}}, nil
		}, workflow.RegisterOptions{Name: "Mirror"})
		env.RegisterActivityWithOptions(func(activities.BackfillPlanInput) (activities.BackfillPlan, error) {
			return activities.BackfillPlan{Spec: "s", Total: len(windows), Windows: windows}, nil
		}, activity.RegisterOptions{Name: "PlanBackfill"})
		env.RegisterActivityWithOptions(func(activities.FinishBackfillInput) (activities.AlertResult, error) {
			return activities.AlertResult{}, nil
		}, activity.RegisterOptions{Name: "RecordBackfill"})
		env.ExecuteWorkflow(workflows.Backfill, in)
		err := env.GetWorkflowError()
		var next *workflow.ContinueAsNewError
		if !errors.As(err, &next) {
			require.NoError(t, err)
			var result workflows.BackfillResult
			require.NoError(t, env.GetWorkflowResult(&result))
			require.Equal(t, 3, execution)
			require.Equal(t, windows, seen, "each window once, in order")
			require.Equal(t, len(windows), result.Backfill.Done)
			require.EqualValues(t, 21, result.Backfill.Rows)
			require.Equal(t, "backfill-2026-11-25T19:27:48.123Z", result.Run)
			return
		}
		in = workflows.BackfillInput{}
		require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	}
	require.Fail(t, "it never ends")
}
