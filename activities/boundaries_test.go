package activities

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"padron/internal/boundaries"
	"padron/internal/runs"
)

// TestOutlinesTooIntricate: a ring whose simplification would take hours is
// refused, and not fetched again and again.
func TestOutlinesTooIntricate(t *testing.T) {
	ring := make(orb.Ring, boundaries.MaxRead)
	for i := range ring {
		// The farthest point from a chord is always the next one.
		ring[i] = orb.Point{float64(i) * 1e-9, 0.1 * (1 - float64(i)/float64(len(ring))) * math.Pow(-1, float64(i%2))}
	}
	ring[len(ring)-1] = ring[0]
	set := boundaries.Set{Of: len(ring)}
	areas := []boundaries.Area{{Name: "Coast", Outline: geojson.MultiPolygon{{ring}}}}
	err := simplify(t.Context(), 20*time.Millisecond, &set, areas)
	require.ErrorIs(t, err, boundaries.ErrUnusable)
	require.ErrorContains(t, err, "1000000 points are too intricate to be simplified in 20ms")
	var app *temporal.ApplicationError
	require.ErrorAs(t, classify(err), &app)
	require.Equal(t, runs.BoundariesUnusable, app.Type())
	require.True(t, app.NonRetryable())

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, simplify(ended, time.Minute, &set, areas), context.Canceled, "a step that is stopped says so")
}
