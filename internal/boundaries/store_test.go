package boundaries

import (
	"testing"
	"time"

	"github.com/paulmach/orb/geojson"
	"github.com/stretchr/testify/require"

	"padron/internal/mongodb/mongodbtest"
	"padron/internal/socrata"
)

func TestBoundariesAreKeptInPlaceOfOthers(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	_, err := store.Get(ctx, "j2bu-swwd")
	require.ErrorIs(t, err, ErrNoBoundaries)

	triangle := geojson.MultiPolygon{{{{1, 2}, {3, 2}, {3, 4.5}, {1, 2}}}}
	at := time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC)
	set := Set{
		ID: "j2bu-swwd", Property: "nhood", Updated: at, Version: socrata.Version{Served: at}, Run: "r1", Fetched: at.Add(time.Hour),
		Of: 9, Tolerance: 5e-5, Areas: []Area{{Name: "Mission", Outline: triangle}, {Name: "Bayview", Outline: triangle}},
	}
	require.NoError(t, store.Put(ctx, &set))
	read, err := store.Get(ctx, "j2bu-swwd")
	require.NoError(t, err)
	require.Equal(t, set, read)
	require.Equal(t, 2, read.Features)
	require.Equal(t, 8, read.Points)
	header, err := store.Header(ctx, "j2bu-swwd")
	require.NoError(t, err)
	set.Areas = nil
	require.Equal(t, set, header)

	other := Set{ID: "abcd-1234", Property: "name", Run: "r2"}
	require.NoError(t, store.Put(ctx, &other))
	require.NoError(t, store.Put(ctx, &other))
	_, err = store.Get(ctx, "j2bu-swwd")
	require.ErrorIs(t, err, ErrNoBoundaries, "the spec names another dataset now")
	_, err = store.Get(ctx, "abcd-1234")
	require.NoError(t, err)
}
