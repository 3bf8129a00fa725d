package runs

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
	"padron/internal/socrata"
)

// Window is what became of a backfill's window the last time.
type Window struct {
	ID       string `bson:"_id" json:"id"`            // <on>/<since>/<until>
	Status   Status `bson:"status" json:"status"`     // done, proven or failed
	Run      string `bson:"run" json:"run"`           // the backfill
	Rows     int    `bson:"rows" json:"rows"`         // that belong to the window
	Inserted int    `bson:"inserted" json:"inserted"` // of these, new here; of the last attempt
	Replaced int    `bson:"replaced" json:"replaced"` // changed; of the last attempt
	// Stretch names the span of windows that was reloaded together with this one,
	// when there was more than one: Inserted, Replaced and Left are those of all of it.
	Stretch  string          `bson:"stretch,omitempty" json:"stretch,omitempty"`
	Left     int             `bson:"left,omitempty" json:"left,omitempty"`        // rows that only a crawl can judge
	Version  socrata.Version `bson:"version,omitempty" json:"version,omitzero"`   // of its last page, or that at which it was proven
	Proof    string          `bson:"proof,omitempty" json:"proof,omitempty"`      // of a proven one: the run whose certificate proves it
	Reason   string          `bson:"reason,omitempty" json:"reason,omitempty"`    // why it failed
	Finished time.Time       `bson:"finished,omitempty" json:"finished,omitzero"` // when
}

// WindowID is a window's _id: what the windows are about, and the days
// (2006-01-02) of its half-open span.
func WindowID(on, since, until string) string { return on + "/" + since + "/" + until }

// Settled says whether a window needs no further look: its rows were reloaded, or
// proven.
func (w *Window) Settled() bool { return w.Status == StatusDone || w.Status == StatusProven }

// SetWindows records what became of windows, in place of what became of them
// before.
func (s *Store) SetWindows(ctx context.Context, windows ...Window) error {
	if len(windows) == 0 {
		return nil
	}
	models := make([]mongo.WriteModel, len(windows))
	for i, w := range windows {
		models[i] = mongo.NewReplaceOneModel().SetFilter(mongodb.ByID(w.ID)).SetReplacement(w).SetUpsert(true)
	}
	call, cancel := s.db.Call(ctx)
	defer cancel()
	_, err := s.db.Collection(mongodb.Windows).BulkWrite(call, models, options.BulkWrite().SetOrdered(false))
	if err != nil {
		return fmt.Errorf("record %d windows from %s on: %w", len(windows), windows[0].ID, err)
	}
	return nil
}

// Windows reads what became of the windows of one kind that begin in the days
// [since, until), by their _id.
func (r *Reader) Windows(ctx context.Context, on, since, until string) (map[string]Window, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.Windows).Find(call, bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: WindowID(on, since, "")}, {Key: "$lt", Value: WindowID(on, until, "")},
	}}})
	if err != nil {
		return nil, fmt.Errorf("read windows: %w", err)
	}
	var all []Window
	if err := cursor.All(call, &all); err != nil {
		return nil, fmt.Errorf("read windows: %w", err)
	}
	byID := make(map[string]Window, len(all))
	for _, w := range all {
		byID[w.ID] = w
	}
	return byID, nil
}
