package runcmd

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"padron/internal/runs"
	"padron/starter/cli"
	"padron/workflows/dag"
)

func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	began := time.Now()
	at := func(second int, fetched, cleaned int64, tasks ...taskView) liveView {
		v := liveView{Rows: rowsView{Total: 1000, Fetched: fetched, Cleaned: cleaned}, Tasks: tasks}
		p.add(began.Add(time.Duration(second)*time.Second), &v)
		return v
	}
	require.Zero(t, at(0, 0, 0).Rows.PerSecond, "one look is no rate")
	v := at(10, 300, 0) // a tenth of the three steps
	require.InDelta(t, 10, v.Rows.PerSecond, 1e-9)
	require.InDelta(t, 90, v.Rows.ETA, 1e-9)
	v = at(20, 1000, 200)
	require.InDelta(t, 20, v.Rows.PerSecond, 1e-9)
	require.InDelta(t, 30, v.Rows.ETA, 1e-9)
	// What is old is forgotten: a pause shows.
	at(60, 1000, 200)
	v = at(70, 1000, 200)
	require.Zero(t, v.Rows.PerSecond, "it stands still")
	// Pages without changes are not written, and done all the same.
	v = at(75, 1000, 1000, taskView{Name: "upsert_page", Done: 10, Total: 10})
	require.InDelta(t, 0, v.Rows.ETA, 1e-9)
	// A further crawl begins anew.
	v = at(80, 100, 0)
	require.Zero(t, v.Rows.PerSecond)
	// Before the portal was asked there is nothing to count.
	v = liveView{}
	p.add(began, &v)
	require.Zero(t, v.Rows.PerSecond)
}

func TestPendingActivities(t *testing.T) {
	t.Parallel()
	began, started, next := time.Now().Add(-time.Hour).UTC(), time.Now().Add(-time.Minute).UTC(), time.Now().Add(time.Minute).UTC()
	tried := ", tried since " + cli.Clock(began)
	application := func(kind, message string) *failurepb.Failure {
		return &failurepb.Failure{Message: message, FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: kind}}}
	}
	timeout := &failurepb.Failure{Message: "activity Heartbeat timeout", FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{}}}
	for name, tc := range map[string]struct {
		failure *failurepb.Failure
		state   enumspb.PendingActivityState
		want    string
	}{
		"queued":  {nil, enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, "gate: queued"},
		"running": {nil, enumspb.PENDING_ACTIVITY_STATE_STARTED, "gate: running"},
		"retry": {
			application("PortalUnavailable", "fetch:\n  503"), enumspb.PENDING_ACTIVITY_STATE_SCHEDULED,
			"gate: retry, attempt 3" + tried + ", next try at " + cli.Clock(next) + "; last failure: fetch: 503 (PortalUnavailable)",
		},
		"breaker open": {
			application("CircuitOpen", "portal is down: not called again for 15s"), enumspb.PENDING_ACTIVITY_STATE_SCHEDULED,
			"gate: waiting, attempt 3" + tried + ", next try at " + cli.Clock(next) + "; last failure: portal is down: not called again for 15s (CircuitOpen)",
		},
		"bot check": {
			application("BotCheck", "refused"), enumspb.PENDING_ACTIVITY_STATE_SCHEDULED,
			"gate: waiting, attempt 3" + tried + ", next try at " + cli.Clock(next) + "; last failure: refused (BotCheck)",
		},
		"asked to wait": {
			application("PortalUnavailable", "429; it is asked again in 1h0m0s"), enumspb.PENDING_ACTIVITY_STATE_SCHEDULED,
			"gate: waiting, attempt 3" + tried + ", next try at " + cli.Clock(next) + "; last failure: 429; it is asked again in 1h0m0s (PortalUnavailable)",
		},
		"again": {application("DatabaseFailed", "no primary"), enumspb.PENDING_ACTIVITY_STATE_STARTED, "gate: running, attempt 3" + tried + "; last failure: no primary (DatabaseFailed)"},
		"a dead worker": {
			timeout, enumspb.PENDING_ACTIVITY_STATE_SCHEDULED,
			"gate: retry, attempt 3" + tried + ", next try at " + cli.Clock(next) + "; last failure: activity Heartbeat timeout (Timeout)",
		},
		"what a timeout hides": {
			&failurepb.Failure{Message: "timeout", FailureInfo: timeout.FailureInfo, Cause: application("PortalUnavailable", "502")}, enumspb.PENDING_ACTIVITY_STATE_STARTED,
			"gate: running, attempt 3" + tried + "; last failure: 502 (PortalUnavailable)",
		},
		"terminal codes": {application("Odd", "\x1b[2Jgone"), enumspb.PENDING_ACTIVITY_STATE_STARTED, "gate: running, attempt 3" + tried + "; last failure:  [2Jgone (Odd)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &workflowpb.PendingActivityInfo{
				ActivityType: &commonpb.ActivityType{Name: "gate"}, State: tc.state, Attempt: 3,
				LastFailure: tc.failure, LastStartedTime: timestamppb.New(started), LastAttemptCompleteTime: timestamppb.New(started),
				ScheduledTime: timestamppb.New(started), NextAttemptScheduleTime: timestamppb.New(next),
				ExpirationTime:  timestamppb.New(began.Add(6 * time.Hour)),
				ActivityOptions: &activitypb.ActivityOptions{ScheduleToCloseTimeout: durationpb.New(6 * time.Hour)},
			}
			if tc.failure != nil && tc.state == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED {
				p.ScheduledTime = timestamppb.New(next) // as Temporal says of one that waits for its next attempt
			}
			if name == "asked to wait" {
				p.CurrentRetryInterval = durationpb.New(time.Hour)
			}
			v := viewPending(p)
			require.Equal(t, tc.want, v.String())
			require.Equal(t, strings.Contains(tc.want, "gate: waiting"), v.State == pendingWaiting)
			require.Equal(t, started, v.Since, "not when it is due next")
			require.Equal(t, began, v.Began)
		})
	}
}

// TestAPictureOfARun is what a terminal shows, colours aside.
func TestAPictureOfARun(t *testing.T) {
	t.Parallel()
	now := time.Now()
	next := now.Add(9 * time.Second)
	down := pendingView{
		Step: "fetch_page", State: pendingWaiting, Attempt: 6, Began: now.Add(-time.Hour), NextTry: next, Error: "portal is down: not called again for 15s", ErrorType: "CircuitOpen",
	}
	later := down
	later.NextTry = next.Add(4 * time.Second)
	v := liveView{
		Source: sourceWorker, Doing: "fetching, 120,000 of 368,000 rows", WaitsFor: down.awaited(), Pending: []pendingView{later, down, {Step: "clean_page", State: pendingRunning}},
		Rows: rowsView{Total: 368_000, Fetched: 120_000, PerSecond: 15_200, ETA: 16},
		Tasks: []taskView{
			{Workflow: "mirror", Name: "probe", State: dag.Done, TookMS: 120},
			{Workflow: "mirror", Name: "write", State: dag.Running, Started: now.Add(-12 * time.Second)},
			{Workflow: "mirror", Name: "finish", State: dag.Waiting, WaitsFor: []string{"write"}},
			{Workflow: "write", Name: "plan", State: dag.Done, TookMS: 140},
			{Workflow: "write", Name: "fetch_page", State: dag.Running, Done: 3, Total: 9, Started: now.Add(-12 * time.Second)},
			{Workflow: "write", Name: "gate", State: dag.Waiting, WaitsFor: []string{"clean_page"}},
			{Workflow: "write", Name: "index", State: dag.Failed, Error: "no\nspace"},
		},
	}
	record := runs.Run{Started: now.Add(-13 * time.Second), Probe: runs.Probe{Why: "first load"}}
	got := strings.Join(screenLines(watchEvent{Run: "manual-1", Dataset: "sf-business", Live: &v}, record, now), "\n")
	for _, code := range []string{"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"} {
		got = strings.ReplaceAll(got, code, "")
	}
	require.Equal(t, `run manual-1 of sf-business, running for 13s
probe: first load
fetching, 120,000 of 368,000 rows, 15,200 rows/s, all rows in about 16s

✓ probe                done                    100ms
▶ write                running                   12s
  ✓ plan               done                    100ms
  ▶ fetch_page         running       3 of 9      12s  120,000 rows
  · gate               waiting                        for clean_page
  ✗ index              failed                         no space
· finish               waiting                        for write

fetch_page: 2 times waiting, next try in 9s, attempt 6, tried since `+cli.Clock(now.Add(-time.Hour))+`; last failure: portal is down: not called again for 15s (CircuitOpen)

Ctrl-C leaves the run alone; `+"`starter cancel manual-1`"+` ends it`, got)
	require.Equal(t, "attempt 6 of fetch_page at "+cli.Clock(next)+", tried since "+cli.Clock(now.Add(-time.Hour))+"; the one before failed: portal is down: not called again for 15s (CircuitOpen)", v.WaitsFor)
}
