package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/changes"
	"padron/internal/mirror"
	"padron/internal/mongodb"
	"padron/internal/quarantine"
	"padron/internal/runs"
	"padron/internal/statistics"
)

// recipes is where the recipes for other tools are.
const recipes = "../deploy/recipes"

// tool is the path of a program that the test command installs.
func tool(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("%s is not set: `go run -C deploy/dev . test` installs what it names", variable)
	}
	return path
}

// runTool runs a program to its end, which must be a good one, and returns what
// it prints.
func runTool(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = slices.Concat(os.Environ(), []string{"HOME=" + t.TempDir()}, env)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v: %s%s", program, args, out, &errors)
	return string(out)
}

// tallies are open and closed locations by name.
type tallies map[string][2]int64

// parseTallies reads lines of name, open and closed, less their first.
func parseTallies(t *testing.T, text, separator string) tallies {
	t.Helper()
	all := tallies{}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines[1:] {
		// A name may hold a comma, and is quoted then.
		rest, last := cutLast(line, separator)
		name, middle := cutLast(rest, separator)
		open, err := strconv.ParseInt(middle, 10, 64)
		require.NoError(t, err, line)
		closed, err := strconv.ParseInt(last, 10, 64)
		require.NoError(t, err, line)
		all[strings.Trim(name, `"`)] = [2]int64{open, closed}
	}
	return all
}

func cutLast(s, separator string) (before, after string) {
	i := strings.LastIndex(s, separator)
	return s[:max(i, 0)], s[i+len(separator):]
}

// figure is a chart's numbers, as the dashboard has them.
type figure struct {
	Columns []struct{ Name string }
	Rows    []map[string]any
}

// TestRecipes runs the recipes for other tools on a mirror with a past: those
// whose tool can be had here as they stand, of the others what they ask for.
func TestRecipes(t *testing.T) {
	t.Parallel()
	s := newPast(t, 2000, 35)
	ask := func(t *testing.T, path string, into any) {
		t.Helper()
		status, body := fetch(t, s.dashboard+path, "")
		require.Equal(t, http.StatusOK, status, path)
		require.NoError(t, json.Unmarshal([]byte(body), into), path)
	}
	number := func(v any) int64 {
		f, ok := v.(float64)
		require.True(t, ok, "%v", v)
		return int64(f)
	}
	var shown struct{ Neighborhoods []statistics.Tallied }
	s.readJSON(&shown, "snapshots", "show", "latest")
	want := tallies{}
	for _, n := range shown.Neighborhoods {
		name := n.Name
		if name == "" {
			name = "(unknown)"
		}
		want[name] = [2]int64{n.Open, n.Closed}
	}
	require.Greater(t, len(want), 20)

	t.Run("mongosh", func(t *testing.T) {
		mongosh := tool(t, "PADRON_MONGOSH")
		home := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(home, ".mongodb", "mongosh"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(home, ".mongodb", "mongosh", "config"), []byte(`{"enableTelemetry":false}`), 0o600))
		run := func(script string, env ...string) string {
			env = append(env, "HOME="+home)
			return runTool(t, env, mongosh, strings.TrimSuffix(s.env["MONGODB_URI"], "/")+"/"+s.database(), "--quiet", "--norc", filepath.Join(recipes, "mongosh", script))
		}
		counts, note, _ := strings.Cut(run("counts.js"), "\n\n")
		require.Equal(t, want, parseTallies(t, counts, "\t"))
		require.Contains(t, note, "the snapshot says the same")

		// What a crash left of a change that did not happen.
		ghost := bson.D{{Key: "key", Value: s.closed}, {Key: "version", Value: int32(7)}}
		_, err := s.mongo.Database(s.database()).Collection(mongodb.Changes).InsertOne(t.Context(), bson.D{
			{Key: "_id", Value: ghost},
			{Key: "kinds", Value: bson.A{"moved"}},
			{Key: "cause", Value: "source"},
			{Key: "run", Value: s.second.Run},
			{Key: "at", Value: time.Now()},
			{Key: "fields", Value: bson.A{}},
			{Key: "page", Value: s.page(t)},
		})
		require.NoError(t, err)
		changed := map[string]string{}
		for line := range strings.Lines(run("changes-since.js", "SINCE=2020-01-01")) {
			if cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(cells) == 4 && cells[0] != "at" {
				changed[cells[1]] = cells[2]
			}
		}
		require.Equal(t, map[string]string{s.renamed: "renamed", s.closed: "closed", s.removed: "removed", opened: "opened"}, changed)
		require.Equal(t, "at\tkey\twhat\tname now\n", run("changes-since.js", "SINCE=2100-01-01"))

		history := run("history.js", "KEY="+s.closed)
		require.Regexp(t, `^`+s.closed+"\tclosed\tversion 2\n.*\tfirst seen\n.*\tclosed\tversion 2\tsource\n", history)
		require.Contains(t, history, "dates.location_end_date: (none) → 2026-11-20\n")
		require.NotContains(t, history, "moved")
		require.Contains(t, run("history.js", "KEY="+s.removed), s.removed+"\tremoved\t")
		_, err = s.mongo.Database(s.database()).Collection(mongodb.Changes).DeleteOne(t.Context(), bson.D{{Key: "_id", Value: ghost}})
		require.NoError(t, err)

		explained := run("explain.js", "NEIGHBORHOOD=Mission")
		require.Contains(t, explained, "index\tneighborhood_open\n")
		require.Contains(t, explained, fmt.Sprintf("rows\t%d\n", want["Mission"][0]))
	})

	t.Run("pandas", func(t *testing.T) {
		python := tool(t, "PADRON_PYTHON")
		file, _ := s.export(t, "b.csv")
		require.Equal(t, want, parseTallies(t, runTool(t, nil, python, filepath.Join(recipes, "pandas", "files.py"), file), ","))
		require.Equal(t, want, parseTallies(t, runTool(t, []string{"MONGODB_URI=" + s.env["MONGODB_URI"]}, python, filepath.Join(recipes, "pandas", "mongodb.py"), s.database()), ","))
		named := runTool(t, nil, python, "-c", `
import sys; sys.path.insert(0, sys.argv[1])
import files
rows = files.read(sys.argv[2]).set_index("_id")
print(rows.loc[sys.argv[3], "dba_name"]); print(rows["dates.location_start_date"].dtype, rows["facets.open"].dtype, rows["location.latitude"].dtype)`,
			filepath.Join(recipes, "pandas"), file, s.renamed)
		require.Equal(t, formula+"\ndatetime64[ns] boolean float64\n", named)
	})

	t.Run("another reader of Parquet", func(t *testing.T) {
		node := filepath.Join(filepath.Dir(tool(t, "PADRON_MONGOSH")), "..", "..", "parquet.mjs")
		file, _ := s.export(t, "b.parquet", "-o", "parquet")
		written := records(t, s.ok("export"))
		i := 0
		for line := range strings.Lines(runTool(t, nil, "node", node, file)) {
			var row map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &row))
			require.Len(t, row, len(written[i]))
			for name, cell := range written[i] {
				require.Equal(t, strings.TrimPrefix(cell, "'"), asCell(t, name, row[name]), "%s of %s", name, written[i]["_id"])
			}
			i++
		}
		require.Len(t, written, i)
	})

	t.Run("cells of the map", func(t *testing.T) {
		exported, western := map[string]bool{}, 0
		for _, row := range records(t, s.ok("export", "--fields", "facets.cell")) {
			exported[row["facets.cell"]] = true
		}
		status, body := fetch(t, s.dashboard+"/data/overview/map.csv", "")
		require.Equal(t, http.StatusOK, status)
		for _, row := range records(t, body) {
			require.True(t, exported[row["cell"]], "%s is called something else in the export", row["cell"])
			if strings.HasPrefix(row["cell"], "-") {
				western++
			}
		}
		require.Positive(t, western)
	})

	t.Run("Metabase", func(t *testing.T) {
		run := func(collection, name string) (rows []bson.M) {
			var pipeline bson.A
			text := readFile(t, filepath.Join(recipes, "metabase", collection+"."+name+".json"))
			require.NoError(t, bson.UnmarshalExtJSON([]byte(text), false, &pipeline))
			cursor, err := s.mongo.Database(s.database()).Collection(collection).Aggregate(t.Context(), pipeline)
			require.NoError(t, err)
			require.NoError(t, cursor.All(t.Context(), &rows))
			require.NotEmpty(t, rows)
			return rows
		}
		got := tallies{}
		for _, row := range run("businesses", "open-by-neighborhood") {
			got[row["neighborhood"].(string)] = [2]int64{wide(row["open"]), wide(row["closed"])} //nolint:forcetypeassert // it is always there
		}
		require.Equal(t, want, got)

		var months figure
		ask(t, "/data/overview/months.json", &months)
		closings := map[string][2]int64{}
		for _, row := range months.Rows {
			month, _ := row["month"].(string)
			all := [2]int64{number(row["closed_otherwise"]) + number(row["administratively_closed"]), number(row["administratively_closed"])}
			if month >= "2015-01" && all[0] > 0 {
				closings[month] = all
			}
		}
		byMonth := map[string][2]int64{}
		last := months.Rows[len(months.Rows)-1]["month"].(string) //nolint:forcetypeassert // of the dashboard's own
		for _, row := range run("businesses", "closings-by-month") {
			if month := row["month"].(string); month <= last { //nolint:forcetypeassert // it is what the rows are grouped by
				byMonth[month] = [2]int64{wide(row["closed"]), wide(row["administratively_closed"])}
			}
		}
		require.Greater(t, len(closings), 50)
		require.Equal(t, closings, byMonth)

		kinds := map[string]int64{}
		for _, row := range run("changes", "by-kind") {
			require.Equal(t, s.second.Run, row["run"])
			kinds[row["kind"].(string)] = wide(row["changes"]) //nolint:forcetypeassert // it is what the rows are grouped by
		}
		require.Equal(t, map[string]int64{"renamed": 1, "closed": 1, "removed": 1, "opened": 1}, kinds)

		snapshots := run("snapshots", "open-over-time")
		var history figure
		ask(t, "/data/overview/history.json", &history)
		require.Len(t, snapshots, len(history.Rows))
		require.Equal(t, number(history.Rows[0]["open"]), wide(snapshots[0]["open"]))
	})

	t.Run("Grafana", func(t *testing.T) {
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct {
					URL          string
					RootSelector string `json:"root_selector"`
					Columns      []struct {
						Selector, Type string
						Format         string `json:"timestampFormat"`
					}
				}
			}
		}
		require.NoError(t, json.Unmarshal([]byte(readFile(t, filepath.Join(recipes, "grafana/dashboards/padron.json"))), &board))
		require.NotEmpty(t, board.Panels)
		for _, panel := range board.Panels {
			for _, target := range panel.Targets {
				var answer map[string]any
				ask(t, target.URL, &answer)
				rows, _ := answer[target.RootSelector].([]any)
				require.NotEmpty(t, rows, panel.Title)
				require.NotEmpty(t, target.Columns, panel.Title)
				for _, c := range target.Columns {
					found := value(rows[0], c.Selector)
					require.NotNil(t, found, "%s: %s", panel.Title, c.Selector)
					switch c.Type {
					case "number":
						require.IsType(t, 0.0, found, c.Selector)
					case "timestamp":
						text, _ := found.(string)
						format := c.Format
						if format == "" {
							format = time.RFC3339
						}
						_, err := time.Parse(format, text)
						require.NoError(t, err, "%s: %s", panel.Title, c.Selector)
					default:
						require.IsType(t, "", found, c.Selector)
					}
				}
			}
		}
		for _, file := range []string{"datasource.yaml", "dashboards.yaml"} {
			var any map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(readFile(t, filepath.Join(recipes, "grafana", file))), &any))
			require.EqualValues(t, 1, any["apiVersion"])
		}
	})

	t.Run("Power BI", func(t *testing.T) {
		reads := regexp.MustCompile(`(?s)Read\("([^"]+)", \{(.*?)\n    \}\)`).FindAllStringSubmatch(readFile(t, filepath.Join(recipes, "powerbi/dashboard.pq")), -1)
		require.Len(t, reads, 2)
		for _, read := range reads {
			var f figure
			ask(t, "/"+read[1], &f)
			columns := regexp.MustCompile(`\{"([^"]+)", ([^}]+)\}`).FindAllStringSubmatch(read[2], -1)
			require.NotEmpty(t, columns)
			for _, c := range columns {
				require.Contains(t, f.Rows[0], c[1], read[1])
				_, isNumber := f.Rows[0][c[1]].(float64)
				require.Equal(t, c[2] == "Int64.Type", isNumber, "%s: %s", read[1], c[1])
			}
		}
		query := readFile(t, filepath.Join(recipes, "powerbi/folder.pq"))
		list := regexp.MustCompile(`(?s)SelectColumns\(Counted, \{(.*?)\}`).FindStringSubmatch(query)
		require.Len(t, list, 2)
		_, a := s.export(t, "businesses.parquet", "-o", "parquet")
		for _, c := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(list[1], -1) {
			require.Contains(t, a.Columns, c[1])
		}
		var said map[string]any
		file, _ := s.export(t, "again.parquet", "-o", "parquet")
		require.NoError(t, json.Unmarshal([]byte(readFile(t, file+".about.json")), &said))
		for _, c := range regexp.MustCompile(`(?:About|Checked)\[(\w+)\]`).FindAllStringSubmatch(query, -1) {
			require.Contains(t, said, c[1])
		}
	})
}

// page is a page of the second run's events.
func (p past) page(t *testing.T) string {
	t.Helper()
	var e changes.Event
	require.NoError(t, p.mongo.Database(p.database()).Collection(mongodb.Changes).FindOne(t.Context(), bson.D{{Key: "run", Value: p.second.Run}}).Decode(&e))
	return e.Page
}

// wide is a number of any width.
func wide(v any) int64 {
	switch n := v.(type) {
	case int32:
		return int64(n)
	case int64:
		return n
	case float64:
		return int64(n)
	default:
		return -1
	}
}

// value is what a path of names and indexes leads to; nil where it leads nowhere.
func value(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// asCell is a value that another reader found in Parquet as CSV has it.
func asCell(t *testing.T, name string, v any) string {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			if strings.HasPrefix(name, "dates.") {
				return at.Format(time.DateOnly)
			}
			return at.Format(time.RFC3339Nano)
		}
		return v
	default:
		require.Fail(t, "what is it", "%s: %v", name, v)
		return ""
	}
}

// TestTheReadModelIsWhatIsStored: the document names every collection, index
// and field that there is.
func TestTheReadModelIsWhatIsStored(t *testing.T) {
	text := readFile(t, filepath.Join(recipes, "read-model.md"))
	for _, ix := range mirror.Indexes() {
		require.Contains(t, text, "`"+ix.Name+"`")
		for _, k := range ix.Keys {
			require.Contains(t, text, "`"+k.Key+"`")
		}
	}
	sections := map[string]string{}
	for part := range strings.SplitSeq(text, "\n## ") {
		title, body, _ := strings.Cut(part, "\n")
		sections[strings.Trim(title, "`")] = body
	}
	for collection, of := range map[string]any{
		mongodb.Changes:    changes.Event{Page: "p", Fields: []changes.FieldChange{{}}},
		mongodb.Snapshots:  statistics.Snapshot{TookMS: 1, Unclear: 1, Digest: "d", Undated: &statistics.Undated{}, Provisional: true, SurvivorsOnly: true},
		mongodb.Quarantine: quarantine.Row{Key: "k"},
		mongodb.Windows:    runs.Window{Left: 1, Reason: "r", Proof: "p", Stretch: "s", Finished: time.Now()},
	} {
		body, ok := sections[collection]
		require.True(t, ok, "%s: %v", collection, slices.Sorted(func(yield func(string) bool) {
			for title := range sections {
				if !yield(title) {
					return
				}
			}
		}))
		raw, err := bson.Marshal(of)
		require.NoError(t, err)
		elements, err := bson.Raw(raw).Elements()
		require.NoError(t, err)
		for _, e := range elements {
			require.Contains(t, body, "`"+e.Key(), "%s of %s", e.Key(), collection)
		}
	}
	for _, name := range []string{
		statistics.SeriesNeighborhood, statistics.SeriesSector, statistics.SeriesDistrict, statistics.SeriesCells, statistics.SeriesMonths, statistics.SeriesMonthsBy,
		statistics.SeriesChurn, statistics.SeriesAges, statistics.SeriesSurvival, statistics.SeriesHexes, statistics.SeriesCoverage, statistics.SeriesProfile,
	} {
		require.Contains(t, sections[mongodb.Snapshots], "| `"+name, name)
	}
}
