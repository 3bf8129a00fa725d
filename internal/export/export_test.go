package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/cleaning"
	"padron/internal/dataset"
	"padron/internal/export"
	"padron/internal/lineage"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
)

// documents are cleaned rows of a register, with lineage, as they are stored.
func documents(t *testing.T, n int) (*dataset.Spec, []bson.Raw) {
	t.Helper()
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	c, err := cleaning.New(spec)
	require.NoError(t, err)
	portal, err := portalsim.New(portalsim.Options{Table: register.Generate(n, 11)})
	require.NoError(t, err)
	var docs []bson.Raw
	for row := range portal.SourceRows() {
		raw, err := json.Marshal(row)
		require.NoError(t, err)
		cleaned, err := c.Clean(raw)
		require.NoError(t, err)
		if cleaned.Quarantine != "" {
			continue
		}
		doc, err := lineage.Append(nil, cleaned.Document, &lineage.Lineage{Hash: cleaned.Hash, Version: 1, Run: "r1", Spec: spec.Digest()})
		require.NoError(t, err)
		docs = append(docs, doc)
	}
	require.NotEmpty(t, docs)
	return spec, docs
}

func write(t *testing.T, f export.Format, columns []export.Column, chosen bool, docs []bson.Raw) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := export.New(f, &buf, columns, chosen)
	require.NoError(t, err)
	for _, d := range docs {
		require.NoError(t, w.Write(d))
	}
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// TestDocumentsFitTheSchema holds every document, as it is exported, against
// the schema that the spec makes.
func TestDocumentsFitTheSchema(t *testing.T) {
	spec, docs := documents(t, 3000)
	raw, err := json.Marshal(spec.JSONSchema())
	require.NoError(t, err)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("business.json", parsed))
	schema, err := compiler.Compile("business.json")
	require.NoError(t, err)
	lines := 0
	for line := range strings.Lines(string(write(t, export.NDJSON, nil, false, docs))) {
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		require.NoError(t, err)
		require.NoError(t, schema.Validate(instance), line)
		lines++
	}
	assert.Equal(t, len(docs), lines)
	for name, broken := range map[string]string{
		"a field that is none":   `{"_id":"1","no_such_field":1}`,
		"without what is always": `{"_id":"1"}`,
		"a date that is none":    strings.Replace(string(write(t, export.NDJSON, nil, false, docs[:1])), `"lineage":`, `"dates":{"business_start_date":"yesterday"},"lineage":`, 1),
	} {
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(broken))
		require.NoError(t, err)
		assert.Error(t, schema.Validate(instance), name) //nolint:testifylint // all of them are told
	}
}

// TestDictionaryNamesEveryPath: no document has a path that it lacks.
func TestDictionaryNamesEveryPath(t *testing.T) {
	spec, docs := documents(t, 3000)
	known := map[string]dataset.Entry{}
	for _, e := range spec.Dictionary() {
		require.NotContains(t, known, e.Path)
		assert.NotEmpty(t, e.Meaning, e.Path)
		known[e.Path] = e
	}
	seen := map[string]bool{}
	var walk func(prefix string, doc bson.Raw)
	walk = func(prefix string, doc bson.Raw) {
		elements, err := doc.Elements()
		require.NoError(t, err)
		for _, e := range elements {
			path := prefix + e.Key()
			if _, ok := known[path]; ok {
				seen[path] = true
				continue
			}
			sub, ok := e.Value().DocumentOK()
			require.True(t, ok, "%s is not in the dictionary", path)
			walk(path+".", sub)
		}
	}
	for _, d := range docs {
		walk("", d)
	}
	for path, e := range known {
		if e.Always {
			assert.True(t, seen[path], path)
		}
	}
	assert.True(t, known["ownership_name"].Sensitive)
	assert.True(t, known["facets.tokens"].Sensitive, "the owner's name is in it")
	assert.False(t, known["dba_name"].Sensitive)
}

// TestFormatsAgree reads CSV and Parquet back and holds every value against the
// documents.
func TestFormatsAgree(t *testing.T) {
	spec, docs := documents(t, 2000)
	columns := export.Columns(spec, true)
	records, err := csv.NewReader(bytes.NewReader(write(t, export.CSV, columns, false, docs))).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, len(docs)+1)
	file := write(t, export.Parquet, columns, false, docs)
	table, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	require.EqualValues(t, len(docs), table.NumRows())
	var fields []string
	for _, f := range table.Schema().Fields() {
		fields = append(fields, f.Name())
	}
	require.Equal(t, records[0], fields, "columns have their order in both")

	rows := make([]parquet.Row, 0, len(docs))
	for _, group := range table.RowGroups() {
		reader := group.Rows()
		buf := make([]parquet.Row, 100)
		for {
			n, err := reader.ReadRows(buf)
			for _, r := range buf[:n] {
				rows = append(rows, r.Clone())
			}
			if err != nil {
				break
			}
		}
		require.NoError(t, reader.Close())
	}
	require.Len(t, rows, len(docs))
	filled := map[string]int{}
	for i, doc := range docs {
		for k, name := range records[0] {
			cell := records[i+1][k]
			value := rows[i][slices.Index(fields, name)]
			require.Equal(t, cell == "", value.IsNull(), "%s of row %d: %q, %s", name, i, cell, value)
			raw := doc.Lookup(strings.Split(name, ".")...)
			if cell == "" {
				require.True(t, raw.IsZero() || strings.HasPrefix(name, "location."), name)
				continue
			}
			filled[name]++
			switch raw.Type {
			case bson.TypeString:
				require.Equal(t, raw.StringValue(), value.String(), name)
				require.Equal(t, raw.StringValue(), strings.TrimPrefix(cell, "'"), name)
			case bson.TypeBoolean:
				require.Equal(t, raw.Boolean(), value.Boolean(), name)
			case bson.TypeDateTime:
				if strings.HasPrefix(name, "lineage.") {
					require.Equal(t, raw.DateTime(), value.Int64(), name)
				} else {
					require.Equal(t, raw.Time().UTC().Format("2006-01-02"), cell)
					require.Equal(t, raw.Time().Unix(), int64(value.Int32())*86400, name)
				}
			case bson.TypeInt32:
				if value.Kind() == parquet.Double {
					require.InDelta(t, raw.Int32(), value.Double(), 0)
				} else {
					require.Equal(t, raw.Int32(), value.Int32())
				}
			default:
			}
		}
	}
	for _, name := range []string{"_id", "location.longitude", "dates.location_start_date", "facets.open", "quality.flags", "ownership_name", "lineage.first_seen"} {
		assert.Positive(t, filled[name], name)
	}
}

func TestSensitiveColumnsAreLeftOut(t *testing.T) {
	spec, _ := documents(t, 10)
	for _, c := range export.Columns(spec, false) {
		assert.False(t, spec.Sensitive(c.Path), c.Path)
	}
	_, err := export.Choose(export.Columns(spec, false), []string{"dba_name", "ownership_name"})
	require.ErrorIs(t, err, export.ErrColumn)
	chosen, err := export.Choose(export.Columns(spec, true), []string{"ownership_name", "_id"})
	require.NoError(t, err)
	assert.Equal(t, []string{"ownership_name", "_id"}, []string{chosen[0].Path, chosen[1].Path})
}

// TestNothingIsHeldBack: of a file of any length, what has not been written
// when its last row is given is as much as of a short one.
func TestNothingIsHeldBack(t *testing.T) {
	spec, docs := documents(t, 500)
	columns, err := export.Choose(export.Columns(spec, false), []string{"_id", "dba_name", "facets.open"})
	require.NoError(t, err)
	const rest = 1000
	for _, f := range export.Formats() {
		var held, group [2]int
		for i, groups := range []int{1, 4} {
			var file bytes.Buffer
			w, err := export.New(f, &file, columns, true)
			require.NoError(t, err)
			rows := groups*export.RowGroup + rest
			for n := range rows {
				require.NoError(t, w.Write(docs[n%len(docs)]))
			}
			before := file.Len()
			require.NoError(t, w.Close())
			held[i] = file.Len() - before
			if f != export.Parquet {
				continue
			}
			table, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
			require.NoError(t, err)
			require.EqualValues(t, rows, table.NumRows())
			require.Len(t, table.RowGroups(), groups+1)
			for _, g := range table.RowGroups() {
				group[i] = max(group[i], int(g.NumRows()))
			}
			require.Equal(t, export.RowGroup, group[i])
		}
		// A footer speaks of each group: some hundred bytes for a column.
		require.Less(t, held[1]-held[0], 4096, "%s: %d bytes are held back of the short file, %d of the long one", f, held[0], held[1])
	}
}

// TestParquetSaysWhatItIs reads back what the file says of itself.
func TestParquetSaysWhatItIs(t *testing.T) {
	spec, docs := documents(t, 10)
	var file bytes.Buffer
	w, err := export.New(export.Parquet, &file, export.Columns(spec, false), false)
	require.NoError(t, err)
	require.NoError(t, w.Write(docs[0]))
	w.Describe(`{"run":"r1"}`)
	require.NoError(t, w.Close())
	table, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	require.NoError(t, err)
	about, ok := table.Lookup(export.AboutKey)
	require.True(t, ok)
	require.JSONEq(t, `{"run":"r1"}`, about)
}

// TestHarmless: no cell begins with a sign of a formula, whatever separator the
// spreadsheet's language has.
func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "",
		"Blue Heron":        "Blue Heron",
		"Seven-Eleven + Co": "Seven-Eleven + Co",
		"a@b.example":       "a@b.example",
		"1 = 1; 2 = 2":      "1 = 1; 2 = 2",
		"Café, -Bar":        "Café, -Bar",
		"=1+1":              "'=1+1",
		"  =1+1":            "  '=1+1",
		"-1":                "'-1",
		"＝1+1":              "'＝1+1",
		"Heron;=1+1":        "Heron;'=1+1",
		"Heron; \"@SUM(A1)": "Heron; \"'@SUM(A1)",
		"Heron\t+1":         "Heron\t'+1",
		"Heron\r\n=1":       "Heron\r\n'=1",
		"\t=1":              "'\t'=1",
		"\xff;=1":           "\xff;'=1",
	} {
		assert.Equal(t, want, export.Harmless(text), "%q", text)
	}
}

// TestEveryLanguageOfASpreadsheetReadsTheSameCells: a text that holds the separator
// of another language is quoted, so that its columns stay where they are.
func TestEveryLanguageOfASpreadsheetReadsTheSameCells(t *testing.T) {
	lines := [][]string{{"_id", "name", "note"}, {"007", "Sol; Luna", "a,b"}, {"008", "two\nlines\tand a tab", `a "quote"`}, {"009", " spaces ", ""}}
	var b bytes.Buffer
	w := export.NewCSVWriter(&b)
	for _, line := range lines {
		require.NoError(t, w.Write(line))
	}
	require.NoError(t, w.Flush())
	assert.Equal(t, "_id,name,note\n007,\"Sol; Luna\",\"a,b\"\n008,\"two\nlines\tand a tab\",\"a \"\"quote\"\"\"\n009,\" spaces \",\n", b.String())
	read, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, lines, read)
}

func TestFormulasAreDefused(t *testing.T) {
	doc, err := bson.Marshal(bson.D{{Key: "_id", Value: "1"}, {Key: "dba_name", Value: `=HYPERLINK("http://x","y")`}})
	require.NoError(t, err)
	spec, _ := documents(t, 10)
	columns, err := export.Choose(export.Columns(spec, false), []string{"_id", "dba_name"})
	require.NoError(t, err)
	assert.Equal(t, "_id,dba_name\n1,\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"\n", string(write(t, export.CSV, columns, true, []bson.Raw{doc})))
	line := string(write(t, export.NDJSON, columns, true, []bson.Raw{doc}))
	assert.JSONEq(t, `{"_id":"1","dba_name":"=HYPERLINK(\"http://x\",\"y\")"}`, line)
	assert.Equal(t, len(line)-1, strings.IndexByte(line, '\n'), "one line")
	west, err := bson.Marshal(bson.D{{Key: "_id", Value: "-1"}, {Key: "facets", Value: bson.D{{Key: "cell", Value: "-2_50"}}}})
	require.NoError(t, err)
	cell, err := export.Choose(export.Columns(spec, false), []string{"_id", "facets.cell"})
	require.NoError(t, err)
	assert.Equal(t, "_id,facets.cell\n'-1,-2_50\n", string(write(t, export.CSV, cell, true, []bson.Raw{west})), "cells are Padron's own text")
	assert.Equal(t, "[]\n", string(write(t, export.JSON, columns, true, nil)))
	assert.JSONEq(t, `[{"_id":"1"},{"_id":"1"}]`, string(write(t, export.JSON, columns[:1], true, []bson.Raw{doc, doc})))
}
