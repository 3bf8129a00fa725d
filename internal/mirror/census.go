package mirror

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/socrata"
)

// CensusInput says what to count.
type CensusInput struct {
	Run string // its inserts and replacements are counted
	// Ranges cut the work into pieces, such as the run's plan does. Whatever
	// they are, every row is counted once.
	Ranges []socrata.Range
	// Within, when not nil, are the only ranges to be counted, in byte order and
	// apart from each other. Documents with an _id that no range holds are
	// counted all the same.
	Within []socrata.Range
	// Beat, when set, is called from the calling goroutine at least every
	// second with the rows read so far.
	Beat func(rows int64)
}

// Census is what is stored, counted and summed over every row, so that no
// crash or repeated attempt can falsify it.
type Census struct {
	Documents int64  `bson:"documents" json:"documents"`                 // all of them
	Foreign   int64  `bson:"foreign,omitempty" json:"foreign,omitempty"` // among them, not written by Padron: not in the digest
	Inserted  int64  `bson:"inserted" json:"inserted"`                   // at version 1, by the run
	Replaced  int64  `bson:"replaced" json:"replaced"`                   // at a later one, by the run: changed or returned
	Digest    Digest `bson:"digest" json:"digest"`                       // of keys and hashes
}

// Add adds what is stored elsewhere.
func (c *Census) Add(o Census) {
	c.Documents += o.Documents
	c.Foreign += o.Foreign
	c.Inserted += o.Inserted
	c.Replaced += o.Replaced
	c.Digest.Merge(o.Digest)
}

// Census looks at every document in businesses: a full scan, on purpose, in
// key order and in constant memory.
func (m *Mirror) Census(ctx context.Context, in CensusInput) (Census, error) {
	var (
		mu    sync.Mutex
		total Census
	)
	err := beating(ctx, in.Beat, func(ctx context.Context, beat *pulse) error {
		counted := pieces(in.Ranges)
		if in.Within != nil {
			counted = in.Within
		}
		return eachPiece(ctx, counted, func(ctx context.Context, _ int, r socrata.Range) error {
			var c Census
			err := m.eachStored(ctx, r, func(s *census) error {
				beat.add(1)
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
		err = m.eachStranger(ctx, Businesses, ownKey, func(bson.RawValue) error {
			total.Documents++
			total.Foreign++
			return nil
		})
	}
	if err != nil {
		return Census{}, fmt.Errorf("census of run %s: %w", in.Run, err)
	}
	return total, nil
}

// DigestOf counts and sums the stored rows among keys.
func (m *Mirror) DigestOf(ctx context.Context, keys []string) (n int, d Digest, err error) {
	for batch := range slices.Chunk(keys, keyBatch) {
		found, err := m.storedByKey(ctx, batch)
		if err != nil {
			return 0, Digest{}, fmt.Errorf("digest of %d keys: %w", len(keys), err)
		}
		n += len(found)
		for key, s := range found {
			d.Add(key, s.hash)
		}
	}
	return n, d, nil
}

// SourceColumn is a column of the portal and where its value lies in a
// document.
type SourceColumn struct {
	Column string // of the portal
	Path   string // of the document's field that is made of this column alone
}

// GroupCounts counts rows by what the portal has in columns, each for itself:
// the original where cleaning kept one, else the document's own value, numbers
// and booleans as text. So the counts can be held against the portal's own. The
// server looks at every document once, and the combinations of the columns'
// values must fit into memory.
func (m *Mirror) GroupCounts(ctx context.Context, columns ...SourceColumn) ([]Group, error) {
	if len(columns) == 0 {
		return nil, nil
	}
	var id bson.D
	rows := make([]map[GroupValue]int64, len(columns))
	for i, c := range columns {
		rows[i] = map[GroupValue]int64{}
		id = append(id, bson.E{Key: position(i), Value: bson.D{{Key: "$ifNull", Value: bson.A{"$source." + c.Column, "$" + c.Path, nil}}}})
	}
	err := m.group(ctx, bson.A{bson.D{{Key: "$group", Value: bson.D{
		{Key: "_id", Value: id},
		{Key: "rows", Value: bson.D{{Key: "$sum", Value: 1}}},
	}}}}, func(raw bson.Raw) {
		n := number(raw, "rows")
		for i := range columns {
			value, ok := portalText(raw.Lookup("_id", position(i)))
			rows[i][GroupValue{Value: value, Null: !ok}] += n
		}
	})
	if err != nil {
		return nil, fmt.Errorf("count rows by the portal's columns: %w", err)
	}
	groups := make([]Group, len(columns))
	for i, c := range columns {
		groups[i] = Group{Column: c.Column, Values: make([]GroupValue, 0, len(rows[i]))}
		for value, n := range rows[i] {
			value.Rows = n
			groups[i].Values = append(groups[i].Values, value)
		}
		slices.SortFunc(groups[i].Values, func(a, b GroupValue) int {
			return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(b.Rows, a.Rows))
		})
	}
	return groups, nil
}

// portalText is a value as the portal's counts name it; false for none.
func portalText(v bson.RawValue) (string, bool) {
	switch v.Type {
	case bson.TypeString:
		return v.StringValue(), true
	case bson.TypeBoolean:
		return strconv.FormatBool(v.Boolean()), true
	case bson.TypeInt32, bson.TypeInt64:
		return strconv.FormatInt(v.AsInt64(), 10), true
	case bson.TypeDouble:
		return strconv.FormatFloat(v.Double(), 'f', -1, 64), true
	case bson.TypeDateTime:
		return time.UnixMilli(v.DateTime()).UTC().Format("2006-01-02T15:04:05.000"), true
	case bson.TypeEmbeddedDocument: // an original that is no text
		return v.Document().Lookup("json").StringValueOK()
	default:
		return "", false
	}
}

// census is a stored row, as far as it is counted.
type census struct {
	key     string
	hash    [HashSize]byte
	version int32
	run     string
	foreign bool // has no lineage of ours; nothing but key is set
}

// eachStored visits the stored rows of a range in key order. The row is used
// again.
func (m *Mirror) eachStored(ctx context.Context, r socrata.Range, visit func(*census) error) error {
	opts := options.Find().SetProjection(bson.D{
		{Key: "lineage.hash", Value: 1}, {Key: "lineage.version", Value: 1}, {Key: "lineage.run", Value: 1},
	})
	var s census
	return m.eachDocument(ctx, Businesses, keysWithin(r), opts, func(doc bson.Raw) error {
		s.decode(doc)
		return visit(&s)
	})
}

func (s *census) decode(doc bson.Raw) {
	*s = census{run: s.run, foreign: true}
	var (
		hash, version, run bool
		lineage            bson.Raw
	)
	_ = eachElement(doc, func(_ []byte, e element) error {
		switch string(e.name) {
		case "_id":
			s.key, _ = e.value.StringValueOK()
		case "lineage":
			lineage, _ = e.value.DocumentOK()
		}
		return nil
	})
	if lineage == nil {
		return
	}
	_ = eachElement(lineage, func(_ []byte, e element) error {
		switch string(e.name) {
		case "hash":
			var b []byte
			if _, b, hash = e.value.BinaryOK(); hash && len(b) == HashSize {
				copy(s.hash[:], b)
			}
			hash = hash && len(b) == HashSize
		case "version":
			s.version, version = e.value.Int32OK()
		case "run":
			// Mostly the same run's as the row before.
			var b []byte
			if b, run = textBytes(e.value); string(b) != s.run {
				s.run = string(b)
			}
		}
		return nil
	})
	s.foreign = !hash || !version || !run
}

// textBytes is a string's bytes without a copy.
func textBytes(v bson.RawValue) ([]byte, bool) {
	if v.Type != bson.TypeString || len(v.Value) < 5 {
		return nil, false
	}
	return v.Value[4 : len(v.Value)-1], true
}
