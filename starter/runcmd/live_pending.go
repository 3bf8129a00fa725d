package runcmd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"padron/internal/guard"
	"padron/internal/runs"
	"padron/starter/cli"
)

// What an activity that has not ended does.
const (
	pendingRunning = "running"
	pendingQueued  = "queued"  // until a worker takes it
	pendingRetry   = "retry"   // failed, and is tried again at NextTry
	pendingWaiting = "waiting" // like pendingRetry, and nothing is wrong with it: its destination is down, or asked to wait
)

// longestBackoff is the longest pause between two attempts that nobody asked for.
const longestBackoff = time.Minute

// pendingView is one activity that has not ended.
type pendingView struct {
	Step      string    `json:"step"`
	State     string    `json:"state"`
	Attempt   int32     `json:"attempt"`        // the present one or, between two, the next
	Began     time.Time `json:"began,omitzero"` // of the first attempt
	Since     time.Time `json:"since,omitzero"` // of the present state; never to come
	NextTry   time.Time `json:"next_try,omitzero"`
	Error     string    `json:"error,omitempty"` // of the last attempt
	ErrorType string    `json:"error_type,omitempty"`
}

// trouble is the pending activity that is to be tried again next.
func (v *liveView) trouble() (pendingView, bool) {
	var next pendingView
	for _, p := range v.Pending {
		if p.Error != "" && (next.Error == "" || p.State != pendingRunning && p.NextTry.Before(next.NextTry)) {
			next = p
		}
	}
	return next, next.Error != ""
}

// String says how a step stands, and what went wrong with it last.
func (p pendingView) String() string {
	if p.Error == "" {
		return p.Step + ": " + p.State
	}
	next := ""
	if !p.NextTry.IsZero() {
		next = ", next try at " + cli.Clock(p.NextTry)
	}
	return fmt.Sprintf("%s: %s, attempt %d, tried since %s%s; last failure: %s", p.Step, p.State, p.Attempt, cli.Clock(p.triedSince()), next, p.failure())
}

// triedSince is since when a step is tried that failed.
func (p pendingView) triedSince() time.Time {
	if p.Began.IsZero() {
		return p.Since
	}
	return p.Began
}

// awaited is the step as what a run waits for.
func (p pendingView) awaited() string {
	try := fmt.Sprintf("attempt %d of %s", p.Attempt, p.Step)
	if !p.NextTry.IsZero() {
		try += " at " + cli.Clock(p.NextTry)
	}
	return try + ", tried since " + cli.Clock(p.triedSince()) + "; the one before failed: " + p.failure()
}

func (p pendingView) failure() string { return cli.Plain(p.Error) + " (" + p.ErrorType + ")" }

// pendingViews are a workflow's activities that have not ended, those in
// trouble first.
func pendingViews(d *workflowservice.DescribeWorkflowExecutionResponse) []pendingView {
	var all []pendingView
	for _, p := range d.GetPendingActivities() {
		all = append(all, viewPending(p))
	}
	slices.SortStableFunc(all, func(a, b pendingView) int {
		return cmp.Or(cmp.Compare(b.Attempt, a.Attempt), cmp.Compare(a.Step, b.Step), a.Since.Compare(b.Since), a.NextTry.Compare(b.NextTry))
	})
	return all
}

func viewPending(p *workflowpb.PendingActivityInfo) pendingView {
	v := pendingView{Step: p.GetActivityType().GetName(), Attempt: p.GetAttempt(), State: pendingQueued}
	if t := p.GetScheduledTime(); t != nil { // of one that waits for its next attempt, when that is due
		v.Since = t.AsTime()
	}
	if all := p.GetActivityOptions().GetScheduleToCloseTimeout().AsDuration(); all > 0 && p.GetExpirationTime() != nil {
		v.Began = p.GetExpirationTime().AsTime().Add(-all)
	}
	if f := cause(p.GetLastFailure()); f != nil {
		v.Error, v.ErrorType = strings.Join(strings.Fields(f.GetMessage()), " "), failureType(f)
	}
	switch {
	case p.GetState() != enumspb.PENDING_ACTIVITY_STATE_SCHEDULED:
		v.State = pendingRunning
		if t := p.GetLastStartedTime(); t != nil {
			v.Since = t.AsTime()
		}
	case v.Error != "":
		v.State = pendingRetry
		asked := p.GetCurrentRetryInterval().AsDuration() > longestBackoff
		if asked || v.ErrorType == guard.CircuitOpen || v.ErrorType == runs.BotCheck {
			v.State = pendingWaiting
		}
		if t := p.GetNextAttemptScheduleTime(); t != nil {
			v.NextTry = t.AsTime()
		}
		if t := p.GetLastAttemptCompleteTime(); t != nil {
			v.Since = t.AsTime()
		}
	}
	if now := time.Now().UTC(); v.Since.After(now) {
		v.Since = now
	}
	return v
}

// cause is the failure that says what went wrong: of a timeout's the one of
// the attempt before it, if it tells of one.
func cause(f *failurepb.Failure) *failurepb.Failure {
	for f != nil && f.GetApplicationFailureInfo() == nil && f.GetCause() != nil {
		f = f.GetCause()
	}
	return f
}

func failureType(f *failurepb.Failure) string {
	switch {
	case f.GetApplicationFailureInfo() != nil:
		return f.GetApplicationFailureInfo().GetType()
	case f.GetTimeoutFailureInfo() != nil:
		return "Timeout"
	default:
		return "Failed"
	}
}
