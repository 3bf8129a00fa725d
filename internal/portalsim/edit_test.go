package portalsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/portalsim/register"
)

func keysOf(p *Portal) (keys []string) {
	for row := range p.SourceRows() {
		k, _ := row["ttxid"].(string)
		keys = append(keys, k)
	}
	return keys
}

func TestEdits(t *testing.T) {
	p := portalWith(t, 300, Options{})
	keys := keysOf(p)
	on := time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC)
	require.NoError(t, p.Edit(
		Open(map[string]any{
			"ttxid": "0000001-01-001", "city": "San Francisco", "dba_start_date": on, "parking_tax": true,
			"location": [2]float64{-122.4, 37.75},
		}),
		Close(keys[0], on), Move(keys[1], "1 Example St", "Mission"), Rename(keys[2], "Other Name"), Delete(keys[3]),
		SetField(keys[4], "city", nil), CloseLocation(keys[5], on),
	))
	assert.Equal(t, 300, p.Len())
	assert.Equal(t, map[string]any{
		"ttxid": "0000001-01-001", "city": "San Francisco", "dba_start_date": "2026-09-30T00:00:00.000", "parking_tax": true,
		"location":   map[string]any{"type": "Point", "coordinates": []any{-122.4, 37.75}},
		"data_as_of": "2026-10-03T00:00:00.000", "data_loaded_at": "2026-10-03T11:15:00.000",
	}, p.Row("0000001-01-001"))
	assert.Equal(t, "2026-09-30T00:00:00.000", p.Row(keys[0])["location_end_date"])
	assert.Equal(t, "2026-09-30T00:00:00.000", p.Row(keys[0])["dba_end_date"])
	moved := p.Row(keys[1])
	assert.Equal(t, "1 Example St", moved["full_business_address"])
	assert.Equal(t, "Mission", moved["neighborhoods_analysis_boundaries"])
	assert.Equal(t, "9", moved["supervisor_district"])
	assert.Equal(t, "Other Name", p.Row(keys[2])["dba_name"])
	assert.Nil(t, p.Row(keys[3]))
	assert.NotContains(t, p.Row(keys[4]), "city")
	assert.Equal(t, "2026-09-30T00:00:00.000", p.Row(keys[5])["location_end_date"])
	assert.True(t, slices.IsSorted(keysOf(p)))
}

// An edit's rows, and only they, get new system columns; a republish gives
// every row new ones.
func TestEditsAndSystemColumns(t *testing.T) {
	p := portalWith(t, 50, Options{})
	key := keysOf(p)[7]
	system := func() map[string]map[string]any {
		all := map[string]map[string]any{}
		for _, row := range rowsOf(t, ask(p, map[string]string{"$select": ":*,ttxid"})) {
			all[row["ttxid"].(string)] = row
		}
		return all
	}
	before := system()
	require.NoError(t, p.Edit(Rename(key, "X")))
	after := system()
	truth, _ := p.Versions()
	for k := range before {
		if k != key {
			assert.Equal(t, before[k], after[k])
		}
	}
	assert.Equal(t, before[key][":id"], after[key][":id"])
	assert.Equal(t, before[key][":created_at"], after[key][":created_at"])
	assert.NotEqual(t, before[key][":version"], after[key][":version"])
	assert.Equal(t, truth.Format("2006-01-02T15:04:05.000Z"), after[key][":updated_at"])
	since := ":updated_at >= '" + truth.Format("2006-01-02T15:04:05") + "'"
	recent := rowsOf(t, ask(p, map[string]string{"$select": "ttxid", "$where": since}))
	assert.Equal(t, []map[string]any{{"ttxid": key}}, recent)

	rowBefore := p.Row(keysOf(p)[0])
	require.NoError(t, p.Edit(Republish()))
	republished := system()
	for k := range before {
		for _, c := range []string{":id", ":created_at", ":updated_at", ":version"} {
			assert.NotEqual(t, after[k][c], republished[k][c], c)
		}
	}
	rowAfter := p.Row(keysOf(p)[0])
	assert.NotEqual(t, rowBefore["data_as_of"], rowAfter["data_as_of"])
	for _, volatile := range []string{"data_as_of", "data_loaded_at"} {
		delete(rowBefore, volatile)
		delete(rowAfter, volatile)
	}
	assert.Equal(t, rowBefore, rowAfter)
}

func TestColumnEdits(t *testing.T) {
	table := register.Generate(400, 1)
	p, err := New(Options{Table: table})
	require.NoError(t, err)
	with := func(column string) int {
		return len(rowsOf(t, ask(p, map[string]string{"$select": column, "$where": column + " is not null", "$limit": "400"})))
	}
	codes := with("self_reported_naics_code")
	assert.Positive(t, codes)
	assert.Positive(t, with("lic_code_description"))
	require.NoError(t, p.Edit(
		DropColumn("lic_code_description"), DropColumn("lic_code_descriptions_list"),
		RenameColumn("self_reported_naics_code", "naics_code"),
		AddColumn("note", "text"), BlankColumn("city"),
	))
	assert.Equal(t, http.StatusBadRequest, ask(p, map[string]string{"$select": "self_reported_naics_code"}).Code)
	assert.Equal(t, http.StatusBadRequest, ask(p, map[string]string{"$select": "lic_code_description"}).Code)
	assert.Equal(t, codes, with("naics_code"))
	assert.Zero(t, with("note"))
	assert.Zero(t, with("city"))
	require.NoError(t, p.Edit(SetField(keysOf(p)[0], "note", "hello"), SetField(keysOf(p)[1], "city", "Oakland")))
	assert.Equal(t, 1, with("note"))
	assert.Equal(t, 1, with("city"))
	for row := range p.SourceRows() {
		assert.NotContains(t, row, "lic_code_description")
	}
	// The table itself is as it was.
	other, err := New(Options{Table: table})
	require.NoError(t, err)
	p = other
	assert.Equal(t, codes, with("self_reported_naics_code"))
	assert.Positive(t, with("city"))
}

func TestBadEditsChangeNothing(t *testing.T) {
	p := portalWith(t, 50, Options{})
	before, _ := p.Versions()
	key := keysOf(p)[0]
	for _, op := range []Op{
		Close("nobody", time.Now()), SetField(key, "gone", "x"), SetField(key, "dba_end_date", "soon"), Move(key, "x", "Atlantis"),
		DropColumn("gone"), AddColumn("city", "text"), AddColumn("x", "blob"), RenameColumn("city", "state"), BlankColumn("ttxid"),
		BlankColumn("gone"), Open(map[string]any{"gone": 1}), SetField(key, "data_as_of", "2020-01-01"),
	} {
		require.Error(t, p.Edit(Delete(key), op))
		after, _ := p.Versions()
		assert.Equal(t, before, after)
		assert.Equal(t, 50, p.Len())
	}
}

func TestNullAndDuplicateKeys(t *testing.T) {
	p := portalWith(t, 50, Options{})
	keys := keysOf(p)
	require.NoError(t, p.Edit(
		Open(map[string]any{"city": "Keyless"}), SetField(keys[0], "ttxid", nil), Open(map[string]any{"ttxid": keys[1], "city": "Twice"}),
		SetField(keys[2], "ttxid", "9999999-01-001"),
	))
	count := func(where string) any {
		return rowsOf(t, ask(p, map[string]string{"$select": "count(*)", "$where": where}))[0]["count"]
	}
	assert.Equal(t, 52, p.Len())
	assert.Equal(t, "2", count("ttxid is null"))
	assert.Equal(t, "2", count("ttxid = '"+keys[1]+"'"))
	assert.Equal(t, "1", count("ttxid = '9999999-01-001'"))
	assert.Equal(t, "0", count("ttxid = '"+keys[2]+"'"))
	require.NoError(t, p.Edit(Delete(keys[1])))
	assert.Equal(t, "0", count("ttxid = '"+keys[1]+"'"))
}

func TestLag(t *testing.T) {
	p := portalWith(t, 50, Options{})
	key := keysOf(p)[0]
	p.Lag(true)
	require.NoError(t, p.Edit(Delete(key)))
	truth, served := p.Versions()
	w := ask(p, map[string]string{"$select": "count(*)"})
	assert.Equal(t, "50", rowsOf(t, w)[0]["count"])
	assert.Equal(t, truth.Format(http.TimeFormat), w.Header().Get("X-SODA2-Truth-Last-Modified"))
	assert.Equal(t, served.Format(http.TimeFormat), w.Header().Get("X-SODA2-Secondary-Last-Modified"))
	assert.Equal(t, "true", w.Header().Get("X-SODA2-Data-Out-Of-Date"))
	assert.Equal(t, 49, p.Len())
	p.CatchUp()
	w = ask(p, map[string]string{"$select": "count(*)"})
	assert.Equal(t, "49", rowsOf(t, w)[0]["count"])
	assert.Equal(t, "false", w.Header().Get("X-SODA2-Data-Out-Of-Date"))

	p.LagWhen(func(r *http.Request) bool { return r.URL.Query().Get("$limit") == "7" })
	require.NoError(t, p.Edit(Delete(keysOf(p)[0])))
	assert.Equal(t, "true", ask(p, map[string]string{"$limit": "7"}).Header().Get("X-SODA2-Data-Out-Of-Date"))
	assert.Equal(t, "false", ask(p, map[string]string{"$limit": "8"}).Header().Get("X-SODA2-Data-Out-Of-Date"))
}

// Any sequence of edits leaves what a map of rows would hold, in one edit or in
// several.
func TestEditsAgainstModel(t *testing.T) {
	table := register.Generate(30, 3)
	rapid.Check(t, func(t *rapid.T) {
		p, err := New(Options{Table: table})
		require.NoError(t, err)
		want := map[string]map[string]any{}
		for row := range p.SourceRows() {
			want[row["ttxid"].(string)] = row
		}
		ops := []Op{}
		for i := range rapid.IntRange(0, 20).Draw(t, "ops") {
			keys := slices.Sorted(maps.Keys(want))
			kind := rapid.IntRange(0, 3).Draw(t, "kind")
			switch key := ""; {
			case kind == 0 || len(keys) == 0:
				key = fmt.Sprintf("%07d-01-001", rapid.IntRange(0, 9999).Draw(t, "new key")*1000+i)
				if want[key] != nil {
					continue
				}
				ops = append(ops, Open(map[string]any{"ttxid": key, "city": "C"}))
				want[key] = map[string]any{
					"ttxid": key, "city": "C", "data_as_of": "2026-10-03T00:00:00.000", "data_loaded_at": "2026-10-03T11:15:00.000",
				}
			case kind == 1:
				key = rapid.SampledFrom(keys).Draw(t, "key")
				ops = append(ops, Delete(key))
				delete(want, key)
			case kind == 2:
				key = rapid.SampledFrom(keys).Draw(t, "key")
				ops = append(ops, Rename(key, "Name \"é\""))
				want[key]["dba_name"] = "Name \"é\""
			default:
				key = rapid.SampledFrom(keys).Draw(t, "key")
				ops = append(ops, SetField(key, "city", nil))
				delete(want[key], "city")
			}
			if rapid.Bool().Draw(t, "publish") {
				require.NoError(t, p.Edit(ops...))
				ops = nil
			}
		}
		require.NoError(t, p.Edit(ops...))
		got := map[string]map[string]any{}
		for row := range p.SourceRows() {
			got[row["ttxid"].(string)] = row
		}
		assert.Equal(t, want, got)
		served := rowsOf(t, ask(p, map[string]string{"$order": "ttxid"}))
		require.Len(t, served, len(want))
		for _, row := range served {
			assert.Equal(t, want[row["ttxid"].(string)], row)
		}
	})
}
