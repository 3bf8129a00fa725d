package cleaning

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
	"padron/internal/testenv"
)

func newCleaner(t testing.TB) *Cleaner {
	t.Helper()
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	c, err := New(spec)
	require.NoError(t, err)
	return c
}

// equalDocuments compares an expected document, written by hand as extended
// JSON, byte by byte.
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

// TestPoisonedRows has rows that a decoder, the database or an index would
// refuse. Each is kept apart by itself, with its key as far as it can be read.
func TestPoisonedRows(t *testing.T) {
	deep := strings.Repeat("[", maxNesting) + strings.Repeat("]", maxNesting)
	abyss := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for _, test := range []struct{ name, row, key, reason string }{
		{"half of a surrogate pair", `{"dba_name":"\ud800","ttxid":"9-1"}`, "9-1", "column dba_name is not valid text"},
		{"another half", `{"ttxid":"9-1","dba_name":"a\udc00"}`, "9-1", "column dba_name is not valid text"},
		{"invalid UTF-8", `{"dba_name":"` + "\xff" + `","ttxid":"9-1"}`, "9-1", "column dba_name is not valid text"},
		{"UTF-8 of a surrogate", `{"dba_name":"` + "\xed\xa0\x80" + `","ttxid":"9-1"}`, "9-1", "column dba_name is not valid text"},
		{"invalid UTF-8 in a key", `{"ttxid":"9` + "\xff" + `"}`, "9\ufffd", "column ttxid is not valid text"},
		{"half of a pair in a key", `{"ttxid":"9\ud800"}`, "9\ufffd", "column ttxid is not valid text"},
		{"a column twice", `{"city":"a","city":"b","ttxid":"9-1"}`, "9-1", "column city is there twice"},
		{"a column twice, once null", `{"city":"a","city":null,"ttxid":"9-1"}`, "9-1", "column city is there twice"},
		{"a key twice", `{"ttxid":"9-1","ttxid":"9-2"}`, "9-1", "column ttxid is there twice"},
		{"invalid UTF-8 within", `{"ttxid":"9-1","location":{"type":"` + "\xff" + `"}}`, "9-1", "column location is not valid: text that is none, or a name twice"},
		{"a name twice within", `{"ttxid":"9-1","location":{"type":"a","type":"b"}}`, "9-1", "column location is not valid: text that is none, or a name twice"},
		{"NUL as it is", `{"ttxid":"9-1","city":"` + "\x00" + `"}`, "9-1", "control characters that are not escaped"},
		{"a control character in a name", `{"ttxid":"9-1","` + "\x01" + `":1}`, "9-1", "control characters that are not escaped"},
		{"NUL in a key", `{"ttxid":"9\u00001"}`, "9\x001", "key has white space"},
		{"deep nesting", `{"ttxid":"9-1","location":` + deep + `}`, "9-1", "nested more than 100 levels deep"},
		{"nesting without end", `{"ttxid":"9-1","location":` + abyss + `}`, "9-1", "nested more than 100 levels deep"},
		{"a long key", `{"ttxid":"` + strings.Repeat("9", maxKey+1) + `"}`, strings.Repeat("9", maxKey+1), "key of more than 512 bytes"},
		{"a large value", `{"ttxid":"9-1","city":"` + strings.Repeat("x", maxValue) + `"}`, "9-1", "column city has more than 1048576 bytes"},
		{"a large row", `{"ttxid":"9-1","a":"` + strings.Repeat("x", maxRow) + `"}`, "9-1", "row of more than 4194304 bytes"},
		{"the beginning of a larger row", `{"ttxid":"9-1","a":"` + strings.Repeat("x", maxRow), "9-1", "row of more than 4194304 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCleaner(t)
			row, err := c.Clean([]byte(test.row))
			require.NoError(t, err)
			assert.Equal(t, test.reason, row.Quarantine)
			assert.Equal(t, test.key, row.Key)
			assert.Nil(t, row.Document)
			assert.Equal(t, 1, c.Profile().Quarantined)

			row, err = c.Clean([]byte(`{"ttxid":"9-3","dba_name":"Next"}`))
			require.NoError(t, err)
			assert.Empty(t, row.Quarantine, "the next row is not touched by it")
			assert.NotNil(t, row.Document)
		})
	}

	// Every value may be as large as a value may be, and the document be too large
	// together with the originals and search words.
	c := newCleaner(t)
	value := strings.Repeat("x ", maxValue/2-10)
	row, err := c.Clean([]byte(`{"ttxid":"9-1","ownership_name":" ` + value + `","dba_name":" ` + value + `","full_business_address":" ` + value + `"}`))
	require.NoError(t, err)
	assert.Equal(t, "document of more than 6291456 bytes", row.Quarantine)
	assert.Nil(t, row.Document)
	assert.Empty(t, c.Profile().Flags)
}

// TestLongKeys has keys of the length that rows can be asked for by, and one
// byte more.
func TestLongKeys(t *testing.T) {
	for _, key := range []string{strings.Repeat("9", maxKey), strings.Repeat("é", maxKey/2)} {
		c := newCleaner(t)
		row, err := c.Clean([]byte(`{"ttxid":"` + key + `"}`))
		require.NoError(t, err)
		require.Empty(t, row.Quarantine)
		require.Equal(t, key, row.Key)
		row, err = c.Clean([]byte(`{"ttxid":"` + key + `9"}`))
		require.NoError(t, err)
		require.Equal(t, "key of more than 512 bytes", row.Quarantine)
		require.Equal(t, key+"9", row.Key)
	}
}

// TestPoisonElsewhere has poison in columns that are not stored: it stays there.
func TestPoisonElsewhere(t *testing.T) {
	c := newCleaner(t)
	for _, row := range []string{
		`{"ttxid":"9-1","brand_new":"\ud800"}`, `{"ttxid":"9-1","brand_new":"` + "\xff" + `"}`, `{"ttxid":"9-1","brand_new":1,"brand_new":{"a":1,"a":2}}`,
		`{"ttxid":"9-1","data_as_of":"\ud800"}`, `{"ttxid":"9-1","brand_new":"` + strings.Repeat("x", maxValue) + `"}`,
		`{"ttxid":"9-1","a\u0000b":1}`, `{"ttxid":"9-1","a` + "\xff" + `b":1}`, `{"ttxid":"9-1","` + strings.Repeat("x", 200) + `":1}`,
	} {
		cleaned, err := c.Clean([]byte(row))
		require.NoError(t, err)
		assert.Empty(t, cleaned.Quarantine)
		assert.Equal(t, "9-1", keyOf(t, cleaned.Document))
	}
	for n := range 2 * maxUnknown {
		_, err := c.Clean(fmt.Appendf(nil, `{"ttxid":"9-1","c%d":1}`, n))
		require.NoError(t, err)
	}
	unknown := c.Profile().Unknown
	assert.LessOrEqual(t, len(unknown), maxUnknown+1)
	assert.Equal(t, 2, unknown["a\ufffdb"])
	assert.Positive(t, unknown["…"])
	_, err := bson.Marshal(unknown)
	require.NoError(t, err, "they become a document")
}

func keyOf(t *testing.T, doc bson.Raw) string {
	t.Helper()
	key, ok := doc.Lookup("_id").StringValueOK()
	require.True(t, ok)
	return key
}

func TestGarbage(t *testing.T) {
	for _, raw := range []string{
		``, `[]`, `null`, `"a"`, `{`, `{"ttxid":"1"`, `{"ttxid":"1"} {}`, `{"ttxid":"1",}`, `<html>`, `{"ttxid":"1"` + "\x01" + `,}`,
		`{"ttxid":"1","a\x":1}`, `{"ttxid":"1","city":"\x"}`, `{"ttxid":"1","city":"` + "\x01" + `"`, `{"ttxid":"1","city":"a"]`,
	} {
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

// The documents may change only together with the version of the rules, or
// mirrors would not notice.
func TestRulesVersion(t *testing.T) {
	c := newCleaner(t)
	all := sha256.New()
	for _, test := range flagCases(t) {
		row, err := c.Clean(test.Row)
		require.NoError(t, err)
		all.Write(row.Hash[:])
	}
	require.Equal(t, 2, dataset.RulesVersion, "write down the new digest with the new version")
	assert.Equal(t, "97d238a498cdc7c69071f1a1ad2de471e0b92c5d99de920b7689ddcc60770c43", hex.EncodeToString(all.Sum(nil)), "a document changed: raise dataset.RulesVersion")
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

	// A document of the spec before: dropped columns are not rebuilt either.
	source, err := c.Source(bakery().document(t, specWith(t)))
	require.NoError(t, err)
	assert.NotContains(t, source, "ownership_name")
	assert.NotContains(t, source, "mailing_address_1")
	assert.NotContains(t, source, "location")
	assert.Contains(t, source, "dba_name")
}

// readRows reads rows of a JSON or CSV file.
func readRows(t testing.TB, path string) []json.RawMessage {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var rows []json.RawMessage
	if filepath.Ext(path) == ".json" {
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

// TestDocumentsOfTheRegister compares documents with ones that were written by
// hand for rows of the committed files.
func TestDocumentsOfTheRegister(t *testing.T) {
	data, err := os.ReadFile("testdata/documents.json")
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
			for _, raw := range readRows(t, testenv.Files(t, filepath.Join("sf", test.File))[0]) {
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

// Every field of every row of the register is in the document, volatile, ignored
// or untracked.
func TestRowsOfTheRegisterAreAccountedFor(t *testing.T) {
	for name, count := range map[string]int{"soda_2017-08_98rows.json": 98, "register_2026-06_91rows.csv": 91} {
		for _, path := range testenv.Files(t, filepath.Join("sf", name)) {
			rows := readRows(t, path)
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
}

// requireRebuilt compares the row rebuilt from the document with the raw one,
// read here by other means.
func requireRebuilt(t require.TestingT, c *Cleaner, raw []byte, doc bson.Raw) {
	var columns map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &columns))
	want := map[string]string{}
	for column, v := range columns {
		_, ignored := c.spec.Ignored[column]
		if string(v) != "null" && !ignored && !c.spec.IsVolatile(column) && !isUntracked(c.spec, column) {
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

func isUntracked(spec *dataset.Spec, column string) bool {
	return slices.ContainsFunc(spec.Untracked, func(path string) bool { return spec.ColumnOf(path) == column })
}

func canonical(t require.TestingT, v json.RawMessage) string {
	value := jsontext.Value(slices.Clone(v))
	require.NoError(t, value.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)))
	return string(value)
}

// TestSearchMark: words of sensitive fields are marked, the same word of
// another field is not, and no query has the mark.
func TestSearchMark(t *testing.T) {
	row, err := newCleaner(t).Clean([]byte(
		`{"ttxid":"9-1","certificate_number":"0000009","ownership_name":"Wong Élodie","dba_name":"Wong's Bakery","mailing_address_1":"4711 Home Ln"}`))
	require.NoError(t, err)
	var tokens []string
	values, err := bson.Raw(row.Document).Lookup("facets", "tokens").Array().Values()
	require.NoError(t, err)
	for _, v := range values {
		tokens = append(tokens, v.StringValue())
	}
	assert.Equal(t, []string{"0000009", "bakery", "wongs", "~elodie", "~wong"}, tokens)
	for _, query := range []string{"~wong", "~", "a~wong", SearchMark + SearchMark + "wong"} {
		for _, w := range Words(query) {
			assert.NotContains(t, w, SearchMark, query)
		}
	}
}
