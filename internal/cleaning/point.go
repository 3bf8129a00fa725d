package cleaning

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// nullIslandSize is how near to 0, 0 a point must be, in degrees, to be taken
// for the answer of a geocoder that found nothing.
const nullIslandSize = 0.01

// parsePoint reads the three forms in which portals give a point: GeoJSON
// (longitude first), an object with latitude and longitude as text or numbers,
// and the CSV's text POINT (-122.4 37.7). exact says that it is GeoJSON with
// numbers written as this package writes them, so that it can be rebuilt from
// the document.
func (c *Cleaner) parsePoint(raw jsontext.Value, text string) (lon, lat float64, exact, ok bool) {
	if raw.Kind() == jsontext.KindString {
		lon, lat, ok = parseWKT(text)
		return lon, lat, false, ok
	}
	if raw.Kind() != jsontext.KindBeginObject {
		return 0, 0, false, false
	}
	// This is how portals write it today; anything else is read member by
	// member.
	if pair, ok := bytes.CutPrefix(raw, []byte(`{"type":"Point","coordinates":[`)); ok {
		if pair, ok = bytes.CutSuffix(pair, []byte(`]}`)); ok {
			if lon, lat, exact, ok = parsePair(pair); ok {
				return lon, lat, exact, true
			}
		}
	}
	c.buffer = *bytes.NewBuffer(raw)
	d := c.decoder
	d.Reset(&c.buffer, jsontext.AllowDuplicateNames(true))
	if _, err := d.ReadToken(); err != nil {
		return 0, 0, false, false
	}
	exact = true
	var geo, hasLon, hasLat, lonOK, latOK bool
	for d.PeekKind() == jsontext.KindString {
		name, err := d.ReadValue()
		if err != nil {
			return 0, 0, false, false
		}
		switch string(name) {
		case `"type"`:
			v, err := d.ReadValue()
			if err != nil || string(v) != `"Point"` {
				return 0, 0, false, false
			}
			geo = true
		case `"coordinates"`:
			v, err := d.ReadValue()
			if err != nil {
				return 0, 0, false, false
			}
			if hasLon || hasLat {
				return 0, 0, false, false
			}
			var pairExact, ok bool
			lon, lat, pairExact, ok = parsePair(bytes.Trim(v, "[] \t\r\n"))
			lonOK, latOK = ok, ok
			hasLon, hasLat = true, true
			exact = exact && pairExact
		case `"longitude"`:
			exact = false
			v, err := d.ReadValue()
			if err != nil || hasLon {
				return 0, 0, false, false
			}
			lon, _, lonOK = parseCoordinate(bytes.Trim(v, `" `))
			hasLon = true
		case `"latitude"`:
			exact = false
			v, err := d.ReadValue()
			if err != nil || hasLat {
				return 0, 0, false, false
			}
			lat, _, latOK = parseCoordinate(bytes.Trim(v, `" `))
			hasLat = true
		default:
			exact = false
			if err := d.SkipValue(); err != nil {
				return 0, 0, false, false
			}
		}
	}
	return lon, lat, exact && geo, lonOK && latOK
}

// parsePair reads two numbers of degrees with a comma between them, longitude
// first.
func parsePair(b []byte) (lon, lat float64, exact, ok bool) {
	lonText, latText, ok := bytes.Cut(b, []byte(","))
	if !ok {
		return 0, 0, false, false
	}
	lon, lonExact, lonOK := parseCoordinate(bytes.TrimSpace(lonText))
	lat, latExact, latOK := parseCoordinate(bytes.TrimSpace(latText))
	return lon, lat, lonExact && latExact, lonOK && latOK
}

// parseCoordinate reads a decimal number of degrees. exact says that it is
// written as appendCoordinate writes it.
func parseCoordinate(b []byte) (f float64, exact, ok bool) {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false, false
	}
	var buf [32]byte
	return f, bytes.Equal(appendCoordinate(buf[:0], f), b), true
}

func appendCoordinate(dst []byte, f float64) []byte { return strconv.AppendFloat(dst, f, 'f', -1, 64) }

// parseWKT reads POINT (lon lat).
func parseWKT(s string) (lon, lat float64, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) < len("POINT") || !strings.EqualFold(s[:len("POINT")], "POINT") {
		return 0, 0, false
	}
	inner := strings.TrimSpace(s[len("POINT"):])
	if len(inner) < 2 || inner[0] != '(' || inner[len(inner)-1] != ')' {
		return 0, 0, false
	}
	numbers := strings.Fields(inner[1 : len(inner)-1])
	if len(numbers) != 2 {
		return 0, 0, false
	}
	lon, _, lonOK := parseCoordinate([]byte(numbers[0]))
	lat, _, latOK := parseCoordinate([]byte(numbers[1]))
	return lon, lat, lonOK && latOK
}

// cleanPoint checks a point that could be read. ok is false when it is no place
// on earth.
func (c *Cleaner) cleanPoint(f *field, lon, lat float64) (cleanLon, cleanLat float64, altered, ok bool) {
	box := c.spec.Box
	switch {
	case math.Abs(lon) < nullIslandSize && math.Abs(lat) < nullIslandSize:
		c.raise(f, nullIsland)
		return 0, 0, true, false
	case box.Contains(lon, lat):
		return lon, lat, false, true
	case box.Contains(lat, lon):
		c.raise(f, swapped)
		return lat, lon, true, true
	case math.Abs(lon) > 180 || math.Abs(lat) > 90:
		c.raise(f, unreadable)
		return 0, 0, true, false
	}
	c.raise(f, outsideBox)
	return lon, lat, false, true
}
