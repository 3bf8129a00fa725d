package runs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
)

const (
	// clocksDiffer is how far the clocks of Temporal, the workers and the database
	// may be apart: what is dated further ahead is of a clock that was wrong.
	clocksDiffer = 5 * time.Minute

	// redateAtOnce bounds the records that are redated together.
	redateAtOnce = 1000
)

// Redate gives runs that are dated in the future of the database's clock the
// time of now, in their order, and returns how many there were. A clock that had
// jumped ahead dated them; they would else stay the last of every list until
// that future comes. Redated keeps what they were dated.
func (s *Store) Redate(ctx context.Context) (int, error) {
	now, err := s.db.Now(ctx)
	if err != nil {
		return 0, fmt.Errorf("redate runs: %w", err)
	}
	ahead, err := s.entries(ctx, allRuns.entry(now.Add(clocksDiffer), ""), string(allRuns)+"0", 1, redateAtOnce)
	if err != nil || len(ahead) == 0 {
		return 0, err
	}
	records, err := s.runsOf(ctx, ahead, options.Find())
	if err != nil {
		return 0, fmt.Errorf("redate runs: %w", err)
	}
	redated := 0
	for i, e := range ahead {
		run := records[e.Run]
		if run == nil { // about to be recorded, or never
			continue
		}
		if allRuns.entry(run.Started, run.ID) == e.ID {
			at := now.Truncate(time.Millisecond).Add(time.Duration(i-len(ahead)) * time.Millisecond)
			if err := s.redate(ctx, run, at, now); err != nil {
				return redated, fmt.Errorf("redate run %s: %w", run.ID, err)
			}
			redated++
		}
		if err := s.leave(ctx, e); err != nil {
			return redated, fmt.Errorf("redate run %s: %w", e.Run, err)
		}
	}
	return redated, nil
}

func (s *Store) redate(ctx context.Context, run *Run, at, now time.Time) error {
	was := run.Started
	set := bson.D{{Key: "started", Value: at}, {Key: "updated", Value: now}}
	if run.Redated.IsZero() {
		set = append(set, bson.E{Key: "redated", Value: was})
	}
	if run.Finished.After(now) {
		set = append(set, bson.E{Key: "finished", Value: now})
	}
	run.Started = at
	lists := slices.DeleteFunc(allLists(), func(l list) bool { return !l.has(run) })
	if err := s.enter(ctx, run, lists); err != nil {
		return err
	}
	call, cancel := s.db.Call(ctx)
	defer cancel()
	_, err := s.db.Collection(mongodb.Runs).UpdateOne(call,
		bson.D{{Key: "_id", Value: run.ID}, {Key: "started", Value: was}}, bson.D{{Key: "$set", Value: set}})
	return err
}

// leave takes the entries of a time that a run no longer has out of all lists.
func (s *Store) leave(ctx context.Context, e listEntry) error {
	at := e.ID[len(allRuns):]
	var ids []string
	for _, l := range allLists() {
		ids = append(ids, string(l)+at)
	}
	call, cancel := s.db.Call(ctx)
	defer cancel()
	_, err := s.db.Collection(mongodb.RunOrder).DeleteMany(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	return err
}
