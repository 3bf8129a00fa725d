package socrata

import (
	"context"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// geoJSON is how the path of a dataset's rows ends when they are to come as
	// GeoJSON: https://dev.socrata.com/docs/formats/geojson
	geoJSON = ".geojson"
	// maxGeoJSON bounds an answer, in bytes. The outlines of a city's
	// neighborhoods are under a megabyte.
	maxGeoJSON = 32 << 20
)

// GeoJSON is an answer with a dataset's rows as GeoJSON.
type GeoJSON struct {
	Body    []byte // valid JSON; whether it is GeoJSON is for the caller to find out
	Address string // that answered, without the query
	Version Version
}

// GeoJSON asks for at most limit rows as GeoJSON: one request. A body that is not
// JSON is an [Error] of the kind Garbage.
func (c *Client) GeoJSON(ctx context.Context, limit int) (GeoJSON, error) {
	a, err := c.get(ctx, "its boundaries", &url.URL{
		Path: "/resource/" + c.id + geoJSON, RawQuery: url.Values{"$limit": {strconv.Itoa(limit)}}.Encode(),
	})
	if err != nil {
		return GeoJSON{}, err
	}
	defer a.Close()
	body, err := a.readSmall(maxGeoJSON)
	if err != nil {
		return GeoJSON{}, err
	}
	if !jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return GeoJSON{}, a.garbage("a body that is no JSON", nil)
	}
	return GeoJSON{Body: body, Address: withoutQuery(a.url), Version: a.version}, nil
}
