package cleaning

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestBoundsOfRules has the last value on each side of a rule's bound.
func TestBoundsOfRules(t *testing.T) {
	const start, zip, district, spot = "dba_start_date", "business_zip", "supervisor_district", "location"
	for _, c := range []struct{ column, value, flag string }{
		{start, `"1776-01-01T00:00:00.000"`, ""},
		{start, `"1775-12-31T00:00:00.000"`, "business_start_date_far_past"},
		{start, `"2100-12-31T00:00:00.000"`, ""},
		{start, `"2101-01-01T00:00:00.000"`, "business_start_date_far_future"},
		{district, `"1"`, ""},
		{district, `"0"`, "supervisor_district_out_of_range"},
		{district, `"11"`, ""},
		{district, `"12"`, "supervisor_district_out_of_range"},
		{district, `"1.5"`, ""},
		{district, `"11.5"`, "supervisor_district_out_of_range"},
		{zip, `"94110"`, ""},
		{zip, `"941101234"`, "source_zipcode_plus_four"},
		{zip, `"94110-1234"`, "source_zipcode_plus_four"},
		{zip, `"94110-"`, "source_zipcode_plus_four"},
		{zip, `"94110-12345"`, "source_zipcode_invalid"},
		{zip, `"94110-12a4"`, "source_zipcode_foreign"},
		{zip, `"94110 1234"`, "source_zipcode_invalid"},
		{zip, `"9411"`, "source_zipcode_invalid"},
		{zip, `"941101"`, "source_zipcode_invalid"},
		{zip, `"9411012345"`, "source_zipcode_invalid"},
		{zip, `"99999"`, "source_zipcode_placeholder"},
		{zip, `"00000"`, "source_zipcode_placeholder"},
		{spot, `{"type":"Point","coordinates":[0.0099,-0.0099]}`, "location_null_island"},
		{spot, `{"type":"Point","coordinates":[0.01,0]}`, "location_outside_box"},
		{spot, `{"type":"Point","coordinates":[0,-0.01]}`, "location_outside_box"},
		{spot, `{"type":"Point","coordinates":[-180,90]}`, "location_outside_box"},
		{spot, `{"type":"Point","coordinates":[180,-90]}`, "location_outside_box"},
		{spot, `{"type":"Point","coordinates":[180.01,1]}`, "location_unreadable"},
		{spot, `{"type":"Point","coordinates":[1,90.01]}`, "location_unreadable"},
		{spot, `{"type":"Point","coordinates":[-122.55,37.69]}`, ""},
		{spot, `{"type":"Point","coordinates":[37.84,-122.33]}`, "location_swapped"},
	} {
		cleaner := newCleaner(t)
		row, err := cleaner.Clean([]byte(`{"ttxid":"1",` + fmt.Sprintf("%q:%s}", c.column, c.value)))
		require.NoError(t, err)
		require.Empty(t, row.Quarantine)
		flags := strings.Join(row.Flags, " ")
		require.Equal(t, c.flag, flags, "%s %s", c.column, c.value)
	}
}

func TestSizesOfNumbers(t *testing.T) {
	for literal, want := range map[string]any{
		"2147483647": int32(math.MaxInt32), "2147483648": int64(math.MaxInt32 + 1), "-2147483648": int32(math.MinInt32), "-2147483649": int64(math.MinInt32 - 1),
		"0.5": 0.5, "9223372036854775808": float64(1 << 63),
	} {
		c := newCleaner(t)
		row, err := c.Clean([]byte(`{"ttxid":"1","supervisor_district":"` + literal + `"}`))
		require.NoError(t, err)
		var d struct{ Districts map[string]any }
		require.NoError(t, bson.Unmarshal(row.Document, &d))
		require.Equal(t, want, d.Districts["supervisor_district"], literal)
	}
}

func TestWordsOfAnySign(t *testing.T) {
	for text, want := range map[string][]string{
		"az AZ 09":        {"09", "az"},
		"a{b@c[d/e:f":     {"a", "b", "c", "d", "e", "f"},
		"Richmond's o’do": {"odo", "richmonds"},
		"Café ÉCLAIR":     {"cafe", "eclair"},
		"É":               {"e"},
		"北京 ½":            {"1", "2", "北京"},
		"":                {},
	} {
		assert.Equal(t, want, Words(text), text)
	}
}

func TestBlanksAndPlaceholders(t *testing.T) {
	for r, blank := range map[rune]bool{
		' ': true, '!': false, '~': false, 0x7f: true, 0x80: true, 0xa0: true, 0xa1: false,
		'\u200b': true, '\u200f': true, '\u2010': false, '\u2060': true, '\u2061': true, '\ufeff': true, '\u202a': true, '\u202e': true, '\u2066': true, '\u2069': true, '\u061c': true, '\u00ad': false, '\u3164': true,
		'\u0600': false, '\u06dd': false, '\U000e0041': true, '\ufe0f': false, '\u0301': false,
	} {
		assert.Equal(t, blank, isBlank(r), "%U", r)
		assert.Equal(t, blank, !squeezed("a"+string(r)+"b") || r == ' ', "%U", r)
	}
	for text, is := range map[string]bool{
		"": true, "NA": true, "N/A": true, "n.a.": true, "N A": true, `n\a`: true, "None": true, "NULL": true, "nil": true, "Unknown": true, "tbd": true,
		"Not Applicable": true, "Not Applicable.": false, "-": true, "--- ###": true, "{}": true, "`": true, "a": false, "z": false, "0": false, "9": false,
		"m": false, "Nan": false, "- 1": false, "é": false, "none of it": false, strings.Repeat("-", 14): true, strings.Repeat("-", 15): false,
	} {
		assert.Equal(t, is, isPlaceholder(text), "%q", text)
	}
	assert.True(t, containsFold("0000 UNDELIVERABLE", "undeliverable"), "at the end")
	assert.True(t, containsFold("Undeliverable", "undeliverable"), "all of it")
	assert.False(t, containsFold("undeliverabl", "undeliverable"))
}

func TestNamesThatAreRemembered(t *testing.T) {
	c := newCleaner(t)
	var row strings.Builder
	for i := range maxMembers + 100 {
		fmt.Fprintf(&row, `,"c%d":1`, i)
	}
	for range 2 {
		_, err := c.Clean([]byte(`{"ttxid":"1"` + row.String() + `}`))
		require.NoError(t, err)
		assert.Len(t, c.members, maxMembers)
	}
	assert.Len(t, c.Profile().Unknown, maxMembers+100)
	assert.Equal(t, 2, c.Profile().Unknown["c0"])
	assert.Equal(t, 2, c.Profile().Unknown[fmt.Sprintf("c%d", maxMembers+99)])
}

func TestTheClosedMarkerAsTheFirstField(t *testing.T) {
	const marker = `  - {path: administratively_closed, from: [administratively_closed], type: marker, marker: "***Administratively Closed"}` + "\n"
	c, err := New(specWith(t, marker, "", "fields:\n", "fields:\n"+marker))
	require.NoError(t, err)
	row, err := c.Clean([]byte(`{"ttxid":"1","administratively_closed":"***Administratively Closed"}`))
	require.NoError(t, err)
	assert.Equal(t, "administrative", row.Document.Lookup("facets", "closed").StringValue())
	assert.Equal(t, []string{"closed_without_end_date"}, row.Flags)
}

func TestAnEmptyDocument(t *testing.T) {
	empty, err := bson.Marshal(bson.D{})
	require.NoError(t, err)
	row, err := newCleaner(t).Source(empty)
	require.NoError(t, err)
	assert.Empty(t, row)
	for _, bad := range [][]byte{nil, empty[:4], {4, 0, 0, 0}, append(empty[:4:4], 1), append(empty, 0)} {
		_, err := newCleaner(t).Source(bad)
		require.ErrorIs(t, err, errNotBSON)
	}
}

func TestNamesWithEscapes(t *testing.T) {
	c := newCleaner(t)
	for _, raw := range []string{
		`{"ttxi\u0064":"1-1","dba_nam\u0065":"Fig","caf\u00e9":1}`, `{"ttxid":"1-1","dba_name":"Fig","café":1}`, `{"ttxi\u0064":"1-1","dba_nam\u0065":"Fig"}`,
	} {
		row, err := c.Clean([]byte(raw))
		require.NoError(t, err)
		assert.Equal(t, "1-1", row.Key)
		assert.Equal(t, "Fig", row.Document.Lookup("dba_name").StringValue())
	}
	assert.Equal(t, map[string]int{"café": 2}, c.Profile().Unknown)
}

// TestASingleEnd has no wider one that could be missing.
func TestASingleEnd(t *testing.T) {
	spec := specWith(t, "    - {path: dates.business_end_date, kind: account}\n", "")
	assert.Contains(t, Flags(specWith(t)), "closed_without_account_end")
	for _, flag := range Flags(spec) {
		assert.NotContains(t, []string{"closed_without_account_end", "closed_without_location_end"}, flag)
	}
	c, err := New(spec)
	require.NoError(t, err)
	row, err := c.Clean([]byte(`{"ttxid":"1","location_end_date":"2024-02-29T00:00:00.000"}`))
	require.NoError(t, err)
	assert.Empty(t, row.Flags)
	assert.Equal(t, "location", row.Document.Lookup("facets", "closed").StringValue())
}
