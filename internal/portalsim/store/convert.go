package store

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// dateLayouts are the forms of dates that files, edits and queries may use, the
// portal's own first.
var dateLayouts = [...]string{
	"2006-01-02T15:04:05.000", "2006-01-02", "2006-01-02T15:04:05", "01/02/2006", "01/02/2006 03:04:05 PM",
	"2006/01/02", "2006/01/02 03:04:05 PM", time.RFC3339,
}

// ParseDate reads a calendar date; ok is false outside the years 1 to 9999.
func ParseDate(s string) (v Value, ok bool) {
	for _, layout := range dateLayouts {
		t, err := time.Parse(layout, s)
		if year := t.UTC().Year(); err == nil && year >= 1 && year <= 9999 {
			return DateValue(t), true
		}
	}
	return Value{}, false
}

// ParseNumber reads a finite decimal, with or without an exponent.
func ParseNumber(s string) (v Value, ok bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(s, "xX_") {
		return Value{}, false
	}
	return NumberValue(s), true
}

// parsePoint reads "POINT (-122.4 37.7)", longitude first, or the older
// "(37.7, -122.4)", latitude first.
func parsePoint(s string) (Value, bool) {
	if latitude, longitude, ok := strings.Cut(strings.Trim(s, "()"), ","); ok {
		return pointValue(strings.TrimSpace(longitude), strings.TrimSpace(latitude))
	}
	inner, ok := strings.CutPrefix(strings.ToUpper(s), "POINT")
	if !ok {
		return Value{}, false
	}
	fields := strings.Fields(strings.Trim(strings.TrimSpace(inner), "()"))
	if len(fields) != 2 {
		return Value{}, false
	}
	return pointValue(fields[0], fields[1])
}

// pointValue makes a point of two numbers given as text.
func pointValue(longitude, latitude string) (Value, bool) {
	lon, err := strconv.ParseFloat(longitude, 64)
	if err != nil {
		return Value{}, false
	}
	lat, err := strconv.ParseFloat(latitude, 64)
	if err != nil || math.IsInf(lon*lat, 0) || math.IsNaN(lon*lat) {
		return Value{}, false
	}
	return PointValue(lon, lat), true
}

// PointValue returns a point; both numbers must be finite.
func PointValue(lon, lat float64) Value {
	b := make([]byte, 0, 24)
	b = strconv.AppendFloat(b, lon, 'f', -1, 64)
	b = append(b, ',')
	b = strconv.AppendFloat(b, lat, 'f', -1, 64)
	return Value{Kind: KindPoint, Set: true, Text: string(b)}
}

// FromGo makes a cell of a Go value, as decoded JSON holds it or as a test
// writes it: nil, string, bool, numbers, time.Time, and for points GeoJSON,
// {latitude, longitude} or [2]float64{longitude, latitude}.
func FromGo(k Kind, x any) (Value, error) {
	if x == nil {
		return Value{}, nil
	}
	if k == KindLocation {
		raw, err := json.Marshal(x)
		if err != nil {
			return Value{}, err
		}
		return Value{Kind: k, Set: true, Text: string(raw)}, nil
	}
	if v, ok := fromGo(k, x); ok {
		return v, nil
	}
	return Value{}, fmt.Errorf("%v (%T) is no %s", x, x, k)
}

func fromGo(k Kind, x any) (v Value, ok bool) {
	switch x := x.(type) {
	case string:
		return fromText(k, x)
	case bool:
		return BoolValue(x), k == KindCheckbox
	case int:
		return fromText(k, strconv.Itoa(x))
	case float64:
		return fromText(k, strconv.FormatFloat(x, 'f', -1, 64))
	case time.Time:
		// The wall clock counts: a calendar date has no zone.
		y, m, d := x.Date()
		return DateValue(time.Date(y, m, d, x.Hour(), x.Minute(), x.Second(), x.Nanosecond(), time.UTC)), k == KindCalendarDate
	case [2]float64:
		if k == KindPoint {
			return pointValue(fmt.Sprint(x[0]), fmt.Sprint(x[1]))
		}
	case map[string]any:
		if k != KindPoint {
			return Value{}, false
		}
		if pair, ok := x["coordinates"].([]any); ok && len(pair) == 2 {
			return pointValue(fmt.Sprint(pair[0]), fmt.Sprint(pair[1]))
		}
		return pointValue(fmt.Sprint(x["longitude"]), fmt.Sprint(x["latitude"]))
	}
	return Value{}, false
}

func fromText(k Kind, s string) (v Value, ok bool) {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	switch k {
	case KindText:
		return TextValue(s), true
	case KindNumber:
		return ParseNumber(s)
	case KindCheckbox:
		b, err := strconv.ParseBool(s)
		return BoolValue(b), err == nil
	case KindCalendarDate:
		return ParseDate(s)
	case KindPoint:
		return parsePoint(s)
	default: // the others are not written as text
		return Value{}, false
	}
}

// Go returns a set value as decoding the portal's JSON gives it: the inverse of
// FromGo.
func (v Value) Go() any {
	switch v.Kind {
	case KindCheckbox:
		return v.At == 1
	case KindPoint:
		lon, lat, _ := strings.Cut(v.Text, ",")
		return map[string]any{
			"type": "Point", "coordinates": []any{NumberValue(lon).Number(), NumberValue(lat).Number()},
		}
	case KindCalendarDate, KindFixedTimestamp:
		return v.String()
	case KindLocation:
		var x any
		if json.Unmarshal([]byte(v.Text), &x) != nil {
			return v.Text
		}
		return x
	default:
		return strings.Clone(v.Text) // a text of a record would keep its whole chunk in memory
	}
}
