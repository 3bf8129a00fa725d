package mirror

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Empty says whether there is no document at all.
func (m *Mirror) Empty(ctx context.Context) (bool, error) {
	rows, err := m.findStored(ctx, bson.D{}, false)
	if err != nil {
		return false, err
	}
	defer rows.close(ctx)
	var s stored
	more, err := rows.next(ctx, &s)
	return !more, err
}

// FirstLoads lists the times of the runs that loaded the mirror for the first
// time, of which there are several when one did not come to its end: rows first
// seen then have no event of their opening.
func (m *Mirror) FirstLoads(ctx context.Context) ([]time.Time, error) {
	call, cancel := m.call(ctx)
	defer cancel()
	var runs []struct {
		Started time.Time `bson:"started"`
	}
	cursor, err := m.db.Collection(RunRecords).Find(call, bson.D{{Key: "first_load", Value: true}},
		options.Find().SetProjection(bson.D{{Key: "started", Value: 1}}))
	if err == nil {
		err = cursor.All(call, &runs)
	}
	if err != nil {
		return nil, fmt.Errorf("list first loads: %w", err)
	}
	times := make([]time.Time, len(runs))
	for i, r := range runs {
		times[i] = r.Started
	}
	return times, nil
}

// StaleOf counts and digests those of the keys whose documents are flagged
// stale: their rows are in quarantine, and the documents are older than those.
func (m *Mirror) StaleOf(ctx context.Context, keys []string) (int, Digest, error) {
	var digest Digest
	stale := 0
	for len(keys) > 0 {
		some := keys[:min(len(keys), readBatch)]
		keys = keys[len(some):]
		found, err := m.storedByKey(ctx, some)
		if err != nil {
			return 0, Digest{}, err
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

// TallyChanges counts a run's change events by their primary kind, on the
// server.
func (m *Mirror) TallyChanges(ctx context.Context, run string) (map[string]int64, error) {
	scan, cancel := m.scan(ctx)
	defer cancel()
	cursor, err := m.db.Collection(Changes).Aggregate(scan, bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "page", Value: bson.D{{Key: "$gte", Value: run + "/"}, {Key: "$lt", Value: run + "0"}}}}}},
		bson.D{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: bson.D{{Key: "$arrayElemAt", Value: bson.A{"$kinds", 0}}}},
			{Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}},
	})
	if err != nil {
		return nil, fmt.Errorf("tally changes of run %s: %w", run, err)
	}
	var groups []struct {
		Kind string `bson:"_id"`
		N    int64  `bson:"n"`
	}
	if err := cursor.All(scan, &groups); err != nil {
		return nil, fmt.Errorf("tally changes of run %s: %w", run, err)
	}
	tally := make(map[string]int64, len(groups))
	for _, g := range groups {
		tally[g.Kind] = g.N
	}
	return tally, nil
}
