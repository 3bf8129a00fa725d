package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"padron/internal/runs"
	"padron/internal/socrata"
)

const (
	// samePatience is how often a step is given the same unusable answer in a row
	// before the run ends: over two minutes with Temporal's pauses, so that a
	// broken copy in a cache or a deployment is outlasted.
	samePatience = 8
	// smallerFor is how long a page size is kept that was served where larger pages
	// failed: an outage must not make many small pages of the hours after it.
	smallerFor = 10 * time.Minute
	// lastAttempt is what a wait leaves of a step's deadline for one more attempt.
	lastAttempt = time.Minute
)

// carried is what an attempt of a step leaves for the next one, in the details of
// its heartbeats.
type carried struct {
	PageSize int    `json:"page_size,omitempty"` // rows to ask for; 0: as many as the worker is set to
	Garbage  string `json:"garbage,omitempty"`   // digest of the last unusable answer
	Same     int    `json:"same,omitempty"`      // how often that came in a row
	Cuts     cuts   `json:"cuts,omitzero"`       // of a plan, as far as they were asked for
}

// attempt is one attempt of a step. It may be used by several goroutines.
type attempt struct {
	mu sync.Mutex
	carried
}

type attemptKey struct{}

// attemptOf returns the attempt that a context belongs to; outside of one, an
// empty one that nobody reads.
func attemptOf(ctx context.Context) *attempt {
	if at, ok := ctx.Value(attemptKey{}).(*attempt); ok {
		return at
	}
	return &attempt{}
}

// attempted makes one attempt of a step, with heartbeats that carry what the next
// one must know, and gives its error its type. Every step goes through it.
func attempted[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	at := &attempt{}
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &at.carried) != nil {
		at.carried = carried{} // of another build: begun anew
	}
	ctx = context.WithValue(ctx, attemptKey{}, at)
	stop := heartbeat(ctx)
	defer stop()
	result, err := do(ctx)
	if err != nil {
		stop()
		err = at.meet(err)
		// The last heartbeat of a failed attempt is what the next one reads.
		activity.RecordHeartbeat(ctx, at.details())
	}
	return result, inTime(finish(ctx, err), activity.GetInfo(ctx), time.Now())
}

// details are what a heartbeat carries.
func (at *attempt) details() carried {
	at.mu.Lock()
	defer at.mu.Unlock()
	return at.carried
}

// smallerPage is a page size that was served where larger pages failed. The pages
// that come next need not learn that anew.
type smallerPage struct {
	rows  int
	until time.Time // when larger ones are tried again
}

// pageSize returns how many rows the attempt asks for, at most the worker's own.
func (at *attempt) pageSize(own int, served *smallerPage) int {
	if served != nil && time.Now().Before(served.until) {
		own = min(own, served.rows)
	}
	if size := at.details().PageSize; size > 0 {
		return min(size, own)
	}
	return own
}

// served returns what is to be remembered of a page that came: its size if larger
// ones failed, else what was remembered before.
func (at *attempt) served(limit int, before *smallerPage) *smallerPage {
	if at.details().PageSize == limit {
		return &smallerPage{rows: limit, until: time.Now().Add(smallerFor)}
	}
	return before
}

// halve has the next attempt ask for half as many rows.
func (at *attempt) halve(limit int) {
	at.mu.Lock()
	defer at.mu.Unlock()
	at.PageSize = max(limit/2, smallestPage)
}

// meet counts an unusable answer, and ends the run when it is always the same:
// what is wrong at one place of the portal's data does not mend itself while it is
// asked for. Any other failure between two of them says nothing about it.
func (at *attempt) meet(err error) error {
	soda, ok := errors.AsType[*socrata.Error](err)
	if !ok || soda.Digest == "" {
		return err
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	if soda.Digest != at.Garbage {
		at.Garbage, at.Same = soda.Digest, 0
	}
	if at.Same++; at.Same < samePatience {
		return err
	}
	return refuse(runs.PageUnusable, fmt.Sprintf("%s; the same answer came %d times, so it is not asked for any more: tell the portal's owner, the next run asks anew", told(err), at.Same))
}

// inTime keeps the delay that an error asks for within the deadline of its step: a
// retry that would come after it is not waited for, and the step fails at once.
func inTime(err error, step activity.Info, now time.Time) error {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || app.NextRetryDelay() <= 0 || step.ScheduleToCloseTimeout <= 0 {
		return err
	}
	left := step.ScheduledTime.Add(step.ScheduleToCloseTimeout).Sub(now) - lastAttempt
	if app.NextRetryDelay() <= left {
		return err
	}
	return later(app.Type(), againIn(app, max(left, 0)), max(left, 0))
}

const askedAgain = "; it is asked again in "

// againIn says when a step is tried again that was asked to wait longer.
func againIn(err error, delay time.Duration) error {
	message := told(err)
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		message = app.Message()
	}
	message, _, _ = strings.Cut(message, askedAgain)
	if delay <= 0 {
		return errors.New(message)
	}
	return fmt.Errorf("%s%s%s", message, askedAgain, delay.Round(time.Second))
}
