package changes

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// VisibleField is a field of an event as it may be shown.
type VisibleField struct {
	FieldChange
	Hidden bool // it differs, and its values are left out
}

// VisibleFields returns what of the fields of an event may be shown. hidden
// reports whether the value at a path must not be, and is asked for the texts of
// a list below the list's path; hidden nil: every value may be. That a hidden
// field of the register differs is told, without its values; of what Padron
// derives of hidden values nothing is.
func VisibleFields(fields []FieldChange, hidden func(path string) bool) []VisibleField {
	visible := make([]VisibleField, 0, len(fields))
	for _, f := range fields {
		v := VisibleField{FieldChange: f}
		switch {
		case hidden == nil:
		case hidden(f.Path):
			if isDerived(f.Path) {
				continue
			}
			v.Hidden, v.From, v.To = true, bson.RawValue{}, bson.RawValue{}
		default:
			v.From, v.To = VisibleValue(f.From, f.Path, hidden), VisibleValue(f.To, f.Path, hidden)
			if v.From.Type == v.To.Type && bytes.Equal(v.From.Value, v.To.Value) {
				continue
			}
		}
		visible = append(visible, v)
	}
	return visible
}

// VisibleValue returns a value without the texts of a list that are hidden. It
// is zero when the whole value is, and for a list of which nothing is left.
func VisibleValue(v bson.RawValue, path string, hidden func(path string) bool) bson.RawValue {
	if hidden(path) {
		return bson.RawValue{}
	}
	if v.Type != bson.TypeArray {
		return v
	}
	values, err := v.Array().Values()
	if err != nil {
		return bson.RawValue{} // what cannot be read cannot be judged
	}
	left := bson.A{}
	for _, e := range values {
		if text, ok := e.StringValueOK(); !ok || !hidden(path+"."+text) {
			left = append(left, e)
		}
	}
	switch len(left) {
	case len(values):
		return v
	case 0:
		return bson.RawValue{}
	}
	_, list, err := bson.MarshalValue(left)
	if err != nil {
		return bson.RawValue{}
	}
	return bson.RawValue{Type: bson.TypeArray, Value: list}
}
