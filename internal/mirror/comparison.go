package mirror

import (
	"context"
	"fmt"

	"padron/internal/landing"
	"padron/internal/lineage"
	"padron/internal/socrata"
)

// Comparison compares rows with the stored rows of a key range while they are
// being cleaned. So what Upsert would do is known before the page is landed,
// and documents that are stored already need not be landed. Not for concurrent
// use.
type Comparison struct {
	join   join
	walk   *walk
	totals Totals
	rec    landing.Record
}

// Compared is the result of a comparison.
type Compared struct {
	UpsertResult        // what Upsert would do; no pages of keys
	Stored       Totals // of all rows stored in the range, as they were compared; Inserted and Replaced are not counted
}

// CompareTo starts a comparison with the rows of a range. repair is
// UpsertInput.Repair. End or Close it.
func (m *Mirror) CompareTo(ctx context.Context, r socrata.Range, repair bool) (*Comparison, error) {
	c := &Comparison{join: join{m: m, in: UpsertInput{Range: r, Ordered: true, Repair: repair}}}
	c.join.totals = &c.totals
	var err error
	if c.walk, err = c.join.walk(ctx); err != nil {
		return nil, fmt.Errorf("compare %s: %w", r, err)
	}
	return c, nil
}

// Row compares a clean row. same says that the same document is stored and
// nothing is to be written. Rows must come in key order, else the error is
// landing.ErrOrder or landing.ErrDuplicateKey, and the comparison is of no use.
func (c *Comparison) Row(ctx context.Context, key string, hash [lineage.HashSize]byte) (same bool, err error) {
	c.rec = landing.Record{Key: key, Hash: hash}
	old, err := c.walk.meet(ctx, &c.rec)
	if err != nil {
		return false, err
	}
	c.join.result.Rows++
	return old != nil && old.hash == hash && !old.stale && !old.damaged, c.join.decide(ctx, &c.rec, old)
}

// Stored is the hash and the fingerprint (lineage.Lineage.Row) of what is stored
// under a key that is to be compared next; no fingerprint where nothing is
// stored, or nothing that can stay as it is. It is valid until the next call.
func (c *Comparison) Stored(ctx context.Context, key string) (hash [lineage.HashSize]byte, row []byte, err error) {
	cur, err := c.walk.reach(ctx, key)
	if err != nil || cur == nil || cur.stale || cur.damaged {
		return hash, nil, err
	}
	return cur.hash, cur.row, nil
}

// Quarantined compares a row that is in quarantine; key is empty when it has
// none.
func (c *Comparison) Quarantined(ctx context.Context, key, reason string) error {
	c.rec = landing.Record{Key: key, Quarantine: reason}
	if _, err := c.walk.meet(ctx, &c.rec); err != nil {
		return err
	}
	c.join.result.Rows++
	c.join.result.Quarantined++
	return nil
}

// End is the result, after the last row.
func (c *Comparison) End(ctx context.Context) (Compared, error) {
	if err := c.walk.end(ctx); err != nil {
		return Compared{}, err
	}
	return Compared{UpsertResult: c.join.result, Stored: c.totals}, nil
}

// Close closes the cursor of the stored rows.
func (c *Comparison) Close(ctx context.Context) { c.walk.rows.close(ctx) }
