package cleaning

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/dataset"
)

func TestSectorOf(t *testing.T) {
	for code, want := range map[string]string{
		"23": "23", "53110": "53", "722511": "722", "7225": "722", "721": "721", "72": "72", "7200": "72", "459310": "44-45", "31": "31-33", "492": "48-49", "92": "92",
		"00": "", "106122": "", "88341": "", "8322": "", "5": "", "": "", "7225110": "", "54a": "",
	} {
		assert.Equal(t, want, sectorOf(code), code)
	}
}

func TestIndustry(t *testing.T) {
	for _, test := range []struct {
		text, sector    string
		count           int
		ranged, unknown bool
	}{
		{"722511", "722", 1, false, false},
		{"7220-7229", "722", 1, true, false},
		{"7210-7219", "721", 1, true, false},
		{"3100-3399", "31-33", 1, true, false},
		{"4400-4599", "44-45", 1, true, false},
		{"4800-4999", "48-49", 1, true, false},
		{"5210-5239", "52", 1, true, false},
		{"6100-6299", "61-62", 1, true, false},
		{"2300-2399 5300-5399", "", 2, true, false},
		{"2300-2399 238220", "23", 2, true, false},
		{"5100-5399", "", 1, true, true},
		{"51-5199", "", 1, true, true},
		{"Multiple", "", 1, false, true},
		{"00 23", "", 2, false, true},
	} {
		sector, count, ranged, unknown := industry(test.text)
		assert.Equal(t, test.sector, sector, test.text)
		assert.Equal(t, test.count, count, test.text)
		assert.Equal(t, test.ranged, ranged, test.text)
		assert.Equal(t, test.unknown, unknown, test.text)
	}
	codes := map[string]bool{}
	for _, s := range Sectors() {
		codes[s.Code] = true
	}
	for n := range 1_000_000 {
		if s := sectorOf(strconv.Itoa(n)); s != "" {
			require.True(t, codes[s], "%d", n)
		}
	}
}

func TestParseDate(t *testing.T) {
	for text, want := range map[string]struct {
		day                 string
		canonical, midnight bool
	}{
		"2014-10-13T00:00:00.000":       {"2014-10-13", true, true},
		"2014-10-13T23:59:59.999":       {"2014-10-13", true, false},
		"2014-10-13T00:00:00":           {"2014-10-13", false, true},
		"2014-10-13 00:00:00":           {"2014-10-13", false, true},
		"2014-10-13T00:00:00.000Z":      {"2014-10-13", false, true},
		"2014-10-13T22:00:00.000-08:00": {"2014-10-13", false, false},
		"2014-10-13":                    {"2014-10-13", false, true},
		"1848-02-29T00:00:00.000":       {"1848-02-29", true, true},
		"0001-01-01T00:00:00.000":       {"0001-01-01", true, true},
		"9999-12-31T00:00:00.000":       {"9999-12-31", true, true},
		"2014-10-13T00:00:00.001":       {"2014-10-13", true, false},
		"2014-10-13T00:00:01.000":       {"2014-10-13", true, false},
		"2014-10-13T00:01:00.000":       {"2014-10-13", true, false},
		"2014-10-13T01:00:00.000":       {"2014-10-13", true, false},
	} {
		ms, canonical, midnight, ok := parseDate(text)
		require.True(t, ok, text)
		assert.Equal(t, want.day, time.UnixMilli(ms).UTC().Format(time.DateOnly), text)
		assert.Equal(t, want.canonical, canonical, text)
		assert.Equal(t, want.midnight, midnight, text)
	}
	for _, text := range []string{"", "2014", "2014-13-01", "2014-02-29T00:00:00.000", "0000-01-01T00:00:00.000", "10/13/2014", "2014-10-13T", "2014-10-13T25:00:00", "2014-10-13x", "20141013", "2014-1a-13"} {
		_, _, _, ok := parseDate(text)
		assert.False(t, ok, text)
	}
}

func TestParsePoint(t *testing.T) {
	c := newCleaner(t)
	for raw, exact := range map[string]bool{
		`{"type":"Point","coordinates":[-122.4,37.75]}`:                    true,
		`{"coordinates": [ -122.4 , 37.75 ], "type": "Point"}`:             true,
		`{"type":"Point","coordinates":[-122.40,37.75]}`:                   false,
		`{"type":"Point","coordinates":[-1.224e2,37.75]}`:                  false,
		`{"type":"Point","coordinates":[-122.4,37.75],"crs":1}`:            false,
		`{"coordinates":[-122.4,37.75]}`:                                   false,
		`{"latitude":"37.75","longitude":"-122.4","needs_recoding":false}`: false,
		`{"latitude":37.75,"longitude":-122.4}`:                            false,
	} {
		lon, lat, got, ok := c.parsePoint([]byte(raw), "")
		require.True(t, ok, raw)
		assert.Equal(t, [2]float64{-122.4, 37.75}, [2]float64{lon, lat}, raw)
		assert.Equal(t, exact, got, raw)
	}
	for _, text := range []string{"POINT (-122.4 37.75)", "point(-122.4  37.75)"} {
		lon, lat, _, ok := c.parsePoint([]byte(`""`), text)
		require.True(t, ok, text)
		assert.Equal(t, [2]float64{-122.4, 37.75}, [2]float64{lon, lat}, text)
	}
	for _, raw := range []string{
		`{}`, `[]`, `7`, `true`, `{"type":"Point"}`, `{"type":"LineString","coordinates":[1,2]}`, `{"type":"Point","coordinates":[1]}`, `{"type":"Point","coordinates":[1,2,3]}`,
		`{"type":"Point","coordinates":["1","2"]}`, `{"type":"Point","coordinates":[[1,2],[3,4]]}`, `{"type":"Point","coordinates":null}`, `{"latitude":"","longitude":"1"}`,
		`{"latitude":"37"}`, `{"latitude":1,"longitude":2,"coordinates":[3,4]}`, `{"type":"Point","coordinates":[1e999,2]}`,
	} {
		_, _, _, ok := c.parsePoint([]byte(raw), "")
		assert.False(t, ok, raw)
	}
	for _, text := range []string{"", "POINT", "POINT ()", "POINT (1)", "POINT (1 2 3)", "POINT (a b)", "LINE (1 2)", "POINT (1 2"} {
		_, _, ok := parseWKT(text)
		assert.False(t, ok, text)
	}
}

// A point lies in a cell whose center is at most a corner away, and a center
// lies in its own cell.
func TestCell(t *testing.T) {
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	h := newHexes(spec.Box)
	rapid.Check(t, func(t *rapid.T) {
		lon := rapid.Float64Range(spec.Box.West, spec.Box.East).Draw(t, "lon")
		lat := rapid.Float64Range(spec.Box.South, spec.Box.North).Draw(t, "lat")
		q, r := h.cell(lon, lat)
		centerLon, centerLat, err := CellCenter(spec.Box, string(appendCell(nil, q, r)))
		require.NoError(t, err)
		meters := math.Hypot((centerLon-lon)*h.lon, (centerLat-lat)*degree)
		require.LessOrEqual(t, meters, CellWidth/math.Sqrt(3)+0.001)
		q2, r2 := h.cell(centerLon, centerLat)
		require.Equal(t, [2]int{q, r}, [2]int{q2, r2})
	})
	_, _, err = CellCenter(spec.Box, "north")
	require.Error(t, err)
}

func TestSqueeze(t *testing.T) {
	for in, want := range map[string]string{
		"": "", " ": "", "a": "a", " a": "a", "a ": "a", "a  b": "a b", "a\tb": "a b", "a\u00a0b": "a b", "\ufeffa": "a", "é  é": "é é", "é é": "é é", " é": "é", "a\x00b": "a b", "\u200b": "",
	} {
		assert.Equal(t, want, squeeze(in), "%q", in)
		assert.Equal(t, in == want, squeezed(in), "%q", in)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.SampledFrom([]rune(" \t\n\u00a0ab é#"))).Draw(t, "s")
		clean := squeeze(s)
		require.True(t, squeezed(clean))
		require.Equal(t, s == clean, squeezed(s))
	})
}

func TestStates(t *testing.T) {
	c := newCleaner(t)
	f := &c.fields[0]
	for in, want := range map[string]string{"CA": "CA", "ca": "CA", "On": "ON", "gu": "GU", "XX": "XX", "California": "California", " C": " C", "A ": "A "} {
		assert.Equal(t, want, c.cleanState(f, in), in)
	}
}

// TestTheFirstOfTwoPoints gives the cell, and can be copied, even as the first
// field of all.
func TestTheFirstOfTwoPoints(t *testing.T) {
	c, err := New(specWith(t, "fields:\n", "fields:\n  - {path: door, from: [door], type: point}\n  - {path: shown, copy: door, type: point_text}\n"))
	require.NoError(t, err)
	row, err := c.Clean([]byte(`{"ttxid":"1","door":{"type":"Point","coordinates":[-122.4,37.75]},"location":{"type":"Point","coordinates":[-122.5,37.8]}}`))
	require.NoError(t, err)
	assert.Equal(t, "POINT (-122.4 37.75)", row.Document.Lookup("shown").StringValue())
	assert.Equal(t, "POINT (-122.5 37.8)", row.Document.Lookup("districts", "business_location").StringValue())
	source, err := c.Source(row.Document)
	require.NoError(t, err)
	assert.JSONEq(t, `{"type":"Point","coordinates":[-122.4,37.75]}`, string(source["door"]))
	assert.JSONEq(t, `{"type":"Point","coordinates":[-122.5,37.8]}`, string(source["location"]))
	q, r := c.hexes.cell(-122.4, 37.75)
	assert.Equal(t, string(appendCell(nil, q, r)), row.Document.Lookup("facets", "cell").StringValue())
}

// TestPortalJSON has each type of field with each kind of value that a document
// can hold: only the fitting ones become JSON.
func TestPortalJSON(t *testing.T) {
	values := map[string]any{
		"text": "é \"x\"", "day": bson.NewDateTimeFromTime(time.Date(2014, 10, 13, 0, 0, 0, 0, time.UTC)), "true": true, "false": false,
		"int32": int32(-7), "int64": int64(1) << 40, "double": 0.25, "null": bson.Null{}, "list": bson.A{1.5, 2.5},
		"point":    bson.D{{Key: "type", Value: "Point"}, {Key: "coordinates", Value: bson.A{-122.4, 37.75}}},
		"no point": bson.D{{Key: "coordinates", Value: bson.A{int32(-122), 37.75}}},
		"lon only": bson.D{{Key: "coordinates", Value: bson.A{-122.4}}},
	}
	for fieldType, want := range map[dataset.Type]map[string]string{
		dataset.Text:      {"text": `"é \"x\""`},
		dataset.Date:      {"day": `"2014-10-13T00:00:00.000"`},
		dataset.Bool:      {"true": `true`, "false": `false`},
		dataset.Marker:    {"true": `"CLOSED"`, "false": `"CLOSED"`},
		dataset.Number:    {"int32": `"-7"`, "int64": `"1099511627776"`, "double": `"0.25"`},
		dataset.Point:     {"point": `{"coordinates":[-122.4,37.75],"type":"Point"}`},
		dataset.PointText: {},
	} {
		f := field{Field: dataset.Field{Type: fieldType, Marker: "CLOSED"}}
		for name, value := range values {
			kind, data, err := bson.MarshalValue(value)
			require.NoError(t, err)
			got, err := f.portalJSON(bson.RawValue{Type: kind, Value: data})
			if want[name] == "" {
				require.Error(t, err, "%s from %s", fieldType, name)
				continue
			}
			require.NoError(t, err, "%s from %s", fieldType, name)
			require.Equal(t, want[name], string(got), "%s from %s", fieldType, name)
		}
	}
}

func TestOriginalJSON(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{"a \"b\"", `"a \"b\""`},
		{true, `true`},
		{false, `false`},
		{bson.D{{Key: "json", Value: `[1.50]`}}, `[1.50]`},
		{bson.D{{Key: "json", Value: int32(1)}}, ""},
		{bson.D{}, ""},
		{int32(1), ""},
		{0.5, ""},
		{bson.Null{}, ""},
	} {
		kind, data, err := bson.MarshalValue(c.value)
		require.NoError(t, err)
		got, err := originalJSON(bson.RawValue{Type: kind, Value: data})
		require.Equal(t, c.want == "", err != nil, "%v: %v", c.value, err)
		require.Equal(t, c.want, string(got))
	}
}
