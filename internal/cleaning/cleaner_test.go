package cleaning

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
)

func newCleaner(t testing.TB) *Cleaner {
	t.Helper()
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	c, err := New(spec)
	require.NoError(t, err)
	return c
}

// equalDocuments compares an expected document, written by hand as extended JSON, byte by byte.
func equalDocuments(t *testing.T, want json.RawMessage, got bson.Raw) {
	t.Helper()
	var d bson.D
	require.NoError(t, bson.UnmarshalExtJSON(want, false, &d))
	bytes, err := bson.Marshal(d)
	require.NoError(t, err)
	if !slices.Equal(bytes, got) {
		wantText, err := bson.MarshalExtJSONIndent(d, true, false, "", "  ")
		require.NoError(t, err)
		gotText, err := bson.MarshalExtJSONIndent(got, true, false, "", "  ")
		require.NoError(t, err)
		require.Equal(t, string(wantText), string(gotText))
		require.Fail(t, "the same as JSON, but other bytes")
	}
}

type flagCase struct {
	Name     string          `json:"name"`
	Row      json.RawMessage `json:"row"`
	Document json.RawMessage `json:"document"`
}

func flagCases(t testing.TB) []flagCase {
	t.Helper()
	data, err := os.ReadFile("testdata/flags.json")
	require.NoError(t, err)
	var cases []flagCase
	require.NoError(t, json.Unmarshal(data, &cases))
	return cases
}

func TestFlags(t *testing.T) {
	seen := map[string]bool{}
	for _, test := range flagCases(t) {
		t.Run(test.Name, func(t *testing.T) {
			c := newCleaner(t)
			row, err := c.Clean(test.Row)
			require.NoError(t, err)
			require.Empty(t, row.Quarantine)
			equalDocuments(t, test.Document, row.Document)
			assert.Equal(t, sha256.Sum256(row.Document), row.Hash)
			assert.True(t, slices.IsSorted(row.Flags))
			for _, flag := range row.Flags {
				seen[flag] = true
				assert.Contains(t, Flags(c.spec), flag)
				assert.Equal(t, 1, c.Profile().Flags[flag])
			}
		})
	}
	for _, r := range Rules() {
		suffix := r.Flag[strings.LastIndexByte(r.Flag, '>')+1:]
		found := false
		for flag := range seen {
			found = found || strings.HasSuffix(flag, suffix)
		}
		assert.True(t, found, "no row of testdata shows %s", r.Flag)
	}
}

func TestQuarantine(t *testing.T) {
	for _, test := range []struct{ name, row, key, reason string }{
		{"no key", `{"dba_name":"A"}`, "", "no key"},
		{"null key", `{"ttxid":null}`, "", "no key"},
		{"empty key", `{"ttxid":""}`, "", "key is empty"},
		{"number", `{"ttxid":12}`, "", "key is not text"},
		{"space before", `{"ttxid":" 9-1"}`, " 9-1", "key has white space"},
		{"line end", `{"ttxid":"9-1\n"}`, "9-1\n", "key has white space"},
		{"unreadable end", `{"ttxid":"9-1","location_end_date":"soon"}`, "9-1", "unreadable value in required column location_end_date"},
		{"no such day", `{"ttxid":"9-1","location_start_date":"2023-02-29T00:00:00.000"}`, "9-1", "unreadable value in required column location_start_date"},
		{"account as number", `{"ttxid":"9-1","certificate_number":371738}`, "9-1", "unreadable value in required column certificate_number"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCleaner(t)
			row, err := c.Clean([]byte(test.row))
			require.NoError(t, err)
			assert.Equal(t, test.reason, row.Quarantine)
			assert.Equal(t, test.key, row.Key)
			assert.Nil(t, row.Document)
			p := c.Profile()
			assert.Equal(t, 1, p.Rows)
			assert.Equal(t, 1, p.Quarantined)
			assert.Empty(t, p.Flags)
		})
	}
}

func TestGarbage(t *testing.T) {
	for _, raw := range []string{``, `[]`, `null`, `"a"`, `{`, `{"ttxid":"1"`, `{"ttxid":"1"} {}`, `{"ttxid":"1",}`, `{"ttxid":"1","ttxid":"2"}`, `<html>`, `{"ttxid":"1","dba_name":"` + "\xff" + `"}`} {
		c := newCleaner(t)
		_, err := c.Clean([]byte(raw))
		require.Error(t, err, "%s", raw)
		assert.Zero(t, c.Profile().Rows)
	}
}

func TestProfile(t *testing.T) {
	c := newCleaner(t)
	for _, raw := range []string{
		`{"ttxid":"1","city":"Sf","brand_new":1}`,
		`{"ttxid":"2","city":"Oakland","brand_new":null,"data_as_of":"x",":@computed_region_new":"1"}`,
		`{"city":null}`,
	} {
		_, err := c.Clean([]byte(raw))
		require.NoError(t, err)
	}
	p := c.Profile()
	assert.Equal(t, 3, p.Rows)
	assert.Equal(t, 1, p.Quarantined)
	assert.Equal(t, map[string]int{"city_folded": 1}, p.Flags)
	assert.Equal(t, map[string]int{"brand_new": 2}, p.Unknown)
	assert.Equal(t, 1, p.Missing["city"])
	assert.Equal(t, 1, p.Missing["ttxid"])
	assert.Equal(t, 3, p.Missing["dba_name"])
	assert.NotContains(t, p.Missing, "data_as_of")
}

// The documents may change only together with the version of the rules, or mirrors would not notice.
func TestRulesVersion(t *testing.T) {
	c := newCleaner(t)
	all := sha256.New()
	for _, test := range flagCases(t) {
		row, err := c.Clean(test.Row)
		require.NoError(t, err)
		all.Write(row.Hash[:])
	}
	require.Equal(t, 1, dataset.RulesVersion, "write down the new digest with the new version")
	assert.Equal(t, "ad6e62cfe24fe205aa7fe6371b3731f4b52112ac869afb664a00d7230c4a2dd5", hex.EncodeToString(all.Sum(nil)), "a document changed: raise dataset.RulesVersion")
}

func TestDroppedFields(t *testing.T) {
	spec := specWith(t,
		"rules: [name], sensitive: true, search: true", "rules: [name], sensitive: true, search: true, drop: true",
		"from: [mailing_address_1], type: text, rules: [address], sensitive: true", "from: [mailing_address_1], type: text, rules: [address], sensitive: true, drop: true",
		"{path: districts.business_location, copy: location, type: point_text}", "{path: districts.business_location, copy: location, type: point_text, drop: true}",
		"{path: location, from: [location], type: point}", "{path: location, from: [location], type: point, drop: true}")
	c, err := New(spec)
	require.NoError(t, err)
	row, err := c.Clean([]byte(`{"ttxid":"9-1","ownership_name":"Vale  Ann #","mailing_address_1":" ","dba_name":"Bakery","location":{"type":"Point","coordinates":[-122.4212,37.7599]}}`))
	require.NoError(t, err)
	equalDocuments(t, json.RawMessage(`{"_id":"9-1","location_id":"9-1","dba_name":"Bakery","facets":{"open":true,"tokens":["bakery"]}}`), row.Document)
	assert.Empty(t, row.Flags)
	assert.NotContains(t, Flags(spec), "ownership_name_whitespace")
	p := c.Profile()
	assert.Empty(t, p.Unknown)
	assert.NotContains(t, p.Missing, "ownership_name")

	// A document of the time before: what is dropped is not rebuilt either.
	source, err := c.Source(bakery().document(t, specWith(t)))
	require.NoError(t, err)
	assert.NotContains(t, source, "ownership_name")
	assert.NotContains(t, source, "mailing_address_1")
	assert.NotContains(t, source, "location")
	assert.Contains(t, source, "dba_name")
}

// realRows reads a file of real rows; they are not part of the project, and without them the test is skipped.
func realRows(t testing.TB, name string) []json.RawMessage {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "no go.mod above the test")
		dir = filepath.Dir(dir)
	}
	data, err := os.ReadFile(filepath.Join(dir, "..", "shared", "data", "sf", name))
	if os.IsNotExist(err) {
		t.Skip("the real rows are not here")
	}
	require.NoError(t, err)
	var rows []json.RawMessage
	if filepath.Ext(name) == ".json" {
		require.NoError(t, json.Unmarshal(data, &rows))
		return rows
	}
	records, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	require.NoError(t, err)
	for _, record := range records[1:] {
		row := map[string]any{}
		for i, column := range records[0] {
			switch v := record[i]; {
			case v == "":
			case strings.HasSuffix(column, "_tax"):
				row[column] = v == "true"
			default:
				row[column] = v
			}
		}
		raw, err := json.Marshal(row)
		require.NoError(t, err)
		rows = append(rows, raw)
	}
	return rows
}

const (
	rows2017 = "soda_2017-08_98rows.json"
	rows2026 = "register_2026-06_91rows.csv"
)

func TestRealDocuments(t *testing.T) {
	data, err := os.ReadFile("testdata/real.json")
	require.NoError(t, err)
	var cases []struct {
		File, Why string
		Document  json.RawMessage
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	for _, test := range cases {
		t.Run(test.Why, func(t *testing.T) {
			var want struct {
				ID string `json:"_id"`
			}
			require.NoError(t, json.Unmarshal(test.Document, &want))
			c := newCleaner(t)
			for _, raw := range realRows(t, test.File) {
				row, err := c.Clean(raw)
				require.NoError(t, err)
				if row.Key == want.ID {
					equalDocuments(t, test.Document, row.Document)
					return
				}
			}
			require.Fail(t, "no row "+want.ID)
		})
	}
}

// Every field of every real row is in the document, volatile, ignored or silent.
func TestRealRowsAreAccountedFor(t *testing.T) {
	for name, count := range map[string]int{rows2017: 98, rows2026: 91} {
		rows := realRows(t, name)
		require.Len(t, rows, count)
		c := newCleaner(t)
		for _, raw := range rows {
			row, err := c.Clean(raw)
			require.NoError(t, err)
			require.Empty(t, row.Quarantine)
			requireRebuilt(t, c, raw, row.Document)
		}
		assert.Empty(t, c.Profile().Unknown)
	}
}

// requireRebuilt compares the row rebuilt from the document with the raw one, read here by other means.
func requireRebuilt(t require.TestingT, c *Cleaner, raw []byte, doc bson.Raw) {
	var columns map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &columns))
	want := map[string]string{}
	for column, v := range columns {
		_, ignored := c.spec.Ignored[column]
		if string(v) != "null" && !ignored && !c.spec.IsVolatile(column) && !isSilent(c.spec, column) {
			want[column] = canonical(t, v)
		}
	}
	rebuilt, err := c.Source(doc)
	require.NoError(t, err)
	got := map[string]string{}
	for column, v := range rebuilt {
		got[column] = canonical(t, json.RawMessage(v))
	}
	require.Equal(t, want, got)
}

func isSilent(spec *dataset.Spec, column string) bool {
	return slices.ContainsFunc(spec.Silent, func(path string) bool { return spec.ColumnOf(path) == column })
}

func canonical(t require.TestingT, v json.RawMessage) string {
	value := jsontext.Value(slices.Clone(v))
	require.NoError(t, value.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)))
	return string(value)
}
