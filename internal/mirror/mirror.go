package mirror

import (
	"errors"

	"padron/internal/mongodb"
	"padron/internal/quarantine"
	"padron/internal/runs"
)

// Mirror writes one dataset's rows. It is safe for concurrent use, but a
// dataset has one writer: see workflows.WriteID.
type Mirror struct {
	db         *mongodb.Database
	runs       *runs.Store
	quarantine *quarantine.Store

	batchRows  int
	batchBytes int
}

// Option changes a default of New.
type Option func(*Mirror)

// WithBatch bounds one write command by rows and by bytes of documents,
// whichever comes first (default 2,000 rows, 2 MiB).
func WithBatch(rows, bytes int) Option {
	return func(m *Mirror) { m.batchRows, m.batchBytes = rows, bytes }
}

// New writes to a dataset's database.
func New(db *mongodb.Database, opts ...Option) *Mirror {
	m := &Mirror{
		db: db, runs: runs.NewStore(db), quarantine: quarantine.NewStore(db),
		batchRows: defaultBatchRows, batchBytes: defaultBatchBytes,
	}
	for _, o := range opts {
		o(m)
	}
	return m
}

// Errors that callers decide upon. They are wrapped with what was being done;
// compare with errors.Is.
var (
	// ErrForeignRow says that a document in businesses is none of Padron's.
	ErrForeignRow = errors.New("document is not Padron's")
	// ErrNoDocument says that a row was stored as it is when its page was
	// cleaned, and no longer is.
	ErrNoDocument = errors.New("the page has no document of the row")
)
