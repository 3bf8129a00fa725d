package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/export"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/statistics"
)

// A mirror with a past has a row that was renamed to a formula, one that
// somebody opened under a name of many alphabets, one that was removed, and one
// without a key, which is in quarantine.
const (
	formula = "=cmd|' /C calc'!A0"
	opened  = "9999999-01-001"
	many    = `Café Ñandú "Sol"; 東京, 2`
	owner   = "ZEBULON LEAKTEST"
)

// past is a stack whose mirror has a past, and what happened in it.
type past struct {
	*stack
	first, second   summary
	renamed, closed string
	removed         string
	dashboard       string // its address
}

func newPast(t *testing.T, rows int, seed uint64) past {
	t.Helper()
	s := newStack(t, register.Generate(rows, seed))
	worker := s.worker("PADRON_DASHBOARD_ADDR=127.0.0.1:0")
	var keys []string // of open ones
	for row := range s.portal.SourceRows() {
		key, _ := row["ttxid"].(string)
		if key != "" && len(keys) < 3 && row["location_end_date"] == nil && row["dba_end_date"] == nil && row["administratively_closed"] == nil {
			keys = append(keys, strings.Clone(key))
		}
	}
	require.Len(t, keys, 3)
	p := past{stack: s, first: s.load(), renamed: keys[0], closed: keys[1], removed: keys[2]}
	p.dashboard = strings.TrimSuffix(worker.dashboard("dashboard=", &worker.errors), "/")
	now, keyless := s.row(keys[0]), s.row(keys[0])
	now["ttxid"], now["dba_name"], now["ownership_name"] = opened, many, owner
	delete(keyless, "ttxid")
	require.NoError(t, s.portal.Edit(
		portalsim.Rename(p.renamed, formula), portalsim.SetField(p.renamed, "ownership_name", owner),
		portalsim.Close(p.closed, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)),
		portalsim.Delete(p.removed), portalsim.Open(now), portalsim.Open(keyless)))
	// One date has one observed snapshot, and whether both runs are of one depends
	// on the hour: the second one's is to be there alone.
	_, err := s.mongo.Database(s.database()).Collection(mongodb.Snapshots).DeleteMany(t.Context(), bson.D{})
	require.NoError(t, err)
	p.second = s.load()
	return p
}

// exportAbout is what the file beside an exported one says.
type exportAbout struct {
	Collection  string
	Columns     []string
	Since       string
	Sensitive   bool
	Rows        int
	SHA256      string
	UnderWay    bool `json:"run_under_way"`
	Snapshot    string
	License     string
	Certificate struct {
		Run     string
		Outcome certificate.Outcome
		At      time.Time
	}
}

// export writes a file, and reads what is said of it, which must be of this
// very file.
func (s *stack) export(t *testing.T, name string, args ...string) (file string, a exportAbout) {
	t.Helper()
	file = filepath.Join(t.TempDir(), name)
	r := s.starterWith(t, nil, append([]string{"export", "--file", file}, args...)...)
	require.Zero(t, r.code, r.errors)
	require.Empty(t, r.out)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	text, err := os.ReadFile(file + ".about.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &a))
	sum := sha256.Sum256(content)
	require.Equal(t, hex.EncodeToString(sum[:]), a.SHA256)
	require.Contains(t, r.errors, " rows in "+file+"\n")
	left, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, left, 2, "nothing but the file and what is said of it")
	return file, a
}

// records reads CSV as maps by column.
func records(t *testing.T, text string) (rows []map[string]string) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, line := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

func TestExports(t *testing.T) {
	t.Parallel()
	s := newPast(t, 2000, 34)

	t.Run("businesses", func(t *testing.T) {
		file, a := s.export(t, "b.csv")
		require.Equal(t, exportAbout{
			Collection: "businesses", Columns: a.Columns, Rows: 2000, SHA256: a.SHA256, Snapshot: a.Snapshot, License: s.openSpec().License,
			Certificate: a.Certificate,
		}, a)
		require.Equal(t, s.second.Run, a.Certificate.Run)
		require.Equal(t, certificate.Green, a.Certificate.Outcome)
		require.NotEmpty(t, a.Snapshot)
		rows := records(t, readFile(t, file))
		require.Len(t, rows, 2000)
		by := map[string]map[string]string{}
		for i, row := range rows {
			by[row["_id"]] = row
			require.True(t, i == 0 || rows[i-1]["_id"] < row["_id"], "by key")
		}
		require.Equal(t, "'"+formula, by[s.renamed]["dba_name"], "no spreadsheet runs it")
		require.Equal(t, many, by[opened]["dba_name"])
		require.Equal(t, "2026-11-20", by[s.closed]["dates.location_end_date"])
		require.NotContains(t, by, s.removed)
		require.NotContains(t, readFile(t, file), owner)
		require.NotContains(t, a.Columns, "ownership_name")
		require.Contains(t, readFile(t, file), "\n"+opened+",", "leading zeros and keys stay as they are")
		require.Equal(t, export.ByteOrderMark+s.ok("export"), s.ok("export", "--bom"))

		_, told := s.export(t, "s.csv", "--sensitive")
		require.True(t, told.Sensitive)
		require.Contains(t, told.Columns, "ownership_name")
		require.Equal(t, rows, records(t, s.ok("export")), "the same goes to standard output")
		require.NoError(t, json.Unmarshal([]byte(s.ok("export", "-o", "json", "--sensitive")), &[]map[string]any{}))
		require.Contains(t, s.ok("export", "-o", "ndjson", "--sensitive"), owner)
		require.NotContains(t, s.ok("export", "-o", "ndjson"), owner)
	})

	t.Run("fields", func(t *testing.T) {
		fields := []string{"dba_name", "_id", "location.latitude", "facets.open", "dates.location_start_date"}
		file, a := s.export(t, "f.parquet", "-o", "parquet", "--fields", strings.Join(fields, ","))
		require.Equal(t, fields, a.Columns)
		content := []byte(readFile(t, file))
		table, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
		require.NoError(t, err)
		require.EqualValues(t, 2000, table.NumRows())
		var names []string
		for _, f := range table.Schema().Fields() {
			names = append(names, f.Name())
		}
		require.Equal(t, fields, names)
		within, ok := table.Lookup(export.AboutKey)
		require.True(t, ok)
		var said exportAbout
		require.NoError(t, json.Unmarshal([]byte(within), &said))
		require.Empty(t, said.SHA256)
		said.SHA256 = a.SHA256
		require.Equal(t, a, said, "the file itself says the same")
		require.True(t, strings.HasPrefix(s.ok("export", "--fields", strings.Join(fields, ",")), strings.Join(fields, ",")+"\n"))
		var flat map[string]any
		line, _, _ := strings.Cut(s.ok("export", "-o", "ndjson", "--fields", "_id,facets.open"), "\n")
		require.NoError(t, json.Unmarshal([]byte(line), &flat))
		require.Len(t, flat, 2)
		require.Contains(t, flat, "facets.open")
	})

	t.Run("removed", func(t *testing.T) {
		file, a := s.export(t, "r.csv", "--collection", "removed")
		rows := records(t, readFile(t, file))
		require.Len(t, rows, 1)
		require.Equal(t, s.removed, rows[0]["_id"])
		require.Equal(t, 1, a.Rows)
	})

	t.Run("changes", func(t *testing.T) {
		file, a := s.export(t, "c.csv", "--collection", "changes")
		rows := records(t, readFile(t, file))
		require.Equal(t, len(rows), a.Rows)
		kinds := map[string]string{}
		for _, row := range rows {
			kinds[row["key"]] = row["kinds"]
			require.Equal(t, s.second.Run, row["run"])
		}
		require.Equal(t, map[string]string{s.renamed: "renamed", s.closed: "closed", s.removed: "removed", opened: "opened"}, kinds)
		require.NotContains(t, readFile(t, file), owner)
		require.Contains(t, readFile(t, file), `""sensitive"":true`)
		require.Contains(t, s.ok("export", "--collection", "changes", "--sensitive", "-o", "ndjson"), owner)
		_, since := s.export(t, "n.ndjson", "-o", "ndjson", "--collection", "changes", "--since", s.second.Record.Started.Add(time.Second).UTC().Format(time.RFC3339))
		require.Zero(t, since.Rows, "the run saw them before")
		require.NotEmpty(t, since.Since)
		_, since = s.export(t, "y.ndjson", "-o", "ndjson", "--collection", "changes", "--since", "1h")
		require.Equal(t, a.Rows, since.Rows)
	})

	t.Run("snapshots", func(t *testing.T) {
		file, a := s.export(t, "s.csv", "--collection", "snapshots")
		var shown struct {
			Totals        statistics.Totals
			Neighborhoods []statistics.Tallied
		}
		s.readJSON(&shown, "snapshots", "show", a.Snapshot)
		got := map[string]string{}
		sums := map[string]int{}
		for _, row := range records(t, readFile(t, file)) {
			require.Equal(t, a.Snapshot, row["snapshot"])
			open, err := strconv.Atoi(row["open"])
			require.NoError(t, err)
			sums[row["dimension"]] += open
			got[row["dimension"]+"/"+row["name"]] = row["open"]
		}
		open := int(shown.Totals.Open)
		require.Equal(t, map[string]int{"all": open, "neighborhood": open, "sector": open, "district": open}, sums)
		for _, n := range shown.Neighborhoods {
			require.Equal(t, strconv.FormatInt(n.Open, 10), got["neighborhood/"+n.Name])
		}
	})

	t.Run("schema", func(t *testing.T) { requireSchema(t, s.stack) })

	t.Run("wrong usage", func(t *testing.T) {
		folder := t.TempDir()
		there := filepath.Join(folder, "there.csv")
		require.NoError(t, os.WriteFile(there, []byte("mine"), 0o600))
		for line, want := range map[string]string{
			"-o xlsx":                                "use csv, json, ndjson or parquet; see `starter export --help`",
			"--collection quarantine":                `--collection "quarantine": use businesses, removed, changes or snapshots`,
			"--fields dba":                           `--fields: no such column: "dba"; there are _id, location_id, `,
			"--fields _id,ownership_name":            "--fields ownership_name may concern a private person: give --sensitive to export it",
			"--fields _id,_id":                       `--fields: "_id" is there twice`,
			"--fields dba_name --collection changes": `no such column: "dba_name"; there are key, version, `,
			"--since 7d":                             "--since is of --collection changes only",
			"--since soon --collection changes":      `--since "soon": use a day`,
			"--file " + there:                        "--file " + there + " exists: give --overwrite to replace it",
			"--file " + folder:                       "--file " + folder + " is a folder: name a file in it",
			"all":                                    `unknown command "all" for "starter export"`,
		} {
			requireOneLine(t, s.starterWith(t, nil, append([]string{"export"}, strings.Fields(line)...)...), usage, want)
		}
		requireOneLine(t, s.starter("export", "--file", filepath.Join(folder, "none", "b.csv")), failed, "--file: ", "none", "no such file or directory")
		requireOneLine(t, s.starter("export", "--file", filepath.Join(there, "b.csv")), failed, "--file: ", "not a directory")
		require.Equal(t, "mine", readFile(t, there), "it was not touched")
		requireOneLine(t, s.starterWith(t, []string{"MONGODB_URI=mongodb://" + nobody}, "export", "--overwrite", "--file", there), failed, "MongoDB is not reachable")
		require.Equal(t, "mine", readFile(t, there))
		left, err := os.ReadDir(folder)
		require.NoError(t, err)
		require.Len(t, left, 1, "nothing is left behind")
		s.ok("export", "--overwrite", "--file", there)
		require.Len(t, records(t, readFile(t, there)), 2000)
	})

	t.Run("interrupted", func(t *testing.T) {
		for range 50 {
			folder := t.TempDir()
			file := filepath.Join(folder, "b.parquet")
			p := s.start(t, "starter", nil, "export", "-o", "parquet", "--sensitive", "--file", file)
			for !p.ended() {
				if begun, err := filepath.Glob(filepath.Join(folder, ".b.parquet.*")); err == nil && len(begun) > 0 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			_ = p.signal(syscall.SIGINT) // it may have ended
			r := p.result()
			left, err := os.ReadDir(folder)
			require.NoError(t, err)
			if r.code == 0 {
				require.Len(t, left, 2)
				continue // it was faster
			}
			requireOneLine(t, r, failed, "export to "+file, "canceled")
			require.Empty(t, left)
			return
		}
		require.Fail(t, "no export was interrupted")
	})
}

// requireSchema holds every document of the mirror against the schema that the
// starter prints, and makes sure that broken ones do not pass.
func requireSchema(t *testing.T, s *stack) {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(s.ok("dataset", "schema")))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("business.json", parsed))
	schema, err := compiler.Compile("business.json")
	require.NoError(t, err)
	flags := map[string]bool{}
	for _, args := range [][]string{{}, {"--sensitive"}, {"--collection", "removed"}} {
		lines := 0
		for line := range strings.Lines(s.ok(append([]string{"export", "-o", "ndjson"}, args...)...)) {
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			require.NoError(t, err)
			require.NoError(t, schema.Validate(document), line)
			quality, _ := document.(map[string]any)["quality"].(map[string]any)
			given, _ := quality["flags"].([]any)
			for _, f := range given {
				name, _ := f.(string)
				flags[name] = true
			}
			lines++
			if lines > 1 {
				continue
			}
			for what, edit := range map[string]func(map[string]any){
				"a field that is none":   func(d map[string]any) { d["mood"] = "good" },
				"a number for a text":    func(d map[string]any) { d["dba_name"] = 7 },
				"no key":                 func(d map[string]any) { delete(d, "_id") },
				"no lineage":             func(d map[string]any) { delete(d, "lineage") },
				"a day that is none":     func(d map[string]any) { d["dates"] = map[string]any{"location_end_date": "2026-02-30"} },
				"a point of one number":  func(d map[string]any) { d["location"] = map[string]any{"type": "Point", "coordinates": []any{1.5}} },
				"a flag that is no text": func(d map[string]any) { d["quality"] = map[string]any{"flags": []any{true}} },
			} {
				broken, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
				require.NoError(t, err)
				edit(broken.(map[string]any)) //nolint:forcetypeassert // it was one above
				require.Error(t, schema.Validate(broken), what)
			}
		}
		require.Positive(t, lines)
	}
	require.Greater(t, len(flags), 10, "the rows are dirty enough to tell: %v", flags)

	// The same of what is stored, by MongoDB itself. The local engine does not
	// know the word that forbids other fields.
	var stored bson.D
	require.NoError(t, bson.UnmarshalExtJSON([]byte(s.ok("dataset", "schema", "--dialect", "mongodb")), false, &stored))
	stored = without(stored, "additionalProperties")
	collection := s.mongo.Database(s.database()).Collection(mongodb.Businesses)
	fits, err := collection.CountDocuments(t.Context(), bson.D{{Key: "$jsonSchema", Value: stored}})
	require.NoError(t, err)
	require.Equal(t, s.documents(), fits)
	i := slices.IndexFunc(stored, func(e bson.E) bool { return e.Key == "required" })
	require.GreaterOrEqual(t, i, 0)
	stored[i].Value = append(stored[i].Value.(bson.A), "mood") //nolint:forcetypeassert // of a schema
	fits, err = collection.CountDocuments(t.Context(), bson.D{{Key: "$jsonSchema", Value: stored}})
	require.NoError(t, err)
	require.Zero(t, fits, "the engine looks at the schema")
}

// without leaves out a key, at any depth.
func without(doc bson.D, key string) bson.D {
	out := bson.D{}
	for _, e := range doc {
		if e.Key == key {
			continue
		}
		if sub, ok := e.Value.(bson.D); ok {
			e.Value = without(sub, key)
		}
		out = append(out, e)
	}
	return out
}
