package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Edit makes the next version of a dataset. Its methods may be called in any
// order and see each other's changes; nothing is seen outside before Finish.
type Edit struct {
	next        *Snapshot
	changed     map[string]*change // by the identity of the key
	records     []byte             // new records: the edit's own chunk
	ownsKeyless bool               // next.keyless is a clone
	columns     bool               // the columns changed
}

// change is what all rows with one key become.
type change struct {
	key  Value
	rows []draft
}

// draft is one row being edited. Drafts with cells are written anew.
type draft struct {
	row     Row
	cells   []Value // nil until touched
	created bool
}

// Edit begins the version that is published at a time, later than s. Versions
// follow each other in one line: only the newest snapshot may be edited.
func (s *Snapshot) Edit(at time.Time) *Edit {
	next := *s
	next.version++
	next.versions = append(next.versions, at) // shared with the versions before, which do not look that far
	return &Edit{next: &next, changed: map[string]*change{}}
}

// Published returns when the version is published.
func (e *Edit) Published() time.Time { return e.next.Published() }

// Column finds a column by its field name, as it is now.
func (e *Edit) Column(name string) (c Column, ok bool) { return e.next.Column(name) }

// Insert adds a row. The fields are as FromGo takes them. A key that exists
// already becomes one with two rows, a row without a key stays without one.
func (e *Edit) Insert(fields map[string]any) error {
	cells := make([]Value, len(e.next.slots))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := e.set(cells, name, fields[name]); err != nil {
			return err
		}
	}
	e.place(draft{cells: cells, created: true, row: Row{seq: e.next.nextSeq}})
	e.next.nextSeq++
	return nil
}

// Update sets fields of all rows with a key; nil makes a field null. The key
// itself may be among the fields. The error says that no row has the key, or
// what is wrong with a field.
func (e *Edit) Update(key string, fields map[string]any) error {
	c, err := e.existing(key)
	if err != nil {
		return err
	}
	rekeyed := false
	for i := range c.rows {
		e.touch(&c.rows[i])
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if err := e.set(c.rows[i].cells, name, fields[name]); err != nil {
				return fmt.Errorf("set %s of %s: %w", name, key, err)
			}
			rekeyed = rekeyed || e.next.IsKey(name)
		}
	}
	if rekeyed {
		rows := c.rows
		c.rows = nil
		for _, d := range rows {
			e.place(d)
		}
	}
	return nil
}

// Delete removes all rows with a key. The error says that there is none.
func (e *Edit) Delete(key string) error {
	c, err := e.existing(key)
	if err != nil {
		return err
	}
	c.rows = nil
	return nil
}

// ReplaceAll gives every row new system columns, as a full replace with the
// same content does.
func (e *Edit) ReplaceAll() {
	e.next.floor = e.next.version
	e.next.columns = slices.Clone(e.next.columns)
}

// SetConstant gives a column one value in all rows, now and later.
func (e *Edit) SetConstant(name string, v Value) error {
	i, err := e.columnIndex(name)
	if err != nil {
		return err
	}
	e.next.columns = slices.Clone(e.next.columns)
	e.next.columns[i].Slot, e.next.columns[i].Constant = -1, &v
	return nil
}

// AddColumn adds an empty column of a data type that datasets may have.
func (e *Edit) AddColumn(name, dataType string) error {
	if _, ok := e.Column(name); ok {
		return fmt.Errorf("column %q exists", name)
	}
	for k := KindText; k < KindFixedTimestamp; k++ {
		if k.String() != dataType {
			continue
		}
		s, err := e.newSlot(k)
		if err != nil {
			return err
		}
		e.columns = true
		e.next.columns = append(slices.Clone(e.next.columns), Column{Name: name, Title: titleOf(name), Kind: k, Slot: s})
		return nil
	}
	return fmt.Errorf("unknown data type %q", dataType)
}

// DropColumn takes a column out of the dataset.
func (e *Edit) DropColumn(name string) error {
	i, err := e.columnIndex(name)
	if err != nil {
		return err
	}
	e.columns = true
	e.next.columns = slices.Delete(slices.Clone(e.next.columns), i, i+1)
	return nil
}

// RenameColumn gives a column another field name and title.
func (e *Edit) RenameColumn(from, to string) error {
	i, err := e.columnIndex(from)
	if err != nil {
		return err
	}
	if _, ok := e.Column(to); ok {
		return fmt.Errorf("column %q exists", to)
	}
	e.columns = true
	e.next.columns = slices.Clone(e.next.columns)
	e.next.columns[i].Name, e.next.columns[i].Title = to, titleOf(to)
	return nil
}

// BlankColumn makes a column null in every row. The key cannot be blanked.
func (e *Edit) BlankColumn(name string) error {
	i, err := e.columnIndex(name)
	if err != nil {
		return err
	}
	if e.next.IsKey(name) {
		return errors.New("the key cannot be blanked")
	}
	s, err := e.newSlot(e.next.columns[i].Kind)
	if err != nil {
		return err
	}
	e.columns = true
	e.next.columns = slices.Clone(e.next.columns)
	e.next.columns[i].Slot, e.next.columns[i].Constant = s, nil
	return nil
}

// Finish returns the new version. The edit must not be used afterwards.
func (e *Edit) Finish() *Snapshot {
	s := e.next
	changes := slices.SortedFunc(maps.Values(e.changed), func(a, b *change) int { return s.Compare(a.key, b.key) })
	if len(changes) > 0 {
		merged := make([]Row, 0, len(s.rows)+len(changes))
		from := 0
		for _, c := range changes {
			low, high := s.Search(c.key, false), s.Search(c.key, true)
			merged = append(merged, s.rows[from:low]...)
			from = high
			for _, d := range c.rows {
				merged = append(merged, e.write(d))
			}
			s.duplicates += max(0, len(c.rows)-1) - max(0, high-low-1)
		}
		s.rows = append(merged, s.rows[from:]...)
	}
	if len(e.records) > 0 {
		s.chunks = append(s.chunks, string(e.records)) // shared, as the versions are
	}
	if e.columns {
		s.columnAt = s.Published()
	}
	return s
}

// columnIndex finds a column's place in the list.
func (e *Edit) columnIndex(name string) (int, error) {
	i := slices.IndexFunc(e.next.columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return 0, fmt.Errorf("no column %q", name)
	}
	return i, nil
}

func (e *Edit) newSlot(k Kind) (int, error) {
	if len(e.next.slots) == maxSlots {
		return 0, fmt.Errorf("more than %d columns, dropped ones included", maxSlots)
	}
	e.next.slots = append(slices.Clip(e.next.slots), slot{kind: k})
	return len(e.next.slots) - 1, nil
}

// set puts a value into a row's cells by field name.
func (e *Edit) set(cells []Value, name string, x any) error {
	c, ok := e.Column(name)
	switch {
	case !ok:
		return fmt.Errorf("no column %q", name)
	case c.Constant != nil:
		return fmt.Errorf("column %q has one value in all rows", name)
	}
	v, err := FromGo(c.Kind, x)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	cells[c.Slot] = v
	return nil
}

// place puts a draft with cells among the rows of its key.
func (e *Edit) place(d draft) {
	key := d.cells[e.next.keySlot]
	if key.Set {
		c := e.change(key)
		c.rows = append(c.rows, d)
		return
	}
	if !e.ownsKeyless {
		e.next.keyless = slices.Clone(e.next.keyless)
		e.ownsKeyless = true
	}
	e.next.keyless = append(e.next.keyless, e.write(d))
}

// change returns the pending state of a key, at first as it was.
func (e *Edit) change(key Value) *change {
	if c, ok := e.changed[key.Identity()]; ok {
		return c
	}
	c := &change{key: key}
	for _, row := range e.next.find(key) {
		c.rows = append(c.rows, draft{row: row})
	}
	e.changed[key.Identity()] = c
	return c
}

func (e *Edit) existing(key string) (*change, error) {
	k, err := FromGo(e.next.KeyKind(), key)
	if err != nil {
		return nil, err
	}
	c := e.change(k)
	if len(c.rows) == 0 {
		return nil, fmt.Errorf("no row with key %q", key)
	}
	return c, nil
}

// touch opens a draft for changes.
func (e *Edit) touch(d *draft) {
	if d.cells == nil {
		d.cells = e.next.cells(d.row)
	}
	for len(d.cells) < len(e.next.slots) {
		d.cells = append(d.cells, Value{})
	}
}

// write encodes a draft into the edit's chunk.
func (e *Edit) write(d draft) Row {
	row := d.row
	if d.cells == nil {
		return row
	}
	row.chunk, row.offset = uint32(len(e.next.chunks)), uint32(len(e.records))
	row.updated = e.next.version
	if d.created {
		row.created = e.next.version
	}
	e.records = appendRecord(e.records, d.cells, noWord)
	return row
}
