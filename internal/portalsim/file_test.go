package portalsim

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/testenv"
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

// TestAnExportOfThePortalIsRead: its Export button writes titles for names, and
// dates in two forms of its own.
func TestAnExportOfThePortalIsRead(t *testing.T) {
	path := write(t, "Registered_Business_Locations.csv", "UniqueID,Business Account Number,Location Id,DBA Name,Street Address,Source Zipcode,"+
		"Business Start Date,Location End Date,Mail Address,Self-Reported NAICS Code,LIC Code,Business Location,"+
		"Neighborhoods - Analysis Boundaries,Current Police Districts,data_as_of\n"+
		"1-0,0000024,0000024-01-001,Blue Heron,1 Example St,02139,10/13/2014,,2 Example Ave,722511,H25,POINT (-122.4 37.7),Mission,3,2026/10/01 12:00:00 AM\n")
	assert.Equal(t, []map[string]any{{
		"uniqueid": "1-0", "certificate_number": "0000024", "ttxid": "0000024-01-001", "dba_name": "Blue Heron",
		"full_business_address": "1 Example St", "business_zip": "02139", "dba_start_date": "2014-10-13T00:00:00.000",
		"mailing_address_1": "2 Example Ave", "self_reported_naics_code": "722511", "lic": "H25",
		"location":                          map[string]any{"type": "Point", "coordinates": []any{-122.4, 37.7}},
		"neighborhoods_analysis_boundaries": "Mission", ":@computed_region_qgnn_b9vv": "3", "data_as_of": "2026-10-01T00:00:00.000",
	}}, fileRows(t, path))
	other := write(t, "other.csv", "Location Id,Source Zipcode\n1,02139\n")
	assert.Equal(t, []map[string]any{{"location_id": "1", "source_zipcode": "02139"}}, fileRows(t, other), "another register has its own names")
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
		"empty.json": "", "none.json": "[]", "scalar.json": "[1]", "text.json": "hello",
		"cut.json": `[{"id":"1"}`, "cut2.json": `[{"id":"1"},{"id`,
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
	f.Add([]byte("\ufeffLICENSE ID,Where\n007,\"(41.9, -87.5)\"\n008,POINT (-87.6 41.8)\n"), true)
	f.Add([]byte("a,b\n\"x\"\"y\",1.5\n,true\n"), true)
	f.Add([]byte(`{":id":"row-x","ttxid":"1","parking_tax":true}
		{"ttxid":"2","location":{"latitude":"37.7","longitude":"-122.4"}}`), false)
	f.Add([]byte(`[{"id":"1","location_1":{"human_address":"{}"}},{"id":null,"n":1e300,"t":"\u0000\ud800"}]`), false)
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

// Rows of a real portal's form are served as they came.
func TestRowsOfTheRegister(t *testing.T) {
	for _, path := range testenv.Files(t, "sf/soda_2017-08_98rows.json") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var want []map[string]any
		require.NoError(t, json.Unmarshal(text, &want))
		require.Len(t, want, 98)
		table, err := FromFile(path)
		require.NoError(t, err)
		p, err := New(Options{Table: table})
		require.NoError(t, err)
		got := rowsOf(t, ask(p, map[string]string{"$order": "ttxid"}))
		assert.ElementsMatch(t, want, got)
	}
	for _, path := range testenv.Files(t, "sf/register_2026-06_91rows.csv") {
		assert.Len(t, fileRows(t, path), 91)
	}
	for _, path := range testenv.Files(t, "other/chicago_business_licenses_60rows.csv") {
		assert.Len(t, fileRows(t, path), 60)
	}
}
