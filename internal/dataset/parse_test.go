package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sanFrancisco(t testing.TB) string {
	t.Helper()
	data, err := specs.ReadFile("specs/sf-business.yaml")
	require.NoError(t, err)
	return string(data)
}

// A small spec that is right; the tests below spoil it one place at a time.
const small = `name: fruit-stands
title: Fruit stands
portal: {host: data.example.org, id: abcd-1234}
key: id
time_zone: America/Chicago
schedule: {cron: "30 5 * * mon-fri", jitter: 5m, catch_up: 2h}
volatile: [loaded_at, ":@computed_region_*"]
silent: [place.ward]
ignored: {notes: free text of the clerk}
events: {renamed: [name], moved: [location]}
fields:
  - {path: stand_id, from: [id], type: text, required: true}
  - {path: name, from: [trade_name, name], type: text, rules: [name], search: true}
  - {path: place.ward, from: [ward], type: number, range: [1, 50]}
  - {path: place.shown, copy: location, type: point_text}
  - {path: location, from: [location], type: point}
  - {path: opened, from: [opened], type: date, required: true, defaults: ["1900-01-01"]}
  - {path: closed, from: [closed], type: date}
  - {path: revoked, from: [status], type: marker, marker: REVOKED}
lifecycle:
  start: opened
  end: [{path: closed, kind: stand}]
  closed: revoked
  intervals: [{name: stand, start: opened, end: closed}]
dimensions: [{name: ward, path: place.ward}]
breaks: [{date: "2014-10", name: new system, kind: survivors, note: Only open stands came along.}]
box: {west: -88, south: 41, east: -87, north: 43}
brake: {percent: 1, rows: 50}
license: CC0
attribution: City of Fruit
`

// What a spec says of boundaries, if it says anything.
const outlined = `boundaries: {id: wxyz-5678, name: area, title: Areas, license: CC0, attribution: City of Fruit}
`

func TestParse(t *testing.T) {
	s, err := Parse([]byte(small), "small.yaml")
	require.NoError(t, err)
	assert.Equal(t, "America/Chicago", s.Location().String())
	assert.Equal(t, 5*time.Minute, s.Schedule.Jitter)
	assert.Equal(t, 2*time.Hour, s.Schedule.CatchUp)
	assert.Zero(t, s.Schedule.Deadline, "none unless it is given")
	assert.Equal(t, 26*time.Hour, s.Schedule.Freshness, "unless it is given")
	assert.Equal(t, []string{"id", "opened"}, s.RequiredColumns())
	assert.Equal(t, "trade_name", s.ColumnOf("name"))
	assert.Equal(t, "location", s.ColumnOf("place.shown"))
	assert.Equal(t, "ward", s.ColumnOf("facets.ward"))
	assert.Equal(t, "id", s.ColumnOf("_id"))
	assert.Empty(t, s.ColumnOf("facets.color"))
	assert.Equal(t, "ward", s.FieldName("place.ward"))
	assert.True(t, s.IsVolatile("loaded_at"))
	assert.True(t, s.IsVolatile(":@computed_region_abcd"))
	assert.False(t, s.IsVolatile("ward"))
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"unknown key", "title:", "titel:", `small.yaml:2:1: unknown key "titel" in spec; known keys: attribution, boundaries,`},
		{"unknown key in a field", "rules: [name], search: true", "rulez: [name]", `small.yaml:13:56: unknown key "rulez" in fields[1]; known keys: copy, defaults, drop, from,`},
		{"unknown key deep", "kind: stand}", "kin: stand}", `small.yaml:22:24: unknown key "kin" in lifecycle.end[0]; known keys: kind, path`},
		{"not a list", "volatile: [loaded_at, \":@computed_region_*\"]", "volatile: loaded_at", `small.yaml:7:11: volatile: expected a list`},
		{"not a mapping", "portal: {host: data.example.org, id: abcd-1234}", "portal: data.example.org", `small.yaml:3:9: portal: expected a mapping`},
		{"no number", "percent: 1,", "percent: much,", `small.yaml:28:18: cannot unmarshal`},
		{"no duration", "jitter: 5m", "jitter: soon", `small.yaml:6:46: schedule.jitter: "soon" is no duration (10m, 12h)`},
		{"twice", "key: id", "key: id\nkey: id", `small.yaml:5:1:`},
		{"syntax", "box: {", "box: {{", `small.yaml:`},
		{"name", "fruit-stands", "Fruit_Stands", `small.yaml:1:7: name: "Fruit_Stands" is no dataset name`},
		{"long name", "fruit-stands", strings.Repeat("a", 31), "at most 30 characters"},
		{"no title", "title: Fruit stands", "title:", "title: is missing"},
		{"host", "data.example.org", "https://data.example.org", "is no host name"},
		{"id", "abcd-1234", "ABCD-1234", `small.yaml:3:38: portal.id: "ABCD-1234" is no dataset id`},
		{"zone", "America/Chicago", "America/Fruit", `small.yaml:5:12: time_zone: "America/Fruit" is no IANA time zone`},
		{"local zone", "America/Chicago", "Local", "time_zone: is missing"},
		{"cron", "30 5 * * mon-fri", "30 25 * * *", `bad hour "25", expected 0 to 23`},
		{"jitter", "jitter: 5m", "jitter: -5m", "must not be negative"},
		{"brake", "percent: 1,", "percent: 101,", `small.yaml:28:9: brake: percent is 0 to 100`},
		{"deadline", "catch_up: 2h", "deadline: 30s", "small.yaml:6:12: schedule: deadline is 1m to 24h"},
		{"freshness", "catch_up: 2h", "freshness: 20m", "schedule: freshness is at least 1h"},
		{"box", "west: -88", "west: -86", "west < east"},
		{"no fields", small[strings.Index(small, "fields:"):strings.Index(small, "lifecycle:")], "fields: []\n", "every stored column needs a field"},
		{"key not mapped", "key: id", "key: number", "column number is not mapped by any field"},
		{"key not plain", "{path: stand_id, from: [id], type: text, required: true}", "{path: stand_id, from: [id], type: text}", "the key's field must be required text"},
		{"path", "path: name", "path: Name", `"Name" is no document path`},
		{"deep path", "path: name", "path: a.b.c", "is no document path"},
		{"kept path", "path: name", "path: lineage.name", `"lineage" is a name Padron keeps`},
		{"path twice", "path: closed, from", "path: opened, from", "opened is there twice"},
		{"group torn", "path: closed, from", "path: place.closed, from", "the fields of place must stand together"},
		{"group is a field", "path: revoked, from", "path: place, from", "the fields of place must stand together"},
		{"type", "type: number", "type: integer", `small.yaml:14:44: fields[2].type: unknown type "integer"; known types: text, number,`},
		{"rule", "rules: [name]", "rules: [names]", `small.yaml:13:64: fields[1].rules[0]: unknown rule "names"; known rules: name,`},
		{"rule of a number", "range: [1, 50]", "rules: [zip]", "at most one rule, of a text field"},
		{"no from", "from: [ward], ", "", "needs from"},
		{"column mapped twice", "from: [closed]", "from: [opened]", "column opened is mapped already, in fields[5]"},
		{"mapped and volatile", "from: [ward]", "from: [loaded_at]", `small.yaml:14:31: fields[2].from[0]: column loaded_at is mapped and volatile`},
		{"mapped and ignored", "from: [ward]", "from: [notes]", "column notes is mapped and ignored"},
		{"volatile and ignored", "ignored: {notes", "ignored: {loaded_at", "loaded_at is volatile and ignored"},
		{"volatile twice", "[loaded_at,", "[loaded_at, loaded_at,", "loaded_at is there twice"},
		{"column name", "from: [ward]", "from: [Ward No]", `"Ward No" is no column name`},
		{"no reason", "free text of the clerk", `" "`, "needs a reason"},
		{"silent", "silent: [place.ward]", "silent: [place.board]", `no field has the path "place.board"`},
		{"copy of nothing", "copy: location", "copy: place", `no field of type point has the path "place"`},
		{"copy without type", "copy: location, type: point_text", "copy: location, type: point", "copy and type point_text go together"},
		{"default", "1900-01-01", "1900-13-01", `"1900-13-01" is no date`},
		{"range", "range: [1, 50]", "range: [50, 1]", "expected two numbers"},
		{"marker", "marker: REVOKED", "required: false", "marker (its text) and type marker go together"},
		{"start", "start: opened\n", "start: name\n", `lifecycle.start: no field of type date has the path "name"`},
		{"no end", "end: [{path: closed, kind: stand}]", "end: []", "the dates that close a row"},
		{"kind", "kind: stand", "kind: administrative", "is no kind of closing"},
		{"closed", "closed: revoked", "closed: name", "no field of type marker, bool"},
		{"interval", "end: closed}", "end: name}", `lifecycle.intervals[0].end: no field of type date`},
		{"dimension", "path: place.ward}]", "path: location}]", "no field of type text, number, bool"},
		{"dimension rule", "path: place.ward}]", "path: place.ward, rule: x}]", `unknown rule "x"`},
		{"dimension name", "[{name: ward", "[{name: open", "open is a facet of every dataset"},
		{"event path", "renamed: [name]", "renamed: [names]", `small.yaml:10:20: events.renamed[0]: no field has the path "names"`},
		{"event twice", "moved: [location]", "moved: [location, location]", `small.yaml:10:45: events.moved[1]: location is there already, in events.moved`},
		{"event of two kinds", "moved: [location]", "moved: [name]", `events.moved[0]: name is there already, in events.renamed`},
		{"silent event", "moved: [location]", "moved: [place.ward]", `events.moved[0]: place.ward is silent: its change is no event`},
		{"unknown event", "moved: [location]", "painted: [location]", `small.yaml:10:27: unknown key "painted" in events; known keys: moved, renamed`},
		{"dropped key", "type: text, required: true}", "type: text, required: true, drop: true}", `small.yaml:12:68: fields[0].drop: the key and required fields cannot be dropped`},
		{"dropped start", "required: true, defaults", "drop: true, defaults", "lifecycle.start: opened is dropped"},
		{"dropped end", "from: [closed], type: date", "from: [closed], type: date, drop: true", "lifecycle.end[0].path: closed is dropped"},
		{"dropped closure", "marker: REVOKED", "marker: REVOKED, drop: true", "lifecycle.closed: revoked is dropped"},
		{"dropped dimension", "range: [1, 50]", "range: [1, 50], drop: true", "dimensions[0].path: place.ward is dropped"},
		{"copy of what is dropped", "from: [location], type: point", "from: [location], type: point, drop: true", "fields[3].copy: location is dropped: there is nothing to copy"},
		{"dropped is no word", "search: true}", "search: true, drop: maybe}", `small.yaml:13:91: cannot unmarshal`},
		{"break date", `"2014-10"`, "2014-13", `small.yaml:26:17: breaks[0].date: "2014-13" is no date: a year, a month or a day`},
		{"break without date", `date: "2014-10", `, "", `breaks[0].date: "" is no date`},
		{"break name", "name: new system", "name: ''", "breaks[0].name: is missing"},
		{"break twice", "breaks: [", "breaks: [{date: '2013', name: new system, kind: correction, note: n}, ", `breaks[1].name: "new system" is there twice`},
		{"break kind", "kind: survivors", "kind: survivor", `breaks[0].kind: unknown kind "survivor"; known kinds: survivors, correction`},
		{"break note", "note: Only open stands came along.", "note: ' '", "breaks[0].note: is missing"},
		{"unknown key in a break", "note: Only", "why: Only", `unknown key "why" in breaks[0]; known keys: date, kind, name, note`},
		{"license", "license: CC0", "license: ''", "license: is missing"},
		{"boundaries are no mapping", outlined, "boundaries: wxyz-5678", "boundaries: expected a mapping"},
		{"boundaries' id", "id: wxyz-5678", "id: areas", `small.yaml:31:18: boundaries.id: "areas" is no dataset id`},
		{"boundaries without id", "id: wxyz-5678, ", "", `boundaries.id: "" is no dataset id`},
		{"boundaries of the register", "id: wxyz-5678", "id: abcd-1234", "boundaries.id: abcd-1234 is the register itself"},
		{"boundaries without name", "name: area, ", "", `boundaries.name: "" is no property`},
		{"boundaries without title", "title: Areas, ", "", "small.yaml:31:14: boundaries: title is missing: what the boundaries are called"},
		{"boundaries without license", "title: Areas, license: CC0,", "title: Areas,", "boundaries: license is missing"},
		{"boundaries without attribution", "license: CC0, attribution: City of Fruit}", "license: CC0}", "boundaries: attribution is missing"},
		{"boundaries of no dimension", "[{name: neighborhood", "[{name: ward", "boundaries: need the dimension neighborhood"},
		{"unknown key in boundaries", "name: area", "property: area", `unknown key "property" in boundaries; known keys: attribution, id, license, name, title`},
	} {
		t.Run(test.name, func(t *testing.T) {
			small := small
			if strings.Contains(test.name, "boundaries") {
				small = strings.Replace(small, "dimensions: [{name: ward", "dimensions: [{name: neighborhood", 1) + outlined
			}
			require.Contains(t, small, test.old)
			_, err := Parse([]byte(strings.Replace(small, test.old, test.new, 1)), "small.yaml")
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "\n")
			assert.Regexp(t, `^small\.yaml:\d+:\d+: `, err.Error())
		})
	}
	for _, empty := range []string{"", "# nothing", "--- a\n--- b", "- a", "7"} {
		_, err := Parse([]byte(empty), "x.yaml")
		require.Error(t, err, "%q", empty)
	}
}

func TestDigest(t *testing.T) {
	digest := func(text string) string {
		s, err := Parse([]byte(text), "x.yaml")
		require.NoError(t, err)
		return s.Digest()
	}
	assert.Equal(t, digest(small), digest("# a comment\n"+strings.Replace(small, "brake: {percent: 1, rows: 50}", "brake:\n  rows: 50\n  percent: 1.0", 1)))
	for _, change := range [][2]string{{"rows: 50", "rows: 51"}, {"renamed: [name]", "renamed: []"}, {"search: true", "search: true, drop: true"}} {
		assert.NotEqual(t, digest(small), digest(strings.Replace(small, change[0], change[1], 1)), change[1])
	}
	assert.Regexp(t, `^[0-9a-f]{64}$`, digest(small))
	// What makes no document another one leaves the digest, and with it every row's lineage, as it is.
	for _, change := range [][2]string{
		{"30 5 * * mon-fri", "0 6 * * *"},
		{"jitter: 5m", "jitter: 6m"},
		{"catch_up: 2h", "catch_up: 3h"},
		{`date: "2014-10"`, `date: "2015"`},
		{"breaks: [{date", "breaks: [{date: '2018', name: other, kind: correction, note: n}, {date"},
		{"license: CC0", "license: CC-BY"},
		{"City of Fruit", "City of Roots"},
		{"boundaries: {id", "# boundaries: {id"},
		{"name: area", "name: other"},
	} {
		small := strings.Replace(small, "dimensions: [{name: ward", "dimensions: [{name: neighborhood", 1) + outlined
		require.Contains(t, small, change[0])
		assert.Equal(t, digest(small), digest(strings.Replace(small, change[0], change[1], 1)), change[1])
	}
}

func TestBreaks(t *testing.T) {
	date := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for text, want := range map[string][2]time.Time{
		"2014":       {date(2014, 1, 1), date(2015, 1, 1)},
		"2014-12":    {date(2014, 12, 1), date(2015, 1, 1)},
		"2016-02-29": {date(2016, 2, 29), date(2016, 3, 1)},
	} {
		from, until := Break{Date: text}.Span()
		assert.Equal(t, want, [2]time.Time{from, until}, text)
	}
	for _, bad := range []string{"", "14", "2014-2", "2015-02-29", "2014-10-13T00:00:00", "in 2014"} {
		_, _, ok := parseSpan(bad)
		assert.False(t, ok, bad)
	}

	s, err := Parse([]byte(small), "small.yaml")
	require.NoError(t, err)
	assert.Equal(t, []Break{{Date: "2014-10", Name: "new system", Kind: BreakSurvivors, Note: "Only open stands came along."}}, s.Breaks)
	assert.Equal(t, date(2014, 11, 1), s.SurvivorsBefore())
	s.Breaks = append(s.Breaks, Break{Date: "2013", Kind: BreakSurvivors}, Break{Date: "2018", Kind: BreakCorrection})
	assert.Equal(t, date(2014, 11, 1), s.SurvivorsBefore(), "the last of its kind")
	s.Breaks = nil
	assert.Zero(t, s.SurvivorsBefore())
	sf, err := Open("sf-business")
	require.NoError(t, err)
	assert.Equal(t, date(2015, 1, 1), sf.SurvivorsBefore(), "the year is known, not the day")
	unquoted, err := Parse([]byte(strings.Replace(small, `"2014-10"`, "2014-10-13", 1)), "small.yaml")
	require.NoError(t, err)
	assert.Equal(t, "2014-10-13", unquoted.Breaks[0].Date)
}

func TestOpen(t *testing.T) {
	_, err := Open("sf-bizness")
	require.EqualError(t, err, `no dataset "sf-bizness"; known datasets: sf-business; or give the path of a spec (./sf-bizness.yaml)`)
	_, err = Open("./missing.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)
	file := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(file, []byte(small), 0o600))
	s, err := Open(file)
	require.NoError(t, err)
	assert.Equal(t, "fruit-stands", s.Name)
}

func TestCron(t *testing.T) {
	for _, ok := range []string{"0 6 * * *", "*/15 0-6,12 1 jan-mar SUN", "59 23 31 12 7", "0-30/5 * * * mon-fri"} {
		_, err := ParseCron(ok)
		require.NoError(t, err, ok)
	}
	for _, bad := range []string{"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "a * * * *", "1- * * * *", "-1 * * * *", ", * * * *", "* * * feb-jan *", "@daily"} {
		_, err := ParseCron(bad)
		require.Error(t, err, bad)
	}
	cron, err := ParseCron("*/20 6,0-2 31 feb-apr/2 sat,7,0")
	require.NoError(t, err)
	assert.Equal(t, Cron{Minutes: []int{0, 20, 40}, Hours: []int{0, 1, 2, 6}, Days: []int{31}, Months: []int{2, 4}, Weekdays: []int{0, 6}}, cron)
	cron, err = ParseCron("50/5 22/1 * * *")
	require.NoError(t, err)
	assert.Equal(t, []int{50, 55}, cron.Minutes, "a step goes on to the end")
	assert.Equal(t, []int{22, 23}, cron.Hours)
	assert.Len(t, cron.Days, 31)
	assert.Len(t, cron.Months, 12)
	assert.Len(t, cron.Weekdays, 7)
}

func TestDrop(t *testing.T) {
	s, err := Parse([]byte(strings.Replace(small, "rules: [name], search: true", "rules: [name], search: true, drop: true", 1)), "small.yaml")
	require.NoError(t, err, "what is dropped may still be named in events")
	for _, column := range []string{"trade_name", "name"} {
		assert.True(t, s.Dropped(column))
		assert.False(t, s.IsVolatile(column))
	}
	assert.False(t, s.Dropped("id"))
	assert.False(t, s.Dropped("notes"))
	for _, path := range []string{"name", "source.name", "source.trade_name.json", "facets.tokens"} {
		assert.True(t, s.DroppedPath(path), path)
	}
	for _, path := range []string{"stand_id", "_id", "location.coordinates", "facets.ward", "facets.cell", "source.notes"} {
		assert.False(t, s.DroppedPath(path), path)
	}

	check := s.Check([]Column{{"id", "text"}, {"name", "number"}, {"ward", "number"}, {"location", "point"}, {"opened", "calendar_date"}, {"closed", "calendar_date"}, {"status", "text"}, {"notes", "text"}})
	require.NoError(t, check.Err())
	assert.Equal(t, []string{"name"}, check.Dropped)
	assert.Empty(t, check.Warnings(), "neither new nor retyped, nor is trade_name missing")
}

func TestSensitive(t *testing.T) {
	text := strings.NewReplacer(
		"rules: [name], search: true", "rules: [name], search: true, sensitive: true",
		"range: [1, 50]", "range: [1, 50], sensitive: true",
		"from: [location], type: point", "from: [location], type: point, sensitive: true",
	).Replace(small)
	s, err := Parse([]byte(text), "small.yaml")
	require.NoError(t, err)
	for _, path := range []string{
		"name", "source.name", "source.trade_name", "source.name.json", "facets.tokens", "place.ward", "facets.ward", "location", "location.coordinates",
		"source.location.json", "place.shown", "facets.cell", "place", "facets", "source",
	} {
		assert.True(t, s.Sensitive(path), path)
	}
	for _, path := range []string{"stand_id", "_id", "source.id", "opened", "closed", "revoked", "names", "nam", "source.names", "facets.open", "facets.closed", "quality.flags", "source.status", ""} {
		assert.False(t, s.Sensitive(path), path)
	}
	s, err = Parse([]byte(small), "small.yaml")
	require.NoError(t, err)
	for _, path := range []string{"name", "facets.tokens", "source", "location"} {
		assert.False(t, s.Sensitive(path), path)
	}
	s, err = Parse([]byte(strings.Replace(small, "type: text, required: true}", "type: text, required: true, sensitive: true}", 1)), "small.yaml")
	require.NoError(t, err)
	assert.True(t, s.Sensitive("_id"))
	s, err = Parse([]byte(strings.Replace(small, "rules: [name], search: true", "rules: [name], search: true, sensitive: true, drop: true", 1)), "small.yaml")
	require.NoError(t, err)
	assert.True(t, s.Sensitive("name"), "older documents still have it")
}

// columns of the register in October 2026, as the portal's metadata name and type them.
func liveColumns() []Column {
	columns := []Column{
		{"location", "point"}, {"parking_tax", "checkbox"}, {"transient_occupancy_tax", "checkbox"},
	}
	for _, name := range strings.Fields("uniqueid certificate_number ttxid ownership_name dba_name full_business_address city state business_zip administratively_closed mailing_address_1 mail_city mail_state mail_zipcode self_reported_naics_code lic lic_code_description lic_code_descriptions_list business_corridor neighborhoods_analysis_boundaries supervisor_district community_benefit_district") {
		columns = append(columns, Column{name, "text"})
	}
	for _, name := range strings.Fields("dba_start_date dba_end_date location_start_date location_end_date data_as_of data_loaded_at") {
		columns = append(columns, Column{name, "calendar_date"})
	}
	for _, name := range strings.Fields("6qbp_sg9q qgnn_b9vv 26cr_cadq ajp5_b2md jwn9_ihcz") {
		columns = append(columns, Column{":@computed_region_" + name, "number"})
	}
	return columns
}

func TestCheck(t *testing.T) {
	s, err := Parse([]byte(sanFrancisco(t)), "sf-business.yaml")
	require.NoError(t, err)

	today := s.Check(liveColumns())
	require.NoError(t, today.Err())
	assert.Empty(t, today.MissingOptional, "what the portal retired is not missed")
	assert.Empty(t, today.New)
	assert.Empty(t, today.Retyped)

	var changed []Column
	for _, c := range liveColumns() {
		switch c.Name {
		case "location_end_date", "lic", "business_corridor":
			continue
		case "ttxid", "supervisor_district":
			c.Type = "number"
		case "parking_tax":
			c.Type = "text"
		}
		changed = append(changed, c)
	}
	changed = append(changed, Column{"naic_code", "text"}, Column{"brand_new", "text"})
	check := s.Check(changed)
	require.EqualError(t, check.Err(), "data.sf.gov/g8m3-pdis does not fit the spec sf-business: required column location_end_date is gone; required column ttxid is now of type number, expected text or html or url or email or phone")
	assert.Equal(t, []Missing{{"dates.location_end_date", []string{"location_end_date"}}}, check.MissingRequired)
	assert.Equal(t, []Missing{{"license.code", []string{"lic"}}, {"corridor", []string{"business_corridor"}}}, check.MissingOptional)
	assert.Equal(t, Retyped{Column: "ttxid", Path: "location_id", Type: "number", Expected: []string{"text", "html", "url", "email", "phone"}, Required: true}, check.Retyped[0])
	assert.Equal(t, []Column{{"brand_new", "text"}}, check.New)
	assert.Equal(t, []string{
		"column lic is not there: license.code stays empty",
		"column business_corridor is not there: corridor stays empty",
		"column brand_new (text) is new: it is counted, not stored",
		"column parking_tax is of type text, expected checkbox",
	}, check.Warnings())
}

// What other packages rely on by name.
func TestSanFrancisco(t *testing.T) {
	s, err := Open("sf-business")
	require.NoError(t, err)
	assert.Equal(t, Portal{Host: "data.sf.gov", ID: "g8m3-pdis", FormerHosts: []string{"data.sfgov.org"}}, s.Portal)
	assert.Equal(t, "ttxid", s.Key)
	var facets []string
	for _, d := range s.Dimensions {
		facets = append(facets, d.FacetPath()+" "+s.ColumnOf(d.FacetPath()))
	}
	assert.Equal(t, []string{"facets.neighborhood neighborhoods_analysis_boundaries", "facets.sector self_reported_naics_code", "facets.district supervisor_district"}, facets)
	assert.Equal(t, "naics_code", s.FieldName("naics.code"))
	assert.Equal(t, "license_code", s.FieldName("license.code"))
	assert.Equal(t, Events{
		Renamed: []string{"dba_name", "ownership_name"},
		Moved:   []string{"address.street", "address.city", "address.state", "address.source_zipcode", "location"},
	}, s.Events)
	assert.Equal(t, "j2bu-swwd", s.Boundaries.ID)
	assert.Equal(t, "nhood", s.Boundaries.Name)
	for _, path := range []string{"ownership_name", "address.mail_address", "address.mail_city", "address.mail_zipcode", "address.mail_state", "facets.tokens", "source.mailing_address_1"} {
		assert.True(t, s.Sensitive(path), path)
	}
	for _, path := range []string{"_id", "dba_name", "address.street", "source.dba_name", "facets.cell", "dates.location_end_date"} {
		assert.False(t, s.Sensitive(path), path)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(sanFrancisco(f)))
	f.Add([]byte("name: &a x\ntitle: *a\nfields: [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data, "fuzz.yaml")
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.NotNil(t, s.Location())
	})
}
