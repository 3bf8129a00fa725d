package statistics

import "padron/internal/mongodb"

// Store makes and keeps snapshots and profiles. It is safe for concurrent use,
// but Reconstruct must be called once at a time.
type Store struct {
	Reader
	snapshotsAtOnce int // reconstructed ones that are written together
}

// NewStore keeps the statistics of a dataset's database.
func NewStore(db *mongodb.Database) *Store {
	return &Store{Reader: Reader{db: db}, snapshotsAtOnce: snapshotsAtOnce}
}
