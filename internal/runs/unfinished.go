package runs

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb"
)

// Unfinished lists the runs whose record says that they are running, in no
// order: those that are, and those that ended without closing it.
func (r *Reader) Unfinished(ctx context.Context) ([]Run, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	var unfinished []Run
	cursor, err := r.db.Collection(mongodb.Runs).Find(call, bson.D{{Key: "status", Value: StatusRunning}})
	if err == nil {
		err = cursor.All(call, &unfinished)
	}
	if err != nil {
		return nil, fmt.Errorf("list unfinished runs: %w", err)
	}
	return unfinished, nil
}

// CloseUnfinished closes the record of a run that has ended without doing so,
// and reports whether it did: a record that was closed meanwhile stays as it
// is.
func (s *Store) CloseUnfinished(ctx context.Context, id string, status Status, reason string, finished time.Time) (bool, error) {
	if err := s.enterBefore(ctx, id, bson.D{{Key: "status", Value: status}}); err != nil {
		return false, err
	}
	call, cancel := s.db.Call(ctx)
	defer cancel()
	res, err := s.db.Collection(mongodb.Runs).UpdateOne(call,
		bson.D{{Key: "_id", Value: id}, {Key: "status", Value: StatusRunning}},
		bson.D{{Key: "$set", Value: bson.D{
			{Key: "status", Value: status},
			{Key: "reason", Value: reason},
			{Key: "finished", Value: finished.UTC()},
			{Key: "updated", Value: time.Now().UTC()},
		}}})
	if err != nil {
		return false, fmt.Errorf("close the record of run %s: %w", id, err)
	}
	return res.ModifiedCount > 0, nil
}
