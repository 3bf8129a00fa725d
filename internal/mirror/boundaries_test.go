package mirror

import (
	"testing"
	"time"

	"github.com/paulmach/orb/geojson"
	"github.com/stretchr/testify/require"

	"padron/internal/boundaries"
	"padron/internal/socrata"
)

func TestBoundariesAreKeptInPlaceOfOthers(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	_, err := m.Boundaries(ctx, "j2bu-swwd")
	require.ErrorIs(t, err, ErrNoBoundaries)

	triangle := geojson.MultiPolygon{{{{1, 2}, {3, 2}, {3, 4.5}, {1, 2}}}}
	at := time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC)
	set := BoundarySet{
		ID: "j2bu-swwd", Property: "nhood", Updated: at, Version: socrata.Version{Served: at}, Run: "r1", Fetched: at.Add(time.Hour),
		Of: 9, Tolerance: 5e-5, Areas: []boundaries.Area{{Name: "Mission", Outline: triangle}, {Name: "Bayview", Outline: triangle}},
	}
	require.NoError(t, m.PutBoundaries(ctx, &set))
	read, err := m.Boundaries(ctx, "j2bu-swwd")
	require.NoError(t, err)
	require.Equal(t, set, read)
	require.Equal(t, 2, read.Features)
	require.Equal(t, 8, read.Points)
	header, err := m.BoundariesHeader(ctx, "j2bu-swwd")
	require.NoError(t, err)
	set.Areas = nil
	require.Equal(t, set, header)

	other := BoundarySet{ID: "abcd-1234", Property: "name", Run: "r2"}
	require.NoError(t, m.PutBoundaries(ctx, &other))
	require.NoError(t, m.PutBoundaries(ctx, &other))
	_, err = m.Boundaries(ctx, "j2bu-swwd")
	require.ErrorIs(t, err, ErrNoBoundaries, "the spec names another dataset now")
	_, err = m.Boundaries(ctx, "abcd-1234")
	require.NoError(t, err)
}
