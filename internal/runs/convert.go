package runs

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb"
)

// Convert brings the records of a database of format 1 into today's form, and
// records the format. It is idempotent: a conversion that was cut short is made
// again, and two at once do the same.
func (s *Store) Convert(ctx context.Context) error {
	if s.db.StoredFormat() >= mongodb.Format {
		return nil
	}
	records := s.db.Collection(mongodb.Runs)
	for from, to := range map[string]string{
		"nominal": "logical_date", "crawl.whole": "crawl.consistent", "crawl.facts": "crawl.source_counts",
	} {
		scan, cancel := s.db.Scan(ctx)
		_, err := records.UpdateMany(scan, bson.D{{Key: from, Value: bson.D{{Key: "$exists", Value: true}}}},
			bson.D{{Key: "$rename", Value: bson.D{{Key: from, Value: to}}}})
		cancel()
		if err != nil {
			return fmt.Errorf("convert records of runs: %s to %s: %w", from, to, err)
		}
	}
	scan, cancel := s.db.Scan(ctx)
	defer cancel()
	_, err := records.UpdateMany(scan, bson.D{{Key: "job", Value: "replay"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "job", Value: JobRetry}}}})
	if err != nil {
		return fmt.Errorf("convert records of runs: job replay to %s: %w", JobRetry, err)
	}
	return s.db.SetFormat(ctx)
}
