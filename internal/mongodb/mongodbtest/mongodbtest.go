// Package mongodbtest opens databases for tests.
package mongodbtest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
	"padron/internal/testenv"
)

// Connect connects to the server for integration tests. The test is skipped
// without one.
func Connect(t testing.TB, adjust ...func(*options.ClientOptions)) *mongo.Client {
	t.Helper()
	client, err := mongodb.Connect(t.Context(), testenv.MongoDB(t), adjust...)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		assert.NoError(t, client.Disconnect(ctx))
	})
	return client
}

// Open opens a database of the test's own, dropped at its end.
func Open(t testing.TB, opts ...mongodb.Option) *mongodb.Database {
	t.Helper()
	return OpenOn(t, Connect(t), opts...)
}

// OpenOn is Open with a client of the test's own.
func OpenOn(t testing.TB, client *mongo.Client, opts ...mongodb.Option) *mongodb.Database {
	t.Helper()
	db, err := mongodb.Open(t.Context(), client, "test"+bson.NewObjectID().Hex(), "register", opts...)
	require.NoError(t, err)
	DropAfter(t, client.Database(db.Name()))
	return db
}

// DropAfter drops a database at the test's end.
func DropAfter(t testing.TB, db *mongo.Database) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		assert.NoError(t, db.Drop(ctx))
	})
}

// Save reads a database's documents. restore makes them what they were, in the
// same collections with the same indexes: that is faster than another database.
func Save(t testing.TB, db *mongodb.Database) (restore func(testing.TB)) {
	t.Helper()
	names := func(t testing.TB) []string {
		names, err := db.Collection(mongodb.Businesses).Database().ListCollectionNames(t.Context(), bson.D{})
		require.NoError(t, err)
		return names
	}
	saved := map[string][]bson.Raw{}
	for _, name := range names(t) {
		cursor, err := db.Collection(name).Find(t.Context(), bson.D{})
		require.NoError(t, err)
		var docs []bson.Raw
		require.NoError(t, cursor.All(t.Context(), &docs))
		saved[name] = docs
	}
	return func(t testing.TB) {
		t.Helper()
		for _, name := range names(t) {
			_, err := db.Collection(name).DeleteMany(t.Context(), bson.D{})
			require.NoError(t, err)
			if len(saved[name]) > 0 {
				_, err = db.Collection(name).InsertMany(t.Context(), saved[name])
				require.NoError(t, err)
			}
		}
	}
}
