package mirror

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// connectTest connects to the server for integration tests.
func connectTest(t testing.TB, adjust ...func(*options.ClientOptions)) *mongo.Client {
	t.Helper()
	uri := os.Getenv("MONGODB_URI")
	if uri == "" {
		t.Skip("MONGODB_URI is not set: no MongoDB to test against")
	}
	client, err := Connect(t.Context(), uri, adjust...)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		assert.NoError(t, client.Disconnect(ctx))
	})
	return client
}

// openOn opens a database of the test's own, dropped at its end.
func openOn(t testing.TB, client *mongo.Client, opts ...Option) *Mirror {
	t.Helper()
	m, err := Open(t.Context(), client, "test"+bson.NewObjectID().Hex(), "register", opts...)
	require.NoError(t, err)
	dropAfter(t, m.Database())
	return m
}

func dropAfter(t testing.TB, db *mongo.Database) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		assert.NoError(t, db.Drop(ctx))
	})
}

func openTest(t testing.TB, opts ...Option) *Mirror {
	t.Helper()
	return openOn(t, connectTest(t), opts...)
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"mongodb://127.0.0.1:27017":                         "mongodb://127.0.0.1:27017",
		"mongodb://user:secret@a:1,b:2/db?authSource=admin": "mongodb://a:1,b:2",
		"mongodb://user:sec/r?et@a:1/db":                    "mongodb://a:1",
		"mongodb://u:p@ss@a/":                               "mongodb://a",
		"mongodb+srv://u:p@cluster.example.org":             "mongodb+srv://cluster.example.org",
		"mongodb://a/?tlsCertificateKeyFilePassword=secret": "mongodb://a",
		"secret": "(no scheme)",
	} {
		assert.Equal(t, want, Address(in))
	}
}

func TestConnectErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		uri  string
		want error
	}{
		"nobody listens":  {"mongodb://user:secret@127.0.0.1:1/?serverSelectionTimeoutMS=30", ErrUnreachable},
		"no scheme":       {"user:secret@127.0.0.1", ErrAddress},
		"bad parameter":   {"mongodb://user:secret@127.0.0.1/?w=-3", ErrAddress},
		"bad escape":      {"mongodb://user:secret%zz@127.0.0.1/", ErrAddress},
		"empty":           {"", ErrAddress},
		"another product": {"postgres://user:secret@127.0.0.1/db", ErrAddress},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := Connect(ctx, tc.uri)
			require.ErrorIs(t, err, tc.want)
			assert.NotContains(t, err.Error(), "secret")
			assert.Contains(t, err.Error(), Address(tc.uri))
			assert.Contains(t, err.Error(), "set")
		})
	}
}

func TestIsDown(t *testing.T) {
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://127.0.0.1:1").SetServerSelectionTimeout(20 * time.Millisecond))
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Disconnect(t.Context())) }()
	_, err = Open(t.Context(), client, "p", "d")
	require.Error(t, err)
	assert.True(t, IsDown(err), "%v", err)

	for code, want := range map[int32]bool{91: true, 189: true, 10107: true, 11600: true, duplicateKey: false, 2: false} {
		assert.Equal(t, want, IsDown(fmt.Errorf("write: %w", mongo.CommandError{Code: code})), "code %d", code)
	}
	for _, err := range []error{ErrConflict, ErrCorrupt, ErrForeign, context.Canceled} {
		assert.False(t, IsDown(err), "%v", err)
	}
}

func TestOpen(t *testing.T) {
	client := connectTest(t)
	prefix := "test" + bson.NewObjectID().Hex()

	t.Run("names", func(t *testing.T) {
		for _, tc := range [][2]string{{"", "d"}, {"p", ""}, {"p", "a.b"}, {"p$", "d"}, {prefix, fmt.Sprintf("%063d", 0)}, {"é", "d"}} {
			_, err := Open(t.Context(), client, tc[0], tc[1])
			require.ErrorIs(t, err, ErrName, "%v", tc)
		}
	})
	t.Run("empty, then again", func(t *testing.T) {
		first, err := Open(t.Context(), client, prefix, "sf-business")
		require.NoError(t, err)
		dropAfter(t, first.Database())
		assert.Equal(t, prefix+"_sf-business", first.Database().Name())
		_, err = Open(t.Context(), client, prefix, "sf-business")
		require.NoError(t, err)
	})
	t.Run("many at once", func(t *testing.T) {
		errs := make(chan error)
		for range 8 {
			go func() {
				_, err := Open(t.Context(), client, prefix, "race")
				errs <- err
			}()
		}
		for range 8 {
			require.NoError(t, <-errs)
		}
		dropAfter(t, client.Database(prefix+"_race"))
	})
	t.Run("somebody else's", func(t *testing.T) {
		db := client.Database(prefix + "_shop")
		dropAfter(t, db)
		_, err := db.Collection("orders").InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}})
		require.NoError(t, err)
		_, err = Open(t.Context(), client, prefix, "shop")
		require.ErrorIs(t, err, ErrForeign)
		require.ErrorContains(t, err, "orders")
		names, err := db.ListCollectionNames(t.Context(), bson.D{})
		require.NoError(t, err)
		assert.Equal(t, []string{"orders"}, names, "nothing was written")
	})
	t.Run("another dataset's", func(t *testing.T) {
		db := client.Database(prefix + "_moved")
		dropAfter(t, db)
		_, err := db.Collection(marker).InsertOne(t.Context(), bson.D{{Key: "_id", Value: "owner"}, {Key: "dataset", Value: "chicago"}})
		require.NoError(t, err)
		_, err = Open(t.Context(), client, prefix, "moved")
		require.ErrorIs(t, err, ErrForeign)
		assert.ErrorContains(t, err, "chicago")
	})
}
