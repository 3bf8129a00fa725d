package socrata

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"padron/internal/boundaries"
)

const (
	// geoJSON is how the path of a dataset's rows ends when they are to come as GeoJSON:
	// https://dev.socrata.com/docs/formats/geojson
	geoJSON = ".geojson"
	// maxBoundaries bounds a dataset of outlines, in bytes. Those of a city's neighborhoods are under a megabyte.
	maxBoundaries = 32 << 20
	// maxFeatures is how many features are asked for; an answer with as many may have been cut off.
	maxFeatures = 5000
)

// Boundaries returns the outlines that the dataset is made of, by the property that holds their names: one request.
// An answer that is JSON but no outlines is [boundaries.ErrUnusable], and says nothing against the portal.
func (c *Client) Boundaries(ctx context.Context, property string) ([]boundaries.Area, Version, error) {
	a, err := c.get(ctx, "its boundaries", &url.URL{
		Path: "/resource/" + c.id + geoJSON, RawQuery: url.Values{"$limit": {strconv.Itoa(maxFeatures)}}.Encode(),
	})
	if err != nil {
		return nil, Version{}, err
	}
	defer a.Close()
	body, err := a.readSmall(maxBoundaries)
	if err != nil {
		return nil, Version{}, err
	}
	if !jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return nil, Version{}, a.garbage("a body that is no JSON", nil)
	}
	areas, features, err := boundaries.Parse(body, property)
	if err == nil && features >= maxFeatures {
		err = fmt.Errorf("%w: %d features or more", boundaries.ErrUnusable, features)
	}
	if err != nil {
		return nil, Version{}, fmt.Errorf("%s: %w", withoutQuery(a.url), err)
	}
	return areas, a.version, nil
}
