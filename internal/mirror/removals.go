package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"padron/internal/changes"
	"padron/internal/lineage"
	"padron/internal/mongodb"
)

// removeBatch is how many rows are removed together. All four writes of a batch
// take far less than the deadline of one.
const removeBatch = 500

// RemoveInput is rows that the portal no longer has.
type RemoveInput struct {
	Run  string
	Part string    // names the pages of events, like a range's; no dots or slashes
	At   time.Time // the run's time, into lineage.changed_at
	Keys []string
}

// Remove moves rows from businesses to removed, each with its event, and
// returns how many. Keys that are not in businesses are left out, so a call
// that failed or was cancelled at any point can be made again.
//
// Errors: mongodb.ErrConflict when a row was changed meanwhile, runs.ErrNoRun
// when the run has no record, which events need.
func (m *Mirror) Remove(ctx context.Context, in RemoveInput) (int, error) {
	if err := checkPart(in.Part); err != nil {
		return 0, fmt.Errorf("remove: %w", err)
	}
	r := remover{m: m, in: &in, journal: journal{m: m, run: in.Run, part: in.Part, at: in.At}}
	removed := 0
	for keys := range slices.Chunk(in.Keys, removeBatch) {
		n, err := r.remove(ctx, keys)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("remove rows: %w", err)
		}
	}
	return removed, nil
}

// checkPart makes sure that a part's label can name a field of the run's
// record and pages of events.
func checkPart(part string) error {
	if part == "" || strings.ContainsAny(part, "./$\x00") {
		return fmt.Errorf("%q is not a usable label of a part", part)
	}
	return nil
}

type remover struct {
	m       *Mirror
	in      *RemoveInput
	journal journal
	copies  command
	deletes command
}

// remove writes events, then copies, then deletes. After a crash anywhere, a
// row is either moved, or still in its place: then its event is above its
// version, which readers ignore, and its copy is deleted by Settle, or
// overwritten when the row is removed after all.
func (r *remover) remove(ctx context.Context, keys []string) (int, error) {
	found := make(map[string]beforeImage, len(keys))
	if err := r.m.beforeImages(ctx, mongodb.Businesses, keys, found); err != nil {
		return 0, err
	}
	r.journal.start()
	r.copies.start("update", mongodb.Removed, "updates")
	r.deletes.start("delete", mongodb.Businesses, "deletes")
	for _, key := range keys {
		row, ok := found[key]
		if !ok {
			continue
		}
		delete(found, key) // a key given twice is removed once
		version := row.lineage.Version
		l := row.lineage // hash and spec stay those of the document
		l.Version, l.Run, l.ChangedAt = version+1, r.in.Run, r.in.At
		event := changes.Event{EventID: changes.EventID{Key: key, Version: l.Version}, Kinds: []string{changes.KindRemoved}, Cause: changes.CauseSource}
		err := errors.Join(
			r.journal.add(ctx, &event),
			r.copies.add(func(dst []byte) ([]byte, error) { return appendCopy(dst, key, row.doc, &l) }),
			r.deletes.add(func(dst []byte) ([]byte, error) { return appendDelete(dst, key, version) }),
		)
		if err != nil {
			return 0, fmt.Errorf("key %q: %w", key, err)
		}
	}
	if r.deletes.rows == 0 {
		return 0, nil
	}
	if err := r.journal.flush(ctx); err != nil {
		return 0, err
	}
	if err := r.m.write(ctx, &r.copies); err != nil {
		return 0, err
	}
	if err := r.m.write(ctx, &r.deletes); err != nil {
		return 0, err
	}
	return r.deletes.rows, nil
}

// appendCopy appends one element of an update command: the document in removed,
// in place of one that an earlier attempt left.
func appendCopy(dst []byte, key string, doc bson.Raw, l *lineage.Lineage) ([]byte, error) {
	start, dst := bsoncore.AppendDocumentStart(dst)
	query, dst := bsoncore.AppendDocumentElementStart(dst, "q")
	dst = bsoncore.AppendStringElement(dst, "_id", key)
	dst, err := bsoncore.AppendDocumentEnd(dst, query)
	if err != nil {
		return dst, err
	}
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, "u")
	if dst, err = lineage.Append(dst, doc, l); err != nil {
		return dst, err
	}
	dst = bsoncore.AppendBooleanElement(dst, "upsert", true)
	return bsoncore.AppendDocumentEnd(dst, start)
}

// Settle cleans up after moves that were interrupted: when a row is in
// businesses and in removed, the copy in removed is deleted. It returns how
// many there were. It reads all keys of removed.
func (m *Mirror) Settle(ctx context.Context) (int, error) {
	settled := 0
	for after := ""; ; {
		keys, err := m.removedKeys(ctx, after)
		if err != nil {
			return settled, fmt.Errorf("settle removed rows: %w", err)
		}
		if len(keys) == 0 {
			return settled, nil
		}
		after = keys[len(keys)-1]
		present, err := m.storedByKey(ctx, keys, false)
		if err != nil {
			return settled, fmt.Errorf("settle removed rows: %w", err)
		}
		keys = slices.DeleteFunc(keys, func(key string) bool { _, ok := present[key]; return !ok })
		if len(keys) == 0 {
			continue
		}
		call, cancel := m.db.Call(ctx)
		res, err := m.db.Collection(mongodb.Removed).DeleteMany(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}})
		cancel()
		if err != nil {
			return settled, fmt.Errorf("settle removed rows: %w", err)
		}
		settled += int(res.DeletedCount)
	}
}

// removedKeys is the next keys of removed, in order.
func (m *Mirror) removedKeys(ctx context.Context, after string) ([]string, error) {
	call, cancel := m.db.Call(ctx)
	defer cancel()
	cursor, err := m.db.Collection(mongodb.Removed).Find(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}},
		options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}).SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(mongodb.ReadBatch))
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Key string `bson:"_id"`
	}
	if err := cursor.All(call, &rows); err != nil {
		return nil, err
	}
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = r.Key
	}
	return keys, nil
}
