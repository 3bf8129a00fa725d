package statistics

import (
	"encoding/json"
	"fmt"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// District is a district's name, or its number as text; empty: unknown. Numbers
// are stored, and written to JSON, as numbers (0: unknown), names as text.
type District string

// DistrictOf is the district that a document or a group names.
func DistrictOf(v bson.RawValue) District {
	switch v.Type {
	case bson.TypeString:
		return District(v.StringValue())
	case bson.TypeInt32, bson.TypeInt64:
		if n := v.AsInt64(); n != 0 {
			return District(strconv.FormatInt(n, 10))
		}
	case bson.TypeDouble:
		if n := v.Double(); n != 0 {
			return District(strconv.FormatFloat(n, 'f', -1, 64))
		}
	default:
	}
	return ""
}

// number is the district as a number; false for a name (01 is one).
func (d District) number() (int64, bool) {
	if d == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(string(d), 10, 64)
	return n, err == nil && n != 0 && strconv.FormatInt(n, 10) == string(d)
}

// MarshalBSONValue writes a number or text.
func (d District) MarshalBSONValue() (byte, []byte, error) {
	var kind bson.Type
	var data []byte
	var err error
	if n, ok := d.number(); ok {
		kind, data, err = bson.MarshalValue(n)
	} else {
		kind, data, err = bson.MarshalValue(string(d))
	}
	return byte(kind), data, err
}

// UnmarshalBSONValue reads a number or text.
func (d *District) UnmarshalBSONValue(kind byte, data []byte) error {
	*d = DistrictOf(bson.RawValue{Type: bson.Type(kind), Value: data})
	return nil
}

// MarshalJSON writes a number or text.
func (d District) MarshalJSON() ([]byte, error) {
	if n, ok := d.number(); ok {
		return strconv.AppendInt(nil, n, 10), nil
	}
	return json.Marshal(string(d))
}

// UnmarshalJSON reads a number or text.
func (d *District) UnmarshalJSON(text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("district: %w", err)
	}
	switch v := v.(type) {
	case string:
		*d = District(v)
	case float64:
		if *d = ""; v != 0 {
			*d = District(strconv.FormatFloat(v, 'f', -1, 64))
		}
	}
	return nil
}
