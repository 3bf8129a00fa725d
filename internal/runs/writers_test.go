package runs

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb/mongodbtest"
)

// A run that wrote and is not done is a writer, until a whole crawl is written
// over what it wrote.
func TestWriters(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	for i, id := range []string{"done", "failed", "killed", "looked", "retried", "again"} {
		_, err := store.BeginRun(ctx, Run{ID: id, Started: mongodbtest.Day(i + 1)})
		require.NoError(t, err)
	}
	writers := func() []string {
		runs, err := store.Writers(ctx)
		require.NoError(t, err)
		ids := []string{}
		for _, run := range runs {
			ids = append(ids, run.ID)
		}
		return ids
	}
	end := func(id string, status Status) {
		require.NoError(t, store.SetRun(ctx, id, bson.D{{Key: "status", Value: status}}))
	}
	require.Empty(t, writers())
	for _, id := range []string{"done", "failed", "killed", "failed"} {
		require.NoError(t, store.Writing(ctx, id))
	}
	require.Equal(t, []string{"killed", "failed", "done"}, writers())
	end("done", StatusDone)
	end("failed", StatusFailed)
	end("looked", StatusFailed)
	require.Equal(t, []string{"killed", "failed"}, writers(), "one that never wrote is none")
	require.NoError(t, store.Writing(ctx, "retried"))
	end("retried", StatusDone)
	require.NoError(t, store.Writing(ctx, "again"))
	require.NoError(t, store.Overwritten(ctx, "again"))
	require.Equal(t, []string{"again"}, writers(), "it is not done itself")
	end("again", StatusDone)
	require.Empty(t, writers())
	require.ErrorIs(t, store.Writing(ctx, "never begun"), ErrNoRun)
}
