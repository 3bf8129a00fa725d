package runs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"padron/internal/mongodb"
)

// Store reads and writes the records of runs. It is safe for concurrent use.
type Store struct{ Reader }

// NewStore keeps the runs of a dataset's database.
func NewStore(db *mongodb.Database) *Store { return &Store{Reader{db: db}} }

// BeginRun records that a run started. A record that exists stays as it is, so
// that a retry changes nothing; the stored record is returned. Status defaults
// to running, Started and Dataset to now and to the mirror's.
func (s *Store) BeginRun(ctx context.Context, run Run) (Run, error) {
	if run.ID == "" {
		return Run{}, errors.New("begin run: no id")
	}
	if stored, err := s.Run(ctx, run.ID); !errors.Is(err, ErrNoRun) {
		return stored, err
	}
	if run.Status == "" {
		run.Status = StatusRunning
	}
	if run.Started.IsZero() {
		run.Started = time.Now()
	}
	run.Started, run.Dataset, run.Updated = run.Started.UTC(), s.db.Dataset(), time.Now().UTC()
	var lists []list
	for _, list := range allLists() {
		if list.has(&run) {
			lists = append(lists, list)
		}
	}
	if err := s.enter(ctx, &run, lists); err != nil {
		return Run{}, fmt.Errorf("begin run %s: %w", run.ID, err)
	}
	call, cancel := s.db.Call(ctx)
	_, err := s.db.Collection(mongodb.Runs).InsertOne(call, run)
	cancel()
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return Run{}, fmt.Errorf("begin run %s: %w", run.ID, err)
	}
	return s.Run(ctx, run.ID)
}

// SetRun sets fields of a run's record, named as in its bson tags, nested ones
// with dots; and its time of writing. ErrNoRun when there is no record.
func (s *Store) SetRun(ctx context.Context, id string, fields bson.D) error {
	if err := s.enterBefore(ctx, id, fields); err != nil {
		return err
	}
	set := append(bson.D{{Key: "updated", Value: time.Now().UTC()}}, fields...)
	call, cancel := s.db.Call(ctx)
	defer cancel()
	res, err := s.db.Collection(mongodb.Runs).UpdateOne(call, mongodb.ByID(id), bson.D{{Key: "$set", Value: set}})
	if err != nil {
		return fmt.Errorf("record run %s: %w", id, err)
	}
	if res.MatchedCount == 0 {
		return fmt.Errorf("%w: %s", ErrNoRun, id)
	}
	return nil
}

// Warn adds a warning to a run's record, once. ErrNoRun when there is none.
func (s *Store) Warn(ctx context.Context, id, warning string) error {
	run, err := s.Run(ctx, id)
	if err != nil || slices.Contains(run.Warnings, warning) {
		return err
	}
	return s.SetRun(ctx, id, bson.D{{Key: "warnings", Value: append(run.Warnings, warning)}})
}

// SetFailure records how an attempt of a step of the run went wrong. ErrNoRun when
// there is no record.
func (s *Store) SetFailure(ctx context.Context, id string, f Failure) error {
	return s.SetRun(ctx, id, bson.D{{Key: "last_failure", Value: f}})
}

// ClearFailure takes back the failure of an activity that succeeded in the end;
// one of another activity stays.
func (s *Store) ClearFailure(ctx context.Context, id, activity string) error {
	call, cancel := s.db.Call(ctx)
	defer cancel()
	_, err := s.db.Collection(mongodb.Runs).UpdateOne(call,
		bson.D{{Key: "_id", Value: id}, {Key: "last_failure.activity", Value: activity}},
		bson.D{{Key: "$unset", Value: bson.D{{Key: "last_failure", Value: ""}}}})
	if err != nil {
		return fmt.Errorf("record run %s: %w", id, err)
	}
	return nil
}
