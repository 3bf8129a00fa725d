package profile

import (
	"cmp"
	"slices"
	"strconv"
)

// Description is what documents hold.
type Description struct {
	Rows   int64     `bson:"rows" json:"rows"`
	Fields []Field   `bson:"fields" json:"fields"` // in the order of the document
	Flags  []Counted `bson:"flags" json:"flags"`   // of quality.flags, most frequent first

	// HomeState is the state that most rows have; OutsideHome are the others,
	// most frequent first. Empty when the dataset has no state.
	HomeState   string    `bson:"home_state" json:"home_state"`
	OutsideHome []Counted `bson:"outside_home" json:"outside_home"`
	// OutsideError is as Field.TopError, of the states.
	OutsideError int64 `bson:"outside_error,omitempty" json:"outside_error,omitempty"`
}

// Field describes one field of the document.
type Field struct {
	Path      string `bson:"path" json:"path"`
	Type      string `bson:"type" json:"type"` // as the spec says: text, number, date, ...
	Sensitive bool   `bson:"sensitive" json:"sensitive"`
	Present   int64  `bson:"present" json:"present"`
	Missing   int64  `bson:"missing" json:"missing"`
	// Distinct is how many values there are; null where they are not counted (a
	// point).
	Distinct *int64 `bson:"distinct" json:"distinct"`
	// DistinctError is the error of Distinct as a share of it, where it is an
	// estimate; 0: it is exact.
	DistinctError float64 `bson:"distinct_error,omitempty" json:"distinct_error,omitempty"`
	// Top are the ten most frequent values, of equal ones the first in order;
	// none of a sensitive field, or of one whose values are all distinct. Of
	// long values the beginning.
	Top []Counted `bson:"top" json:"top"`
	// TopError is by how many rows a count of Top may be too low; by as many a
	// value that is not listed may surpass the last of a full list, or nothing
	// where the list is not full. 0: list and counts are exact.
	TopError int64 `bson:"top_error,omitempty" json:"top_error,omitempty"`
	// Histogram of dates by year and of numbers by value, exact; empty of other
	// types, and of numbers with more values than can be drawn.
	Histogram []Counted `bson:"histogram" json:"histogram"`
}

// Counted is a value as text, and how many rows have it.
type Counted struct {
	Value string `bson:"value" json:"value"`
	Rows  int64  `bson:"rows" json:"rows"`
}

const (
	// topValues is how many of a field's most frequent values are shown.
	topValues = 10

	// histogramValues bounds the values of a number that a histogram has a bar
	// each for; with more it says nothing that can be read.
	histogramValues = 100
)

// Describe says what the documents hold.
func (s *Sketch) Describe() Description {
	d := Description{Rows: s.rows, Fields: make([]Field, len(s.columns)), Flags: []Counted{}, OutsideHome: []Counted{}}
	for flag, rows := range s.flags {
		d.Flags = append(d.Flags, Counted{flag, rows})
	}
	slices.SortFunc(d.Flags, func(a, b Counted) int { return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Value, b.Value)) })
	for i := range s.columns {
		f, c := &s.plan.Fields[i], &s.columns[i]
		d.Fields[i] = c.describe(f, s.rows)
		if f.Path != s.plan.State || f.Path == "" {
			continue
		}
		states, off := c.top(len(c.listed), false)
		if len(states) > 0 {
			d.HomeState, d.OutsideHome, d.OutsideError = states[0].Value, states[1:], off
		}
	}
	return d
}

// Fit leaves of a description what a plan describes in the same way: when the
// spec has changed since, fields may be gone, or sensitive now.
func (d *Description) Fit(plan *Plan) {
	d.Fields = slices.DeleteFunc(slices.Clone(d.Fields), func(f Field) bool {
		return !slices.ContainsFunc(plan.Fields, func(p Planned) bool {
			return p.Path == f.Path && p.Type == f.Type && p.Sensitive == f.Sensitive
		})
	})
	if !slices.ContainsFunc(d.Fields, func(f Field) bool { return f.Path == plan.State }) {
		d.HomeState, d.OutsideHome, d.OutsideError = "", []Counted{}, 0
	}
}

// describe says what the column holds.
func (c *column) describe(f *Planned, rows int64) Field {
	d := Field{
		Path: f.Path, Type: f.Type, Sensitive: f.Sensitive, Present: c.present, Missing: rows - c.present,
		Top: []Counted{}, Histogram: []Counted{},
	}
	if f.Opaque {
		return d
	}
	distinct := int64(len(c.listed))
	switch {
	case f.Key:
		distinct = c.present
	case c.many != nil:
		distinct, d.DistinctError = min(int64(c.many.Estimate()), c.present), DistinctError
	}
	d.Distinct = &distinct
	if f.Sensitive || f.Key {
		return d
	}
	if c.many != nil || distinct < c.present { // else each value is there once
		d.Top, d.TopError = c.top(topValues, f.Number)
	}
	switch {
	case f.Date:
		for year, rows := range c.years {
			d.Histogram = append(d.Histogram, Counted{strconv.Itoa(year), rows})
		}
	case f.Number && c.many == nil && distinct <= histogramValues:
		d.Histogram, _ = c.top(len(c.listed), true)
	}
	slices.SortFunc(d.Histogram, func(a, b Counted) int { return cmp.Compare(number(a.Value), number(b.Value)) })
	return d
}

// top lists the n most frequent values, and says by how many rows a count may be
// too low, or a value that is not listed surpass the last.
func (c *column) top(n int, numbers bool) (list []Counted, off int64) {
	type counted struct {
		Counted
		more int64
	}
	all := make([]counted, 0, len(c.listed))
	unlisted := c.unlisted // the most rows that a value which is not shown may have
	for i := range c.listed {
		v := &c.listed[i]
		if c.many != nil && v.rows == 1 { // of a field with many values that says nothing
			unlisted = max(unlisted, v.atMost())
			continue
		}
		text := string(c.text(v))
		if v.cut {
			text += "…"
		}
		all = append(all, counted{Counted{text, v.rows}, v.more})
	}
	slices.SortFunc(all, func(a, b counted) int {
		if by := cmp.Compare(b.Rows, a.Rows); by != 0 {
			return by
		}
		if numbers {
			return cmp.Compare(number(a.Value), number(b.Value))
		}
		return cmp.Compare(a.Value, b.Value)
	})
	list = []Counted{}
	for i, v := range all {
		if i < n {
			list, off = append(list, v.Counted), max(off, v.more)
		} else {
			unlisted = max(unlisted, v.Rows+v.more)
		}
	}
	if len(list) == 0 {
		return list, 0
	}
	if len(list) == n {
		unlisted -= list[n-1].Rows
	}
	return list, max(off, unlisted)
}

// number is the value of a number's text, 0 of any other.
func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}
