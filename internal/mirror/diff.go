package mirror

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// FieldChange is one leaf of a document that differs: From only when it went,
// To only when it came, neither when its values must not be kept.
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
		// Extended JSON has documents only at its top.
		whole, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: v.value}}, false, false)
		if err != nil {
			return nil, fmt.Errorf("value of %s: %w", f.Path, err)
		}
		var inner struct {
			V json.RawMessage `json:"v"`
		}
		if err := json.Unmarshal(whole, &inner); err != nil {
			return nil, fmt.Errorf("value of %s: %w", f.Path, err)
		}
		*v.to = inner.V
	}
	return json.Marshal(out)
}

// Diff lists the leaves in which two documents differ, in the order of the
// second one, then what only the first one has. Embedded documents are descended
// into; everything else, arrays and empty documents too, is a leaf and
// compared whole. A nil document has no leaves. Names must not contain dots.
// The values share memory with the documents.
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
			if k := (next + i) % len(before); bytes.Equal(before[k].name, e.name) {
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
		case was.value.Equal(e.value):
		case branch(was.value) && branch(e.value):
			dst, err = appendDiff(dst, prefix+string(e.name)+".", was.value.Value, e.value.Value)
		case branch(was.value) || branch(e.value):
			if dst, err = appendLeaves(dst, prefix, e, false); err == nil {
				dst, err = appendLeaves(dst, prefix, was, true)
			}
		default:
			dst = append(dst, FieldChange{Path: prefix + string(e.name), From: was.value, To: e.value})
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

// appendLeaves lists all leaves of an element as gone or as come.
func appendLeaves(dst []FieldChange, prefix string, e element, gone bool) ([]FieldChange, error) {
	path := prefix + string(e.name)
	switch {
	case branch(e.value) && gone:
		return appendDiff(dst, path+".", e.value.Value, nil)
	case branch(e.value):
		return appendDiff(dst, path+".", nil, e.value.Value)
	case gone:
		return append(dst, FieldChange{Path: path, From: e.value}), nil
	default:
		return append(dst, FieldChange{Path: path, To: e.value}), nil
	}
}

// branch reports whether a value is an embedded document with fields in it.
func branch(v bson.RawValue) bool {
	return v.Type == bson.TypeEmbeddedDocument && len(v.Value) > 5
}

// element is a field of a document. The name is not a string: making one of
// every name would cost more than comparing the documents.
type element struct {
	name  []byte
	value bson.RawValue
}

func elements(doc bson.Raw) ([]element, error) {
	if doc == nil {
		return nil, nil
	}
	list := make([]element, 0, 32)
	err := eachElement(doc, func(_ []byte, e element) error {
		list = append(list, e)
		return nil
	})
	return list, err
}

// Leaves is a document as its leaves, by path: what change events speak of.
type Leaves map[string]bson.RawValue

// LeavesOf takes a document apart. The values share memory with it.
func LeavesOf(doc bson.Raw) (Leaves, error) {
	fields, err := Diff(nil, doc)
	if err != nil {
		return nil, err
	}
	leaves := make(Leaves, len(fields))
	for _, f := range fields {
		leaves[f.Path] = f.To
	}
	return leaves, nil
}

// Apply does to a document what an event says happened to it. A leaf whose
// values were not kept is absent afterwards, as what it became is not known.
func (l Leaves) Apply(e Event) {
	// Gone first: {a: {}} to {a: {b: 1}} takes a away and brings a.b.
	for _, f := range e.Fields {
		if f.To.IsZero() {
			delete(l, f.Path)
		}
	}
	for _, f := range e.Fields {
		if !f.To.IsZero() {
			l[f.Path] = f.To
		}
	}
}

// Equal reports whether two documents have the same leaves.
func (l Leaves) Equal(other Leaves) bool {
	if len(l) != len(other) {
		return false
	}
	for path, v := range l {
		if o, ok := other[path]; !ok || !v.Equal(o) {
			return false
		}
	}
	return true
}

// drop leaves the values of some paths out.
func drop(fields []FieldChange, private func(path string) bool) {
	if private == nil {
		return
	}
	for i := range fields {
		if private(fields[i].Path) {
			fields[i].From, fields[i].To = bson.RawValue{}, bson.RawValue{}
		}
	}
}

// position is the name of an array's element.
func position(i int) string { return strconv.Itoa(i) }
