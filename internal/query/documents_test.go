package query

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
)

// TestEachDocumentAsksForNoMoreThanABatch: each query has a limit, so that no
// engine finds all documents before it answers, and every document is visited
// once, at either side of the end of a batch.
func TestEachDocumentAsksForNoMoreThanABatch(t *testing.T) {
	t.Parallel()
	var sent mongodbtest.Reads
	db := mongodbtest.OpenOn(t, mongodbtest.Connect(t, sent.Attach))
	r := New(db)
	var docs []any
	var keys []string
	for i := range 2*mongodb.ReadBatch + 1 {
		keys = append(keys, fmt.Sprintf("%06d", i))
		docs = append(docs, bson.D{{Key: "_id", Value: keys[i]}, {Key: "name", Value: "n"}, {Key: "owner", Value: "o"}})
	}
	businesses := db.Collection(mongodb.Businesses)
	_, err := businesses.InsertMany(t.Context(), docs[:2*mongodb.ReadBatch])
	require.NoError(t, err)
	for _, n := range []int{2 * mongodb.ReadBatch, 2*mongodb.ReadBatch + 1} {
		var seen []string
		commands := sent.Of(t, func() error {
			return r.EachDocument(t.Context(), mongodb.Businesses, func(path string) bool { return path != "name" }, func(doc bson.Raw) error {
				seen = append(seen, mongodb.Text(doc, "_id"))
				require.Equal(t, "n", mongodb.Text(doc, "name"))
				require.Empty(t, mongodb.Text(doc, "owner"))
				return nil
			})
		})
		require.Equal(t, keys[:n], seen)
		require.Len(t, commands, 3)
		for _, c := range commands {
			require.EqualValues(t, mongodb.ReadBatch, mongodb.Number(c, "limit"))
		}
		if n == 2*mongodb.ReadBatch {
			_, err := businesses.InsertOne(t.Context(), docs[n])
			require.NoError(t, err)
		}
	}
}
