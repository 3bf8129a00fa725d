package mirror

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// quarantineBatch is how many quarantined rows are written at once. They are
// rare; their source rows are at most a few KiB each.
const quarantineBatch = 500

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
	call, cancel := m.call(ctx)
	defer cancel()
	if _, err := m.db.Collection(Quarantine).DeleteMany(call, within(safeName(run))); err != nil {
		return fmt.Errorf("clear quarantine of %s: %w", run, err)
	}
	return nil
}
