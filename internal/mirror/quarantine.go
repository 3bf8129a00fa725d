package mirror

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
)

// quarantineBatch is how many quarantined rows are written at once. They are
// rare; their source rows are at most a few KiB each.
const quarantineBatch = 500

// ErrNotQuarantined says that there is no quarantined row of that id.
var ErrNotQuarantined = errors.New("no such quarantined row")

// Quarantined is a source row that could not become a document.
type Quarantined struct {
	ID     string    `bson:"_id" json:"id"` // <run>/<page>/<index>: the same for every attempt at the page
	Run    string    `bson:"run" json:"run"`
	Page   string    `bson:"page" json:"page"`                   // label of the page
	Index  int       `bson:"index" json:"index"`                 // position of the row in the page, from 0
	Key    string    `bson:"key,omitempty" json:"key,omitempty"` // empty when the row has none
	Reason string    `bson:"reason" json:"reason"`
	Raw    string    `bson:"raw" json:"raw"` // the source row, JSON
	At     time.Time `bson:"at" json:"at"`   // the run's time
}

// StoreQuarantine keeps rows, in place of what an earlier attempt kept at the
// same run, page and index. IDs are computed here.
func (m *Mirror) StoreQuarantine(ctx context.Context, rows []Quarantined) error {
	models := make([]mongo.WriteModel, len(rows))
	for i, q := range rows {
		q.ID = fmt.Sprintf("%s/%s/%08d", safeName(q.Run), safeName(q.Page), q.Index)
		models[i] = mongo.NewReplaceOneModel().SetFilter(byID(q.ID)).SetReplacement(q).SetUpsert(true)
	}
	if len(models) == 0 {
		return nil
	}
	call, cancel := m.call(ctx)
	defer cancel()
	if _, err := m.db.Collection(Quarantine).BulkWrite(call, models, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("store %d quarantined rows: %w", len(rows), err)
	}
	return nil
}

// QuarantineOf lists a run's quarantined rows by page and index, at most
// limit, after the id given (empty: from the start).
func (m *Mirror) QuarantineOf(ctx context.Context, run, after string, limit int) ([]Quarantined, error) {
	filter := within(safeName(run))
	if after != "" {
		filter = bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}, {Key: "$lt", Value: safeName(run) + "0"}}}}
	}
	call, cancel := m.call(ctx)
	defer cancel()
	cursor, err := m.db.Collection(Quarantine).Find(call, filter,
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)))
	if err != nil {
		return nil, fmt.Errorf("list quarantine of %s: %w", run, err)
	}
	rows := []Quarantined{}
	if err := cursor.All(call, &rows); err != nil {
		return nil, fmt.Errorf("list quarantine of %s: %w", run, err)
	}
	return rows, nil
}

// CountQuarantine counts a run's quarantined rows.
func (m *Mirror) CountQuarantine(ctx context.Context, run string) (int64, error) {
	call, cancel := m.call(ctx)
	defer cancel()
	n, err := m.db.Collection(Quarantine).CountDocuments(call, within(safeName(run)))
	if err != nil {
		return 0, fmt.Errorf("count quarantine of %s: %w", run, err)
	}
	return n, nil
}

// ClearQuarantine removes a run's quarantined rows: before the run crawls
// again, or when its record is given up.
func (m *Mirror) ClearQuarantine(ctx context.Context, run string) error {
	return m.clearQuarantine(ctx, safeName(run))
}

func (m *Mirror) clearQuarantine(ctx context.Context, prefix string) error {
	call, cancel := m.call(ctx)
	defer cancel()
	if _, err := m.db.Collection(Quarantine).DeleteMany(call, within(prefix)); err != nil {
		return fmt.Errorf("clear quarantine of %s: %w", prefix, err)
	}
	return nil
}

// QuarantinedRow reads a quarantined row by id; ErrNotQuarantined when there is
// none.
func (m *Mirror) QuarantinedRow(ctx context.Context, id string) (Quarantined, error) {
	call, cancel := m.call(ctx)
	defer cancel()
	var q Quarantined
	err := m.db.Collection(Quarantine).FindOne(call, byID(id)).Decode(&q)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return q, fmt.Errorf("%w: %s", ErrNotQuarantined, id)
	}
	if err != nil {
		return q, fmt.Errorf("read quarantined row %s: %w", id, err)
	}
	return q, nil
}

// QuarantinedKeys lists the keys of a run's quarantined rows, in byte order and
// each once. Rows without a key are left out.
func (m *Mirror) QuarantinedKeys(ctx context.Context, run string) ([]string, error) {
	var keys []string
	err := m.eachQuarantined(ctx, run, func(_, key string) {
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

// QuarantinedOf lists the ids of a run's quarantined rows that have the key. It
// reads ids and keys of all of the run's.
func (m *Mirror) QuarantinedOf(ctx context.Context, run, key string) ([]string, error) {
	var ids []string
	err := m.eachQuarantined(ctx, run, func(id, k string) {
		if k == key {
			ids = append(ids, id)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("rows with key %q in quarantine of %s: %w", key, run, err)
	}
	return ids, nil
}

// ResolveQuarantine removes the rows of a run that have one of the keys: they
// have become documents. It reads ids and keys of all of the run's.
func (m *Mirror) ResolveQuarantine(ctx context.Context, run string, keys []string) error {
	good := make(map[string]bool, len(keys))
	for _, key := range keys {
		good[key] = true
	}
	var ids []string
	err := m.eachQuarantined(ctx, run, func(id, key string) {
		if good[key] {
			ids = append(ids, id)
		}
	})
	if err == nil {
		err = m.DeleteQuarantined(ctx, ids)
	}
	if err != nil {
		return fmt.Errorf("resolve quarantine of %s: %w", run, err)
	}
	return nil
}

// DeleteQuarantined removes quarantined rows; ids that do not exist are no
// error.
func (m *Mirror) DeleteQuarantined(ctx context.Context, ids []string) error {
	for batch := range slices.Chunk(ids, quarantineBatch) {
		call, cancel := m.call(ctx)
		_, err := m.db.Collection(Quarantine).DeleteMany(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: batch}}}})
		cancel()
		if err != nil {
			return fmt.Errorf("delete %d quarantined rows: %w", len(batch), err)
		}
	}
	return nil
}

// PruneQuarantine removes the quarantined rows of all runs but those given, and
// returns of how many. It skips from run to run and reads one row of each.
func (m *Mirror) PruneQuarantine(ctx context.Context, keep ...string) (int, error) {
	kept := make([]string, len(keep))
	for i, run := range keep {
		kept[i] = safeName(run)
	}
	pruned := 0
	for after := ""; ; {
		call, cancel := m.call(ctx)
		raw, err := m.db.Collection(Quarantine).FindOne(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}},
			options.FindOne().SetSort(bson.D{{Key: "_id", Value: 1}}).SetProjection(bson.D{{Key: "_id", Value: 1}})).Raw()
		cancel()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return pruned, nil
		}
		if err != nil {
			return pruned, fmt.Errorf("prune quarantine: %w", err)
		}
		run, _, _ := strings.Cut(text(raw, "_id"), "/")
		after = run + "0" // above every id of the run
		if slices.Contains(kept, run) {
			continue
		}
		if err := m.clearQuarantine(ctx, run); err != nil {
			return pruned, fmt.Errorf("prune quarantine: %w", err)
		}
		pruned++
	}
}

// eachQuarantined visits id and key of a run's quarantined rows.
func (m *Mirror) eachQuarantined(ctx context.Context, run string, visit func(id, key string)) error {
	return m.eachDocument(ctx, Quarantine, within(safeName(run)), options.Find().SetProjection(bson.D{{Key: "key", Value: 1}}),
		func(doc bson.Raw) error {
			visit(text(doc, "_id"), text(doc, "key"))
			return nil
		})
}
