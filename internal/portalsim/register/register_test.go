package register

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/portalsim/store"
)

func snapshotOf(t *testing.T, table *store.Table) *store.Snapshot {
	t.Helper()
	s, err := store.NewSnapshot(table, store.Options{Key: "ttxid", Published: time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC)})
	require.NoError(t, err)
	return s
}

func TestGenerateIsDeterministic(t *testing.T) {
	a, b, other := Generate(3000, 5), Generate(3000, 5), Generate(3000, 6)
	assert.Equal(t, a, b)
	assert.NotEqual(t, slices.Collect(snapshotOf(t, a).All), slices.Collect(snapshotOf(t, other).All))
	assert.Zero(t, Generate(0, 1).Len())
	assert.Equal(t, 1, Generate(1, 1).Len())
	assert.Equal(t, 37, Generate(37, 1).Len())
}

// outside says whether a row's point lies outside the city's box.
func outside(row map[string]any) bool {
	point, ok := row["location"].(map[string]any)
	if !ok {
		return false
	}
	pair := point["coordinates"].([]any)
	lon, lat := pair[0].(float64), pair[1].(float64)
	return lon < -122.55 || lon > -122.33 || lat < 37.69 || lat > 37.84
}

// The profile of the real register, July 2026, within a percentage point or so.
// Long because all figures are counted in one pass over the rows.
func TestGeneratedProfile(t *testing.T) {
	const n = 50_000
	s := snapshotOf(t, Generate(n, 1))
	missing, distinct := map[string]int{}, map[string]map[string]int{}
	counts := map[string]int{}
	tally := func(name string, is bool) {
		if is {
			counts[name]++
		}
	}
	for row := range s.All {
		text := func(name string) string { s, _ := row[name].(string); return s }
		for _, c := range s.Columns() {
			if row[c.Name] == nil {
				missing[c.Name]++
			} else if s, ok := row[c.Name].(string); ok {
				if distinct[c.Name] == nil {
					distinct[c.Name] = map[string]int{}
				}
				distinct[c.Name][s]++
			}
		}
		open := row["location_end_date"] == nil && row["dba_end_date"] == nil && row["administratively_closed"] == nil
		tally("open", open)
		tally("open in the city", open && row["city"] == "San Francisco")
		tally("outside", outside(row))
		tally("location end only", row["location_end_date"] != nil && row["dba_end_date"] == nil)
		tally("future end", text("location_end_date") > "2026-10-03T")
		tally("future start", text("location_start_date") > "2026-10-03T")
		tally("end before start", row["location_end_date"] != nil && text("location_end_date") < text("location_start_date"))
		tally("end is start", row["location_end_date"] != nil && row["location_end_date"] == row["location_start_date"])
		tally("closed 2018", strings.HasPrefix(text("location_end_date"), "2018"))
		tally("old default start", text("dba_start_date") == "1968-10-01T00:00:00.000")
		tally("ancient", text("dba_start_date") < "1930")
		tally("undeliverable", text("full_business_address") == "0000 Undeliverable Mail")
		tally("trailing number sign", strings.HasSuffix(text("full_business_address"), " #"))
		tally("zip+4", len(text("business_zip")) == 10)
		tally("leading zero", strings.HasPrefix(text("business_zip"), "0"))
		tally("several codes", strings.Contains(text("self_reported_naics_code"), " "))
		newOpening := text("location_start_date") > "2024-10-03" && text("location_start_date") < "2026-10-04"
		tally("new openings", newOpening)
		tally("new openings without code", newOpening && row["self_reported_naics_code"] == nil)
		require.Equal(t, text("ttxid")+"-"+text("certificate_number"), text("uniqueid"))
	}
	for name, want := range map[string]float64{
		"dba_end_date": 45, "location_end_date": 35, "self_reported_naics_code": 65, "lic": 96,
		"neighborhoods_analysis_boundaries": 21, "supervisor_district": 21, "business_corridor": 91, "location": 3,
		"administratively_closed": 88.4, "city": 0.15, "state": 0.15, "business_zip": 0.15, "ttxid": 0, "parking_tax": 0,
	} {
		assert.InDelta(t, want, 100*float64(missing[name])/n, 1, "missing: %s", name)
	}
	for name, want := range map[string]float64{
		"open": 34.4, "open in the city": 27.8, "outside": 15, "location end only": 11, "closed 2018": 11, "undeliverable": 1.6,
	} {
		assert.InDelta(t, want, 100*float64(counts[name])/n, 1, name)
	}
	assert.InDelta(t, 96, 100*float64(counts["new openings without code"])/float64(counts["new openings"]), 1.5)
	assert.InDelta(t, 80.4, 100*float64(distinct["city"]["San Francisco"])/n, 1)
	assert.InDelta(t, 69.9, 100*float64(len(distinct["certificate_number"]))/n, 3)
	for _, name := range []string{
		"future end", "future start", "end before start", "end is start", "old default start", "ancient", "trailing number sign",
		"zip+4", "leading zero", "several codes",
	} {
		assert.Positive(t, counts[name], name)
	}
	for name, items := range map[string][]string{
		"city":                     {"San+francisco", "Sf", "San Fransisco", "South San Francisco", "S San Fran"},
		"dba_name":                 {"N/A", "None", "San Francisco"},
		"business_zip":             {"00000", "99999"},
		"state":                    {"ca", "ON", "NY"},
		"administratively_closed":  {"***Administratively Closed"},
		"self_reported_naics_code": {"7220-7229", "722511", "53"},
		"full_business_address":    {"9999 Undeliverable St"},
	} {
		for _, item := range items {
			assert.Positive(t, distinct[name][item], "%s: %s", name, item)
		}
	}
	assert.Len(t, distinct["ttxid"], n)
	assert.Len(t, distinct["neighborhoods_analysis_boundaries"], 41)
	assert.Len(t, distinct["supervisor_district"], 11)
	most := 0
	for _, rows := range distinct["certificate_number"] {
		most = max(most, rows)
	}
	assert.Greater(t, most, 10, "some accounts have many locations")
	for key := range distinct["ttxid"] {
		require.Regexp(t, `^\d{7}-\d{2}-\d{3}$`, key)
	}
}

func TestColumns(t *testing.T) {
	assert.Equal(t, []string{
		"uniqueid", "certificate_number", "ttxid", "ownership_name", "dba_name", "full_business_address", "city", "state",
		"business_zip", "dba_start_date", "dba_end_date", "location_start_date", "location_end_date", "administratively_closed",
		"mailing_address_1", "mail_city", "mail_state", "mail_zipcode", "self_reported_naics_code", "lic",
		"lic_code_description", "lic_code_descriptions_list", "parking_tax", "transient_occupancy_tax", "location",
		"business_corridor", "neighborhoods_analysis_boundaries", "supervisor_district", "community_benefit_district",
		":@computed_region_6qbp_sg9q", ":@computed_region_qgnn_b9vv", ":@computed_region_26cr_cadq",
		":@computed_region_ajp5_b2md", ":@computed_region_jwn9_ihcz", "data_as_of", "data_loaded_at",
	}, Generate(1, 1).Columns())
}

// Every generated point of a neighborhood lies in the city's box.
func TestNeighborhoodPoints(t *testing.T) {
	for _, n := range neighborhoods {
		for h := range uint64(2000) {
			lon, lat := n.point(rand.NewPCG(h, 1).Uint64())
			require.True(t, lon > -122.55 && lon < -122.33 && lat > 37.69 && lat < 37.84, "%s %f %f", n.name, lon, lat)
		}
		sum := 0
		for _, d := range n.districts {
			sum += d.percent
		}
		assert.Equal(t, 100, sum, n.name)
	}
}

func TestLocation(t *testing.T) {
	for _, n := range neighborhoods {
		fields, ok := Location("1 Example St", n.name)
		require.True(t, ok)
		assert.Equal(t, "1 Example St", fields["full_business_address"])
		assert.Equal(t, n.name, fields["neighborhoods_analysis_boundaries"])
		assert.Equal(t, n.districts[0].district, fields["supervisor_district"])
		point := fields["location"].([2]float64)
		assert.InDelta(t, n.lon, point[0], n.lonSpread+1e-6)
		assert.InDelta(t, n.lat, point[1], n.latSpread+1e-6)
		again, _ := Location("1 Example St", n.name)
		assert.Equal(t, fields, again)
	}
	_, ok := Location("1 Example St", "Atlantis")
	assert.False(t, ok)
}

// The invented outlines cover the city without a gap or an overlap, and each
// holds its middle.
func TestNeighborhoodsShareOutTheCity(t *testing.T) {
	areas := Neighborhoods()
	require.Len(t, areas, len(neighborhoods))
	all := areas[0].Bound()
	sum := 0.0
	for i, a := range areas {
		require.Equal(t, neighborhoods[i].name, a.Name)
		require.True(t, a.Outline[0][0].Closed())
		all, sum = all.Union(a.Bound()), sum+planar.Area(orb.MultiPolygon(a.Outline))
		for j, n := range neighborhoods {
			inside := planar.MultiPolygonContains(orb.MultiPolygon(a.Outline), orb.Point{n.lon, n.lat})
			require.Equal(t, i == j, inside, "%s and %s", a.Name, n.name)
		}
	}
	require.InEpsilon(t, planar.Area(all), sum, 1e-5)
}

func BenchmarkGenerate(b *testing.B) {
	var before, after runtime.MemStats
	var table *store.Table
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		table = Generate(368_000, 1)
	}
	b.ReportMetric(float64(table.Len()*b.N)/b.Elapsed().Seconds(), "rows/s")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-held")
	runtime.KeepAlive(table)
}
