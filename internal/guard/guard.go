// Package guard stands between an activity and one destination (the portal,
// MongoDB). It owns two layers of the error policy and no more: a quick second
// try for the blip of a single call, and a circuit breaker that stops calling a
// destination that is down. Everything that takes longer than a second is
// Temporal's: guard turns its refusals into errors that tell Temporal when to
// come back.
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

// CircuitOpen is the Temporal error type of a call that the breaker refused.
// It is retryable: the destination is expected back.
const CircuitOpen = "CircuitOpen"

const (
	// tripAfter is how many calls in a row must find the destination down
	// before the breaker opens. Each activity makes two quick tries, so three
	// activities in trouble at once are enough and a single one is not.
	tripAfter = 5
	// openFor is how long an open breaker refuses before it lets one call
	// probe the destination. Long enough for a restarting server, short enough
	// that work resumes within one delay after it is back.
	openFor = 15 * time.Second
	// openJitter spreads the calls that come back after openFor, so that they
	// do not all meet the half-open breaker, which admits one.
	openJitter = 5 * time.Second
	// blipTries and blipPause bound the quick retry of one call: one second
	// try, well under a second later.
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
	// Log receives the breaker's changes of state; nil discards them.
	Log *slog.Logger
	// OpenFor overrides how long the open breaker refuses; 0 means the default
	// of 15 s.
	OpenFor time.Duration
}

// Guard protects one destination for one process. It is safe for concurrent use.
type Guard struct {
	name    string
	down    func(error) bool
	openFor time.Duration
	breaker *gobreaker.CircuitBreaker[struct{}]
	opened  atomic.Int64 // Unix nanoseconds of the last change to open
}

// New makes a closed guard.
func New(o Options) *Guard {
	if o.OpenFor == 0 {
		o.OpenFor = openFor
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g := &Guard{name: o.Name, down: o.Down, openFor: o.OpenFor}
	g.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         o.Name,
		Timeout:      o.OpenFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		IsSuccessful: func(err error) bool { return err == nil || !o.Down(err) },
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

// Do calls f, a second time if the destination was down for a moment. It
// returns f's last error, ctx's error, or an *OpenError when the breaker
// refuses. f must be safe to repeat.
func (g *Guard) Do(ctx context.Context, f func(context.Context) error) error {
	pause := backoff.NewExponentialBackOff(backoff.WithInitialInterval(blipPause))
	return backoff.Retry(func() error {
		_, err := g.breaker.Execute(func() (struct{}, error) { return struct{}{}, f(ctx) })
		switch {
		case err == nil:
			return nil
		case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
			return backoff.Permanent(&OpenError{Destination: g.name, RetryAfter: g.untilProbe()})
		case !g.down(err):
			return backoff.Permanent(err)
		default:
			return err
		}
	}, backoff.WithContext(backoff.WithMaxRetries(pause, blipTries-1), ctx))
}

// State is "closed", "half-open" or "open".
func (g *Guard) State() string { return g.breaker.State().String() }

// Name is the destination's name.
func (g *Guard) Name() string { return g.name }

// untilProbe is how long to wait before the breaker may admit a call again.
func (g *Guard) untilProbe() time.Duration {
	left := g.openFor - time.Since(time.Unix(0, g.opened.Load()))
	return max(left, 0) + rand.N(openJitter)
}

// OpenError is the refusal of an open (or busy half-open) breaker.
type OpenError struct {
	Destination string
	RetryAfter  time.Duration // when the breaker may admit a call again, jitter included
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("%s is down: not called again for %s", e.Destination, e.RetryAfter.Round(time.Second))
}

// Temporal is the error to return from an activity: retryable, and retried when
// the breaker may admit a call, not by the activity's own backoff.
func (e *OpenError) Temporal() error {
	return temporal.NewApplicationErrorWithOptions(e.Error(), CircuitOpen, temporal.ApplicationErrorOptions{
		Cause:          e,
		NextRetryDelay: e.RetryAfter,
	})
}
