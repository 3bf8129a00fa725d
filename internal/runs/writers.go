package runs

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb"
)

// Writing records that a run begins to write rows: until it is done, or another
// has written a whole crawl over it, the mirror may be half of one crawl and
// half of another.
func (s *Store) Writing(ctx context.Context, run string) error {
	return s.SetRun(ctx, run, bson.D{{Key: "writes", Value: true}})
}

// Writers lists the runs that wrote rows and are not done, newest first, as far
// as no whole crawl was written over them (Overwritten).
func (r *Reader) Writers(ctx context.Context) ([]Run, error) {
	const atOnce = 50
	var runs []Run
	for below := string(writerRuns) + "0"; ; {
		listed, last, err := r.listed(ctx, writerRuns, below, atOnce)
		if err != nil {
			return nil, fmt.Errorf("list runs that write: %w", err)
		}
		if last == "" {
			return runs, nil
		}
		runs, below = append(runs, listed...), last
	}
}

// Overwritten records that a run has written a whole crawl: what other runs
// wrote before it is no more. Only the one writer may call it.
func (s *Store) Overwritten(ctx context.Context, by string) error {
	call, cancel := s.db.Call(ctx)
	defer cancel()
	_, err := s.db.Collection(mongodb.RunOrder).DeleteMany(call, bson.D{
		{Key: "_id", Value: bson.D{{Key: "$gt", Value: string(writerRuns) + "/"}, {Key: "$lt", Value: string(writerRuns) + "0"}}},
		{Key: "run", Value: bson.D{{Key: "$ne", Value: by}}},
	})
	if err != nil {
		return fmt.Errorf("record that run %s has written a whole crawl: %w", by, err)
	}
	return nil
}
