package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/boundaries"
	"padron/internal/socrata"
)

// Boundaries is the collection with the outlines of the neighborhoods: one
// document, BoundarySet.
const Boundaries = "boundaries"

// ErrNoBoundaries says that no outlines have been stored yet.
var ErrNoBoundaries = errors.New("no boundaries are stored")

// BoundarySet are the outlines that a dataset of the portal publishes, simplified
// for a map.
type BoundarySet struct {
	ID        string            `bson:"_id" json:"id"`              // of that dataset on the portal
	Property  string            `bson:"property" json:"property"`   // that holds the names
	Updated   time.Time         `bson:"updated" json:"updated"`     // when the portal says that its rows last changed
	Version   socrata.Version   `bson:"version" json:"version"`     // of the answer
	Run       string            `bson:"run" json:"run"`             // that fetched them
	Fetched   time.Time         `bson:"fetched" json:"fetched"`     // when
	Features  int               `bson:"features" json:"features"`   // areas, each with a name of its own
	Points    int               `bson:"points" json:"points"`       // that are kept
	Of        int               `bson:"of" json:"of"`               // points that were published
	Tolerance float64           `bson:"tolerance" json:"tolerance"` // degrees by which an outline may be off
	Areas     []boundaries.Area `bson:"areas" json:"areas"`
}

// Boundaries reads the outlines that the portal publishes under this id.
// ErrNoBoundaries when there are none.
func (m *Mirror) Boundaries(ctx context.Context, id string) (BoundarySet, error) {
	return m.boundaries(ctx, id)
}

// BoundariesHeader is Boundaries without the outlines themselves.
func (m *Mirror) BoundariesHeader(ctx context.Context, id string) (BoundarySet, error) {
	return m.boundaries(ctx, id, options.FindOne().SetProjection(bson.D{{Key: "areas", Value: 0}}))
}

func (m *Mirror) boundaries(ctx context.Context, id string, opts ...options.Lister[options.FindOneOptions]) (BoundarySet, error) {
	call, cancel := m.call(ctx)
	defer cancel()
	var set BoundarySet
	err := m.db.Collection(Boundaries).FindOne(call, byID(id), opts...).Decode(&set)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return BoundarySet{}, fmt.Errorf("%w of dataset %s", ErrNoBoundaries, id)
	}
	if err != nil {
		return BoundarySet{}, fmt.Errorf("read boundaries %s: %w", id, err)
	}
	return set, nil
}

// PutBoundaries stores outlines in place of all that are there.
func (m *Mirror) PutBoundaries(ctx context.Context, set *BoundarySet) error {
	set.Features, set.Points = len(set.Areas), boundaries.Points(set.Areas)
	call, cancel := m.call(ctx)
	defer cancel()
	if _, err := m.db.Collection(Boundaries).ReplaceOne(call, byID(set.ID), set, options.Replace().SetUpsert(true)); err != nil {
		return fmt.Errorf("store boundaries %s: %w", set.ID, err)
	}
	// Those of a dataset that the spec named before.
	if _, err := m.db.Collection(Boundaries).DeleteMany(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: set.ID}}}}); err != nil {
		return fmt.Errorf("remove other boundaries than %s: %w", set.ID, err)
	}
	return nil
}
