package guard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"padron/internal/guard"
)

var (
	errDown    = errors.New("connection refused")
	errRequest = errors.New("no such column")
)

func newGuard(openFor time.Duration) *guard.Guard {
	return guard.New(guard.Options{Name: "portal", OpenFor: openFor, Down: func(err error) bool { return errors.Is(err, errDown) }})
}

func TestABlipIsTriedOnceMore(t *testing.T) {
	calls := 0
	err := newGuard(time.Minute).Do(t.Context(), func(context.Context) error {
		calls++
		if calls == 1 {
			return errDown
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 2, calls)
}

func TestARefusedRequestIsNotRepeatedAndDoesNotTrip(t *testing.T) {
	g := newGuard(time.Minute)
	calls := 0
	for range 20 {
		err := g.Do(t.Context(), func(context.Context) error { calls++; return errRequest })
		require.ErrorIs(t, err, errRequest)
	}
	require.Equal(t, 20, calls)
	require.Equal(t, "closed", g.State())
}

func TestAGivenUpCallDoesNotTrip(t *testing.T) {
	g := newGuard(time.Minute)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		err := g.Do(ctx, func(context.Context) error { cancel(); return errors.Join(errDown, context.Canceled) })
		require.Error(t, err)
	}
	require.Equal(t, "closed", g.State())
}

func TestTheBreakerOpensRefusesAndCloses(t *testing.T) {
	g := newGuard(50 * time.Millisecond)
	down := func(context.Context) error { return errDown }
	var open *guard.OpenError
	for i := 0; !errors.As(g.Do(t.Context(), down), &open); i++ {
		require.Less(t, i, 10, "never opened")
	}
	require.Equal(t, "open", g.State())
	require.Equal(t, "portal", open.Destination)

	var app *temporal.ApplicationError
	require.ErrorAs(t, open.Temporal(), &app)
	require.Equal(t, guard.CircuitOpen, app.Type())
	require.False(t, app.NonRetryable())
	require.Equal(t, open.RetryAfter, app.NextRetryDelay())

	called := false
	require.Error(t, g.Do(t.Context(), func(context.Context) error { called = true; return nil }))
	require.False(t, called, "an open breaker must not call")

	require.Eventually(t, func() bool {
		return g.Do(t.Context(), func(context.Context) error { return nil }) == nil
	}, 5*time.Second, 20*time.Millisecond)
	require.Equal(t, "closed", g.State())
}

// down and up are calls that find the destination down, and up again.
func down(context.Context) error { return errDown }
func up(context.Context) error   { return nil }

func TestTheBreakerOpensAtTheFifthFailureInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(0)
		calls := 0
		fail := func(context.Context) error { calls++; return errDown }
		for range 3 { // a success in between starts the count anew
			require.ErrorIs(t, g.Do(t.Context(), fail), errDown)
			require.ErrorIs(t, g.Do(t.Context(), fail), errDown)
			require.Equal(t, "closed", g.State())
			require.NoError(t, g.Do(t.Context(), up))
		}
		require.Equal(t, 12, calls, "each of six was tried twice")
		require.ErrorIs(t, g.Do(t.Context(), fail), errDown)
		require.ErrorIs(t, g.Do(t.Context(), fail), errDown)
		require.Equal(t, "closed", g.State(), "four in a row")
		var open *guard.OpenError
		require.ErrorAs(t, g.Do(t.Context(), fail), &open)
		require.Equal(t, 17, calls, "the fifth in a row opens it, and its second try is refused")
		require.Equal(t, "open", g.State())
	})
}

// TestARefusalSaysWhenToComeBack checks that a refusal names the time at which the
// breaker admits a call again, plus up to 5 s so that not all callers return at
// once.
func TestARefusalSaysWhenToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(0)
		var opened time.Time
		for g.State() == "closed" {
			_ = g.Do(t.Context(), func(context.Context) error { opened = time.Now(); return errDown })
		}
		checkRefusals := func() {
			t.Helper()
			for range 20 {
				var open *guard.OpenError
				require.ErrorAs(t, g.Do(t.Context(), up), &open)
				least := max(0, 15*time.Second-time.Since(opened))
				require.GreaterOrEqual(t, open.RetryAfter, least)
				require.Less(t, open.RetryAfter, least+5*time.Second)
				require.Contains(t, open.Error(), "; not called again for ")
			}
		}
		checkRefusals()
		time.Sleep(10 * time.Second)
		checkRefusals()
		time.Sleep(5 * time.Second)
		require.Equal(t, "half-open", g.State())

		// A half-open breaker admits one call and refuses others.
		release, done := make(chan struct{}), make(chan error)
		go func() { done <- g.Do(t.Context(), func(context.Context) error { <-release; return nil }) }()
		synctest.Wait()
		checkRefusals()
		close(release)
		require.NoError(t, <-done)
		require.Equal(t, "closed", g.State())
	})
}

// TestARefusalSaysWhatIsWrong checks that a refusal carries the cause of the last
// failure and when the trouble began, over failed probes, until a call gets
// through; and that its Temporal error is of the breaker's type to the bottom.
func TestARefusalSaysWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(0)
		began := time.Now().UTC().Format("15:04:05Z")
		refused := func() *guard.OpenError {
			var open *guard.OpenError
			require.ErrorAs(t, g.Do(t.Context(), up), &open)
			return open
		}
		for g.State() == "closed" {
			_ = g.Do(t.Context(), func(context.Context) error { return fmt.Errorf("500: boom: %w", errDown) })
		}
		require.Regexp(t, `^portal is down since `+began+`: 500: boom: connection refused; not called again for (1[5-9]|20)s$`, refused().Error())
		time.Sleep(15 * time.Second)
		_ = g.Do(t.Context(), down) // the probe
		again := refused()
		require.Regexp(t, `^portal is down since `+began+`: connection refused; not called again for `, again.Error())
		require.ErrorIs(t, again.Cause, errDown)
		require.WithinDuration(t, time.Now().Add(-15*time.Second), again.Since, 5*time.Second)

		var app *temporal.ApplicationError
		require.ErrorAs(t, again.Temporal(), &app)
		require.Equal(t, again.Error(), app.Message())
		require.NoError(t, app.Unwrap(), "a run that gives up ends with the innermost type: CircuitOpen")

		time.Sleep(15 * time.Second)
		require.NoError(t, g.Do(t.Context(), up))
		for g.State() == "closed" {
			_ = g.Do(t.Context(), down)
		}
		require.Less(t, time.Since(refused().Since), 5*time.Second, "what was before it came back is past")
	})
}

func TestAProbeThatFailsOpensItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(time.Minute)
		for g.State() == "closed" {
			_ = g.Do(t.Context(), down)
		}
		time.Sleep(time.Minute)
		var open *guard.OpenError
		require.ErrorAs(t, g.Do(t.Context(), down), &open, "the probe's second try")
		require.Greater(t, open.RetryAfter, 59*time.Second, "counted from now")
		require.Equal(t, "open", g.State())
	})
}

func TestChangesOfStateAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		g := guard.New(guard.Options{Name: "mongodb", Down: func(error) bool { return true }, Log: slog.New(slog.NewTextHandler(&said, nil))})
		require.Equal(t, "mongodb", g.Name())
		for g.State() == "closed" {
			_ = g.Do(t.Context(), down)
		}
		time.Sleep(15 * time.Second)
		require.NoError(t, g.Do(t.Context(), up))
		require.Regexp(t, `destination=mongodb from=closed to=open\n(.*\n)?.*from=open to=half-open\n.*from=half-open to=closed\n$`, said.String())
	})
}

func TestACallerThatGivesUpIsNotKeptWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		start := time.Now()
		err := newGuard(0).Do(ctx, func(context.Context) error { calls++; cancel(); return errDown })
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 1, calls)
		require.Zero(t, time.Since(start))
	})
}

// TestADestinationIsLeftAlone makes no call for as long as the destination asked not
// to be called, not even the quick second try, whoever wants to.
func TestADestinationIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errBusy := errors.New("too many requests")
		g := guard.New(guard.Options{Name: "portal", Down: func(err error) bool { return errors.Is(err, errDown) }, Pause: func(err error) time.Duration {
			switch {
			case errors.Is(err, errBusy):
				return 5 * time.Minute
			case errors.Is(err, errDown):
				return time.Minute
			}
			return 0
		}})
		calls := 0
		call := func(err error) error {
			return g.Do(t.Context(), func(context.Context) error { calls++; return err })
		}
		require.ErrorIs(t, call(errRequest), errRequest)
		require.NoError(t, call(nil))
		require.Equal(t, 2, calls)

		require.ErrorIs(t, call(errBusy), errBusy)
		time.Sleep(time.Minute)
		var open *guard.OpenError
		require.ErrorAs(t, call(nil), &open)
		require.Equal(t, 3, calls)
		require.GreaterOrEqual(t, open.RetryAfter, 4*time.Minute)
		require.Less(t, open.RetryAfter, 4*time.Minute+5*time.Second)
		require.Regexp(t, `^portal is left alone: too many requests; not called again for 4m\ds$`, open.Error())
		require.Equal(t, "closed", g.State(), "it is not down")

		time.Sleep(4 * time.Minute)
		require.ErrorIs(t, call(errDown), errDown)
		require.Equal(t, 4, calls, "one that is down and asks is not tried a second time")
		require.ErrorAs(t, call(nil), &open)
		time.Sleep(time.Minute)
		require.NoError(t, call(nil))
	})
}
