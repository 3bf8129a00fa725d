package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"
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
untracked: [place.ward]
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
dimensions: [{name: district, path: place.ward}]
breaks: [{date: "2014-10", name: new system, kind: survivors, note: Only open stands came along.}]
box: {west: -88, south: 41, east: -87, north: 43}
max_removals: {percent: 1, rows: 50}
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
	assert.Equal(t, 35*24*time.Hour, s.Schedule.Standstill, "unless it is given")
	assert.Equal(t, Limit{Percent: 5, Rows: 10}, s.MaxQuarantined, "unless it is given")
	assert.Equal(t, Limit{Percent: 0.1, Rows: 10}, s.MaxStale, "unless it is given")
	assert.Equal(t, []string{"id", "opened"}, s.RequiredColumns())
	assert.Equal(t, "trade_name", s.ColumnOf("name"))
	assert.Equal(t, "location", s.ColumnOf("place.shown"))
	assert.Equal(t, "ward", s.ColumnOf("facets.district"))
	assert.Equal(t, "id", s.ColumnOf("_id"))
	assert.Empty(t, s.ColumnOf("facets.color"))
	assert.Equal(t, "ward", s.FieldName("place.ward"))
	assert.True(t, s.IsVolatile("loaded_at"))
	assert.True(t, s.IsVolatile(":@computed_region_abcd"))
	assert.False(t, s.IsVolatile("ward"))
}

func TestLimits(t *testing.T) {
	s, err := Parse([]byte(small+"max_quarantined: {percent: 0, rows: 0}\nmax_stale: {percent: 2.5}\n"), "small.yaml")
	require.NoError(t, err)
	assert.Zero(t, s.MaxQuarantined)
	assert.InDelta(t, 2.5, s.MaxStale.Percent, 0)
	standard, err := Parse([]byte(small), "small.yaml")
	require.NoError(t, err)
	assert.NotEqual(t, standard.Digest(), s.Digest(), "what was green may not be any more")
	assert.EqualValues(t, 10, DefaultMaxQuarantined.Of(100))
	assert.EqualValues(t, 200, DefaultMaxQuarantined.Of(4000))
}

// TestParseErrors is long for its table: one line for each thing that can be wrong.
func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"unknown key", "title:", "titel:", `small.yaml:2:1: unknown key "titel" in spec; known keys: attribution, boundaries,`},
		{"key renamed to max_removals", "max_removals:", "brake:", `small.yaml:28:1: unknown key "brake" in spec: it is called max_removals now`},
		{"key renamed to untracked", "untracked:", "silent:", `small.yaml:8:1: unknown key "silent" in spec: it is called untracked now`},
		{"unknown key in a field", "rules: [name], search: true", "rulez: [name]", `small.yaml:13:56: unknown key "rulez" in fields[1]; known keys: copy, defaults, drop, forms, from,`},
		{"forms of what is no date", "rules: [name], search: true", "forms: [YYYYMMDD]", `small.yaml:13:63: fields[1].forms: only dates have forms`},
		{"unknown form", "from: [closed], type: date", "from: [closed], type: date, forms: [YYYYMMDD, D/M/YY]", `fields[6].forms[1]: unknown form "D/M/YY"; known forms: YYYYMMDD, MM/DD/YYYY, DD/MM/YYYY, `},
		{"month and day first", "from: [closed], type: date", "from: [closed], type: date, forms: [MM/DD/YYYY, DD/MM/YYYY]", `DD/MM/YYYY and month first: nothing says which of the two 1/2/2021 is`},
		{"a form twice", "from: [closed], type: date", "from: [closed], type: date, forms: [YYYYMMDD, YYYYMMDD]", `YYYYMMDD is there twice`},
		{"unknown key deep", "kind: stand}", "kin: stand}", `small.yaml:22:24: unknown key "kin" in lifecycle.end[0]; known keys: expires, kind, path`},
		{"not a list", "volatile: [loaded_at, \":@computed_region_*\"]", "volatile: loaded_at", `small.yaml:7:11: volatile: expected a list`},
		{"not a mapping", "portal: {host: data.example.org, id: abcd-1234}", "portal: data.example.org", `small.yaml:3:9: portal: expected a mapping`},
		{"no number", "percent: 1,", "percent: much,", `small.yaml:28:25: cannot unmarshal`},
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
		{"cron", "30 5 * * mon-fri", "30 25 * * *", `schedule.cron: cron "30 25 * * *": end of range (25) above maximum (23)`},
		{"jitter", "jitter: 5m", "jitter: -5m", "must not be negative"},
		{"max_removals", "percent: 1,", "percent: 101,", `small.yaml:28:16: max_removals: percent is 0 to 100`},
		{"max_quarantined", "license: CC0", "license: CC0\nmax_quarantined: {percent: 5, rows: -1}", "max_quarantined: percent is 0 to 100"},
		{"max_stale", "license: CC0", "license: CC0\nmax_stale: {percent: 500, rows: 1}", "max_stale: percent is 0 to 100"},
		{"deadline", "catch_up: 2h", "deadline: 30s", "small.yaml:6:12: schedule: deadline is 1m to 24h"},
		{"freshness", "catch_up: 2h", "freshness: 20m", "schedule: freshness is at least 1h"},
		{"history", "\nkey: ", "\nhistory: {since: soon, every: month}\nkey: ", `history.since: "soon" is no day since 1800 (1990-01-01)`},
		{"history too far back", "\nkey: ", "\nhistory: {since: 1066-10-14, every: month}\nkey: ", `history.since: "1066-10-14" is no day since 1800`},
		{"history of days", "\nkey: ", "\nhistory: {since: 1990-01-01, every: day}\nkey: ", `history.every: "day": use month, quarter, year`},
		{"standstill", "catch_up: 2h", "standstill: 23h", "schedule: standstill is at least 24h"},
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
		{"untracked", "untracked: [place.ward]", "untracked: [place.board]", `no field has the path "place.board"`},
		{"copy of nothing", "copy: location", "copy: place", `no field of type point has the path "place"`},
		{"copy of no point", "copy: location", "copy: name", `no field of type point has the path "name"`},
		{"copy with columns", "copy: location,", "copy: location, from: [spot],", "a copy has no columns of its own"},
		{"required copy", "copy: location,", "copy: location, required: true,", "a copy has no columns of its own and cannot be required"},
		{"dropped required field", "from: [opened], type: date,", "from: [opened], type: date, drop: true,", "the key and required fields cannot be dropped"},
		{"copy without type", "copy: location, type: point_text", "copy: location, type: point", "copy and type point_text go together"},
		{"default", "1900-01-01", "1900-13-01", `"1900-13-01" is no date`},
		{"range", "range: [1, 50]", "range: [50, 1]", "expected two numbers"},
		{"marker", "marker: REVOKED", "required: false", "marker (its text) and type marker go together"},
		{"start", "start: opened\n", "start: name\n", `lifecycle.start: no field of type date has the path "name"`},
		{"no end", "end: [{path: closed, kind: stand}]", "end: []", "the dates that close a row"},
		{"kind", "kind: stand", "kind: administrative", "is no kind of closing"},
		{"closed", "closed: revoked", "closed: name", "no field of type marker, bool"},
		{"interval", "end: closed}", "end: name}", `lifecycle.intervals[0].end: no field of type date`},
		{"dimension", "path: place.ward}]", "path: location}]", "no field of type text, number has"},
		{"dimension of another name", "[{name: district", "[{name: ward", `dimensions[0].name: statistics, pages and exports count by neighborhood, sector, district only: give ward one of these names, or leave it out (its field stays)`},
		{"neighborhood that is a number", "[{name: district", "[{name: neighborhood", `dimensions[0].path: no field of type text has the path "place.ward"`},
		{"district that is a marker", "path: place.ward}]", "path: revoked}]", `no field of type text, number has the path "revoked"`},
		{"dimension rule", "path: place.ward}]", "path: place.ward, rule: x}]", `unknown rule "x"`},
		{"dimension name", "[{name: district", "[{name: open", "open is a facet of every dataset"},
		{"event path", "renamed: [name]", "renamed: [names]", `small.yaml:10:20: events.renamed[0]: no field has the path "names"`},
		{"event twice", "moved: [location]", "moved: [location, location]", `small.yaml:10:45: events.moved[1]: location is there already, in events.moved`},
		{"event of two kinds", "moved: [location]", "moved: [name]", `events.moved[0]: name is there already, in events.renamed`},
		{"untracked event", "moved: [location]", "moved: [place.ward]", `events.moved[0]: place.ward is untracked: its change is no event`},
		{"unknown event", "moved: [location]", "painted: [location]", `small.yaml:10:27: unknown key "painted" in events; known keys: moved, renamed`},
		{"dropped key", "type: text, required: true}", "type: text, required: true, drop: true}", `small.yaml:12:68: fields[0].drop: the key and required fields cannot be dropped`},
		{"dropped start", "required: true, defaults", "drop: true, defaults", "lifecycle.start: opened is dropped"},
		{"dropped end", "from: [closed], type: date", "from: [closed], type: date, drop: true", "lifecycle.end[0].path: closed is dropped"},
		{"dropped closure", "marker: REVOKED", "marker: REVOKED, drop: true", "lifecycle.closed: revoked is dropped"},
		{"sensitive dimension", "range: [1, 50]", "range: [1, 50], sensitive: true", "dimensions[0].path: place.ward is sensitive, and what is counted by it is shown to everybody"},
		{"sensitive end", "from: [closed], type: date", "from: [closed], type: date, sensitive: true", "lifecycle.end[0].path: closed is sensitive"},
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
		{"boundaries of no dimension", "[{name: neighborhood", "[{name: district", "boundaries: need the dimension neighborhood"},
		{"unknown key in boundaries", "name: area", "property: area", `unknown key "property" in boundaries; known keys: attribution, id, license, name, title`},
	} {
		t.Run(test.name, func(t *testing.T) {
			small := small
			if strings.Contains(test.name, "boundaries") {
				small = strings.Replace(small, "dimensions: [{name: district, path: place.ward", "dimensions: [{name: neighborhood, path: name", 1) + outlined
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

// TestBounds holds each bound of a spec on both sides: the last value that is
// allowed, and the first that is not.
func TestBounds(t *testing.T) {
	for _, test := range []struct{ old, inside, outside, want string }{
		{"fruit-stands", strings.Repeat("a", 30), strings.Repeat("a", 31), "at most 30 characters"},
		{"jitter: 5m", "jitter: 0s", "jitter: -1ns", "must not be negative"},
		{"catch_up: 2h", "catch_up: 0s", "catch_up: -1ns", "must not be negative"},
		{"catch_up: 2h", "deadline: 1m", "deadline: 59s", "deadline is 1m to 24h"},
		{"catch_up: 2h", "deadline: 24h", "deadline: 24h1s", "deadline is 1m to 24h"},
		{"catch_up: 2h", "freshness: 1h", "freshness: 59m59s", "freshness is at least 1h"},
		{"percent: 1,", "percent: 0,", "percent: -0.1,", "percent is 0 to 100"},
		{"percent: 1,", "percent: 100,", "percent: 100.1,", "percent is 0 to 100"},
		{"rows: 50", "rows: 0", "rows: -1", "rows not negative"},
		{"west: -88", "west: -180", "west: -180.1", "expected degrees"},
		{"west: -88", "west: -87.1", "west: -87", "west < east"},
		{"east: -87", "east: 180", "east: 180.1", "expected degrees"},
		{"south: 41", "south: -90", "south: -90.1", "expected degrees"},
		{"south: 41", "south: 42.9", "south: 43", "south < north"},
		{"north: 43", "north: 90", "north: 90.1", "expected degrees"},
		{"range: [1, 50]", "range: [50, 50]", "range: [51, 50]", "expected two numbers"},
		{"range: [1, 50]", "range: [-2, -1]", "range: [1, 2, 3]", "expected two numbers"},
		{"box:", "cities: {names: [{name: Fig, zips: ['60']}]}\nbox:", "cities: {names: [{name: Fig, zips: ['6']}]}\nbox:", "two to five digits"},
		{"box:", "cities: {names: [{name: Fig, zips: ['60601']}]}\nbox:", "cities: {names: [{name: Fig, zips: ['606011']}]}\nbox:", "two to five digits"},
	} {
		require.Contains(t, small, test.old)
		_, err := Parse([]byte(strings.Replace(small, test.old, test.inside, 1)), "small.yaml")
		require.NoError(t, err, test.inside)
		_, err = Parse([]byte(strings.Replace(small, test.old, test.outside, 1)), "small.yaml")
		require.ErrorContains(t, err, test.want, test.outside)
	}
}

// TestPlacesOfWhatIsMissing finds the nearest place in the file.
func TestPlacesOfWhatIsMissing(t *testing.T) {
	_, err := Parse([]byte(strings.Replace(small, "box: {west: -88, south: 41, east: -87, north: 43}", "box: {}", 1)), "small.yaml")
	require.ErrorContains(t, err, "small.yaml:27:6: box: expected degrees")
	file, err := parser.ParseBytes([]byte("volatile: [a, b]\n"), 0)
	require.NoError(t, err)
	src := source{name: "x.yaml", root: file.Docs[0].Body}
	require.EqualError(t, src.at("volatile[1]", "bad"), "x.yaml:1:15: volatile[1]: bad")
	require.EqualError(t, src.at("volatile[2]", "bad"), "x.yaml:1:11: volatile[2]: bad")
}

func TestBox(t *testing.T) {
	b := Box{West: -88, South: 41, East: -87, North: 43}
	for _, in := range [][2]float64{{-88, 41}, {-87, 43}, {-88, 43}, {-87, 41}, {-87.5, 42}} {
		assert.True(t, b.Contains(in[0], in[1]), in)
	}
	for _, out := range [][2]float64{{-88.01, 42}, {-86.99, 42}, {-87.5, 40.99}, {-87.5, 43.01}} {
		assert.False(t, b.Contains(out[0], out[1]), out)
	}
}

func TestFieldsAndPortal(t *testing.T) {
	s, err := Parse([]byte(small), "small.yaml")
	require.NoError(t, err)
	f, ok := s.Field("stand_id")
	assert.True(t, ok, "the first one")
	assert.Equal(t, []string{"id"}, f.From)
	_, ok = s.Field("stand")
	assert.False(t, ok)
	assert.Equal(t, "https://data.example.org", s.Portal.BaseURL(""))
	assert.Equal(t, "http://127.0.0.1:8090", s.Portal.BaseURL("http://127.0.0.1:8090"))
}

func TestDigest(t *testing.T) {
	digest := func(text string) string {
		s, err := Parse([]byte(text), "x.yaml")
		require.NoError(t, err)
		return s.Digest()
	}
	assert.Equal(t, digest(small), digest("# a comment\n"+strings.Replace(small, "max_removals: {percent: 1, rows: 50}", "max_removals:\n  rows: 50\n  percent: 1.0", 1)))
	for _, change := range [][2]string{{"rows: 50", "rows: 51"}, {"renamed: [name]", "renamed: []"}, {"search: true", "search: true, drop: true"}} {
		assert.NotEqual(t, digest(small), digest(strings.Replace(small, change[0], change[1], 1)), change[1])
	}
	assert.Regexp(t, `^[0-9a-f]{64}$`, digest(small))
	// Digests are stored in every document and run. Those of version 2 of the
	// rules keep the names of version 1: max_removals was called brake, and untracked
	// silent.
	if RulesVersion == 2 {
		assert.Equal(t, "a6b503a00527c8220f8a57a8441deff7fd9d9db7d37ad9618cb503d2c1b93c26", digest(small))
		assert.Equal(t, "ae1d572eb2e6d0b551cce8e07b0f2dd659606ac9abbf0b7ce59a9b557f52d047", digest(sanFrancisco(t)))
		assert.NotEqual(t, digest(small), digest(strings.Replace(small, "notes:", "max_removals: a column of that name, untracked:", 1)))
	}
	// Keys on which no document depends do not change the digest, nor with it
	// the lineage of every row.
	for _, change := range [][2]string{
		{"30 5 * * mon-fri", "0 6 * * *"},
		{"jitter: 5m", "jitter: 6m"},
		{"\nkey: ", "\nhistory: {since: 1990-01-01, every: year}\nkey: "},
		{"catch_up: 2h", "catch_up: 3h"},
		{"catch_up: 2h", "standstill: 48h"},
		{`date: "2014-10"`, `date: "2015"`},
		{"breaks: [{date", "breaks: [{date: '2018', name: other, kind: correction, note: n}, {date"},
		{"license: CC0", "license: CC-BY"},
		{"City of Fruit", "City of Roots"},
		{"boundaries: {id", "# boundaries: {id"},
		{"name: area", "name: other"},
	} {
		small := strings.Replace(small, "dimensions: [{name: district, path: place.ward", "dimensions: [{name: neighborhood, path: name", 1) + outlined
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

// values returns the numbers of the bits that are set, without the mark of a
// star.
func values(bits uint64) []int {
	var all []int
	for n := range 63 {
		if bits>>n&1 == 1 {
			all = append(all, n)
		}
	}
	return all
}

// TestCronOfEitherDay: where day of month and day of week are both restricted, a day
// of either is one, and what Temporal is given says the same.
func TestCronOfEitherDay(t *testing.T) {
	from := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) // a Sunday
	for expr, want := range map[string]struct {
		parts []string
		next  []string
	}{
		"0 6 1,15 * mon": {[]string{"0 6 1,15 * *", "0 6 * * mon"}, []string{"2026-11-30", "2026-12-01", "2026-12-07", "2026-12-14", "2026-12-15"}},
		"0 6 1,15 * *":   {nil, []string{"2026-12-01", "2026-12-15", "2027-01-01"}},
		"0 6 * * mon":    {nil, []string{"2026-11-30", "2026-12-07"}},
		"0 6 */2 * mon":  {nil, []string{"2026-12-07", "2026-12-21"}}, // begins with *: both
		"0 6 13 * */5":   {nil, []string{"2026-12-13", "2027-06-13"}}, // Sundays and Fridays that are a 13th
		"0 6 31 2 fri":   {[]string{"0 6 * 2 fri"}, []string{"2027-02-05"}},
		"0 6 29 2 *":     {nil, []string{"2028-02-29"}},
	} {
		cron, err := ParseCron(expr)
		require.NoError(t, err, expr)
		at := from
		for _, day := range want.next {
			at = cron.Next(at)
			assert.Equal(t, day+" 06:00", at.Format("2006-01-02 15:04"), expr)
		}
		if want.parts == nil {
			want.parts = []string{expr}
		}
		assert.Equal(t, want.parts, CronParts(expr))
	}
	for _, never := range []string{"0 6 31 2 *", "0 6 30 2 *", "0 6 31 4,6,9,11 *"} {
		_, err := ParseCron(never)
		require.ErrorContains(t, err, "never comes", never)
	}
}

func TestCron(t *testing.T) {
	for _, ok := range []string{"0 6 * * *", "*/15 0-6,12 1 jan-mar SUN", "59 23 31 12 7", "0-30/5 * * * mon-fri"} {
		_, err := ParseCron(ok)
		require.NoError(t, err, ok)
	}
	for _, bad := range []string{
		"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *",
		"a * * * *", "1- * * * *", "-1 * * * *", ", * * * *", "* * * feb-jan *", "@daily", "@every 1h",
		// The parser accepts some of these; Temporal refuses them or reads them
		// differently.
		"1,,2 * * * *", "1, * * * *", "*-5 * * * *", "0 6 ? * *", "+5 6 * * *", "TZ=UTC 0 6 * * *", "CRON_TZ=UTC 0 6 * * *", "0 6 * * * # six",
		"0 6 * * monday", "0 6 * * 1-7/2", "0 6 * * 1/2", "0 6 * * mon/2", "0 6 * * 7-7", "0 6 * * 7-0", "0 6 * * 1-7", "0 6 * * 7/1",
	} {
		_, err := ParseCron(bad)
		require.Error(t, err, bad)
		require.Contains(t, err.Error(), "cron "+strconv.Quote(bad), bad)
	}
	cron, err := ParseCron("*/20 6,0-2 31 feb-apr/2 sat,7,0")
	require.NoError(t, err)
	assert.Equal(t, []int{0, 20, 40}, values(cron.Minute))
	assert.Equal(t, []int{0, 1, 2, 6}, values(cron.Hour))
	assert.Equal(t, []int{31}, values(cron.Dom))
	assert.Equal(t, []int{2, 4}, values(cron.Month))
	assert.Equal(t, []int{0, 6}, values(cron.Dow))
	cron, err = ParseCron("50/5 22/1 * * 5-6,7,2")
	require.NoError(t, err)
	assert.Equal(t, []int{0}, values(cron.Second))
	assert.Equal(t, []int{50, 55}, values(cron.Minute), "a step goes on to the end")
	assert.Equal(t, []int{22, 23}, values(cron.Hour))
	assert.Len(t, values(cron.Dom), 31)
	assert.Len(t, values(cron.Month), 12)
	assert.Equal(t, []int{0, 2, 5, 6}, values(cron.Dow))
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
	for _, path := range []string{"stand_id", "_id", "location.coordinates", "facets.district", "facets.cell", "source.notes"} {
		assert.False(t, s.DroppedPath(path), path)
	}

	check := s.Check([]Column{{Name: "id", Type: "text"}, {Name: "name", Type: "number"}, {Name: "ward", Type: "number"}, {Name: "location", Type: "point"}, {Name: "opened", Type: "calendar_date"}, {Name: "closed", Type: "calendar_date"}, {Name: "status", Type: "text"}, {Name: "notes", Type: "text"}})
	require.NoError(t, check.Err())
	assert.Equal(t, []string{"name"}, check.Dropped)
	assert.Empty(t, check.Warnings(), "neither new nor retyped, nor is trade_name missing")
}

func TestSensitive(t *testing.T) {
	text := strings.NewReplacer(
		"rules: [name], search: true", "rules: [name], search: true, sensitive: true",
		"from: [location], type: point", "from: [location], type: point, sensitive: true",
	).Replace(small)
	s, err := Parse([]byte(text), "small.yaml")
	require.NoError(t, err)
	for _, path := range []string{
		"name", "source.name", "source.trade_name", "source.name.json", "facets.tokens", "location", "location.coordinates",
		"source.location.json", "place.shown", "facets.cell", "place", "facets", "source",
		"quality.flags.name_placeholder", "lineage.hash", "lineage",
		// What this spec does not know, or keeps nowhere, an older one may have kept.
		"names", "nam", "source.names", "source.notes", "owner", "place.owner", "facets.owner", "quality.flags.owner_placeholder", "lineage.owner", "",
	} {
		assert.True(t, s.Sensitive(path), path)
	}
	for _, path := range []string{"stand_id", "_id", "source.id", "source.opened", "opened", "closed", "revoked", "facets.open", "facets.closed", "quality.flags", "quality.flags.opened_format", "quality.flags.closed_without_end_date", "quality.stale", "lineage.version", "source.status"} {
		assert.False(t, s.Sensitive(path), path)
	}
	s, err = Parse([]byte(small), "small.yaml")
	require.NoError(t, err)
	for _, path := range []string{"name", "facets.tokens", "source", "location", "lineage.hash"} {
		assert.False(t, s.Sensitive(path), path)
	}
	s, err = Parse([]byte(strings.Replace(small, "type: text, required: true}", "type: text, required: true, sensitive: true}", 1)), "small.yaml")
	require.NoError(t, err)
	assert.True(t, s.Sensitive("_id"))
	s, err = Parse([]byte(strings.Replace(small, "rules: [name], search: true", "rules: [name], search: true, sensitive: true, drop: true", 1)), "small.yaml")
	require.NoError(t, err)
	assert.True(t, s.Sensitive("name"), "older documents still have it")
	s, err = Parse([]byte(strings.Replace(small, "rules: [name], search: true", "rules: [name], search: true, drop: true", 1)), "small.yaml")
	require.NoError(t, err)
	assert.True(t, s.Sensitive("source.trade_name"), "it must not be kept at all")
}

// columns of the register in October 2026, as the portal's metadata name and
// type them.
func liveColumns() []Column {
	columns := []Column{
		{Name: "location", Type: "point"}, {Name: "parking_tax", Type: "checkbox"}, {Name: "transient_occupancy_tax", Type: "checkbox"},
	}
	for _, name := range strings.Fields("uniqueid certificate_number ttxid ownership_name dba_name full_business_address city state business_zip administratively_closed mailing_address_1 mail_city mail_state mail_zipcode self_reported_naics_code lic lic_code_description lic_code_descriptions_list business_corridor neighborhoods_analysis_boundaries supervisor_district community_benefit_district") {
		columns = append(columns, Column{Name: name, Type: "text"})
	}
	for _, name := range strings.Fields("dba_start_date dba_end_date location_start_date location_end_date data_as_of data_loaded_at") {
		columns = append(columns, Column{Name: name, Type: "calendar_date"})
	}
	for _, name := range strings.Fields("6qbp_sg9q qgnn_b9vv 26cr_cadq ajp5_b2md jwn9_ihcz") {
		columns = append(columns, Column{Name: ":@computed_region_" + name, Type: "number"})
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
	changed = append(changed, Column{Name: "naic_code", Type: "text"}, Column{Name: "brand_new", Type: "text"})
	check := s.Check(changed)
	require.EqualError(t, check.Err(), "data.sf.gov/g8m3-pdis does not fit the spec sf-business: required column location_end_date is gone; required column ttxid is now of type number, expected text or html or url or email or phone")
	assert.Equal(t, []Missing{{Path: "dates.location_end_date", Columns: []string{"location_end_date"}}}, check.MissingRequired)
	assert.Equal(t, []Missing{{Path: "license.code", Columns: []string{"lic"}}, {Path: "corridor", Columns: []string{"business_corridor"}}}, check.MissingOptional)
	assert.Equal(t, Retyped{Column: "ttxid", Path: "location_id", Type: "number", Expected: []string{"text", "html", "url", "email", "phone"}, Required: true}, check.Retyped[0])
	assert.Equal(t, []Column{{Name: "brand_new", Type: "text"}}, check.New)
	assert.Equal(t, []string{
		"column lic is not there: license.code stays empty",
		"column business_corridor is not there: corridor stays empty",
		"column brand_new (text) is new: it is counted, not stored",
		"column parking_tax is of type text, expected checkbox",
	}, check.Warnings())
}

// TestColumnsThatAreListedOnly counts as missing what the portal lists and denies.
func TestColumnsThatAreListedOnly(t *testing.T) {
	s, err := Parse([]byte(sanFrancisco(t)), "sf-business.yaml")
	require.NoError(t, err)
	listed := func(names ...string) Check {
		columns := liveColumns()
		for i := range columns {
			columns[i].ListedOnly = slices.Contains(names, columns[i].Name)
		}
		return s.Check(append(columns, Column{Name: "permit_valuation", Type: "number", ListedOnly: true}))
	}
	check := listed("lic", "data_as_of")
	require.NoError(t, check.Err())
	assert.Equal(t, []string{"lic", "data_as_of", "permit_valuation"}, check.ListedOnly)
	assert.Empty(t, check.New)
	assert.Equal(t, []string{
		"column lic is not there: license.code stays empty",
		"column lic is listed by the portal, but denied when it is asked for: it is left out",
		"column data_as_of is listed by the portal, but denied when it is asked for: it is left out",
		"column permit_valuation is listed by the portal, but denied when it is asked for: it is left out",
	}, check.Warnings())
	require.EqualError(t, listed("ttxid").Err(),
		"data.sf.gov/g8m3-pdis does not fit the spec sf-business: required column ttxid is listed by the portal, but denied when it is asked for")
}

// Other packages rely on these by name.
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
