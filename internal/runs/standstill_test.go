package runs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb/mongodbtest"
	"padron/internal/socrata"
)

func TestStandstill(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	const limit = 7 * 24 * time.Hour
	last := func() Publication {
		p, err := store.LastPublication(ctx, limit)
		require.NoError(t, err)
		return p
	}
	require.False(t, last().StandsStill(), "nobody has asked")
	require.Equal(t, "the portal does not say when it last published rows", last().String())
	at := time.Now().UTC().Truncate(time.Second)
	ran := func(id string, day int, status Status, v socrata.Version) {
		_, err := store.BeginRun(ctx, Run{ID: id, Started: mongodbtest.Day(day)})
		require.NoError(t, err)
		decision := "full"
		if status == StatusSkipped {
			decision = ProbeSkip
		}
		require.NoError(t, store.SetRun(ctx, id, bson.D{{Key: "probe", Value: Probe{Decision: decision, Version: v}}}))
		require.NoError(t, store.SetRun(ctx, id, bson.D{{Key: "status", Value: status}}))
	}
	ran("first", 1, StatusDone, socrata.Version{Served: at.Add(-21*24*time.Hour - time.Hour)})
	ran("second", 2, StatusSkipped, socrata.Version{})
	require.True(t, last().StandsStill())
	require.Contains(t, last().String(), ", 21 days ago; that may be 7 days")
	ran("third", 3, StatusSkipped, socrata.Version{Updated: at.Add(-limit + time.Hour)})
	require.False(t, last().StandsStill())
	require.Contains(t, last().String(), ", 6 days ago")
	ran("fourth", 4, StatusDone, socrata.Version{Served: at.Add(time.Hour)})
	require.False(t, last().StandsStill(), "a portal whose clock is ahead")
}
