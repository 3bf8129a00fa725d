package mirror

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/changes"
	"padron/internal/mongodb"
)

// TallyChanges counts a run's change events by their primary kind, on the
// server; those of a repair by their cause, for they change nothing of the portal's.
func (m *Mirror) TallyChanges(ctx context.Context, run string) (map[string]int64, error) {
	scan, cancel := m.db.Scan(ctx)
	defer cancel()
	cursor, err := m.db.Collection(mongodb.Changes).Aggregate(scan, bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "page", Value: bson.D{{Key: "$gte", Value: run + "/"}, {Key: "$lt", Value: run + "0"}}}}}},
		bson.D{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: bson.D{{Key: "$cond", Value: bson.A{
				bson.D{{Key: "$eq", Value: bson.A{"$cause", changes.CauseRepair}}},
				changes.CauseRepair,
				bson.D{{Key: "$arrayElemAt", Value: bson.A{"$kinds", 0}}},
			}}}},
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
