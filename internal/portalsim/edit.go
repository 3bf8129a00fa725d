package portalsim

import (
	"fmt"
	"maps"
	"net/http"
	"time"

	"padron/internal/portalsim/register"
	"padron/internal/portalsim/store"
)

// Op is one change of the dataset, made by the functions of this file.
type Op func(*store.Edit) error

// Edit applies ops together and publishes the result as a new version. Copies
// that lag keep serving what they had. When an op fails nothing is changed.
func (p *Portal) Edit(ops ...Op) error { return p.EditAt(time.Time{}, ops...) }

// EditAt is Edit with the version's time; a zero time means now. Versions are
// at least one second apart.
func (p *Portal) EditAt(at time.Time, ops ...Op) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.IsZero() {
		at = p.now()
	}
	at = at.UTC().Truncate(time.Second)
	if last := p.truth.Published(); !at.After(last) {
		at = last.Add(time.Second)
	}
	e := p.truth.Edit(at)
	for i, op := range ops {
		if err := op(e); err != nil {
			return fmt.Errorf("edit %d of %d: %w", i+1, len(ops), err)
		}
	}
	p.truth = e.Finish()
	if p.history != nil {
		p.history = append(p.history, p.truth)
	}
	return nil
}

// ServeRaw makes the portal write this text in place of rows with the key,
// wherever it lists rows with more than one column: a row that no portal should
// serve, and some do. Counts and comparisons are of the row itself. An empty text
// ends it. The version stays: publish one with an edit.
func (p *Portal) ServeRaw(key, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	raws := maps.Clone(p.raws) // requests under way read the old one
	if raws == nil {
		raws = map[string]string{}
	}
	if raws[key] = text; text == "" {
		delete(raws, key)
	}
	p.raws = raws
}

func (p *Portal) raw() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.raws
}

// Lag freezes what all copies serve (true) or lets them catch up (false).
func (p *Portal) Lag(on bool) {
	if !on {
		p.CatchUp()
		return
	}
	p.LagWhen(func(*http.Request) bool { return true })
}

// LagWhen freezes what the copy serves that answers matching requests; others
// are answered with the newest version. So one crawl can meet copies of
// different age.
func (p *Portal) LagWhen(match func(*http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lagging, p.lags = p.truth, match
}

// CatchUp lets all copies serve the newest version.
func (p *Portal) CatchUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lagging, p.lags = nil, nil
}

// Open adds a row. Values are as in decoded JSON; time.Time, numbers and
// [2]float64{longitude, latitude} are taken as well. A key that exists already
// becomes a duplicate.
func Open(row map[string]any) Op {
	return func(e *store.Edit) error { return e.Insert(row) }
}

// Close ends a location and its business on a day.
func Close(key string, on time.Time) Op {
	return update(key, map[string]any{"location_end_date": on, "dba_end_date": on})
}

// CloseLocation ends a location on a day; the business goes on.
func CloseLocation(key string, on time.Time) Op { return SetField(key, "location_end_date", on) }

// Rename gives a location another business name.
func Rename(key, name string) Op { return SetField(key, "dba_name", name) }

// Move gives a location an address in another neighborhood of the generated
// ones. Neighborhood, district, zip, computed regions and point follow, as far
// as the table has those columns.
func Move(key, address, neighborhood string) Op {
	return func(e *store.Edit) error {
		fields, ok := register.Location(address, neighborhood)
		if !ok {
			return fmt.Errorf("move %s: no neighborhood %q", key, neighborhood)
		}
		maps.DeleteFunc(fields, func(name string, _ any) bool {
			_, ok := e.Column(name)
			return !ok && name != "full_business_address"
		})
		return e.Update(key, fields)
	}
}

// SetField gives one column of all rows with a key another value; nil makes it
// null. The key itself can be changed.
func SetField(key, column string, x any) Op { return update(key, map[string]any{column: x}) }

func update(key string, fields map[string]any) Op {
	return func(e *store.Edit) error { return e.Update(key, fields) }
}

// Delete removes all rows with a key.
func Delete(key string) Op {
	return func(e *store.Edit) error { return e.Delete(key) }
}

// Republish is the publisher's full replace with the same content: every row
// gets new system columns, and data_as_of and data_loaded_at, where they exist,
// become the version's day and time.
func Republish() Op {
	return func(e *store.Edit) error {
		e.ReplaceAll()
		at := e.Published()
		for name, t := range map[string]time.Time{"data_as_of": at.Truncate(24 * time.Hour), "data_loaded_at": at} {
			if c, ok := e.Column(name); !ok || c.Kind != store.KindCalendarDate {
				continue
			}
			if err := e.SetConstant(name, store.DateValue(t)); err != nil {
				return err
			}
		}
		return nil
	}
}

// DropColumn takes a column out of the dataset: asking for it is an error from
// then on.
func DropColumn(name string) Op {
	return func(e *store.Edit) error { return e.DropColumn(name) }
}

// AddColumn adds an empty column of a data type: text, number, checkbox,
// calendar_date, point or location.
func AddColumn(name, dataType string) Op {
	return func(e *store.Edit) error { return e.AddColumn(name, dataType) }
}

// RenameColumn gives a column another field name.
func RenameColumn(from, to string) Op {
	return func(e *store.Edit) error { return e.RenameColumn(from, to) }
}

// BlankColumn makes a column null in every row, as a publisher's broken load
// does; the column stays. The key cannot be blanked.
func BlankColumn(name string) Op {
	return func(e *store.Edit) error { return e.BlankColumn(name) }
}
