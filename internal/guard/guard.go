package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/sony/gobreaker/v2"
	"go.temporal.io/sdk/temporal"
)

// CircuitOpen is the Temporal error type of a call that the breaker refused. It
// is retryable: the destination is expected back.
const CircuitOpen = "CircuitOpen"

const (
	// tripAfter is how many calls in a row must find the destination down
	// before the breaker opens. Each activity makes two quick tries, so it
	// takes three activities in trouble at once; one alone is not enough.
	tripAfter = 5
	// openFor is how long an open breaker refuses before it lets one call probe
	// the destination. Long enough for a restarting server, short enough that
	// work resumes within one delay after it is back.
	openFor = 15 * time.Second
	// openJitter spreads the calls that come back after openFor, so that they
	// do not all meet the half-open breaker, which admits one.
	openJitter = 5 * time.Second
	// blipTries and blipPause bound the quick retry of one call: one more try,
	// well under a second later.
	blipTries = 2
	blipPause = 250 * time.Millisecond
)

// Options describe one destination.
type Options struct {
	// Name is shown in errors, logs and metrics: "portal", "mongodb".
	Name string
	// Down says whether an error means that the destination itself is in
	// trouble (connection refused, 5xx, garbage): only these count against the
	// breaker and only these are worth a quick second try.
	Down func(error) bool
	// Pause says for how long the destination is to be left alone after an error, 0
	// where it asks for nothing of the kind; nil: it never does.
	Pause func(error) time.Duration
	// Log receives the breaker's changes of state; nil discards them.
	Log *slog.Logger
	// OpenFor overrides how long the open breaker refuses; 0 means the default
	// of 15 s.
	OpenFor time.Duration
}

// Guard protects one destination for one process. It is safe for concurrent
// use.
type Guard struct {
	name    string
	down    func(error) bool
	openFor time.Duration
	breaker *gobreaker.CircuitBreaker[struct{}]
	opened  atomic.Int64 // Unix nanoseconds of the last change to open
	trouble atomic.Pointer[trouble]
	pause   func(error) time.Duration
	asked   atomic.Pointer[asked]
}

// asked is that a destination is to be left alone.
type asked struct {
	until time.Time
	cause error
}

// trouble is what is wrong with a destination that was found down and has not
// been found up since.
type trouble struct {
	since time.Time // of the first call that found it down
	cause error     // of the last
}

// New returns a guard whose breaker is closed.
func New(o Options) *Guard {
	if o.OpenFor == 0 {
		o.OpenFor = openFor
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g := &Guard{name: o.Name, down: o.Down, openFor: o.OpenFor, pause: o.Pause}
	g.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        o.Name,
		Timeout:     o.OpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		// The breaker asks it, one call at a time, before it changes its state.
		IsSuccessful: g.note,
		// A call given up by its caller says nothing about the destination.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(name string, from, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				g.opened.Store(time.Now().UnixNano())
			}
			o.Log.Warn("circuit breaker changed", "destination", name, "from", from.String(), "to", to.String())
		},
	})
	return g
}

// note reports whether a call found the destination up, and keeps what was wrong
// when it did not.
func (g *Guard) note(err error) bool {
	if err == nil || !g.down(err) {
		g.trouble.Store(nil)
		return true
	}
	now := trouble{since: time.Now(), cause: err}
	if before := g.trouble.Load(); before != nil {
		now.since = before.since
	}
	g.trouble.Store(&now)
	return false
}

// refusal is the error of a call that the breaker does not let through.
func (g *Guard) refusal() *OpenError {
	e := &OpenError{Destination: g.name, RetryAfter: g.untilProbe()}
	if t := g.trouble.Load(); t != nil {
		e.Since, e.Cause = t.since, t.cause
	}
	return e
}

// leaveAlone notes that the destination is to be left alone after an error, and
// reports whether it is.
func (g *Guard) leaveAlone(err error) bool {
	if g.pause == nil {
		return false
	}
	pause := g.pause(err)
	if pause > 0 {
		g.asked.Store(&asked{until: time.Now().Add(pause), cause: err})
	}
	return pause > 0
}

// Do calls f, and calls it a second time if the destination was down. It
// returns f's last error, ctx's error, or an *OpenError when the breaker
// refuses, or when the destination is to be left alone. f must be safe to repeat.
func (g *Guard) Do(ctx context.Context, f func(context.Context) error) error {
	pause := backoff.NewExponentialBackOff(backoff.WithInitialInterval(blipPause))
	return backoff.Retry(func() error {
		if a := g.asked.Load(); a != nil && time.Now().Before(a.until) {
			return backoff.Permanent(&OpenError{Destination: g.name, Asked: true, Cause: a.cause, RetryAfter: time.Until(a.until) + rand.N(openJitter)})
		}
		_, err := g.breaker.Execute(func() (struct{}, error) { return struct{}{}, f(ctx) })
		switch {
		case err == nil:
			return nil
		case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
			return backoff.Permanent(g.refusal())
		case g.leaveAlone(err), !g.down(err):
			return backoff.Permanent(err)
		default:
			return err
		}
	}, backoff.WithContext(backoff.WithMaxRetries(pause, blipTries-1), ctx))
}

// State returns "closed", "half-open" or "open".
func (g *Guard) State() string { return g.breaker.State().String() }

// Name returns the destination's name.
func (g *Guard) Name() string { return g.name }

// untilProbe returns how long to wait before the breaker may admit a call
// again.
func (g *Guard) untilProbe() time.Duration {
	left := g.openFor - time.Since(time.Unix(0, g.opened.Load()))
	return max(left, 0) + rand.N(openJitter)
}

// OpenError is the refusal of an open (or busy half-open) breaker.
type OpenError struct {
	Destination string
	Asked       bool          // it is to be left alone; else it is down
	Since       time.Time     // of the first call that found it down; zero when it has just come back
	Cause       error         // of the last such call; nil when Since is zero
	RetryAfter  time.Duration // when the breaker may admit a call again, jitter included
}

// Error says what is wrong, since when, and when the next call may be made: it
// is all that whoever looks at a waiting run has to go by.
func (e *OpenError) Error() string {
	wait := "not called again for " + e.RetryAfter.Round(time.Second).String()
	if e.Asked {
		return fmt.Sprintf("%s is left alone: %s; %s", e.Destination, e.Cause, wait)
	}
	if e.Cause == nil {
		return e.Destination + " is down: " + wait
	}
	return fmt.Sprintf("%s is down since %s: %s; %s", e.Destination, e.Since.UTC().Format("15:04:05Z"), e.Cause, wait)
}

// Temporal returns the error for an activity to return: retryable, and retried
// when the breaker may admit a call, not by the activity's own backoff.
func (e *OpenError) Temporal() error {
	return temporal.NewApplicationErrorWithOptions(e.Error(), CircuitOpen, temporal.ApplicationErrorOptions{NextRetryDelay: e.RetryAfter})
}
