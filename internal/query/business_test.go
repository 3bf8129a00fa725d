package query

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestADocumentOfAnotherRegister has other types than San Francisco's register
// wherever a page shows something: nothing fails, and what can be shown is.
func TestADocumentOfAnotherRegister(t *testing.T) {
	day := time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC)
	raw, err := bson.Marshal(bson.D{
		{Key: "_id", Value: "1"},
		{Key: "business_account_number", Value: int64(42)},
		{Key: "dba_name", Value: true},
		{Key: "address", Value: "1 Main St"},
		{Key: "dates", Value: bson.D{{Key: "location_start_date", Value: "2014"}, {Key: "location_end_date", Value: day}}},
		{Key: "naics", Value: int32(722)},
		{Key: "license", Value: bson.D{{Key: "code", Value: 1010.5}, {Key: "description", Value: day}}},
		{Key: "location", Value: "POINT (1 2)"},
		{Key: "corridor", Value: bson.A{1}},
		{Key: "facets", Value: bson.D{{Key: "neighborhood", Value: int32(7)}, {Key: "district", Value: "Brooklyn"}, {Key: "cell", Value: nil}}},
		{Key: "quality", Value: bson.D{{Key: "flags", Value: bson.A{"a_b", int32(1)}}, {Key: "stale", Value: "yes"}}},
		{Key: "lineage", Value: bson.D{{Key: "version", Value: "3"}}},
	})
	require.NoError(t, err)
	b := businessOf(raw)
	assert.Equal(t, "42", b.Account)
	assert.Equal(t, "true", b.Name)
	assert.Empty(t, b.Address)
	assert.Equal(t, BusinessDates{LocationEnd: day}, b.Dates)
	assert.Empty(t, b.NAICS)
	assert.Equal(t, Code{Code: "1010.5", Description: "2026-10-03"}, b.License)
	assert.Nil(t, b.Location)
	assert.Empty(t, b.Corridor)
	assert.Equal(t, "7", b.Facets.Neighborhood)
	assert.EqualValues(t, "Brooklyn", b.Facets.District)
	assert.True(t, b.Facets.Unclear())
	assert.False(t, b.Facets.IsOpen())
	assert.Equal(t, []string{"a_b", "1"}, b.Quality.Flags)

	for district, want := range map[any]string{int32(9): `{"district":9,"open":false}`, "9": `{"district":9,"open":false}`, "01": `{"district":"01","open":false}`, nil: `{"open":false}`} {
		raw, err := bson.Marshal(bson.D{{Key: "facets", Value: bson.D{{Key: "district", Value: district}, {Key: "open", Value: false}}}})
		require.NoError(t, err)
		text, err := json.Marshal(businessOf(raw).Facets)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(text))
	}
}
