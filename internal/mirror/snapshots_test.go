package mirror

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/socrata"
)

// statRow is what statistics see of a document; zero values are absent.
type statRow struct {
	neighborhood, sector string
	district             int32
	openState            int // 1 false, 2 true
	start, end           string
	admin                int
}

func (r statRow) record(t require.TestingT, key string) Record {
	facets := bson.D{}
	set := func(name string, present bool, value any) {
		if present {
			facets = append(facets, bson.E{Key: name, Value: value})
		}
	}
	set("neighborhood", r.neighborhood != "", r.neighborhood)
	set("sector", r.sector != "", r.sector)
	set("district", r.district != 0, r.district)
	set("open", r.openState > 0, r.openState == 2)
	set("start_month", r.start != "", r.start)
	set("end_month", r.end != "", r.end)
	fields := []bson.E{{Key: "facets", Value: facets}}
	if r.admin > 0 {
		fields = append(fields, bson.E{Key: "administratively_closed", Value: r.admin == 2})
	}
	return cleanRecord(t, key, fields...)
}

func (r statRow) totals() Totals {
	t := Totals{Rows: 1}
	switch {
	case r.openState == 2:
		t.Open = 1
	case r.admin == 2:
		t.Closed, t.AdministrativelyClosed = 1, 1
	default:
		t.Closed = 1
	}
	return t
}

func TestSnapshotCountsEqualBruteForce(t *testing.T) {
	m := openTest(t)
	l := testDir(t)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		for _, c := range []string{Businesses, Snapshots} {
			_, err := m.Database().Collection(c).DeleteMany(ctx, bson.D{})
			require.NoError(t, err)
		}
		month := rapid.SampledFrom([]string{"", "1848-01", "1968-10", "1985-01", "1999-12", "2000-01", "2024-02", "2205-06"})
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) statRow {
			r := statRow{
				neighborhood: rapid.SampledFrom([]string{"", "Mission", "Sunset/Parkside", "Dos. $iguiente"}).Draw(t, "neighborhood"),
				sector:       rapid.SampledFrom([]string{"", "44-45", "722"}).Draw(t, "sector"),
				district:     rapid.SampledFrom([]int32{0, 3, 11}).Draw(t, "district"),
				openState:    rapid.IntRange(1, 2).Draw(t, "open"),
				start:        month.Draw(t, "start"), end: month.Draw(t, "end"),
				admin: rapid.IntRange(0, 2).Draw(t, "admin"),
			}
			if r.openState == 2 {
				r.end, r.admin = "", 0 // an open row has no end
			}
			return r
		}), 0, 60).Draw(t, "rows")

		records := make([]Record, len(rows))
		var totals Totals
		neighborhoods, sectors, districts, months := map[string]Totals{}, map[string]Totals{}, map[int64]Totals{}, map[string]Month{}
		type place struct {
			neighborhood, sector string
			district             int64
		}
		places := map[place]Totals{}
		for i, r := range rows {
			records[i] = r.record(t, fmt.Sprintf("%06d", i))
			one := r.totals()
			totals = totals.plus(one)
			neighborhoods[r.neighborhood] = neighborhoods[r.neighborhood].plus(one)
			sectors[r.sector] = sectors[r.sector].plus(one)
			districts[int64(r.district)] = districts[int64(r.district)].plus(one)
			p := place{r.neighborhood, r.sector, int64(r.district)}
			places[p] = places[p].plus(one)
			if r.start != "" {
				mo := months[r.start]
				mo.Month, mo.Opened = r.start, mo.Opened+1
				months[r.start] = mo
			}
			if r.end != "" {
				mo := months[r.end]
				mo.Month, mo.Closed = r.end, mo.Closed+1
				if r.admin == 2 {
					mo.AdministrativelyClosed++
				}
				months[r.end] = mo
			}
		}
		_, err := m.Upsert(ctx, l, UpsertInput{Run: "r1", Part: "p", FirstLoad: true, Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(ctx, t, l, "r1", records)})
		require.NoError(t, err)
		snap, taken, err := m.TakeSnapshot(ctx, SnapshotInput{AsOf: day(1), Run: "r1", Outcome: OutcomeGreen})
		require.NoError(t, err)
		require.True(t, taken)
		require.Equal(t, totals, snap.Totals)

		var named []Tallied
		require.NoError(t, m.Series(ctx, snap.ID, SeriesNeighborhood, &named))
		require.Equal(t, neighborhoods, mapOf(named))
		require.NoError(t, m.Series(ctx, snap.ID, SeriesSector, &named))
		require.Equal(t, sectors, mapOf(named))
		var districtRows []TalliedDistrict
		require.NoError(t, m.Series(ctx, snap.ID, SeriesDistrict, &districtRows))
		gotDistricts := map[int64]Totals{}
		for _, d := range districtRows {
			gotDistricts[d.District] = d.Totals
		}
		require.Equal(t, districts, gotDistricts)

		var cells Cells
		require.NoError(t, m.Series(ctx, snap.ID, SeriesCells, &cells))
		gotPlaces := map[place]Totals{}
		for _, r := range cells.Rows {
			gotPlaces[place{cells.Neighborhoods[r[0]], cells.Sectors[r[1]], r[2]}] = Totals{Rows: r[3] + r[4], Open: r[3], Closed: r[4], AdministrativelyClosed: r[5]}
		}
		require.Equal(t, places, gotPlaces)
		require.Len(t, cells.Rows, len(places))

		var gotMonths []Month
		require.NoError(t, m.Series(ctx, snap.ID, SeriesMonths, &gotMonths))
		require.Len(t, gotMonths, len(months))
		for i, name := range slices.Sorted(maps.Keys(months)) {
			require.Equal(t, months[name], gotMonths[i])
		}
		require.Equal(t, []SeriesInfo{
			{SeriesNeighborhood, len(neighborhoods)},
			{SeriesSector, len(sectors)},
			{SeriesDistrict, len(districts)},
			{SeriesCells, len(places)},
			{SeriesMonths, len(months)},
		}, snap.Series[:5])
	})
}

func mapOf(rows []Tallied) map[string]Totals {
	m := map[string]Totals{}
	for _, r := range rows {
		m[r.Name] = r.Totals
	}
	return m
}

func TestSnapshots(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	l := testDir(t)
	_, err := m.Snapshot(ctx, "latest")
	require.ErrorIs(t, err, ErrNoSnapshot)
	list, err := m.Snapshots(ctx, 10)
	require.NoError(t, err)
	assert.Empty(t, list)

	one := []Record{statRow{neighborhood: "Mission", openState: 2, start: "1985-01"}.record(t, "a")}
	_, err = m.Upsert(ctx, l, UpsertInput{Run: "r1", Part: "p", FirstLoad: true, Explain: explainTest, At: day(1), Ordered: true, Pages: landRecords(ctx, t, l, "r1", one)})
	require.NoError(t, err)

	zone, err := time.LoadLocation("America/Los_Angeles")
	require.NoError(t, err)
	version := socrata.Version{Served: day(2), Truth: day(2)}
	// Late on the 1st in San Francisco is the 2nd in UTC; the date is the city's.
	red, taken, err := m.TakeSnapshot(t.Context(), SnapshotInput{AsOf: time.Date(2026, 10, 1, 0, 0, 0, 0, zone), Run: "r0", Outcome: OutcomeRed})
	require.NoError(t, err)
	assert.True(t, taken)
	assert.Equal(t, "2026-10-01-observed-red", red.ID)

	in := SnapshotInput{AsOf: time.Date(2026, 10, 1, 23, 30, 0, 0, zone), Version: version, Run: "r1", Spec: "s1", Outcome: OutcomeGreen}
	first, taken, err := m.TakeSnapshot(ctx, in)
	require.NoError(t, err)
	assert.True(t, taken)
	assert.Equal(t, "2026-10-01-observed", first.ID)
	assert.Equal(t, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), first.AsOf)
	assert.Equal(t, Totals{Rows: 1, Open: 1}, first.Totals)

	// Of the same date, from another mirror: the first stays.
	two := append(one, statRow{neighborhood: "Mission", openState: 1}.record(t, "b"))
	beginRuns(ctx, t, m, "r2")
	_, err = m.Upsert(ctx, l, UpsertInput{Run: "r2", Part: "p", Explain: explainTest, At: day(2), Ordered: true, Pages: landRecords(ctx, t, l, "r2", two)})
	require.NoError(t, err)
	in.Run = "r2"
	same, taken, err := m.TakeSnapshot(ctx, in)
	require.NoError(t, err)
	assert.False(t, taken)
	assert.Equal(t, first.ID, same.ID)
	assert.Equal(t, "r1", same.Run)
	var rows []Tallied
	require.NoError(t, m.Series(ctx, first.ID, SeriesNeighborhood, &rows))
	assert.Equal(t, []Tallied{{Name: "Mission", Totals: Totals{Rows: 1, Open: 1}}}, rows)

	in.AsOf = in.AsOf.AddDate(0, 0, 1)
	second, _, err := m.TakeSnapshot(ctx, in)
	require.NoError(t, err)
	newest, err := m.Snapshot(ctx, "latest")
	require.NoError(t, err)
	assert.Equal(t, second.ID, newest.ID)
	assert.Equal(t, second.Totals, newest.Totals)
	assert.Equal(t, second.Created, newest.Created.UTC())
	require.NoError(t, m.Series(ctx, "latest", SeriesNeighborhood, &rows))
	assert.Equal(t, []Tallied{{Name: "Mission", Totals: Totals{Rows: 2, Open: 1, Closed: 1}}}, rows)
	require.ErrorIs(t, m.Series(ctx, "latest", "no such", &rows), ErrNoSnapshot)
	_, err = m.Snapshot(ctx, first.ID+"/"+SeriesNeighborhood)
	require.ErrorIs(t, err, ErrNoSnapshot, "a part is no snapshot")

	list, err = m.Snapshots(ctx, 10)
	require.NoError(t, err)
	require.Len(t, list, 3)
	assert.Equal(t, []string{second.ID, first.ID}, []string{list[0].ID, list[1].ID})
	list, err = m.Snapshots(ctx, 1)
	require.NoError(t, err)
	assert.Len(t, list, 1)
}

func TestSnapshotOfEmptyMirror(t *testing.T) {
	m := openTest(t)
	snap, taken, err := m.TakeSnapshot(t.Context(), SnapshotInput{AsOf: day(1)})
	require.NoError(t, err)
	assert.True(t, taken)
	assert.Zero(t, snap.Totals)
	var months []Month
	require.NoError(t, m.Series(t.Context(), snap.ID, SeriesMonths, &months))
	assert.Empty(t, months)
}

func BenchmarkSnapshot(b *testing.B) {
	m := openTest(b)
	l := testDir(b)
	upsertAll(b, m, l, benchmarkPages(b, l, benchmarkRows), 2)
	date := day(1)
	for b.Loop() {
		_, taken, err := m.TakeSnapshot(b.Context(), SnapshotInput{AsOf: date})
		require.NoError(b, err)
		require.True(b, taken)
		date = date.AddDate(0, 0, 1)
	}
}
