package boundaries

import (
	"context"
	"fmt"

	"padron/internal/socrata"
)

// maxFeatures is how many features are asked for; an answer with as many may
// have been cut off.
const maxFeatures = 5000

// Fetch asks a portal for the outlines that a dataset is made of, by the
// property that holds their names: one request. An answer that is JSON but no
// outlines is ErrUnusable, which says nothing against the portal.
func Fetch(ctx context.Context, portal *socrata.Client, property string) ([]Area, socrata.Version, error) {
	answer, err := portal.GeoJSON(ctx, maxFeatures)
	if err != nil {
		return nil, socrata.Version{}, err
	}
	areas, features, err := Parse(answer.Body, property)
	if err == nil && features >= maxFeatures {
		err = fmt.Errorf("%w: %d features or more", ErrUnusable, features)
	}
	if err != nil {
		return nil, socrata.Version{}, fmt.Errorf("%s: %w", answer.Address, err)
	}
	return areas, answer.Version, nil
}
