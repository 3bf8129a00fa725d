package profile

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/axiomhq/hyperloglog"
	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
)

// Version is that of stored sketches, of their hashes and of what is exact.
// Raise it with every change after which old and new ones do not add up.
const Version = 1

const (
	// maxStored bounds a stored sketch, in bytes: its page's summary must fit into
	// a document of 16 MiB, base64. One of 50,000 rows has some 60 kB.
	maxStored = 8 << 20
	// maxRead bounds what a stored sketch may unpack to, in bytes.
	maxRead = 64 << 20
)

var (
	// ErrOther says that a stored sketch was made by another version of Padron, or
	// with another version of the spec.
	ErrOther = errors.New("its sketch is of another version of Padron or of the spec")
	// ErrCorrupt says that a stored sketch cannot be read.
	ErrCorrupt = errors.New("its sketch cannot be read")
	// ErrTooLarge says that a sketch is too large to be stored.
	ErrTooLarge = errors.New("its sketch is too large to be stored")
)

// stored is a Sketch as it is stored.
type stored struct {
	Version int
	Spec    string
	Rows    int64
	Flags   []storedFlag
	Columns []storedColumn
}

type storedFlag struct {
	Name string
	Rows int64
}

type storedColumn struct {
	Present  int64
	Unlisted int64
	Listed   []storedValue
	Many     []byte
	Years    []storedYear
}

type storedValue struct {
	Text string
	Hash uint64 // 0: that of the text, which is all of the value
	Rows int64
	More int64
}

type storedYear struct {
	Year int
	Rows int64
}

// Store writes the sketch as bytes, some 60 kB for a page of 50,000 rows. After
// it the sketch is done with: of fields with many values it lists the most
// frequent ones only.
//
// Errors: ErrTooLarge.
func (s *Sketch) Store() ([]byte, error) {
	out := stored{Version: Version, Spec: s.plan.Spec, Rows: s.rows}
	for _, name := range slices.Sorted(maps.Keys(s.flags)) {
		out.Flags = append(out.Flags, storedFlag{name, s.flags[name]})
	}
	for i := range s.columns {
		c, sensitive := &s.columns[i], s.plan.Fields[i].Sensitive
		of := storedColumn{Present: c.present}
		if c.many != nil {
			c.drop(storedListed)
			var err error
			if of.Many, err = c.many.MarshalBinary(); err != nil {
				return nil, fmt.Errorf("store sketch: %w", err)
			}
		}
		of.Unlisted = c.unlisted
		for j := range c.listed {
			v := &c.listed[j]
			as := storedValue{Text: string(c.text(v)), Rows: v.rows, More: v.more}
			if v.cut || sensitive {
				as.Hash = v.hash
			}
			of.Listed = append(of.Listed, as)
		}
		// Of equal sketches equal bytes, and what compresses well side by side.
		slices.SortFunc(of.Listed, func(a, b storedValue) int { return cmp.Or(cmp.Compare(a.Text, b.Text), cmp.Compare(a.Hash, b.Hash)) })
		for _, year := range slices.Sorted(maps.Keys(c.years)) {
			of.Years = append(of.Years, storedYear{year, c.years[year]})
		}
		out.Columns = append(out.Columns, of)
	}
	var plain bytes.Buffer
	if err := gob.NewEncoder(&plain).Encode(out); err != nil {
		return nil, fmt.Errorf("store sketch: %w", err)
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<18))
	if err != nil {
		return nil, fmt.Errorf("store sketch: %w", err)
	}
	defer w.Close() //nolint:errcheck // nothing is written to it
	packed := w.EncodeAll(plain.Bytes(), nil)
	if len(packed) > maxStored {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(packed))
	}
	return packed, nil
}

// Merge adds what a stored sketch describes. After an error the sketch is of no
// use.
//
// Errors: ErrOther, ErrCorrupt.
func (s *Sketch) Merge(packed []byte) error {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRead))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	defer r.Close()
	plain, err := r.DecodeAll(packed, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	var in stored
	if err := gob.NewDecoder(bytes.NewReader(plain)).Decode(&in); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if in.Version != Version || in.Spec != s.plan.Spec || len(in.Columns) != len(s.columns) {
		return ErrOther
	}
	s.rows += in.Rows
	for _, f := range in.Flags {
		s.flags[f.Name] += f.Rows
	}
	for i := range in.Columns {
		c, err := in.Columns[i].column()
		if err != nil {
			return err
		}
		if err := s.columns[i].merge(c, s.plan.Fields[i].Sensitive); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	return nil
}

// column is the column that was stored.
func (of *storedColumn) column() (*column, error) {
	c := &column{present: of.Present, unlisted: of.Unlisted}
	if of.Many != nil {
		c.many = new(hyperloglog.Sketch)
		if err := c.many.UnmarshalBinary(of.Many); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	for _, v := range of.Listed {
		hash := v.Hash
		if hash == 0 {
			hash = xxhash.Sum64String(v.Text)
		}
		c.list(value{hash: hash, rows: v.Rows, more: v.More}, []byte(v.Text), v.Hash != 0)
	}
	for _, y := range of.Years {
		c.year(y.Year, y.Rows)
	}
	return c, nil
}
