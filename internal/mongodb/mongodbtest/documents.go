package mongodbtest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
)

// Day is the time of a run on the n-th day of a month. BSON keeps it exactly.
func Day(n int) time.Time { return time.Date(2026, 10, n, 11, 15, 0, 0, time.UTC) }

// WithID is a document, or a filter, that has nothing but an _id of any type.
func WithID(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }

// Documents reads a collection, by _id; an _id that is not a string is shown as
// extended JSON.
func Documents(ctx context.Context, t require.TestingT, db *mongodb.Database, collection string) map[string]bson.Raw {
	cursor, err := db.Collection(collection).Find(ctx, bson.D{}, options.Find().SetBatchSize(5000))
	require.NoError(t, err)
	var list []bson.Raw
	require.NoError(t, cursor.All(ctx, &list))
	docs := make(map[string]bson.Raw, len(list))
	for _, d := range list {
		id, ok := d.Lookup("_id").StringValueOK()
		if !ok {
			id = d.Lookup("_id").String()
		}
		docs[id] = d
	}
	return docs
}

// Clear removes all documents of collections.
func Clear(ctx context.Context, t require.TestingT, db *mongodb.Database, collections ...string) {
	for _, name := range collections {
		_, err := db.Collection(name).DeleteMany(ctx, bson.D{})
		require.NoError(t, err)
	}
}
