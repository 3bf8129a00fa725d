package query

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"padron/internal/alerts"
	"padron/internal/boundaries"
	"padron/internal/mongodb"
	"padron/internal/quarantine"
	"padron/internal/runs"
	"padron/internal/statistics"
)

// Reader is all that may be read of one dataset: its runs, statistics, alerts,
// quarantine and boundaries, and, here, its businesses and their changes. It is
// safe for concurrent use.
type Reader struct {
	Runs       *runs.Reader
	Statistics *statistics.Reader
	Alerts     *alerts.Reader
	Quarantine *quarantine.Reader
	Boundaries *boundaries.Reader

	db      *mongodb.Database
	sampler sampler // for all searches
}

// Open opens the database of a dataset for reading. It creates nothing:
// mongodb.ErrNoMirror when there is no such database yet.
func Open(ctx context.Context, client *mongo.Client, prefix, dataset string) (*Reader, error) {
	db, err := mongodb.Open(ctx, client, prefix, dataset, mongodb.ReadOnly())
	if err != nil {
		return nil, err
	}
	return New(db), nil
}

// New reads an open database.
func New(db *mongodb.Database) *Reader {
	return &Reader{
		Runs: runs.NewReader(db), Statistics: statistics.NewReader(db), Alerts: alerts.NewReader(db),
		Quarantine: quarantine.NewReader(db), Boundaries: boundaries.NewReader(db), db: db, sampler: sampler{db: db},
	}
}

// DatabaseName is the name of the dataset's database in MongoDB.
func (r *Reader) DatabaseName() string { return r.db.Name() }

// Created is when the dataset's database was made.
func (r *Reader) Created(ctx context.Context) (time.Time, error) { return r.db.Created(ctx) }

// Count is the exact number of businesses. The server looks at all of them.
func (r *Reader) Count(ctx context.Context) (int64, error) {
	return r.db.Count(ctx, mongodb.Businesses)
}
