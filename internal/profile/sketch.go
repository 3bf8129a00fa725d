package profile

import (
	"errors"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Sketch describes the documents that it was given, and those of the sketches
// that were merged into it. It is not for concurrent use.
type Sketch struct {
	plan    *Plan
	rows    int64
	columns []column // by field of the plan
	flags   map[string]int64
	text    []byte // of the value at hand
}

// New returns a sketch of no documents.
func New(plan *Plan) *Sketch {
	return &Sketch{plan: plan, columns: make([]column, len(plan.Fields)), flags: map[string]int64{}}
}

// errDocument says that a document is not BSON.
var errDocument = errors.New("document is not BSON")

// Add describes one more document.
func (s *Sketch) Add(doc bson.Raw) error {
	s.rows++
	return s.walk(doc, s.plan.tree, true)
}

// walk describes the fields of a document, or of a sub-document.
func (s *Sketch) walk(doc []byte, nodes []node, top bool) error {
	next := 0
	return each(doc, func(kind bsoncore.Type, name, value []byte) error {
		if top {
			switch string(name) {
			case "_id", "facets", "source":
				return nil
			case "quality":
				return s.quality(value)
			}
		}
		at := find(nodes, name, next)
		if at < 0 {
			return nil
		}
		next = at + 1
		n := &nodes[at]
		if n.below != nil {
			return s.walk(value, n.below, false)
		}
		s.value(n.field, kind, value)
		return nil
	})
}

// each calls f for the elements of a document or an array.
func each(doc []byte, f func(kind bsoncore.Type, name, value []byte) error) error {
	if len(doc) < 5 {
		return errDocument
	}
	for rest := doc[4 : len(doc)-1]; len(rest) > 0; {
		end := 1 // names are short: a loop is faster than a call
		for end < len(rest) && rest[end] != 0 {
			end++
		}
		if end == len(rest) {
			return errDocument
		}
		kind, name := bsoncore.Type(rest[0]), rest[1:end]
		value, after, ok := bsoncore.ReadValue(rest[end+1:], kind)
		if !ok {
			return errDocument
		}
		if err := f(kind, name, value.Data); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

// quality counts the flags of a document.
func (s *Sketch) quality(doc []byte) error {
	return each(doc, func(kind bsoncore.Type, name, value []byte) error {
		if kind != bsoncore.TypeArray || string(name) != "flags" {
			return nil
		}
		return each(value, func(kind bsoncore.Type, _, flag []byte) error {
			if kind == bsoncore.TypeString {
				s.flags[string(stringOf(flag))]++
			}
			return nil
		})
	})
}

// stringOf is the text of a BSON string: without its length before it, and the
// zero behind.
func stringOf(data []byte) []byte { return data[4 : len(data)-1] }

// value describes a value of a field.
func (s *Sketch) value(field int, kind bsoncore.Type, data []byte) {
	f, c := &s.plan.Fields[field], &s.columns[field]
	c.present++
	if f.Opaque || f.Key {
		return
	}
	text := s.text[:0]
	switch kind {
	case bsoncore.TypeString:
		text = stringOf(data)
	case bsoncore.TypeBoolean:
		text = strconv.AppendBool(text, data[0] != 0)
	case bsoncore.TypeDateTime:
		ms, _, _ := bsoncore.ReadDateTime(data)
		day := time.UnixMilli(ms).UTC()
		if f.Date && !f.Sensitive {
			c.year(day.Year(), 1)
		}
		text = appendDate(text, day)
	case bsoncore.TypeDouble:
		n, _, _ := bsoncore.ReadDouble(data)
		text = strconv.AppendFloat(text, n, 'f', -1, 64)
	case bsoncore.TypeInt32:
		n, _, _ := bsoncore.ReadInt32(data)
		text = strconv.AppendInt(text, int64(n), 10)
	case bsoncore.TypeInt64:
		n, _, _ := bsoncore.ReadInt64(data)
		text = strconv.AppendInt(text, n, 10)
	default: // cleaned documents have none
		text = append(text, bsoncore.Value{Type: kind, Data: data}.String()...)
	}
	if kind != bsoncore.TypeString {
		s.text = text
	}
	c.add(xxhash.Sum64(text), text, f.Sensitive)
}

// appendDate writes a day as 2006-01-02.
func appendDate(dst []byte, day time.Time) []byte {
	year, month, date := day.Date()
	if year < 0 || year > 9999 {
		return day.AppendFormat(dst, time.DateOnly)
	}
	digit := func(n int) byte { return byte('0' + n%10) }
	return append(dst, digit(year/1000), digit(year/100), digit(year/10), digit(year), '-',
		digit(int(month)/10), digit(int(month)), '-', digit(date/10), digit(date))
}
