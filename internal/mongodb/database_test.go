package mongodb_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
)

func TestOpen(t *testing.T) {
	client := mongodbtest.Connect(t)
	prefix := "test" + bson.NewObjectID().Hex()

	t.Run("names", func(t *testing.T) {
		for _, tc := range [][2]string{{"", "d"}, {"p", ""}, {"p", "a.b"}, {"p$", "d"}, {prefix, fmt.Sprintf("%063d", 0)}, {"é", "d"}} {
			_, err := mongodb.Open(t.Context(), client, tc[0], tc[1])
			require.ErrorIs(t, err, mongodb.ErrName, "%v", tc)
		}
	})
	t.Run("empty, then again", func(t *testing.T) {
		first, err := mongodb.Open(t.Context(), client, prefix, "sf-business")
		require.NoError(t, err)
		mongodbtest.DropAfter(t, client.Database(first.Name()))
		assert.Equal(t, prefix+"_sf-business", first.Name())
		created, err := first.Created(t.Context())
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), created, time.Minute)
		_, err = mongodb.Open(t.Context(), client, prefix, "sf-business")
		require.NoError(t, err)
	})
	t.Run("many at once", func(t *testing.T) {
		errs := make(chan error)
		for range 8 {
			go func() {
				_, err := mongodb.Open(t.Context(), client, prefix, "race")
				errs <- err
			}()
		}
		for range 8 {
			require.NoError(t, <-errs)
		}
		mongodbtest.DropAfter(t, client.Database(prefix+"_race"))
	})
	t.Run("somebody else's", func(t *testing.T) {
		db := client.Database(prefix + "_shop")
		mongodbtest.DropAfter(t, db)
		_, err := db.Collection("orders").InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}})
		require.NoError(t, err)
		_, err = mongodb.Open(t.Context(), client, prefix, "shop")
		require.ErrorIs(t, err, mongodb.ErrForeign)
		require.ErrorContains(t, err, "orders")
		names, err := db.ListCollectionNames(t.Context(), bson.D{})
		require.NoError(t, err)
		assert.Equal(t, []string{"orders"}, names, "nothing was written")
	})
	t.Run("another dataset's", func(t *testing.T) {
		db := client.Database(prefix + "_moved")
		mongodbtest.DropAfter(t, db)
		_, err := db.Collection("padron").InsertOne(t.Context(), bson.D{{Key: "_id", Value: "owner"}, {Key: "dataset", Value: "chicago"}})
		require.NoError(t, err)
		_, err = mongodb.Open(t.Context(), client, prefix, "moved")
		require.ErrorIs(t, err, mongodb.ErrForeign)
		assert.ErrorContains(t, err, "chicago")
	})
}

// TestOpenOtherFormats opens what another version wrote: an older format for
// writing only, to be converted, and a newer one not at all.
func TestOpenOtherFormats(t *testing.T) {
	client := mongodbtest.Connect(t)
	prefix := "test" + bson.NewObjectID().Hex()
	database := client.Database(prefix + "_register")
	mongodbtest.DropAfter(t, database)
	_, err := mongodb.Open(t.Context(), client, prefix, "register", mongodb.ReadOnly())
	require.ErrorIs(t, err, mongodb.ErrNoMirror)
	_, err = mongodb.Open(t.Context(), client, prefix, "register")
	require.NoError(t, err)
	stored := func(format int32) {
		res, err := database.Collection("padron").UpdateOne(t.Context(), mongodb.ByID("owner"),
			bson.D{{Key: "$set", Value: bson.D{{Key: "format", Value: format}}}})
		require.NoError(t, err)
		require.EqualValues(t, 1, res.MatchedCount)
	}

	db, err := mongodb.Open(t.Context(), client, prefix, "register", mongodb.ReadOnly())
	require.NoError(t, err)
	assert.Equal(t, mongodb.Format, db.StoredFormat())

	stored(mongodb.Format + 1)
	for _, opts := range [][]mongodb.Option{nil, {mongodb.ReadOnly()}} {
		_, err = mongodb.Open(t.Context(), client, prefix, "register", opts...)
		require.ErrorIs(t, err, mongodb.ErrFormat)
		require.ErrorContains(t, err, "use the newer version")
	}

	stored(1)
	_, err = mongodb.Open(t.Context(), client, prefix, "register", mongodb.ReadOnly())
	require.ErrorIs(t, err, mongodb.ErrFormat)
	require.ErrorContains(t, err, "a worker of this version converts it")
	db, err = mongodb.Open(t.Context(), client, prefix, "register")
	require.NoError(t, err)
	assert.Equal(t, 1, db.StoredFormat())
	require.NoError(t, db.SetFormat(t.Context()))
	assert.Equal(t, mongodb.Format, db.StoredFormat())
	db, err = mongodb.Open(t.Context(), client, prefix, "register", mongodb.ReadOnly())
	require.NoError(t, err)
	assert.Equal(t, mongodb.Format, db.StoredFormat())
}

// A call that looks at every document has ten minutes, and longer in a step that
// was given longer because there are more.
func TestScansHaveAsLongAsTheirStepAllows(t *testing.T) {
	db := mongodbtest.Open(t)
	for step, want := range map[time.Duration]time.Duration{
		0: 10 * time.Minute, time.Minute: time.Minute, 30 * time.Minute: 10 * time.Minute, 9 * time.Hour: 3 * time.Hour,
	} {
		ctx := t.Context()
		if step > 0 {
			within, cancel := context.WithTimeout(ctx, step)
			defer cancel()
			ctx = within
		}
		scan, cancel := db.Scan(ctx)
		defer cancel()
		deadline, ok := scan.Deadline()
		require.True(t, ok)
		assert.WithinDuration(t, time.Now().Add(want), deadline, time.Minute/2, "in a step of %s", step)
	}
}
