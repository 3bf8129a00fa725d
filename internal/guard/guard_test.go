package guard_test

import (
	"context"
	"errors"
	"testing"
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
