package mirror

import (
	"context"

	"padron/internal/changes"
	"padron/internal/socrata"
)

// Bounds that tests go up to.
const (
	EventsPerPage = eventsPerPage
	FindingKeys   = findingKeys
)

// Pieces cuts the key space.
func Pieces(ranges []socrata.Range) []socrata.Range { return pieces(ranges) }

// AppendEventUpsert appends the element of a command that writes an event.
func AppendEventUpsert(dst []byte, e *changes.Event) ([]byte, error) {
	return appendEventUpsert(dst, e)
}

// ReadStored begins to read all stored rows.
func (m *Mirror) ReadStored(ctx context.Context) error {
	rows, err := m.storedRows(ctx, socrata.Range{}, false)
	if err == nil {
		rows.close(ctx)
	}
	return err
}
