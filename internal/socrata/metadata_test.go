package socrata

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMetadata(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/api/views/g8m3-pdis.json", r.URL.Path)
		_, _ = io.WriteString(w, `{
			"id": "g8m3-pdis", "name": "Registered Business Locations", "attribution": "City", "licenseId": "PDDL",
			"license": {"name": "Open Data Commons Public Domain Dedication and License", "termsLink": "x"},
			"rowsUpdatedAt": 1791026100, "viewLastModified": 1791026200, "rowIdentifierColumnId": 12,
			"columns": [
				{"id": 11, "name": "UniqueID", "fieldName": "uniqueid", "dataTypeName": "text", "position": 1},
				{"id": 12, "name": "Location Id", "fieldName": "ttxid", "dataTypeName": "text", "cachedContents": {
					"non_null": "367825", "null": "0", "count": "367825", "cardinality": "367825",
					"smallest": "0000024-01-001", "largest": "1399999-10-261",
					"top": [{"item": "0000024-01-001", "count": "1"}]}},
				{"id": 13, "name": "Business Location", "fieldName": "location", "dataTypeName": "point", "cachedContents": {
					"non_null": 3, "null": "1.5", "largest": null,
					"smallest": {"type":"Point","coordinates":[-122.4,37.7]},
					"top": [{"item": {"type":"Point"}, "count": 1410}]}},
				{"id": -1, "name": "SF Find Neighborhoods", "fieldName": ":@computed_region_6qbp_sg9q", "dataTypeName": "number"}
			],
			"rights": ["read"]}`)
	})
	m, _, err := c.Metadata(t.Context())
	require.NoError(t, err)
	assert.Equal(t, &Metadata{
		ID:               "g8m3-pdis",
		Name:             "Registered Business Locations",
		Attribution:      "City",
		License:          "Open Data Commons Public Domain Dedication and License",
		RowsUpdatedAt:    time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC),
		ViewLastModified: time.Date(2026, 10, 3, 11, 16, 40, 0, time.UTC),
		RowIdentifier:    "ttxid",
		Columns: []Column{
			{FieldName: "uniqueid", DataTypeName: "text", Name: "UniqueID"},
			{FieldName: "ttxid", DataTypeName: "text", Name: "Location Id", Cached: &CachedContents{
				NonNull: 367_825, Count: 367_825, Cardinality: 367_825,
				Smallest: "0000024-01-001", Largest: "1399999-10-261",
				Top: []TopValue{{Item: "0000024-01-001", Count: 1}},
			}},
			{FieldName: "location", DataTypeName: "point", Name: "Business Location", Cached: &CachedContents{
				NonNull: 3, Null: -1, Count: -1, Cardinality: -1,
				Smallest: `{"type":"Point","coordinates":[-122.4,37.7]}`,
				Top:      []TopValue{{Item: `{"type":"Point"}`, Count: 1410}},
			}},
			{FieldName: ":@computed_region_6qbp_sg9q", DataTypeName: "number", Name: "SF Find Neighborhoods"},
		},
	}, m)
}

func TestMetadataWithoutARowIdentifier(t *testing.T) {
	m, _, err := answering(t, `{"id":"g8m3-pdis","columns":[{"fieldName":"a"}]}`).Metadata(t.Context())
	require.NoError(t, err)
	assert.Empty(t, m.RowIdentifier)
	assert.Zero(t, m.RowsUpdatedAt)
}

func TestMetadataGarbage(t *testing.T) {
	for _, body := range []string{"", "[]", "{}", `{"id":"abcd-1234","columns":[{"fieldName":"a"}]}`, `{"id":"g8m3-pdis","columns":[]}`, `{"id":"g8m3-pdis","columns":[{"fieldName":"a"}]`, "<html>"} {
		_, _, err := answering(t, body).Metadata(t.Context())
		var e *Error
		require.ErrorAs(t, err, &e, body)
		assert.Equal(t, Garbage, e.Kind, body)
	}
}
