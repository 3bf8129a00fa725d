package cleaning

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestNumbersByValue has one number in every way that portals write it: it
// becomes one value, in range, with the original beside it.
func TestNumbersByValue(t *testing.T) {
	spec := specWith(t)
	k, err := NewClassifier(spec, nil)
	require.NoError(t, err)
	plain := bakery().with(columns{"supervisor_district": "8"}).document(t, spec)
	for _, written := range []any{"8.0", "8.00000000", "08", " 8 ", "8E0", "80e-1", "+8", 8, 8.0} {
		doc := bakery().with(columns{"supervisor_district": written}).document(t, spec)
		assert.Equal(t, plain.Lookup("districts", "supervisor_district"), doc.Lookup("districts", "supervisor_district"), "%v", written)
		assert.Equal(t, int32(8), doc.Lookup("facets", "district").Int32(), "%v", written)
		_, flagged := doc.Lookup("quality", "flags").ArrayOK()
		assert.False(t, flagged, "%v is in range", written)
		original, kept := doc.Lookup("source", "supervisor_district").StringValueOK()
		if text, isText := written.(string); isText {
			assert.True(t, kept)
			assert.Equal(t, text, original)
		}
		// That the portal writes it otherwise is an event all the same: of the
		// original, which the history must tell.
		if kept {
			kinds, _, err := k.Classify(plain, doc, true)
			require.NoError(t, err)
			assert.Equal(t, []string{ChangeUpdated}, kinds, "%v", written)
		}
	}
	other := bakery().with(columns{"supervisor_district": "9.0"}).document(t, spec)
	kinds, _, err := k.Classify(plain, other, true)
	require.NoError(t, err)
	assert.Equal(t, []string{ChangeUpdated}, kinds)

	for written, want := range map[string]string{"11.5": "supervisor_district_out_of_range", "0.0": "supervisor_district_out_of_range", "11.00": "", "1e300": "supervisor_district_out_of_range", " ": "supervisor_district_blank", "": "supervisor_district_blank"} {
		c := newCleaner(t)
		row, err := c.Clean(fmt.Appendf(nil, `{"ttxid":"1","supervisor_district":%q}`, written))
		require.NoError(t, err)
		assert.Equal(t, want, fmt.Sprint(append([]string{""}, row.Flags...)[len(row.Flags)]), written)
	}
}

// textDates is a spec whose ends are text in the forms given, and may expire.
func textDates(t *testing.T, forms, expires string) *Cleaner {
	t.Helper()
	c, err := New(specWith(t,
		"{path: dates.location_end_date, from: [location_end_date], type: date, required: true}",
		"{path: dates.location_end_date, from: [location_end_date], type: date, portal_types: [text], forms: ["+forms+"]}",
		"{path: dates.location_end_date, kind: location}", "{path: dates.location_end_date, kind: location"+expires+"}"))
	require.NoError(t, err)
	return c
}

func TestDatesAsText(t *testing.T) {
	for _, test := range []struct{ forms, text, day, flags string }{
		{"YYYYMMDD", "20140814", "2014-08-14", "[location_end_date_format]"},
		{"YYYYMMDD", "2014-08-14", "2014-08-14", "[location_end_date_format]"},
		{"YYYYMMDD", "2014-08-14T00:00:00.000", "2014-08-14", "[]"},
		{"YYYYMMDD", "20140814 13:05:00", "2014-08-14", "[location_end_date_format location_end_date_time_part]"},
		{"YYYYMMDD", "20140230", "", "[location_end_date_unreadable]"},
		{"YYYYMMDD", "2014081", "", "[location_end_date_unreadable]"},
		{"YYYYMMDD", "201408141", "", "[location_end_date_unreadable]"},
		{"YYYYMMDD", "99991231", "9999-12-31", "[location_end_date_far_future location_end_date_format]"},
		{"YYYYMMDD", "00000000", "", "[location_end_date_blank]"},
		{"MM/DD/YYYY", "12/16/2020", "2020-12-16", "[location_end_date_format]"},
		{"MM/DD/YYYY", "1/5/2021", "2021-01-05", "[location_end_date_format]"},
		{"DD/MM/YYYY", "1/5/2021", "2021-05-01", "[location_end_date_format]"},
		{"MM/DD/YYYY", " 1/5/2021 ", "2021-01-05", "[location_end_date_format]"},
		{"MM/DD/YYYY", "01/05/2021 12:00:00 AM", "2021-01-05", "[location_end_date_format]"},
		{"MM/DD/YYYY", "01/05/2021 1:30 pm", "2021-01-05", "[location_end_date_format location_end_date_time_part]"},
		{"MM/DD/YYYY", "00/00/0000", "", "[location_end_date_blank]"},
		{"MM/DD/YYYY", "00/00/0000 00:00:00", "", "[location_end_date_blank]"},
		{"MM/DD/YYYY", "16/12/2020", "", "[location_end_date_unreadable]"},
		{"MM/DD/YYYY", "12/16/20", "", "[location_end_date_unreadable]"},
		{"MM/DD/YYYY", "12/16/2020 soon", "", "[location_end_date_unreadable]"},
		{"MM/DD/YYYY", "12-16-2020", "", "[location_end_date_unreadable]"},
		{"YYYY/MM/DD", "2026/10/01 12:00:00 AM", "2026-10-01", "[location_end_date_format]"},
		{"DD.MM.YYYY", "1.5.2021", "2021-05-01", "[location_end_date_format]"},
		{"YYYYMMDD, MM/DD/YYYY", "12/16/2020", "2020-12-16", "[location_end_date_format]"},
		{"", "12/16/2020", "", "[location_end_date_unreadable]"},
		{"", "", "", "[location_end_date_blank]"},
		{"", "  ", "", "[location_end_date_blank]"},
	} {
		row, err := textDates(t, test.forms, "").Clean(fmt.Appendf(nil, `{"ttxid":"1","dba_end_date":"2014-08-14T00:00:00.000","location_end_date":%q}`, test.text))
		require.NoError(t, err)
		require.Empty(t, row.Quarantine)
		assert.Equal(t, test.flags, fmt.Sprint(row.Flags), "%s %q", test.forms, test.text)
		day := ""
		if ms, ok := row.Document.Lookup("dates", "location_end_date").DateTimeOK(); ok {
			day = time.UnixMilli(ms).UTC().Format(time.DateOnly)
		}
		assert.Equal(t, test.day, day, "%s %q", test.forms, test.text)
	}
}

// TestOpenClosedOrNeither: a row whose end cannot be read is not open, and not
// closed either, unless something else closes it.
func TestOpenClosedOrNeither(t *testing.T) {
	for row, want := range map[string]string{
		`{"ttxid":"1"}`: "true ",
		`{"ttxid":"1","location_end_date":"00000000"}`:                                                        "true ",
		`{"ttxid":"1","location_end_date":""}`:                                                                "true ",
		`{"ttxid":"1","location_end_date":"20140814"}`:                                                        "false location",
		`{"ttxid":"1","location_end_date":"soon"}`:                                                            "neither ",
		`{"ttxid":"1","location_end_date":{"a":1}}`:                                                           "neither ",
		`{"ttxid":"1","location_end_date":"soon","dba_end_date":"2014-08-14T00:00:00.000"}`:                   "false account",
		`{"ttxid":"1","location_end_date":"soon","administratively_closed":"***Administratively Closed"}`:     "false administrative",
		`{"ttxid":"1","location_end_date":"20140814","dba_end_date":"2014-08-14T00:00:00.000"}`:               "false location",
		`{"ttxid":"1","location_end_date":"29990101","administratively_closed":"***Administratively Closed"}`: "false administrative",
		`{"ttxid":"1","location_end_date":"29990101"}`:                                                        "false location",
	} {
		cleaned, err := textDates(t, "YYYYMMDD", "").Clean([]byte(row))
		require.NoError(t, err)
		assert.Equal(t, want, openOf(cleaned.Document), row)
	}
}

// openOf is facets.open and facets.closed.
func openOf(doc bson.Raw) string {
	open := "neither"
	if is, ok := doc.Lookup("facets", "open").BooleanOK(); ok {
		open = fmt.Sprint(is)
	}
	kind, _ := doc.Lookup("facets", "closed").StringValueOK()
	return open + " " + kind
}

// TestAnEndThatComes: an end that expires closes a row on the day after it, and
// the day is that of the portal's version.
func TestAnEndThatComes(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err)
		return d
	}
	c := textDates(t, "YYYYMMDD", ", expires: true")
	const row = `{"ttxid":"1","location_start_date":"2014-08-14T00:00:00.000","location_end_date":"20270331"}`
	zone, err := time.LoadLocation("America/Los_Angeles")
	require.NoError(t, err)
	hashes := map[string][32]byte{}
	for _, test := range []struct{ now, open, end string }{
		{"2026-10-03T12:00:00Z", "true ", ""},
		{"2027-03-31T12:00:00Z", "true ", ""},
		{"2027-04-01T06:00:00Z", "true ", ""}, // still March there
		{"2027-04-01T12:00:00Z", "false location", "2027-03"},
		{"2030-01-01T00:00:00Z", "false location", "2027-03"},
	} {
		c.AsOf(day(test.now).In(zone))
		cleaned, err := c.Clean([]byte(row))
		require.NoError(t, err)
		assert.Equal(t, test.open, openOf(cleaned.Document), test.now)
		end, _ := cleaned.Document.Lookup("facets", "end_month").StringValueOK()
		assert.Equal(t, test.end, end, test.now)
		if was, ok := hashes[test.open]; ok {
			assert.Equal(t, was, cleaned.Hash, "the same on every day of the same state")
		}
		hashes[test.open] = cleaned.Hash
	}
	// Other ends, and closing by the authority, count at once.
	c.AsOf(day("2026-10-03T12:00:00Z"))
	for _, more := range []string{`"dba_end_date":"2027-08-14T00:00:00.000"`, `"administratively_closed":"***Administratively Closed"`} {
		cleaned, err := c.Clean([]byte(row[:len(row)-1] + "," + more + "}"))
		require.NoError(t, err)
		assert.Contains(t, openOf(cleaned.Document), "false ", more)
	}
	// Without a day, no end is in the future.
	cleaned, err := textDates(t, "YYYYMMDD", ", expires: true").Clean([]byte(row))
	require.NoError(t, err)
	assert.Equal(t, "false location", openOf(cleaned.Document))
}

// TestLongWords: words are cut alike in documents and in queries, at a letter's
// end, and a document has no end of them.
func TestLongWords(t *testing.T) {
	long := strings.Repeat("a", 70_000)
	wide := strings.Repeat("é", 10) + strings.Repeat("北", 70_000)
	c := newCleaner(t)
	row, err := c.Clean(fmt.Appendf(nil, `{"ttxid":"1","certificate_number":"0000001","dba_name":"%s b","ownership_name":%q,"full_business_address":"%s"}`, long, long, wide))
	require.NoError(t, err)
	require.Empty(t, row.Quarantine)
	var d struct{ Facets struct{ Tokens []string } }
	require.NoError(t, bson.Unmarshal(row.Document, &d))
	cut := strings.Repeat("a", 64)
	assert.ElementsMatch(t, []string{"0000001", "b", cut, SearchMark + cut, strings.Repeat("e", 10) + strings.Repeat("北", 18)}, d.Facets.Tokens)
	for _, text := range []string{long, wide, long + long} {
		words := Words(text)
		require.Len(t, words, 1)
		assert.Contains(t, d.Facets.Tokens, words[0], "what a query looks up")
	}
	name, ok := row.Document.Lookup("dba_name").StringValueOK()
	assert.True(t, ok)
	assert.Len(t, name, 70_002, "the value is kept")

	var many strings.Builder
	for i := range 3 * maxWords {
		fmt.Fprintf(&many, "w%d ", i)
	}
	row, err = c.Clean(fmt.Appendf(nil, `{"ttxid":"1","dba_name":%q}`, many.String()))
	require.NoError(t, err)
	require.NoError(t, bson.Unmarshal(row.Document, &d))
	assert.Len(t, d.Facets.Tokens, maxWords)
}

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "Café d'Été, 北京": "Café d'Été, 北京", "a\tb\n": "a\tb\n", "العربية": "العربية",
		"Bank\u200b of \u202egiF": "Bank‹U+200B› of ‹U+202E›giF", "\u2066x\u2069": "‹U+2066›x‹U+2069›", "a\x1b[31mb": "a‹U+001B›[31mb",
		"a\u00adb": "a‹U+00AD›b", "\x00\u0085": "‹U+0000›‹U+0085›", "\U000e0041": "‹U+E0041›", "e\u0301": "e\u0301",
	} {
		assert.Equal(t, want, Visible(text), "%q", text)
	}
}
