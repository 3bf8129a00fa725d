package mirror

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/landing"
	"padron/internal/lineage"
	"padron/internal/mongodb"
	"padron/internal/socrata"
)

// TotalsInput says what to count.
type TotalsInput struct {
	Run string // its inserts and replacements are counted
	// Ranges cut the work into pieces, for example the run's plan. Every row is
	// counted once, whatever they are.
	Ranges []socrata.Range
	// Within, when not nil, are the only ranges to be counted, in byte order
	// and without overlap. Documents with an _id that cannot be a key are
	// counted all the same.
	Within []socrata.Range
	// Heartbeat, when set, is called from the calling goroutine at least every
	// second with the rows read so far.
	Heartbeat func(rows int64)
}

// Totals are counts and the digest of what is stored, made from every row, so
// that no crash or repeated attempt can falsify them.
type Totals struct {
	Documents int64          `bson:"documents" json:"documents"`                 // all of them
	Foreign   int64          `bson:"foreign,omitempty" json:"foreign,omitempty"` // among them, not written by Padron: not in the digest
	Inserted  int64          `bson:"inserted" json:"inserted"`                   // at version 1, by the run
	Replaced  int64          `bson:"replaced" json:"replaced"`                   // at a later one, by the run: changed or returned
	Digest    lineage.Digest `bson:"digest" json:"digest"`                       // of keys and hashes
}

// Add adds what is stored elsewhere.
func (c *Totals) Add(o Totals) {
	c.Documents += o.Documents
	c.Foreign += o.Foreign
	c.Inserted += o.Inserted
	c.Replaced += o.Replaced
	c.Digest.Merge(o.Digest)
}

// Totals looks at every document in businesses: a full scan, on purpose, in
// key order and in constant memory.
func (m *Mirror) Totals(ctx context.Context, in TotalsInput) (Totals, error) {
	var (
		mu    sync.Mutex
		total Totals
	)
	err := mongodb.WithHeartbeat(ctx, in.Heartbeat, func(ctx context.Context, progress *mongodb.Progress) error {
		counted := pieces(in.Ranges)
		if in.Within != nil {
			counted = in.Within
		}
		return eachPiece(ctx, counted, func(ctx context.Context, _ int, r socrata.Range) error {
			var c Totals
			err := m.eachStored(ctx, r, func(s *storedRow) error {
				progress.Add(1)
				c.Documents++
				if s.foreign {
					c.Foreign++
					return nil
				}
				c.Digest.Add(s.key, s.hash)
				switch {
				case s.run != in.Run:
				case s.version == 1:
					c.Inserted++
				default:
					c.Replaced++
				}
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			total.Add(c)
			return err
		})
	})
	if err == nil {
		err = m.eachStranger(ctx, mongodb.Businesses, ownKey, func(bson.RawValue) error {
			total.Documents++
			total.Foreign++
			return nil
		})
	}
	if err != nil {
		return Totals{}, fmt.Errorf("totals of run %s: %w", in.Run, err)
	}
	return total, nil
}

// DigestOf counts and sums the stored rows among keys.
func (m *Mirror) DigestOf(ctx context.Context, keys []string) (n int, d lineage.Digest, err error) {
	for batch := range slices.Chunk(keys, landing.KeyBatch) {
		found, err := m.storedByKey(ctx, batch, false)
		if err != nil {
			return 0, lineage.Digest{}, fmt.Errorf("digest of %d keys: %w", len(keys), err)
		}
		n += len(found)
		for key, s := range found {
			d.Add(key, s.hash)
		}
	}
	return n, d, nil
}

// storedRow is a stored row, as far as it is counted.
type storedRow struct {
	key     string
	hash    [lineage.HashSize]byte
	version int32
	run     string
	foreign bool // has no lineage of ours; nothing but key is set
}

// eachStored visits the stored rows of a range in key order. The row is used
// again.
func (m *Mirror) eachStored(ctx context.Context, r socrata.Range, visit func(*storedRow) error) error {
	opts := options.Find().SetProjection(bson.D{
		{Key: "lineage.hash", Value: 1}, {Key: "lineage.version", Value: 1}, {Key: "lineage.run", Value: 1},
	})
	var s storedRow
	return m.db.EachDocument(ctx, mongodb.Businesses, mongodb.KeysBetween(r.After, r.UpTo), opts, func(doc bson.Raw) error {
		s.decode(doc)
		return visit(&s)
	})
}

func (s *storedRow) decode(doc bson.Raw) {
	*s = storedRow{run: s.run, foreign: true}
	var (
		hash, version, run bool
		own                bson.Raw
	)
	_ = mongodb.EachElement(doc, func(_ []byte, e mongodb.Element) error {
		switch string(e.Name) {
		case "_id":
			s.key, _ = e.Value.StringValueOK()
		case "lineage":
			own, _ = e.Value.DocumentOK()
		}
		return nil
	})
	if own == nil {
		return
	}
	_ = mongodb.EachElement(own, func(_ []byte, e mongodb.Element) error {
		switch string(e.Name) {
		case "hash":
			var b []byte
			if _, b, hash = e.Value.BinaryOK(); hash && len(b) == lineage.HashSize {
				copy(s.hash[:], b)
			}
			hash = hash && len(b) == lineage.HashSize
		case "version":
			s.version, version = e.Value.Int32OK()
		case "run":
			// Mostly the run of the row before: then no string is made.
			var b []byte
			if b, run = mongodb.TextBytes(e.Value); string(b) != s.run {
				s.run = string(b)
			}
		}
		return nil
	})
	s.foreign = !hash || !version || !run
}
