package store

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// Kind is a column's data type.
type Kind uint8

// The data types of SODA 2.1 that the store knows.
const (
	KindText Kind = iota
	KindNumber
	KindCheckbox
	KindCalendarDate   // a date and time without a zone
	KindPoint          // longitude and latitude
	KindLocation       // the older nested object, kept as the JSON it came as
	KindFixedTimestamp // an instant in UTC; system columns only
)

// String returns the data type's name in the portal's metadata.
func (k Kind) String() string {
	return [...]string{"text", "number", "checkbox", "calendar_date", "point", "location", "fixed_timestamp"}[k]
}

// Value is one cell. The zero Value is null.
type Value struct {
	Kind Kind
	Set  bool
	// Text holds a text, a number as it was written, a point as
	// "longitude,latitude", or a location as JSON.
	Text string
	// At holds a date as milliseconds since 1970, or a checkbox as 0 or 1.
	At int64
}

// TextValue returns a text. It must be valid UTF-8.
func TextValue(s string) Value { return Value{Kind: KindText, Set: true, Text: s} }

// NumberValue returns a number, given as the decimal text that readers get.
func NumberValue(s string) Value { return Value{Kind: KindNumber, Set: true, Text: s} }

// BoolValue returns a checkbox.
func BoolValue(b bool) Value {
	v := Value{Kind: KindCheckbox, Set: true}
	if b {
		v.At = 1
	}
	return v
}

// DateValue returns a calendar date, to the millisecond.
func DateValue(t time.Time) Value {
	return Value{Kind: KindCalendarDate, Set: true, At: t.UnixMilli()}
}

// True reports whether the value is a ticked checkbox; null is not.
func (v Value) True() bool { return v.At == 1 && v.Kind == KindCheckbox }

// Number returns a number's size; a text that is no number counts as 0.
func (v Value) Number() float64 {
	f, err := strconv.ParseFloat(v.Text, 64)
	if err != nil {
		return 0
	}
	return f
}

// Identity returns a text that is the same for equal values of one kind and
// different for others: 1.5 and 1.50 are equal numbers.
func (v Value) Identity() string {
	switch v.Kind {
	case KindNumber:
		return strconv.FormatFloat(v.Number(), 'g', -1, 64)
	case KindCheckbox, KindCalendarDate, KindFixedTimestamp:
		return strconv.FormatInt(v.At, 10)
	default:
		return v.Text
	}
}

// String returns a set value as the portal's metadata writes it: dates without
// quotes, points as longitude and latitude.
func (v Value) String() string {
	switch v.Kind {
	case KindCheckbox:
		return strconv.FormatBool(v.At == 1)
	case KindCalendarDate, KindFixedTimestamp:
		quoted := appendDate(nil, v.Kind, v.At)
		return string(quoted[1 : len(quoted)-1])
	default:
		return v.Text
	}
}

// compareValues orders two set values of one kind: texts by bytes, numbers by
// size, dates by time, false before true. Snapshot.Compare adds the collation.
func compareValues(a, b Value) int {
	switch a.Kind {
	case KindNumber:
		return cmp.Compare(a.Number(), b.Number())
	case KindCheckbox, KindCalendarDate, KindFixedTimestamp:
		return cmp.Compare(a.At, b.At)
	default:
		return strings.Compare(a.Text, b.Text)
	}
}
