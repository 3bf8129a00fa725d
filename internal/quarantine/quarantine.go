package quarantine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/landing"
	"padron/internal/mongodb"
)

// Reader reads quarantined rows. It is safe for concurrent use.
type Reader struct{ db *mongodb.Database }

// NewReader reads the quarantine of a dataset's database.
func NewReader(db *mongodb.Database) *Reader { return &Reader{db: db} }

// Store reads and writes quarantined rows. It is safe for concurrent use.
type Store struct{ Reader }

// NewStore keeps the quarantine of a dataset's database.
func NewStore(db *mongodb.Database) *Store { return &Store{Reader{db: db}} }

// Batch is how many quarantined rows are written at once. They are rare; their
// source rows are at most a few KiB each.
const Batch = 500

// ErrNoRow says that there is no quarantined row of that id.
var ErrNoRow = errors.New("no such quarantined row")

// Row is a source row that could not become a document.
type Row struct {
	ID     string    `bson:"_id" json:"id"` // <run>/<page>/<index>: the same for every attempt at the page
	Run    string    `bson:"run" json:"run"`
	Page   string    `bson:"page" json:"page"`                   // label of the page
	Index  int       `bson:"index" json:"index"`                 // position of the row in the page, from 0
	Key    string    `bson:"key,omitempty" json:"key,omitempty"` // empty when the row has none
	Reason string    `bson:"reason" json:"reason"`
	Raw    string    `bson:"raw" json:"raw"` // the source row, JSON
	At     time.Time `bson:"at" json:"at"`   // the run's time
}

// Put stores rows, in place of those that an earlier attempt stored with the
// same run, page and index. IDs are computed here.
func (s *Store) Put(ctx context.Context, rows []Row) error {
	models := make([]mongo.WriteModel, len(rows))
	for i, q := range rows {
		q.ID = fmt.Sprintf("%s/%s/%08d", landing.SafeName(q.Run), landing.SafeName(q.Page), q.Index)
		models[i] = mongo.NewReplaceOneModel().SetFilter(mongodb.ByID(q.ID)).SetReplacement(q).SetUpsert(true)
	}
	if len(models) == 0 {
		return nil
	}
	call, cancel := s.db.Call(ctx)
	defer cancel()
	if _, err := s.db.Collection(mongodb.Quarantine).BulkWrite(call, models, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("store %d quarantined rows: %w", len(rows), err)
	}
	return nil
}

// List lists a run's quarantined rows by page and index, at most limit, after
// the id given (empty: from the start).
func (r *Reader) List(ctx context.Context, run, after string, limit int) ([]Row, error) {
	filter := mongodb.Within(landing.SafeName(run))
	if after != "" {
		filter = bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}, {Key: "$lt", Value: landing.SafeName(run) + "0"}}}}
	}
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.Quarantine).Find(call, filter,
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)))
	if err != nil {
		return nil, fmt.Errorf("list quarantine of %s: %w", run, err)
	}
	rows := []Row{}
	if err := cursor.All(call, &rows); err != nil {
		return nil, fmt.Errorf("list quarantine of %s: %w", run, err)
	}
	return rows, nil
}

// Count counts a run's quarantined rows.
func (r *Reader) Count(ctx context.Context, run string) (int64, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	n, err := r.db.Collection(mongodb.Quarantine).CountDocuments(call, mongodb.Within(landing.SafeName(run)))
	if err != nil {
		return 0, fmt.Errorf("count quarantine of %s: %w", run, err)
	}
	return n, nil
}

// Clear removes a run's quarantined rows: before the run crawls again, or when
// its record is given up.
func (s *Store) Clear(ctx context.Context, run string) error {
	return s.clear(ctx, landing.SafeName(run))
}

func (s *Store) clear(ctx context.Context, prefix string) error {
	call, cancel := s.db.Call(ctx)
	defer cancel()
	if _, err := s.db.Collection(mongodb.Quarantine).DeleteMany(call, mongodb.Within(prefix)); err != nil {
		return fmt.Errorf("clear quarantine of %s: %w", prefix, err)
	}
	return nil
}

// Get reads a quarantined row by id; ErrNoRow when there is none.
func (r *Reader) Get(ctx context.Context, id string) (Row, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	var q Row
	err := r.db.Collection(mongodb.Quarantine).FindOne(call, mongodb.ByID(id)).Decode(&q)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return q, fmt.Errorf("%w: %s", ErrNoRow, id)
	}
	if err != nil {
		return q, fmt.Errorf("read quarantined row %s: %w", id, err)
	}
	return q, nil
}

// Keys lists the keys of a run's quarantined rows, in byte order and each once.
// Rows without a key are left out.
func (r *Reader) Keys(ctx context.Context, run string) ([]string, error) {
	var keys []string
	err := r.each(ctx, run, func(_, key string) {
		if key != "" {
			keys = append(keys, key)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("keys in quarantine of %s: %w", run, err)
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// WithKey lists the ids of a run's quarantined rows that have the key. It reads
// the ids and keys of all of the run's rows.
func (r *Reader) WithKey(ctx context.Context, run, key string) ([]string, error) {
	var ids []string
	err := r.each(ctx, run, func(id, k string) {
		if k == key {
			ids = append(ids, id)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("rows with key %q in quarantine of %s: %w", key, run, err)
	}
	return ids, nil
}

// Resolve removes the rows of a run that have one of the keys: they have become
// documents. It reads the ids and keys of all of the run's rows.
func (s *Store) Resolve(ctx context.Context, run string, keys []string) error {
	good := make(map[string]bool, len(keys))
	for _, key := range keys {
		good[key] = true
	}
	var ids []string
	err := s.each(ctx, run, func(id, key string) {
		if good[key] {
			ids = append(ids, id)
		}
	})
	if err == nil {
		err = s.Delete(ctx, ids)
	}
	if err != nil {
		return fmt.Errorf("resolve quarantine of %s: %w", run, err)
	}
	return nil
}

// Delete removes quarantined rows; ids that do not exist are no error.
func (s *Store) Delete(ctx context.Context, ids []string) error {
	for batch := range slices.Chunk(ids, Batch) {
		call, cancel := s.db.Call(ctx)
		_, err := s.db.Collection(mongodb.Quarantine).DeleteMany(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: batch}}}})
		cancel()
		if err != nil {
			return fmt.Errorf("delete %d quarantined rows: %w", len(batch), err)
		}
	}
	return nil
}

// Prune removes the quarantined rows of all runs except those given, and
// returns of how many runs. It skips from run to run and reads one row of each.
func (s *Store) Prune(ctx context.Context, keep ...string) (int, error) {
	kept := make([]string, len(keep))
	for i, run := range keep {
		kept[i] = landing.SafeName(run)
	}
	pruned := 0
	for after := ""; ; {
		call, cancel := s.db.Call(ctx)
		raw, err := s.db.Collection(mongodb.Quarantine).FindOne(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}},
			options.FindOne().SetSort(bson.D{{Key: "_id", Value: 1}}).SetProjection(bson.D{{Key: "_id", Value: 1}})).Raw()
		cancel()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return pruned, nil
		}
		if err != nil {
			return pruned, fmt.Errorf("prune quarantine: %w", err)
		}
		run, _, _ := strings.Cut(mongodb.Text(raw, "_id"), "/")
		after = run + "0" // above every id of the run
		if slices.Contains(kept, run) {
			continue
		}
		if err := s.clear(ctx, run); err != nil {
			return pruned, fmt.Errorf("prune quarantine: %w", err)
		}
		pruned++
	}
}

// each visits id and key of a run's quarantined rows.
func (r *Reader) each(ctx context.Context, run string, visit func(id, key string)) error {
	return r.db.EachDocument(ctx, mongodb.Quarantine, mongodb.Within(landing.SafeName(run)), options.Find().SetProjection(bson.D{{Key: "key", Value: 1}}),
		func(doc bson.Raw) error {
			visit(mongodb.Text(doc, "_id"), mongodb.Text(doc, "key"))
			return nil
		})
}
