package mirror

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestEachDocumentAsksForNoMoreThanABatch: each query has a limit, so that no
// engine finds all documents before it answers, and every document is visited
// once, at either side of the end of a batch.
func TestEachDocumentAsksForNoMoreThanABatch(t *testing.T) {
	t.Parallel()
	var r reads
	m := openOn(t, connectTest(t, r.attach))
	var docs []any
	var keys []string
	for i := range 2*readBatch + 1 {
		keys = append(keys, fmt.Sprintf("%06d", i))
		docs = append(docs, bson.D{{Key: "_id", Value: keys[i]}, {Key: "name", Value: "n"}, {Key: "owner", Value: "o"}})
	}
	businesses := m.db.Collection(Businesses)
	_, err := businesses.InsertMany(t.Context(), docs[:2*readBatch])
	require.NoError(t, err)
	for _, n := range []int{2 * readBatch, 2*readBatch + 1} {
		var seen []string
		commands := r.of(t, func() error {
			return m.EachDocument(t.Context(), Businesses, []string{"_id", "owner"}, func(doc bson.Raw) error {
				seen = append(seen, text(doc, "_id"))
				require.Equal(t, "n", text(doc, "name"))
				require.Empty(t, text(doc, "owner"))
				return nil
			})
		})
		require.Equal(t, keys[:n], seen)
		require.Len(t, commands, 3)
		for _, c := range commands {
			require.EqualValues(t, readBatch, number(c, "limit"))
		}
		if n == 2*readBatch {
			_, err := businesses.InsertOne(t.Context(), docs[n])
			require.NoError(t, err)
		}
	}
}
