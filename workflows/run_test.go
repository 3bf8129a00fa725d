package workflows_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"padron/internal/changes"
	"padron/internal/guard"
	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

func TestASecondRunSkipsAndAForcedOneWritesNothing(t *testing.T) {
	s := newStack(t, register.Generate(5000, 1))

	first := s.run(runs.ModeAuto)
	require.Equal(t, "green", first.Outcome, first.Why)
	require.EqualValues(t, 5000, first.Write.Reconciled.Inserted)
	require.Greater(t, first.Write.Pages, 5, "several ranges")
	requireMirrors(t, s)
	before := s.dump(mongodb.Businesses)

	requests := s.portal.Requests()
	second := s.run(runs.ModeAuto)
	require.Equal(t, workflows.OutcomeSkipped, second.Outcome, second.Why)
	require.LessOrEqual(t, s.portal.Requests()-requests, int64(3))

	s.writes.since()
	forced := s.run(runs.ModeFull)
	require.Equal(t, "green", forced.Outcome, forced.Why)
	written := s.writes.since()
	require.Zero(t, written[mongodb.Businesses], "no command writes to businesses")
	require.Zero(t, written["changes"])
	require.NotZero(t, written[mongodb.Runs], "the monitor sees writes at all")
	require.Equal(t, before, s.dump(mongodb.Businesses))

	snapshots, err := s.mirror.Statistics.Snapshots(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, snapshots, 2, "each run that mirrored has its own, the last one first")
	require.EqualValues(t, 5000, snapshots[0].Totals.Rows)
	require.Equal(t, snapshots[1].Totals, snapshots[0].Totals)
}

func TestEditsAreMirrored(t *testing.T) {
	s := newStack(t, register.Generate(3000, 2))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	old := s.dump(mongodb.Businesses)
	renamed, closed := old[10].Lookup("_id").StringValue(), old[2000].Lookup("_id").StringValue()

	require.NoError(t, s.portal.Edit(
		portalsim.Rename(renamed, "Renamed Books"),
		portalsim.CloseLocation(closed, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)),
		portalsim.Open(map[string]any{"ttxid": "9999999-01-001", "certificate_number": "9999999", "dba_name": "New Cafe", "full_business_address": "1 Main St"}),
	))
	result := s.run(runs.ModeAuto)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.EqualValues(t, 1, result.Write.Reconciled.Inserted)
	require.EqualValues(t, 2, result.Write.Reconciled.Replaced)
	requireMirrors(t, s)

	for _, d := range s.dump(mongodb.Businesses) {
		want := int32(1)
		if key := d.Lookup("_id").StringValue(); key == renamed || key == closed {
			want = 2
		}
		require.Equal(t, want, d.Lookup("lineage", "version").Int32(), "version of %s", d.Lookup("_id"))
	}

	require.NoError(t, s.portal.Edit(portalsim.Delete(renamed)))
	result = s.run(runs.ModeAuto)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.EqualValues(t, 1, result.Write.Reconciled.Removed)
	requireMirrors(t, s)
	events, err := s.mirror.ChangesOf(t.Context(), renamed)
	require.NoError(t, err)
	require.Len(t, events, 2)
	require.Equal(t, []string{changes.KindRenamed}, events[0].Kinds)
	require.Equal(t, []string{changes.KindRemoved}, events[1].Kinds)
}

func TestAClosedGateLeavesTheMirrorAsItWas(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(s *stack) error
		kind string
		want string
	}{
		"a column went blank": {
			func(s *stack) error { return s.portal.Edit(portalsim.BlankColumn("dba_name")) },
			runs.GateClosed, "column dba_name is empty in 100.0 %",
		},
		"half the table is gone": {func(s *stack) error {
			var ops []portalsim.Op
			for row := range s.portal.SourceRows() {
				if len(ops) < 1000 {
					ops = append(ops, portalsim.Delete(row["ttxid"].(string)))
				}
			}
			return s.portal.Edit(ops...)
		}, runs.GateClosed, "1,000 rows were read, the mirror has 2,000"},
		"the key column is gone": {
			func(s *stack) error { return s.portal.Edit(portalsim.DropColumn("ttxid")) },
			runs.SchemaChanged, "required column ttxid is gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, register.Generate(2000, 3))
			require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
			before := s.dump(mongodb.Businesses)
			require.NoError(t, c.edit(s))

			run := s.start(workflows.MirrorInput{})
			err := s.fails(run)
			require.Equal(t, c.kind, err.Type())
			require.Contains(t, err.Message(), c.want)
			require.Equal(t, before, s.dump(mongodb.Businesses))

			record, errRun := s.mirror.Runs.Run(t.Context(), workflows.RunID(run.GetID()))
			require.NoError(t, errRun)
			require.Equal(t, runs.StatusFailed, record.Status)
			require.Contains(t, record.Reason, c.want)
		})
	}
}

func TestFaultsOfThePortalAreOutlasted(t *testing.T) {
	for name, fault := range map[string]portalsim.Fault{
		"still computing":      {Status: http.StatusAccepted},
		"request timeout":      {Status: http.StatusRequestTimeout},
		"throttled":            {Status: http.StatusTooManyRequests, RetryAfter: "1"},
		"server error":         {Status: http.StatusInternalServerError, Times: 2},
		"bad gateway":          {Status: http.StatusBadGateway, HTML: true},
		"a page of HTML":       {HTML: true, Times: 2},
		"a truncated page":     {TruncateAfter: 40_000, Times: 2},
		"a reset connection":   {Reset: true, ResetAfter: 10_000, Times: 2},
		"an empty answer":      {Body: " "},
		"an outage, then back": {Status: http.StatusServiceUnavailable, Times: 12},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, register.Generate(3000, 4))
			fault.Path, fault.Skip = "/resource/", 4
			s.portal.Fail(fault)
			result := s.run(runs.ModeAuto)
			require.Equal(t, "green", result.Outcome, result.Why)
			require.Zero(t, s.portal.PendingFaults(), "the fault happened")
			requireMirrors(t, s)
		})
	}
}

func TestARefusalEndsTheRunAtOnce(t *testing.T) {
	s := newStack(t, register.Generate(500, 5))
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1})
	err := s.fails(s.start(workflows.MirrorInput{}))
	require.Equal(t, runs.PortalRefused, err.Type())
	require.Empty(t, s.dump(mongodb.Businesses))
}

// TestATornCrawlIsMadeAgain edits the portal between two page requests, once
// and then in every crawl.
func TestATornCrawlIsMadeAgain(t *testing.T) {
	s := newStack(t, register.Generate(3000, 6))
	pages := 0
	always := false
	s.portal.OnRequest(func(r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "limit=1000") {
			if pages++; pages == 2 || always && pages%4 == 0 {
				_ = s.portal.Edit(portalsim.Republish()) // a portal that cannot edit shows in the outcome
			}
		}
	})
	result := s.run(runs.ModeAuto)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Equal(t, 2, result.Write.Crawls)
	requireMirrors(t, s)

	always = true
	result = s.run(runs.ModeFull)
	require.Equal(t, "unproven", result.Outcome)
	require.Contains(t, result.Why, "moved")
	require.Equal(t, 3, result.Write.Crawls)
	zone, err := landing.Open(landing.Config{}, s.db)
	require.NoError(t, err)
	raw, err := zone.List(t.Context(), result.Run)
	require.NoError(t, err)
	require.Len(t, raw, result.Write.Pages, "torn crawls leave no pages")
}

func TestALaggingReplicaProvesNothing(t *testing.T) {
	s := newStack(t, register.Generate(1500, 7))
	s.portal.Lag(true)
	require.NoError(t, s.portal.Edit(portalsim.Open(map[string]any{"ttxid": "9999999-01-001", "certificate_number": "9999999"})))
	result := s.run(runs.ModeAuto)
	require.Equal(t, "unproven", result.Outcome)
	require.Contains(t, result.Why, "master")
	s.portal.CatchUp()
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	requireMirrors(t, s)
}

// TestOneWriter holds the portal's pages back, so that the first run is writing
// when the others come.
func TestOneWriter(t *testing.T) {
	s := newStack(t, register.Generate(2500, 8))
	release := s.holdPages()
	first := s.start(workflows.MirrorInput{Mode: runs.ModeFull})
	s.awaitWriting()

	waiting := s.start(workflows.MirrorInput{})
	impatient := s.start(workflows.MirrorInput{NoWait: true})
	scheduled := s.trigger(t)

	require.Equal(t, workflows.ErrBusy, s.fails(impatient).Type())
	skipped := s.finished(scheduled)
	require.Equal(t, workflows.OutcomeSkipped, skipped.Outcome)
	require.Contains(t, skipped.Why, "another run was writing")

	s.awaitActivity(waiting, "await_writer")
	release()
	require.Equal(t, "green", s.finished(first).Outcome)
	after := s.finished(waiting)
	require.Equal(t, workflows.OutcomeSkipped, after.Outcome, "what the first run wrote was all there was")
	require.Contains(t, after.Why, "nothing new")
	requireMirrors(t, s)
}

// awaitWriting waits until a run holds the dataset's one writing id.
func (s *stack) awaitWriting() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		d, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), workflows.WriteID(s.spec.Name), "")
		return err == nil && d.WorkflowExecutionInfo.CloseTime == nil
	}, 20*time.Second, 50*time.Millisecond, "no run writes")
}

// trigger runs the dataset's schedule now and returns its run.
func (s *stack) trigger(t *testing.T) client.WorkflowRun {
	t.Helper()
	h, err := s.temporal.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID:   "mirror/" + s.spec.Name,
		Spec: client.ScheduleSpec{},
		Action: &client.ScheduleWorkflowAction{
			ID: workflows.MirrorID(s.spec.Name, "scheduled"), Workflow: workflows.Mirror, TaskQueue: s.queue,
			Args:                  []any{workflows.MirrorInput{Dataset: s.spec.Name, Mode: runs.ModeFull}},
			TypedSearchAttributes: temporal.NewSearchAttributes(workflows.SearchDataset.ValueSet(s.spec.Name)),
		},
		TriggerImmediately: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Delete(context.WithoutCancel(t.Context()))) })
	var id string
	require.Eventually(t, func() bool {
		d, err := h.Describe(t.Context())
		if err != nil || len(d.Info.RecentActions) == 0 || d.Info.RecentActions[0].StartWorkflowResult == nil {
			return false
		}
		id = d.Info.RecentActions[0].StartWorkflowResult.WorkflowID
		return true
	}, 20*time.Second, 50*time.Millisecond)
	return s.temporal.GetWorkflow(t.Context(), id, "")
}

// TestAnOpenBreakerIsSeenAsWaiting has an outage open the breaker within a run:
// its refusals are waited out, and show as their own type.
func TestAnOpenBreakerIsSeenAsWaiting(t *testing.T) {
	s := newStack(t, register.Generate(2000, 9))
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Skip: 3, Times: 15, Status: http.StatusBadGateway})
	run := s.start(workflows.MirrorInput{})
	seen := map[string]bool{}
	require.Eventually(t, func() bool {
		d, err := s.temporal.DescribeWorkflowExecution(t.Context(), workflows.WriteID(s.spec.Name), "")
		if err != nil {
			return false
		}
		for _, p := range d.PendingActivities {
			if info := p.GetLastFailure().GetApplicationFailureInfo(); info != nil {
				seen[info.GetType()] = true
			}
		}
		return seen[guard.CircuitOpen]
	}, 30*time.Second, 20*time.Millisecond, "seen: %v", seen)
	require.Equal(t, "green", s.finished(run).Outcome)
	requireMirrors(t, s)
}

func TestACancelledRunLeavesNothingHalfDone(t *testing.T) {
	s := newStack(t, register.Generate(2500, 12))
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Skip: 5, Delay: time.Minute, Times: -1})
	run := s.start(workflows.MirrorInput{})
	s.awaitWriting()
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), ""))

	require.True(t, temporal.IsCanceledError(run.Get(t.Context(), nil)))
	for _, id := range []string{run.GetID(), workflows.WriteID(s.spec.Name)} {
		d, err := s.temporal.DescribeWorkflowExecution(t.Context(), id, "")
		require.NoError(t, err)
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, d.WorkflowExecutionInfo.Status, id)
	}
	record, err := s.mirror.Runs.Run(t.Context(), workflows.RunID(run.GetID()))
	require.NoError(t, err)
	require.Equal(t, runs.StatusCancelled, record.Status)
	require.Empty(t, s.dump(mongodb.Businesses))
	s.portal.Heal()
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
}

func TestRowsThatCannotBeDocumentsAreQuarantined(t *testing.T) {
	s := newStack(t, register.Generate(1200, 13))
	var key string
	for row := range s.portal.SourceRows() {
		key = row["ttxid"].(string)
		break
	}
	require.NoError(t, s.portal.EditAt(time.Now().Add(-time.Hour),
		portalsim.Open(map[string]any{"ttxid": key, "certificate_number": "0000001", "dba_name": "Twin"}),
		portalsim.Open(map[string]any{"certificate_number": "0000002", "dba_name": "No Key"}),
	))
	result := s.run(runs.ModeAuto)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.EqualValues(t, 2, result.Write.Reconciled.Quarantined)
	require.Len(t, s.dump(mongodb.Businesses), 1200)

	rows, err := s.mirror.Quarantine.List(t.Context(), result.Run, "", 10)
	require.NoError(t, err)
	var keys []string
	for _, r := range rows {
		require.NotEmpty(t, r.Reason)
		require.Contains(t, r.Raw, `"dba_name"`)
		keys = append(keys, r.Key)
	}
	require.ElementsMatch(t, []string{key, ""}, keys)

	again := s.run(runs.ModeFull)
	require.Equal(t, "green", again.Outcome, again.Why)
}

func TestSearchAttributesTellTheOutcome(t *testing.T) {
	s := newStack(t, register.Generate(300, 10))
	run := s.start(workflows.MirrorInput{})
	s.finished(run)
	d, err := s.temporal.DescribeWorkflow(t.Context(), run.GetID(), "")
	require.NoError(t, err)
	outcome, _ := d.TypedSearchAttributes.GetKeyword(workflows.SearchOutcome)
	require.Equal(t, "green", outcome)
	changed, _ := d.TypedSearchAttributes.GetInt64(workflows.SearchRowsChanged)
	require.EqualValues(t, 300, changed)
	name, _ := d.TypedSearchAttributes.GetKeyword(workflows.SearchDataset)
	require.Equal(t, s.spec.Name, name)
}

func TestCleanedPagesAreDroppedAndRawOnesKept(t *testing.T) {
	s := newStack(t, register.Generate(1500, 11))
	var listed []string
	for range 3 {
		listed = append(listed, s.run(runs.ModeFull).Run)
	}
	zone, err := landing.Open(landing.Config{}, s.db)
	require.NoError(t, err)
	pages, err := zone.List(t.Context(), "")
	require.NoError(t, err)
	var kept []string
	for _, p := range pages {
		require.Equal(t, landing.KindRaw, p.Kind)
		kept = append(kept, p.Run)
	}
	slices.Sort(kept)
	require.Equal(t, []string{listed[1], listed[2]}, slices.Compact(kept), "the two newest crawls")
}
