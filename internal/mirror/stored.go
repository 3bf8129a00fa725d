package mirror

import (
	"context"
	"crypto/sha256"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"padron/internal/lineage"
	"padron/internal/mongodb"
	"padron/internal/socrata"
)

// stored is what the join needs to know of a stored row.
type stored struct {
	key     string
	hash    [lineage.HashSize]byte
	version int32
	stale   bool   // quality.stale
	row     []byte // lineage.row, until the next row is read; nil: none
	// damaged says that the document does not hash to what its lineage claims.
	// Known only where whole documents are read.
	damaged bool
}

// storedByKey looks up the stored rows among keys. whole as in findStored.
func (m *Mirror) storedByKey(ctx context.Context, keys []string, whole bool) (map[string]stored, error) {
	found := make(map[string]stored, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	rows, err := m.findStored(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}}, false, whole)
	if err != nil {
		return nil, err
	}
	defer rows.close(ctx)
	for {
		var s stored
		more, err := rows.next(ctx, &s)
		if err != nil {
			return nil, err
		}
		if !more {
			return found, nil
		}
		s.row = nil
		found[s.key] = s
	}
}

// storedCursor reads keys, hashes and versions of stored rows. It decodes by
// hand: the driver's reflection costs more than the whole rest of the join.
type storedCursor struct {
	db     *mongodb.Database
	cursor *mongo.Cursor
	whole  bool   // whole documents are read, and hashed
	buf    []byte // for canonical documents
}

// storedRows reads a range in key order. Rows that are inserted meanwhile are
// not read: their keys are behind the cursor. whole as in findStored.
func (m *Mirror) storedRows(ctx context.Context, r socrata.Range, whole bool) (*storedCursor, error) {
	return m.findStored(ctx, mongodb.KeysBetween(r.After, r.UpTo), true, whole)
}

// findStored reads stored rows; whole ones are hashed anew, so that damaged ones
// are known. That costs some three times as much.
func (m *Mirror) findStored(ctx context.Context, filter bson.D, sorted, whole bool) (*storedCursor, error) {
	opts := options.Find().SetBatchSize(mongodb.ReadBatch)
	if !whole {
		opts.SetProjection(bson.D{
			{Key: "lineage.hash", Value: 1}, {Key: "lineage.version", Value: 1}, {Key: "lineage.row", Value: 1}, {Key: "quality.stale", Value: 1},
		})
	}
	if sorted {
		opts.SetSort(bson.D{{Key: "_id", Value: 1}})
	}
	call, cancel := m.db.Call(ctx)
	defer cancel()
	cursor, err := m.db.Collection(mongodb.Businesses).Find(call, filter, opts)
	if err != nil {
		return nil, fmt.Errorf("read stored rows: %w", err)
	}
	return &storedCursor{db: m.db, cursor: cursor, whole: whole}, nil
}

func (c *storedCursor) next(ctx context.Context, s *stored) (bool, error) {
	more, err := c.db.Advance(ctx, c.cursor)
	if err != nil {
		return false, fmt.Errorf("read stored rows: %w", err)
	}
	if !more {
		return false, nil
	}
	if err := s.decode(bsoncore.Document(c.cursor.Current)); err != nil || !c.whole {
		return true, err
	}
	if c.buf, err = lineage.Canonical(c.buf[:0], c.cursor.Current); err != nil {
		return true, fmt.Errorf("key %q: %w", s.key, err)
	}
	s.damaged = sha256.Sum256(c.buf) != s.hash
	return true, nil
}

func (c *storedCursor) close(ctx context.Context) { c.db.CloseCursor(ctx, c.cursor) }

func (s *stored) decode(doc bsoncore.Document) error {
	*s = stored{}
	id, ok := doc.Lookup("_id").StringValueOK()
	if !ok {
		return fmt.Errorf("%w: stored row has an _id that is no string: %s", ErrForeignRow, doc.Lookup("_id"))
	}
	s.key = id
	own, ok := doc.Lookup("lineage").DocumentOK()
	if !ok {
		return fmt.Errorf("%w: stored row %q has no lineage", ErrForeignRow, id)
	}
	_, hash, ok := own.Lookup("hash").BinaryOK()
	if !ok || len(hash) != lineage.HashSize {
		return fmt.Errorf("%w: stored row %q has no hash", ErrForeignRow, id)
	}
	copy(s.hash[:], hash)
	if s.version, ok = own.Lookup("version").Int32OK(); !ok {
		return fmt.Errorf("%w: stored row %q has no version", ErrForeignRow, id)
	}
	_, s.row, _ = own.Lookup("row").BinaryOK()
	if quality, ok := doc.Lookup("quality").DocumentOK(); ok {
		s.stale, _ = quality.Lookup("stale").BooleanOK()
	}
	return nil
}

// Empty says whether there is no document at all.
func (m *Mirror) Empty(ctx context.Context) (bool, error) {
	rows, err := m.findStored(ctx, bson.D{}, false, false)
	if err != nil {
		return false, err
	}
	defer rows.close(ctx)
	var s stored
	more, err := rows.next(ctx, &s)
	return !more, err
}

// StaleOf counts and digests the documents among keys that are flagged stale:
// their rows are in quarantine, and newer than the documents.
func (m *Mirror) StaleOf(ctx context.Context, keys []string) (int, lineage.Digest, error) {
	var digest lineage.Digest
	stale := 0
	for len(keys) > 0 {
		some := keys[:min(len(keys), mongodb.ReadBatch)]
		keys = keys[len(some):]
		found, err := m.storedByKey(ctx, some, false)
		if err != nil {
			return 0, lineage.Digest{}, err
		}
		for key, s := range found {
			if s.stale {
				stale++
				digest.Add(key, s.hash)
			}
		}
	}
	return stale, digest, nil
}
