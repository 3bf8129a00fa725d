package store

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"
)

// Options say how a dataset begins.
type Options struct {
	Key       string    // the field name of the column that rows are sorted and found by
	Seed      uint64    // of row identifiers and of arbitrary orders
	Published time.Time // when the first version was published, to the second
	// Collate orders texts; nil is the order of their bytes.
	Collate func(a, b string) int
}

// Snapshot is one version of a dataset. It never changes: an edit makes the
// next one, so that an answer that is being rendered stays consistent.
type Snapshot struct {
	seed     uint64
	collate  func(a, b string) int
	version  uint32      // the index of this version in versions
	versions []time.Time // when each was published; later versions append behind
	columnAt time.Time   // when the columns last changed

	columns []Column
	slots   []slot
	chunks  []string

	keySlot    int
	rows       []Row // the rows that have a key, in key order
	keyless    []Row
	duplicates int    // rows beyond the first for their key
	floor      uint32 // the version of the last full replace: no row's system columns are older
	nextSeq    uint32
}

// NewSnapshot makes the first version of a dataset of a table's rows. The error
// says that the table has no such key column.
func NewSnapshot(t *Table, o Options) (*Snapshot, error) {
	published := o.Published.UTC().Truncate(time.Second)
	s := &Snapshot{
		seed: o.Seed, collate: o.Collate, versions: []time.Time{published}, columnAt: published,
		columns: t.columns, slots: t.slots, chunks: slices.Clip(t.chunks), nextSeq: uint32(len(t.rows)), keySlot: -1,
	}
	if c, ok := s.Column(o.Key); ok {
		s.keySlot = c.Slot
	}
	if s.keySlot < 0 {
		return nil, fmt.Errorf("the table has no column %q to be its key; it has %s", o.Key, strings.Join(t.Columns(), ", "))
	}
	s.rows = t.rows
	if slices.ContainsFunc(t.rows, func(row Row) bool { return !s.Key(row).Set }) {
		s.rows = nil
		for _, row := range t.rows {
			if s.Key(row).Set {
				s.rows = append(s.rows, row)
			} else {
				s.keyless = append(s.keyless, row)
			}
		}
	}
	if !slices.IsSortedFunc(s.rows, s.compareKeys) {
		s.rows = slices.Clone(s.rows) // the table's own may be shared
		slices.SortStableFunc(s.rows, s.compareKeys)
	}
	for i := 1; i < len(s.rows); i++ {
		if s.compareKeys(s.rows[i-1], s.rows[i]) == 0 {
			s.duplicates++
		}
	}
	return s, nil
}

// Published returns when this version was published, to the second.
func (s *Snapshot) Published() time.Time { return s.versions[s.version] }

// First returns when the dataset's first version was published.
func (s *Snapshot) First() time.Time { return s.versions[0] }

// ColumnsChanged returns when the columns last changed.
func (s *Snapshot) ColumnsChanged() time.Time { return s.columnAt }

// Len returns the number of rows.
func (s *Snapshot) Len() int { return len(s.rows) + len(s.keyless) }

// Rows lists the rows that have a key, in key order. It must not be changed.
func (s *Snapshot) Rows() []Row { return s.rows }

// Keyless lists the rows whose key is null. It must not be changed.
func (s *Snapshot) Keyless() []Row { return s.keyless }

// Unique reports whether no two rows have the same key.
func (s *Snapshot) Unique() bool { return s.duplicates == 0 }

// Columns lists the columns in order. It must not be changed.
func (s *Snapshot) Columns() []Column { return s.columns }

// Slots returns the number of cells in a record.
func (s *Snapshot) Slots() int { return len(s.slots) }

// Column finds a column by its field name; system columns are not among them.
func (s *Snapshot) Column(name string) (c Column, ok bool) {
	i := slices.IndexFunc(s.columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return s.columns[i], true
}

// IsKey reports whether a field name is that of the key.
func (s *Snapshot) IsKey(name string) bool {
	c, ok := s.Column(name)
	return ok && c.Slot == s.keySlot
}

// KeyKind returns the data type of the key.
func (s *Snapshot) KeyKind() Kind { return s.slots[s.keySlot].kind }

// Record opens a row for reading.
func (s *Snapshot) Record(row Row) Record { return openRecord(s.chunks, s.slots, row) }

// Key returns a row's key.
func (s *Snapshot) Key(row Row) Value {
	r := s.Record(row)
	return r.Cell(s.keySlot)
}

// Compare orders two set values of one kind. Texts that the collation does not
// tell apart are ordered by their bytes, so that only equal ones are equal.
func (s *Snapshot) Compare(a, b Value) int {
	if s.collate != nil && a.Kind == KindText {
		if c := s.collate(a.Text, b.Text); c != 0 {
			return c
		}
	}
	return compareValues(a, b)
}

func (s *Snapshot) compareKeys(a, b Row) int { return s.Compare(s.Key(a), s.Key(b)) }

// Search returns the index in Rows of the first row whose key is k or greater
// or, with after, greater than k.
func (s *Snapshot) Search(k Value, after bool) int {
	return sort.Search(len(s.rows), func(i int) bool {
		c := s.Compare(s.Key(s.rows[i]), k)
		return c > 0 || c == 0 && !after
	})
}

// Find returns all rows with a key: several where it is not unique. A text that
// cannot be a key is the key of none.
func (s *Snapshot) Find(key string) []Row {
	k, err := FromGo(s.KeyKind(), key)
	if err != nil {
		return nil
	}
	return s.find(k)
}

func (s *Snapshot) find(k Value) []Row { return s.rows[s.Search(k, false):s.Search(k, true)] }

// Decoded returns a row as decoding the portal's answer gives it: nulls are
// absent, system columns left out.
func (s *Snapshot) Decoded(row Row) map[string]any {
	r := s.Record(row)
	fields := make(map[string]any, len(s.columns))
	for _, c := range s.columns {
		v := Value{}
		if c.Constant != nil {
			v = *c.Constant
		} else {
			v = r.Cell(c.Slot)
		}
		if v.Set {
			fields[c.Name] = v.Go()
		}
	}
	return fields
}

// All yields the decoded rows in key order, rows without a key last.
func (s *Snapshot) All(yield func(map[string]any) bool) {
	for _, rows := range [][]Row{s.rows, s.keyless} {
		for _, row := range rows {
			if !yield(s.Decoded(row)) {
				return
			}
		}
	}
}

// SameColumns reports whether neither an edit of columns nor a full replace
// lies between two versions of a dataset: then equal rows read the same in
// both.
func (s *Snapshot) SameColumns(other *Snapshot) bool {
	// Such edits clone the list; all others share it.
	return len(s.columns) == len(other.columns) && (len(s.columns) == 0 || &s.columns[0] == &other.columns[0])
}

// cells reads a whole row by slot.
func (s *Snapshot) cells(row Row) []Value {
	r := s.Record(row)
	cells := make([]Value, len(s.slots))
	for i := range cells {
		cells[i] = r.Cell(i)
	}
	return cells
}
