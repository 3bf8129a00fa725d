package mongodb_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/socrata"
)

// TestTheClientsNamesOfPortalTypes: types of the portal's client are stored
// under their JSON names, and what is absent from them is not stored.
func TestTheClientsNamesOfPortalTypes(t *testing.T) {
	type record struct {
		ID            string          `bson:"_id"`
		Version       socrata.Version `bson:"version"`
		Unknown       socrata.Version `bson:"unknown,omitempty"`
		socrata.Range `bson:",inline"`
		Ranges        []socrata.Range `bson:"ranges"`
	}
	db := mongodbtest.Open(t)
	at := mongodbtest.Day(1)
	version := func(fields ...bson.E) bson.D { return append(bson.D{}, fields...) }
	served, truth := bson.E{Key: "served", Value: bson.NewDateTimeFromTime(at)}, bson.E{Key: "truth", Value: bson.NewDateTimeFromTime(at)}
	for name, tc := range map[string]struct {
		in   record
		want bson.D
	}{
		"all": {
			record{
				Version: socrata.Version{Served: at, Truth: at, OutOfDate: true, RequestID: "x1"}, Unknown: socrata.Version{RequestID: "x2"},
				Range: socrata.Range{After: "a", UpTo: "b"}, Ranges: []socrata.Range{{UpTo: "a"}, {After: "b"}, {NullKeys: true}},
			},
			bson.D{
				{Key: "_id", Value: "all"},
				{Key: "version", Value: version(served, truth, bson.E{Key: "out_of_date", Value: true}, bson.E{Key: "request_id", Value: "x1"})},
				{Key: "unknown", Value: version(bson.E{Key: "request_id", Value: "x2"})},
				{Key: "after", Value: "a"},
				{Key: "up_to", Value: "b"},
				{Key: "ranges", Value: bson.A{
					bson.D{{Key: "up_to", Value: "a"}}, bson.D{{Key: "after", Value: "b"}}, bson.D{{Key: "null_keys", Value: true}},
				}},
			},
		},
		"served alone": {
			record{Version: socrata.Version{Served: at}, Range: socrata.Range{NullKeys: true}, Ranges: []socrata.Range{{}}},
			bson.D{
				{Key: "_id", Value: "served alone"},
				{Key: "version", Value: version(served)},
				{Key: "null_keys", Value: true},
				{Key: "ranges", Value: bson.A{bson.D{}}},
			},
		},
		"truth alone": {
			record{Version: socrata.Version{Truth: at}, Ranges: []socrata.Range{}},
			bson.D{
				{Key: "_id", Value: "truth alone"},
				{Key: "version", Value: version(truth)},
				{Key: "ranges", Value: bson.A{}},
			},
		},
		"nothing": {
			record{Ranges: []socrata.Range{}},
			bson.D{
				{Key: "_id", Value: "nothing"},
				{Key: "version", Value: bson.D{}},
				{Key: "ranges", Value: bson.A{}},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.in.ID = name
			collection := db.Collection(mongodb.Runs)
			_, err := collection.InsertOne(t.Context(), tc.in)
			require.NoError(t, err)
			var stored bson.D
			require.NoError(t, collection.FindOne(t.Context(), mongodb.ByID(name)).Decode(&stored))
			require.Equal(t, tc.want, stored)
			var out record
			require.NoError(t, collection.FindOne(t.Context(), mongodb.ByID(name)).Decode(&out))
			for _, v := range []*socrata.Version{&out.Version, &out.Unknown} {
				v.Served, v.Truth = v.Served.UTC(), v.Truth.UTC()
			}
			require.Equal(t, tc.in, out)
		})
	}
}
