package store

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// maxSlots bounds the columns that a dataset can ever have had, dropped
	// ones included: a record's mask is one uint64.
	maxSlots = 64
	// maxWords bounds the dictionary of one column. Columns with few distinct
	// values (cities, zips, codes) fit whole; in the others the first values
	// take the places, which costs a few hundred kilobytes.
	maxWords = 8192
	// chunkSize is the length at which a table begins a new chunk: large, so
	// that chunks are few, and small, so that the last one wastes little.
	chunkSize = 1 << 20
)

// Column is a column as a reader of the dataset sees it.
type Column struct {
	Name  string // the field name
	Title string // made of the name by NewBuilder when empty
	Kind  Kind
	// Slot is the column's place in the records. The store sets it; it is -1
	// for a column with a Constant.
	Slot int
	// Constant is the value of every row, for a column that has only one.
	Constant *Value
}

// slot is the place of a column in every record. A column that is blanked gets
// a new slot, so that no record is rewritten.
type slot struct {
	kind  Kind
	words []word // the dictionary
}

// word is one entry of a dictionary, with its JSON ready to be copied.
type word struct{ raw, quoted string }

// Row points at one row's record and says when the row was created and updated,
// as numbers of versions. Rows of one dataset that are equal hold the same.
type Row struct {
	chunk, offset    uint32
	seq              uint32 // a number that the row keeps through all versions
	created, updated uint32
}

// Table is an immutable list of rows without versions. A row of the register
// takes about 200 bytes. Several snapshots may share one Table.
type Table struct {
	columns []Column
	slots   []slot
	chunks  []string
	rows    []Row
}

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Columns lists the field names in order.
func (t *Table) Columns() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.Name
	}
	return names
}

// Builder makes a Table row by row.
type Builder struct {
	table *Table
	index []map[string]uint32 // of each slot: dictionary word to its place
	chunk []byte
}

// NewBuilder lays out the columns of a table that will have about so many rows.
// Each column without a Constant gets a slot, in order; there may be 64.
func NewBuilder(columns []Column, rows int) (*Builder, error) {
	b := &Builder{table: &Table{rows: make([]Row, 0, rows)}}
	for _, c := range columns {
		c.Slot = -1
		if c.Constant == nil {
			c.Slot = len(b.table.slots)
			b.table.slots = append(b.table.slots, slot{kind: c.Kind})
			b.index = append(b.index, map[string]uint32{})
		}
		if c.Title == "" {
			c.Title = titleOf(c.Name)
		}
		b.table.columns = append(b.table.columns, c)
	}
	if len(b.table.slots) > maxSlots {
		return nil, fmt.Errorf("%d columns: at most %d are supported", len(b.table.slots), maxSlots)
	}
	return b, nil
}

// Columns lists the columns with their slots.
func (b *Builder) Columns() []Column { return b.table.columns }

// Row returns an empty row for Add, one cell for each slot.
func (b *Builder) Row() []Value { return make([]Value, len(b.table.slots)) }

// Add appends a row. The cells are by slot and of their column's kind; they may
// be used again afterwards.
func (b *Builder) Add(cells []Value) {
	start := len(b.chunk)
	b.chunk = appendRecord(b.chunk, cells, b.word)
	b.table.rows = append(b.table.rows, Row{
		chunk: uint32(len(b.table.chunks)), offset: uint32(start), seq: uint32(len(b.table.rows)),
	})
	if len(b.chunk) >= chunkSize {
		b.flush()
	}
}

func (b *Builder) flush() {
	b.table.chunks = append(b.table.chunks, string(b.chunk))
	b.chunk = b.chunk[:0]
}

// word finds or makes a dictionary place for a cell's text; ok is false when
// the dictionary is full.
func (b *Builder) word(slot int, raw string) (place uint32, ok bool) {
	place, ok = b.index[slot][raw]
	if ok || len(b.table.slots[slot].words) >= maxWords {
		return place, ok
	}
	s := &b.table.slots[slot]
	raw = strings.Clone(raw)
	place = uint32(len(s.words))
	s.words = append(s.words, word{raw: raw, quoted: string(appendText(nil, s.kind, raw))})
	b.index[slot][raw] = place
	return place, true
}

// Table returns the finished table. The builder must not be used afterwards.
func (b *Builder) Table() *Table {
	b.flush()
	b.table.rows = slices.Clip(b.table.rows)
	return b.table
}

// titleOf makes a column's title of its field name: "dba_name" is "Dba Name".
func titleOf(name string) string {
	words := strings.Fields(strings.NewReplacer("_", " ", ":@", "").Replace(name))
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}
