package socratatest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Op is one edit of the dataset, made by the functions of this file.
type Op func(*edit) error

// edit gathers the changes of one Edit over the version before it.
type edit struct {
	next    *snapshot
	changed map[string]*change // by the key as text
	records []byte             // new records, the edit's own chunk
	keyless bool               // next.keyless was cloned
	schema  bool
}

// change is what becomes of all rows with one key.
type change struct {
	key  value
	rows []draft
}

// draft is one row being edited; touched drafts are written anew.
type draft struct {
	entry   entry
	cells   []value // nil until touched
	created bool
}

// Edit applies ops at once and publishes the result as a new version, at least one second after the last. Copies that
// lag keep serving what they had. When an op fails nothing is changed.
func (p *Portal) Edit(ops ...Op) error { return p.EditAt(time.Time{}, ops...) }

// EditAt is Edit with the version's time given; a zero time means now. Versions stay at least one second apart.
func (p *Portal) EditAt(at time.Time, ops ...Op) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.IsZero() {
		at = p.now()
	}
	at = at.UTC().Truncate(time.Second)
	if last := p.truth.published(); !at.After(last) {
		at = last.Add(time.Second)
	}
	next := *p.truth
	next.version++
	next.versions = append(next.versions, at) // shared with the versions before, which do not look that far
	e := &edit{next: &next, changed: map[string]*change{}}
	for i, op := range ops {
		if err := op(e); err != nil {
			return fmt.Errorf("edit %d of %d: %w", i+1, len(ops), err)
		}
	}
	e.finish()
	if e.schema {
		next.schemaAt = at
	}
	p.truth = &next
	if p.history != nil {
		p.history = append(p.history, &next)
	}
	return nil
}

// Lag freezes what all copies serve (true) or lets them catch up (false).
func (p *Portal) Lag(on bool) {
	if !on {
		p.CatchUp()
		return
	}
	p.LagWhen(func(*http.Request) bool { return true })
}

// LagWhen freezes what the copy serves that answers matching requests; others are answered with the truth. So one
// crawl can meet copies of different age.
func (p *Portal) LagWhen(match func(*http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lagging, p.lags = p.truth, match
}

// CatchUp lets all copies serve the truth.
func (p *Portal) CatchUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lagging, p.lags = nil, nil
}

// Open adds a row. Values are as in decoded JSON; time.Time, numbers and [2]float64{longitude, latitude} are taken as
// well. A key that exists already makes a duplicate, a row without a key is one without a key.
func Open(row map[string]any) Op {
	return func(e *edit) error {
		cells := make([]value, len(e.next.slots))
		for _, name := range slices.Sorted(maps.Keys(row)) {
			if err := e.set(cells, name, row[name]); err != nil {
				return err
			}
		}
		d := draft{cells: cells, created: true, entry: entry{seq: e.next.nextSeq}}
		e.next.nextSeq++
		key := cells[e.next.keySlot]
		if !key.set {
			e.ownKeyless()
			e.next.keyless = append(e.next.keyless, e.write(d))
			return nil
		}
		c := e.change(key)
		c.rows = append(c.rows, d)
		return nil
	}
}

// Close ends a location and its business on a day.
func Close(key string, on time.Time) Op {
	return setAll(key, map[string]any{"location_end_date": on, "dba_end_date": on})
}

// CloseLocation ends a location on a day; the business goes on.
func CloseLocation(key string, on time.Time) Op {
	return setAll(key, map[string]any{"location_end_date": on})
}

// Rename gives a location another business name.
func Rename(key, name string) Op { return setAll(key, map[string]any{"dba_name": name}) }

// Move gives a location another address, in a neighborhood of the generator's list: neighborhood, district, zip,
// computed regions and point follow, as far as the table has those columns.
func Move(key, address, neighborhood string) Op {
	return func(e *edit) error {
		n := slices.IndexFunc(neighborhoods[:], func(n neighborhoodWords) bool { return n.name == neighborhood })
		if n < 0 {
			return fmt.Errorf("move %s: no neighborhood %q", key, neighborhood)
		}
		fields := map[string]any{"full_business_address": address}
		place := neighborhoods[n]
		lon, lat := place.point(mix(uint64(len(address)), uint64(n), 7))
		for name, v := range map[string]any{
			"neighborhoods_analysis_boundaries": place.name,
			"supervisor_district":               place.districts[0].number,
			"business_zip":                      place.zips[0],
			"location":                          [2]float64{lon, lat},
		} {
			if _, ok := e.next.column(name); ok {
				fields[name] = v
			}
		}
		for i, name := range computedRegions {
			if _, ok := e.next.column(name); ok {
				fields[name] = place.region(n, i)
			}
		}
		return setAll(key, fields)(e)
	}
}

// SetField gives one column of the rows with a key another value; nil makes it null. The key itself can be changed.
func SetField(key, column string, x any) Op { return setAll(key, map[string]any{column: x}) }

func setAll(key string, fields map[string]any) Op {
	return func(e *edit) error {
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
				column, _ := e.next.column(name)
				rekeyed = rekeyed || column.slot == e.next.keySlot
			}
		}
		if rekeyed {
			e.rekey(c)
		}
		return nil
	}
}

// rekey moves rows whose key was changed to where they belong.
func (e *edit) rekey(c *change) {
	rows := c.rows
	c.rows = nil
	for _, d := range rows {
		k := d.cells[e.next.keySlot]
		if k.set {
			to := e.change(k)
			to.rows = append(to.rows, d)
			continue
		}
		e.ownKeyless()
		e.next.keyless = append(e.next.keyless, e.write(d))
	}
}

// Delete removes all rows with a key.
func Delete(key string) Op {
	return func(e *edit) error {
		c, err := e.existing(key)
		if err != nil {
			return err
		}
		c.rows = nil
		return nil
	}
}

// Republish is the publisher's full replace with the same content: every row gets new system columns, and
// data_as_of and data_loaded_at, if there, become the version's time.
func Republish() Op {
	return func(e *edit) error {
		at := e.next.published()
		e.next.floor = e.next.version
		e.next.columns = slices.Clone(e.next.columns)
		for i, c := range e.next.columns {
			if c.kind != kindCalendarDate || c.name != "data_as_of" && c.name != "data_loaded_at" {
				continue
			}
			v := dateValue(at)
			if c.name == "data_as_of" {
				v = dateValue(at.Truncate(24 * time.Hour))
			}
			e.next.columns[i].slot, e.next.columns[i].same = -1, &v
		}
		return nil
	}
}

// DropColumn takes a column out of the dataset: asking for it is an error from then on.
func DropColumn(name string) Op {
	return func(e *edit) error {
		i, err := e.columnIndex(name)
		if err != nil {
			return err
		}
		e.next.columns = slices.Delete(slices.Clone(e.next.columns), i, i+1)
		return nil
	}
}

// AddColumn adds an empty column of a type: text, number, checkbox, calendar_date, point or location.
func AddColumn(name, dataType string) Op {
	return func(e *edit) error {
		if _, ok := e.next.column(name); ok {
			return fmt.Errorf("column %q exists", name)
		}
		for k := kindText; k < kindFixedTimestamp; k++ {
			if k.String() == dataType {
				s, err := e.newSlot(k)
				if err != nil {
					return err
				}
				e.next.columns = append(slices.Clone(e.next.columns), column{name: name, title: titleOf(name), kind: k, slot: s})
				return nil
			}
		}
		return fmt.Errorf("unknown data type %q", dataType)
	}
}

// RenameColumn gives a column another field name.
func RenameColumn(from, to string) Op {
	return func(e *edit) error {
		i, err := e.columnIndex(from)
		if err != nil {
			return err
		}
		if _, ok := e.next.column(to); ok {
			return fmt.Errorf("column %q exists", to)
		}
		e.next.columns = slices.Clone(e.next.columns)
		e.next.columns[i].name, e.next.columns[i].title = to, titleOf(to)
		return nil
	}
}

// BlankColumn makes a column null in every row, as a publisher's broken load does; the column stays. The key cannot
// be blanked.
func BlankColumn(name string) Op {
	return func(e *edit) error {
		i, err := e.columnIndex(name)
		if err != nil {
			return err
		}
		c := e.next.columns[i]
		if c.same == nil && c.slot == e.next.keySlot {
			return errors.New("the key cannot be blanked")
		}
		s, err := e.newSlot(c.kind)
		if err != nil {
			return err
		}
		e.next.columns = slices.Clone(e.next.columns)
		e.next.columns[i].slot, e.next.columns[i].same = s, nil
		return nil
	}
}

func (e *edit) columnIndex(name string) (int, error) {
	i := slices.IndexFunc(e.next.columns, func(c column) bool { return c.name == name })
	if i < 0 {
		return 0, fmt.Errorf("no column %q", name)
	}
	e.schema = true
	return i, nil
}

func (e *edit) newSlot(k kind) (int, error) {
	if len(e.next.slots) == maxSlots {
		return 0, fmt.Errorf("more than %d columns, dropped ones included", maxSlots)
	}
	e.schema = true
	e.next.slots = append(slices.Clip(e.next.slots), slot{kind: k})
	return len(e.next.slots) - 1, nil
}

// set puts a value into a row's cells by field name.
func (e *edit) set(cells []value, name string, x any) error {
	c, ok := e.next.column(name)
	switch {
	case !ok:
		return fmt.Errorf("no column %q", name)
	case c.same != nil:
		return fmt.Errorf("column %q has one value in all rows", name)
	}
	v, err := toValue(c.kind, x)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	cells[c.slot] = v
	return nil
}

// change gives the pending state of a key, at first as it was.
func (e *edit) change(key value) *change {
	if c, ok := e.changed[inKey(key)]; ok {
		return c
	}
	c := &change{key: key}
	for _, row := range e.next.find(key) {
		c.rows = append(c.rows, draft{entry: row})
	}
	e.changed[inKey(key)] = c
	return c
}

func (e *edit) existing(key string) (*change, error) {
	k, err := toValue(e.next.slots[e.next.keySlot].kind, key)
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
func (e *edit) touch(d *draft) {
	if d.cells == nil {
		d.cells = e.next.cells(d.entry)
	}
	for len(d.cells) < len(e.next.slots) {
		d.cells = append(d.cells, value{})
	}
}

func (e *edit) ownKeyless() {
	if !e.keyless {
		e.next.keyless = slices.Clone(e.next.keyless)
		e.keyless = true
	}
}

// write encodes a draft into the edit's chunk.
func (e *edit) write(d draft) entry {
	row := d.entry
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

// finish merges the changed keys into the rows in one pass and seals the chunk.
func (e *edit) finish() {
	s := e.next
	changes := slices.SortedFunc(maps.Values(e.changed), func(a, b *change) int { return s.compare(a.key, b.key) })
	if len(changes) > 0 {
		merged := make([]entry, 0, len(s.rows)+len(changes))
		from := 0
		for _, c := range changes {
			low, high := s.search(c.key, false), s.search(c.key, true)
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
}

// findText finds rows by a key given as text.
func (s *snapshot) findText(key string) []entry {
	k, err := toValue(s.slots[s.keySlot].kind, key)
	if err != nil {
		return nil
	}
	return s.find(k)
}

// titleOf makes a column's title of its field name: "dba_name" is "Dba Name".
func titleOf(name string) string {
	words := strings.Fields(strings.NewReplacer("_", " ", ":@", "").Replace(name))
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}
