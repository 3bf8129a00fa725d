package dataset

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sensitive is the small spec with a sensitive name.
func sensitive(t *testing.T) *Spec {
	t.Helper()
	s, err := Parse([]byte(strings.Replace(small, "rules: [name], search: true", "rules: [name], sensitive: true, search: true", 1)), "small.yaml")
	require.NoError(t, err)
	return s
}

func TestDictionary(t *testing.T) {
	var want []Entry
	for _, e := range []struct {
		path              string
		kind              Kind
		columns           string
		always, sensitive bool
		meaning           string
	}{
		{"_id", KindString, "id", true, false, "The row's key."},
		{"stand_id", KindString, "id", true, false, "Text."},
		{"name", KindString, "trade_name name", false, true, "Text; placeholders left out."},
		{"place.ward", KindNumber, "ward", false, false, "Number; from 1 to 50."},
		{"place.shown", KindString, "", false, false, "Copy of location as text: POINT (longitude latitude)."},
		{"location", KindPoint, "location", false, false, "GeoJSON point, longitude first."},
		{"opened", KindDate, "opened", false, false, "Day; flagged where it is 1900-01-01, which stands for not known."},
		{"closed", KindDate, "closed", false, false, "Day."},
		{"revoked", KindBool, "status", false, false, `True where the column says "REVOKED", else absent.`},
		{"facets.district", KindNumber, "", false, false, "A dimension of statistics: place.ward."},
		{"facets.open", KindBool, "", false, false, "True while it has none of closed, and is not revoked; absent where an end is there and cannot be read."},
		{"facets.start_month", KindString, "", false, false, "Month of opened, such as 2014-10."},
		{"facets.end_month", KindString, "", false, false, "Month of the first of closed that closed it."},
		{"facets.closed", KindString, "", false, false, "How it closed: stand, administrative."},
		{"facets.cell", KindString, "", false, false, "Hexagon of the map, where the point lies in the dataset's box."},
		{"facets.tokens", KindStrings, "", false, true, "Words to search for, in lower case and without accents; with ~ in front those of sensitive fields."},
		{"quality.flags", KindStrings, "", false, false, "What cleaning remarked on."},
		{"quality.stale", KindBool, "", false, false, "True while the portal's newest row cannot be read: this is the last good document."},
		{"source", KindObject, "", false, false, "Originals of the columns that cleaning altered."},
		{"lineage.hash", KindBinary, "", true, true, "SHA-256 of the document without lineage and quality.stale."},
		{"lineage.version", KindInteger, "", true, false, "1 at first, one more with every change."},
		{"lineage.run", KindString, "", true, false, "Run that wrote this version."},
		{"lineage.first_seen", KindTime, "", true, false, "When a run saw the row first."},
		{"lineage.changed_at", KindTime, "", true, false, "When a run wrote this version; of a removed row, when it was removed."},
		{"lineage.spec", KindString, "", true, false, "Digest of the spec and the rules that made it."},
		{"lineage.row", KindBinary, "", false, true, "Fingerprint of the portal's row: one that comes the same is not cleaned again."},
	} {
		entry := Entry{Path: e.path, Kind: e.kind, Always: e.always, Sensitive: e.sensitive, Meaning: e.meaning}
		if e.columns != "" {
			entry.Columns = strings.Fields(e.columns)
		}
		want = append(want, entry)
	}
	assert.Equal(t, want, sensitive(t).Dictionary())
}

func TestDictionaryFollowsTheSpec(t *testing.T) {
	find := func(path string, changes ...string) (Entry, bool) {
		s, err := Parse([]byte(strings.NewReplacer(changes...).Replace(small)), "small.yaml")
		require.NoError(t, err)
		for _, e := range s.Dictionary() {
			if e.Path == path {
				return e, true
			}
		}
		return Entry{}, false
	}
	e, _ := find("facets.open", "  closed: revoked\n", "")
	assert.Equal(t, "True while it has none of closed; absent where an end is there and cannot be read.", e.Meaning)
	e, _ = find("facets.open", "from: [closed], type: date}", "from: [closed], type: date, required: true}")
	assert.Equal(t, "True while it has none of closed, and is not revoked.", e.Meaning)
	assert.True(t, e.Always, "a row whose end cannot be read is in quarantine")
	e, _ = find("facets.open", "kind: stand}", "kind: stand, expires: true}")
	assert.Contains(t, e.Meaning, "True while it has none of closed that has passed on the day of the portal's version")
	e, _ = find("closed", "from: [closed], type: date}", "from: [closed], type: date, forms: [YYYYMMDD, MM/DD/YYYY]}")
	assert.Equal(t, "Day; also read as YYYYMMDD or MM/DD/YYYY.", e.Meaning)
	e, _ = find("facets.closed", "  closed: revoked\n", "")
	assert.Equal(t, "How it closed: stand.", e.Meaning)
	e, _ = find("facets.district", "path: place.ward}]", "path: name, rule: naics_sector}]")
	assert.Equal(t, KindString, e.Kind)
	assert.Equal(t, "A dimension of statistics: the sector of name, its longest known prefix (two digits, three of 721 and 722).", e.Meaning)
	e, _ = find("closed", "from: [closed], type: date", "from: [closed], type: date, retired: May 2020")
	assert.Equal(t, "Day; not published any more since May 2020.", e.Meaning)
	e, _ = find("closed", "from: [closed], type: date", `from: [closed], type: date, defaults: ["1900-01-01", "1970-01-01"]`)
	assert.Equal(t, "Day; flagged where it is 1900-01-01 or 1970-01-01, which stands for not known.", e.Meaning)
	e, _ = find("place.ward", ", range: [1, 50]", "")
	assert.Equal(t, "Number.", e.Meaning)
	e, _ = find("name", "rules: [name]", "rules: [naics]")
	assert.Equal(t, "Text; industry code (NAICS), two to six digits.", e.Meaning)

	drop := []string{"type: point}", "type: point, drop: true}", "type: point_text}", "type: point_text, drop: true}", "search: true", "search: true, drop: true"}
	for _, path := range []string{"location", "place.shown", "facets.cell", "facets.tokens", "name"} {
		_, ok := find(path)
		assert.True(t, ok, path)
		_, ok = find(path, drop...)
		assert.False(t, ok, "%s is dropped", path)
	}
}

func TestSchemas(t *testing.T) {
	for name, c := range map[string]struct {
		schema       map[string]any
		word         string
		number       any
		integer, day string
	}{
		"JSON":    {sensitive(t).JSONSchema(), "type", "number", "integer", "string"},
		"MongoDB": {sensitive(t).MongoSchema(), "bsonType", []string{"int", "long", "double"}, "int", "date"},
	} {
		t.Run(name, func(t *testing.T) {
			at := func(path string) map[string]any {
				node := c.schema
				for name := range strings.SplitSeq(path, ".") {
					properties, ok := node["properties"].(map[string]any)
					require.True(t, ok, path)
					node, ok = properties[name].(map[string]any)
					require.True(t, ok, path)
				}
				return node
			}
			assert.Equal(t, "object", c.schema[c.word])
			assert.Equal(t, false, c.schema["additionalProperties"])
			assert.Equal(t, []string{"_id", "stand_id", "lineage"}, c.schema["required"])
			assert.Len(t, c.schema["properties"], 12)
			assert.Nil(t, at("facets")["required"])
			assert.Equal(t, false, at("facets")["additionalProperties"])
			assert.Equal(t, []string{"version", "run", "first_seen", "changed_at", "spec"}, at("lineage")["required"])
			assert.Nil(t, at("place")["required"])
			assert.Len(t, at("place")["properties"], 2)
			assert.Equal(t, c.number, at("place.ward")[c.word])
			assert.Equal(t, "Number; from 1 to 50.", at("place.ward")["description"])
			assert.Equal(t, c.integer, at("lineage.version")[c.word])
			assert.Equal(t, c.day, at("opened")[c.word])
			assert.Equal(t, []string{"type", "coordinates"}, at("location")["required"])
			assert.Equal(t, 2, at("location.coordinates")["minItems"])
			assert.Equal(t, 2, at("location.coordinates")["maxItems"])
		})
	}
	private, err := Parse([]byte(strings.Replace(small, "type: text, required: true}", "type: text, required: true, sensitive: true}", 1)), "small.yaml")
	require.NoError(t, err)
	assert.Equal(t, []string{"lineage"}, private.JSONSchema()["required"], "a sensitive key may be left out")
	s := sensitive(t).JSONSchema()
	assert.Equal(t, "https://json-schema.org/draft/2020-12/schema", s["$schema"])
	assert.Equal(t, "Fruit stands", s["title"])
}
