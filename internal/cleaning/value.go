package cleaning

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"padron/internal/dataset"
)

// value is the value of a field of the document. kind says which of the other
// members holds it.
type value struct {
	kind     kind
	text     string
	integer  int64 // integers; dates in milliseconds
	lon, lat float64
	truth    bool
}

type kind uint8

const (
	absent kind = iota
	text
	integer
	double // in lon
	date
	boolean
	point
	pointText
)

// first returns the first of the field's columns that has a value, -1 when none
// has.
func (c *Cleaner) first(f *field) int {
	for _, column := range f.columns {
		if c.cells[column].raw != nil {
			return column
		}
	}
	return -1
}

// cleanField makes the field's value. It returns false for an unreadable value
// of a required column.
//
// A value without an original in source comes unaltered from the field's first
// column. So the originals of all the field's columns are kept when another
// column has a value, too or instead.
func (c *Cleaner) cleanField(f *field, v *value) bool {
	column := c.first(f)
	if column < 0 {
		return true
	}
	altered, readable := c.cleanValue(f, c.cells[column], v)
	if !readable {
		if f.Required {
			return false
		}
		c.raise(f, unreadable)
		altered = true
	}
	for _, other := range f.columns[1:] {
		altered = altered || c.cells[other].raw != nil
	}
	if altered && !f.untracked {
		for _, other := range f.columns {
			c.kept[other] = c.cells[other].raw != nil
		}
	}
	return true
}

// cleanValue makes the value of a cell. altered says that the cell cannot be
// rebuilt from the value.
func (c *Cleaner) cleanValue(f *field, from cell, v *value) (altered, readable bool) {
	isText := from.raw.Kind() == jsontext.KindString
	switch f.Type {
	case dataset.Text:
		if !isText {
			return true, false
		}
		if strings.ContainsFunc(from.text, isHidden) {
			c.raise(f, hidden)
		}
		clean := squeeze(from.text)
		if clean == "" {
			c.raise(f, blank)
			return true, true
		}
		if clean != from.text {
			c.raise(f, whitespace)
		}
		if clean = c.cleanText(f, clean); clean != "" {
			v.kind, v.text = text, clean
		}
		return clean != from.text, true

	case dataset.Date:
		if !isText {
			return true, false
		}
		altered, ok := c.cleanDate(f, squeeze(from.text), v)
		return altered || !squeezed(from.text), ok

	case dataset.Number:
		literal := from.text
		if !isText {
			literal = string(from.raw)
		} else if squeeze(literal) == "" {
			c.raise(f, blank)
			return true, true
		}
		return c.cleanNumber(f, literal, isText, v)

	case dataset.Bool:
		switch {
		case isText && squeeze(from.text) == "":
			c.raise(f, blank)
			return true, true
		case from.raw.Kind() == jsontext.KindTrue || from.raw.Kind() == jsontext.KindFalse:
			v.kind, v.truth = boolean, from.raw.Kind() == jsontext.KindTrue
			return false, true
		case isText && (strings.EqualFold(from.text, "true") || strings.EqualFold(from.text, "false")):
			c.raise(f, asText)
			v.kind, v.truth = boolean, strings.EqualFold(from.text, "true")
			return true, true
		}
		return true, false

	case dataset.Marker:
		return c.cleanMarker(f, from, v)

	case dataset.Point:
		lon, lat, exact, ok := c.parsePoint(from.raw, from.text)
		if !ok {
			return true, false
		}
		lon, lat, altered, ok := c.cleanPoint(f, lon, lat)
		if ok {
			v.kind, v.lon, v.lat = point, lon, lat
		}
		return altered || !exact, true

	case dataset.PointText:
	}
	return true, false
}

// cleanText applies the field's rule; an empty result is no value.
func (c *Cleaner) cleanText(f *field, s string) string {
	switch f.rule {
	case dataset.RuleName:
		return c.cleanName(f, s)
	case dataset.RuleAddress:
		return c.cleanAddress(f, s)
	case dataset.RuleCity:
		return c.cleanCity(f, s)
	case dataset.RuleState:
		return c.cleanState(f, s)
	case dataset.RuleZip:
		return c.cleanZip(f, s)
	case dataset.RuleNAICS:
		return c.cleanIndustry(f, s)
	case dataset.RuleMultiple:
		if strings.EqualFold(s, "Multiple") {
			c.raise(f, multiple)
		}
	}
	return s
}

// cleanNumber reads a number. Socrata sends numbers as text, which is no
// alteration. A whole number is an integer however it is written: 8.0 is 8.
func (c *Cleaner) cleanNumber(f *field, literal string, isText bool, v *value) (altered, readable bool) {
	canonical := dataset.Number.Canonical(literal)
	number, _, ok := parseCoordinate([]byte(canonical))
	if !ok || strings.ContainsAny(canonical, "xXpP") { // which Go reads as hexadecimal
		return true, false
	}
	if n, err := strconv.ParseInt(canonical, 10, 64); err == nil {
		v.kind, v.integer = integer, n
	} else {
		v.kind, v.lon = double, number
	}
	if len(f.Range) == 2 && (number < float64(f.Range[0]) || number > float64(f.Range[1])) {
		c.raise(f, outOfRange)
	}
	var buf [32]byte
	return !isText || string(appendNumber(buf[:0], *v)) != literal, true
}

// cleanMarker reads a column that is empty or holds one text. Any other text
// than false, no and n counts as the marker: the register calls a row open only
// where the column is empty.
func (c *Cleaner) cleanMarker(f *field, from cell, v *value) (altered, readable bool) {
	v.kind, v.truth = boolean, true
	switch from.raw.Kind() {
	case jsontext.KindString:
		if from.text == f.Marker {
			return false, true
		}
		switch plain := strings.ToLower(squeeze(from.text)); plain {
		case "":
			*v = value{}
		case "false", "no", "n":
			v.truth = false
		}
	case jsontext.KindTrue:
	case jsontext.KindFalse:
		v.truth = false
	default:
		*v = value{}
		return true, false
	}
	c.raise(f, unexpected)
	return true, true
}
