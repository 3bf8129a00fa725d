package changes

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mongodb"
)

// FieldChange is one leaf of a document that differs. A leaf that was added has
// no From, one that was removed has no To, and one whose values must not be
// kept has neither.
type FieldChange struct {
	Path string        `bson:"path"` // names joined by dots
	From bson.RawValue `bson:"from,omitempty"`
	To   bson.RawValue `bson:"to,omitempty"`
}

// MarshalJSON writes the values as relaxed extended JSON.
func (f FieldChange) MarshalJSON() ([]byte, error) {
	out := struct {
		Path string          `json:"path"`
		From json.RawMessage `json:"from,omitempty"`
		To   json.RawMessage `json:"to,omitempty"`
	}{Path: f.Path}
	for _, v := range []struct {
		value bson.RawValue
		to    *json.RawMessage
	}{{f.From, &out.From}, {f.To, &out.To}} {
		if v.value.IsZero() {
			continue
		}
		encoded, err := extendedJSON(v.value)
		if err != nil {
			return nil, fmt.Errorf("value of %s: %w", f.Path, err)
		}
		*v.to = encoded
	}
	return json.Marshal(out)
}

// Diff lists the leaves in which two documents differ: first in the order of
// the second document, then those that only the first one has. Embedded
// documents are compared leaf by leaf; everything else, arrays and empty
// documents included, is one leaf. A nil document has no leaves. Names must not
// contain dots. The values share memory with the documents.
func Diff(old, now bson.Raw) ([]FieldChange, error) {
	return appendDiff(nil, "", old, now)
}

func appendDiff(dst []FieldChange, prefix string, old, now bson.Raw) ([]FieldChange, error) {
	before, err := elements(old)
	if err != nil {
		return dst, fmt.Errorf("old document: %w", err)
	}
	after, err := elements(now)
	if err != nil {
		return dst, fmt.Errorf("new document: %w", err)
	}
	met := make([]bool, len(before))
	next := 0 // fields keep their order, so the next one is mostly right
	for _, e := range after {
		at := -1
		for i := range before {
			if k := (next + i) % len(before); bytes.Equal(before[k].Name, e.Name) {
				at = k
				break
			}
		}
		if at < 0 {
			if dst, err = appendLeaves(dst, prefix, e, false); err != nil {
				return dst, err
			}
			continue
		}
		met[at], next = true, at+1
		was := before[at]
		switch {
		case was.Value.Equal(e.Value):
		case branch(was.Value) && branch(e.Value):
			dst, err = appendDiff(dst, prefix+string(e.Name)+".", was.Value.Value, e.Value.Value)
		case branch(was.Value) || branch(e.Value):
			if dst, err = appendLeaves(dst, prefix, e, false); err == nil {
				dst, err = appendLeaves(dst, prefix, was, true)
			}
		default:
			dst = append(dst, FieldChange{Path: prefix + string(e.Name), From: was.Value, To: e.Value})
		}
		if err != nil {
			return dst, err
		}
	}
	for i, was := range before {
		if !met[i] {
			if dst, err = appendLeaves(dst, prefix, was, true); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

// appendLeaves lists all leaves of an element as removed (gone) or as added.
func appendLeaves(dst []FieldChange, prefix string, e mongodb.Element, gone bool) ([]FieldChange, error) {
	path := prefix + string(e.Name)
	switch {
	case branch(e.Value) && gone:
		return appendDiff(dst, path+".", e.Value.Value, nil)
	case branch(e.Value):
		return appendDiff(dst, path+".", nil, e.Value.Value)
	case gone:
		return append(dst, FieldChange{Path: path, From: e.Value}), nil
	default:
		return append(dst, FieldChange{Path: path, To: e.Value}), nil
	}
}

// branch reports whether a value is an embedded document with fields in it.
func branch(v bson.RawValue) bool {
	return v.Type == bson.TypeEmbeddedDocument && len(v.Value) > 5
}

func elements(doc bson.Raw) ([]mongodb.Element, error) {
	if doc == nil {
		return nil, nil
	}
	list := make([]mongodb.Element, 0, 32)
	err := mongodb.EachElement(doc, func(_ []byte, e mongodb.Element) error {
		list = append(list, e)
		return nil
	})
	return list, err
}

// Redact removes the values of private paths; private nil: none is.
func Redact(fields []FieldChange, private func(path string) bool) {
	if private == nil {
		return
	}
	for i := range fields {
		if private(fields[i].Path) {
			fields[i].From, fields[i].To = bson.RawValue{}, bson.RawValue{}
		}
	}
}
