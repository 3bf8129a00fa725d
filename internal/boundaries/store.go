package boundaries

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
	"padron/internal/socrata"
)

// Reader reads the stored outlines. It is safe for concurrent use.
type Reader struct{ db *mongodb.Database }

// NewReader reads the outlines of a dataset's database.
func NewReader(db *mongodb.Database) *Reader { return &Reader{db: db} }

// Store reads and writes the stored outlines. It is safe for concurrent use.
type Store struct{ Reader }

// NewStore keeps the outlines of a dataset's database.
func NewStore(db *mongodb.Database) *Store { return &Store{Reader{db: db}} }

// ErrNoBoundaries says that no outlines have been stored yet.
var ErrNoBoundaries = errors.New("no boundaries are stored")

// Set are the outlines that a dataset of the portal publishes, simplified
// for a map.
type Set struct {
	ID        string          `bson:"_id" json:"id"`              // of that dataset on the portal
	Property  string          `bson:"property" json:"property"`   // that holds the names
	Updated   time.Time       `bson:"updated" json:"updated"`     // when the portal says that its rows last changed
	Version   socrata.Version `bson:"version" json:"version"`     // of the answer
	Run       string          `bson:"run" json:"run"`             // that fetched them
	Fetched   time.Time       `bson:"fetched" json:"fetched"`     // when
	Features  int             `bson:"features" json:"features"`   // areas, each with a name of its own
	Points    int             `bson:"points" json:"points"`       // that are kept
	Of        int             `bson:"of" json:"of"`               // points that were published
	Tolerance float64         `bson:"tolerance" json:"tolerance"` // degrees by which an outline may be off
	Areas     []Area          `bson:"areas" json:"areas"`
}

// Get reads the outlines that the portal publishes under this id.
// ErrNoBoundaries when there are none.
func (r *Reader) Get(ctx context.Context, id string) (Set, error) {
	return r.read(ctx, id)
}

// Header is Get without the outlines themselves.
func (r *Reader) Header(ctx context.Context, id string) (Set, error) {
	return r.read(ctx, id, options.FindOne().SetProjection(bson.D{{Key: "areas", Value: 0}}))
}

func (r *Reader) read(ctx context.Context, id string, opts ...options.Lister[options.FindOneOptions]) (Set, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	var set Set
	err := r.db.Collection(mongodb.Boundaries).FindOne(call, mongodb.ByID(id), opts...).Decode(&set)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Set{}, fmt.Errorf("%w of dataset %s", ErrNoBoundaries, id)
	}
	if err != nil {
		return Set{}, fmt.Errorf("read boundaries %s: %w", id, err)
	}
	return set, nil
}

// Put stores outlines in place of all stored ones.
func (s *Store) Put(ctx context.Context, set *Set) error {
	set.Features, set.Points = len(set.Areas), Points(set.Areas)
	call, cancel := s.db.Call(ctx)
	defer cancel()
	if _, err := s.db.Collection(mongodb.Boundaries).ReplaceOne(call, mongodb.ByID(set.ID), set, options.Replace().SetUpsert(true)); err != nil {
		return fmt.Errorf("store boundaries %s: %w", set.ID, err)
	}
	// Outlines of a dataset that the spec named before.
	if _, err := s.db.Collection(mongodb.Boundaries).DeleteMany(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: set.ID}}}}); err != nil {
		return fmt.Errorf("remove other boundaries than %s: %w", set.ID, err)
	}
	return nil
}
