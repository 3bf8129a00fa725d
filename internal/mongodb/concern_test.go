package mongodb

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/testenv"
)

// TestReadsWaitForTheMajority where the server keeps copies; where it keeps none,
// reads are made as before.
func TestReadsWaitForTheMajority(t *testing.T) {
	for name, c := range map[string]struct {
		hello bson.D
		want  string
	}{
		"replica set": {bson.D{{Key: "isWritablePrimary", Value: true}, {Key: "setName", Value: "rs0"}}, "majority"},
		"router":      {bson.D{{Key: "isWritablePrimary", Value: true}, {Key: "msg", Value: "isdbgrid"}}, "majority"},
		"one server":  {bson.D{{Key: "isWritablePrimary", Value: true}}, "local"},
	} {
		raw, err := bson.Marshal(c.hello)
		require.NoError(t, err)
		require.Equal(t, c.want, concernOf(raw).Level, name)
	}

	// What is decided so is what is sent.
	var mu sync.Mutex
	sent := map[string]string{}
	client, err := Connect(t.Context(), testenv.MongoDB(t), func(o *options.ClientOptions) {
		o.SetMonitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
			mu.Lock()
			defer mu.Unlock()
			sent[e.CommandName] = Text(e.Command, "readConcern", "level")
		}})
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Disconnect(context.WithoutCancel(t.Context()))) })
	hello, err := client.Database("admin").RunCommand(t.Context(), bson.D{{Key: "hello", Value: 1}}).Raw()
	require.NoError(t, err)
	db, err := Open(t.Context(), client, "test"+bson.NewObjectID().Hex(), "register")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.db.Drop(context.WithoutCancel(t.Context()))) })
	err = db.Collection(Runs).FindOne(t.Context(), ByID("none")).Err()
	require.ErrorIs(t, err, mongo.ErrNoDocuments)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, concernOf(hello).Level, sent["find"])
}
