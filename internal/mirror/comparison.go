package mirror

import (
	"context"
	"fmt"

	"padron/internal/socrata"
)

// Comparison holds rows against what is stored of a key range while they are
// being cleaned: what Upsert would do is known before anything is landed, and
// documents that are stored as they are need not be. Not for concurrent use.
type Comparison struct {
	join   join
	walk   *walk
	census Census
	rec    Record
}

// Compared is what a comparison came to.
type Compared struct {
	UpsertResult        // what Upsert would do; no pages of keys
	Stored       Census // of all rows stored in the range, as they were compared; Inserted and Replaced are not counted
}

// CompareTo starts a comparison with the rows of a range. End or Close it.
func (m *Mirror) CompareTo(ctx context.Context, r socrata.Range) (*Comparison, error) {
	c := &Comparison{join: join{m: m, in: UpsertInput{Range: r, Ordered: true}}}
	c.join.census = &c.census
	var err error
	if c.walk, err = c.join.walk(ctx); err != nil {
		return nil, fmt.Errorf("compare %s: %w", r, err)
	}
	return c, nil
}

// Row meets a clean row. same: its very document is stored and nothing is to be
// written. Rows come in key order, else the error is ErrOrder or
// ErrDuplicateKey, after which the comparison says nothing.
func (c *Comparison) Row(ctx context.Context, key string, hash [HashSize]byte) (same bool, err error) {
	c.rec = Record{Key: key, Hash: hash}
	old, err := c.walk.meet(ctx, &c.rec)
	if err != nil {
		return false, err
	}
	c.join.result.Rows++
	return old != nil && old.hash == hash && !old.stale, c.join.decide(ctx, &c.rec, old)
}

// Quarantined meets a row that is in quarantine; key is empty when it has none.
func (c *Comparison) Quarantined(ctx context.Context, key, reason string) error {
	c.rec = Record{Key: key, Quarantine: reason}
	if _, err := c.walk.meet(ctx, &c.rec); err != nil {
		return err
	}
	c.join.result.Rows++
	c.join.result.Quarantined++
	return nil
}

// End says what the comparison came to, after the last row.
func (c *Comparison) End(ctx context.Context) (Compared, error) {
	if err := c.walk.end(ctx); err != nil {
		return Compared{}, err
	}
	return Compared{UpsertResult: c.join.result, Stored: c.census}, nil
}

// Close lets go of the stored rows.
func (c *Comparison) Close(ctx context.Context) { c.walk.rows.close(ctx) }
