package socratatest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func fileRows(t *testing.T, path string) []map[string]any {
	t.Helper()
	table, err := FromFile(path)
	require.NoError(t, err)
	p, err := New(Options{Table: table})
	require.NoError(t, err)
	return slices.Collect(p.SourceRows())
}

func TestFromFile(t *testing.T) {
	want := []map[string]any{
		{
			"ttxid": "0000024-01-001", "business_zip": "02139", "dba_start_date": "2014-10-13T00:00:00.000", "parking_tax": false,
			"location": map[string]any{"type": "Point", "coordinates": []any{-122.4, 37.7}},
		},
		{"ttxid": "0000025-01-001", "parking_tax": true},
	}
	for name, text := range map[string]string{
		"rows.csv": "\ufeffttxid,business_zip,dba_start_date,Parking Tax,location,note\n" +
			"0000025-01-001,,,true,,\n0000024-01-001,02139,10/13/2014,false,POINT (-122.4 37.7),\n",
		"rows.json": `[{"ttxid":"0000024-01-001","business_zip":"02139","dba_start_date":"2014-10-13T00:00:00.000","parking_tax":false,
			"location":{"latitude":"37.7","longitude":"-122.4"}},{"ttxid":"0000025-01-001","parking_tax":true,"city":null}]`,
		"rows.ndjson": `{":id":"row-x","ttxid":"0000025-01-001","parking_tax":true}
			{"ttxid":"0000024-01-001","business_zip":"02139","dba_start_date":"2014-10-13","parking_tax":"false",
			"location":{"type":"Point","coordinates":[-122.4,37.7]}}`,
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, want, fileRows(t, write(t, name, text))) })
	}
}

func TestFileTypes(t *testing.T) {
	path := write(t, "other.csv", "LICENSE ID,Issued,Active,latitude,Ward,Where\n"+
		"007,2015-07-15T00:00:00,true,41.85,01,POINT (-87.6 41.8)\n008,2016-07-15,false,42.0,,\"(41.9, -87.5)\"\n")
	assert.Equal(t, []map[string]any{
		{
			"license_id": "007", "issued": "2015-07-15T00:00:00.000", "active": true, "latitude": "41.85", "ward": "01",
			"where": map[string]any{"type": "Point", "coordinates": []any{-87.6, 41.8}},
		},
		{
			"license_id": "008", "issued": "2016-07-15T00:00:00.000", "active": false, "latitude": "42.0",
			"where": map[string]any{"type": "Point", "coordinates": []any{-87.5, 41.9}},
		},
	}, fileRows(t, path))
	path = write(t, "older.json", `[{"id":"1","location_1":{"human_address":"{}","latitude":"37.7"}}]`)
	assert.Equal(t, map[string]any{"human_address": "{}", "latitude": "37.7"}, fileRows(t, path)[0]["location_1"])
}

func TestBadFiles(t *testing.T) {
	for name, text := range map[string]string{
		"empty.json": "", "none.json": "[]", "scalar.json": "[1]", "cut.json": `[{"id":"1"}`, "text.json": "hello", "cut2.json": `[{"id":"1"},{"id`,
		"empty.csv": "", "twice.csv": "a,A\n1,2\n", "ragged.csv": "a,b\n1\n", "type.json": `[{"ttxid":"1","dba_end_date":"soon"}]`,
	} {
		_, err := FromFile(write(t, name, text))
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), name)
	}
	_, err := FromFile(filepath.Join(t.TempDir(), "absent.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzFromFile(f *testing.F) {
	f.Add([]byte(smallRows), false)
	f.Add([]byte("id,day\n1,2020-01-02\n"), true)
	f.Fuzz(func(t *testing.T, text []byte, csv bool) {
		path := filepath.Join(t.TempDir(), map[bool]string{true: "f.csv", false: "f.json"}[csv])
		require.NoError(t, os.WriteFile(path, text, 0o600))
		table, err := FromFile(path)
		if err != nil {
			return
		}
		p, err := New(Options{Table: table})
		require.NoError(t, err)
		if w := ask(p, nil); w.Code != 200 || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
	})
}

// realData finds the folder of captured rows beside the project; the test is skipped where it is absent.
func realData(t *testing.T) string {
	t.Helper()
	root, err := os.Getwd()
	require.NoError(t, err)
	for ; root != filepath.Dir(root); root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
	}
	data := filepath.Join(root, "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("no captured rows beside the project")
	}
	return data
}

// Rows captured from the real portal are served as they came.
func TestRealRows(t *testing.T) {
	path := filepath.Join(realData(t), "sf", "soda_2017-08_98rows.json")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var want []map[string]any
	require.NoError(t, json.Unmarshal(text, &want))
	table, err := FromFile(path)
	require.NoError(t, err)
	p, err := New(Options{Table: table})
	require.NoError(t, err)
	got := rowsOf(t, ask(p, map[string]string{"$order": "ttxid"}))
	assert.ElementsMatch(t, want, got)

	for _, name := range []string{"sf/register_2026-06_91rows.csv", "other/chicago_business_licenses_2016_561rows.csv"} {
		assert.NotEmpty(t, fileRows(t, filepath.Join(realData(t), name)))
	}
	assert.Len(t, fileRows(t, filepath.Join(realData(t), "sf/register_2026-06_91rows.csv")), 91)
}
