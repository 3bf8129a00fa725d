package statistics

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

	"padron/internal/certificate"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/socrata"
)

// statRow is what statistics see of a document; zero values are absent.
type statRow struct {
	neighborhood, sector string
	district             any // of text or a number
	openState            int // 0 neither, 1 false, 2 true
	start, end           string
	admin                int
}

func (r statRow) record(t require.TestingT, key string) landing.Record {
	facets := bson.D{}
	set := func(name string, present bool, value any) {
		if present {
			facets = append(facets, bson.E{Key: name, Value: value})
		}
	}
	set("neighborhood", r.neighborhood != "", r.neighborhood)
	set("sector", r.sector != "", r.sector)
	set("district", r.district != nil, r.district)
	set("open", r.openState > 0, r.openState == 2)
	set("start_month", r.start != "", r.start)
	set("end_month", r.end != "", r.end)
	set("closed", r.openState == 1, []string{"location", "account", "administrative"}[r.admin])
	fields := []bson.E{{Key: "facets", Value: facets}}
	return landingtest.Clean(t, key, fields...)
}

// districtName is the district as statistics name it.
func (r statRow) districtName() District {
	if r.district == nil {
		return ""
	}
	return District(fmt.Sprint(r.district))
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
	store := NewStore(mongodbtest.Open(t))
	l := landingtest.Directory(t)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		mongodbtest.Clear(ctx, t, store.db, mongodb.Businesses, mongodb.Snapshots)
		month := rapid.SampledFrom([]string{"", "1848-01", "1968-10", "1985-01", "1999-12", "2000-01", "2024-02", "2205-06"})
		districtKinds := rapid.SampledFrom([][]any{{nil, int32(3), int32(11)}, {nil, "Brooklyn", "01", "39", "0", "Staten Island"}}).Draw(t, "districts")
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) statRow {
			r := statRow{
				neighborhood: rapid.SampledFrom([]string{"", "Mission", "Sunset/Parkside", "Dos. $iguiente"}).Draw(t, "neighborhood"),
				sector:       rapid.SampledFrom([]string{"", "44-45", "722"}).Draw(t, "sector"),
				district:     rapid.SampledFrom(districtKinds).Draw(t, "district"),
				openState:    rapid.IntRange(0, 2).Draw(t, "open"),
				start:        month.Draw(t, "start"), end: month.Draw(t, "end"),
				admin: rapid.IntRange(0, 2).Draw(t, "admin"),
			}
			if r.openState != 1 {
				r.end, r.admin = "", 0 // only a closed row has an end
			}
			return r
		}), 0, 60).Draw(t, "rows")

		records := make([]landing.Record, len(rows))
		var totals Totals
		var unclear int64
		neighborhoods, sectors, districts, months := map[string]Totals{}, map[string]Totals{}, map[District]Totals{}, map[string]Month{}
		type place struct {
			neighborhood, sector string
			district             District
		}
		places := map[place]Totals{}
		for i, r := range rows {
			records[i] = r.record(t, fmt.Sprintf("%06d", i))
			if r.openState == 0 {
				unclear++
				continue
			}
			one := r.totals()
			totals = totals.Plus(one)
			neighborhoods[r.neighborhood] = neighborhoods[r.neighborhood].Plus(one)
			sectors[r.sector] = sectors[r.sector].Plus(one)
			districts[r.districtName()] = districts[r.districtName()].Plus(one)
			p := place{r.neighborhood, r.sector, r.districtName()}
			places[p] = places[p].Plus(one)
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
		mirrortest.Load(ctx, t, store.db, l, records)
		snap, taken, err := store.TakeSnapshot(ctx, SnapshotInput{AsOf: mongodbtest.Day(1), Run: "r1", Outcome: certificate.Green})
		require.NoError(t, err)
		require.True(t, taken)
		require.Equal(t, totals, snap.Totals)
		require.Equal(t, unclear, snap.Unclear, "neither open nor closed: in no count")

		var named []Tallied
		require.NoError(t, store.Series(ctx, snap.ID, SeriesNeighborhood, &named))
		require.Equal(t, neighborhoods, mapOf(named))
		require.NoError(t, store.Series(ctx, snap.ID, SeriesSector, &named))
		require.Equal(t, sectors, mapOf(named))
		var districtRows []TalliedDistrict
		require.NoError(t, store.Series(ctx, snap.ID, SeriesDistrict, &districtRows))
		gotDistricts := map[District]Totals{}
		for _, d := range districtRows {
			gotDistricts[d.District] = d.Totals
		}
		require.Equal(t, districts, gotDistricts)

		var cells Cells
		require.NoError(t, store.Series(ctx, snap.ID, SeriesCells, &cells))
		gotPlaces := map[place]Totals{}
		for _, r := range cells.Rows {
			gotPlaces[place{cells.Neighborhoods[r[0]], cells.Sectors[r[1]], cells.District(r)}] = Totals{Rows: r[3] + r[4], Open: r[3], Closed: r[4], AdministrativelyClosed: r[5]}
		}
		require.Equal(t, places, gotPlaces)
		require.Len(t, cells.Rows, len(places))

		var gotMonths []Month
		require.NoError(t, store.Series(ctx, snap.ID, SeriesMonths, &gotMonths))
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
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	l := landingtest.Directory(t)
	_, err := store.Snapshot(ctx, "latest")
	require.ErrorIs(t, err, ErrNoSnapshot)
	list, err := store.Snapshots(ctx, 10)
	require.NoError(t, err)
	assert.Empty(t, list)

	one := []landing.Record{statRow{neighborhood: "Mission", openState: 2, start: "1985-01"}.record(t, "a")}
	mirrortest.Load(ctx, t, store.db, l, one)

	zone, err := time.LoadLocation("America/Los_Angeles")
	require.NoError(t, err)
	version := socrata.Version{Served: mongodbtest.Day(2), Truth: mongodbtest.Day(2)}
	// Late on the 1st in San Francisco is the 2nd in UTC; the date is the
	// city's.
	red, taken, err := store.TakeSnapshot(ctx, SnapshotInput{AsOf: time.Date(2026, 10, 1, 0, 0, 0, 0, zone), Run: "r0", Outcome: certificate.Red})
	require.NoError(t, err)
	assert.True(t, taken)
	assert.Equal(t, "2026-10-01-observed-red", red.ID)

	in := SnapshotInput{AsOf: time.Date(2026, 10, 1, 23, 30, 0, 0, zone), Version: version, Run: "r1", Spec: "s1", Outcome: certificate.Green}
	first, taken, err := store.TakeSnapshot(ctx, in)
	require.NoError(t, err)
	assert.True(t, taken)
	assert.Equal(t, "2026-10-01-observed", first.ID)
	assert.Equal(t, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), first.AsOf)
	assert.Equal(t, Totals{Rows: 1, Open: 1}, first.Totals)

	// Of the same date, by another run: the last green one counts, the first stays
	// readable.
	two := append(one, statRow{neighborhood: "Mission", openState: 1}.record(t, "b"))
	mirrortest.BeginRuns(ctx, t, store.db, "r2")
	_, err = mirror.New(store.db).Upsert(ctx, l, mirrortest.Crawl(ctx, t, l, 2, two))
	require.NoError(t, err)
	in.Run = "r2"
	later, taken, err := store.TakeSnapshot(ctx, in)
	require.NoError(t, err)
	assert.True(t, taken)
	assert.Equal(t, first.ID+"-02", later.ID)
	same, taken, err := store.TakeSnapshot(ctx, in)
	require.NoError(t, err)
	assert.False(t, taken, "an attempt that is made again")
	assert.Equal(t, later.ID, same.ID)
	newest, err := store.Snapshot(ctx, "latest")
	require.NoError(t, err)
	assert.Equal(t, later.ID, newest.ID)
	unproven := in
	unproven.Run, unproven.Outcome = "r3", certificate.Unproven
	_, taken, err = store.TakeSnapshot(ctx, unproven)
	require.NoError(t, err)
	assert.True(t, taken)
	for n := 3; n <= 11; n++ {
		in.Run = fmt.Sprint("again", n)
		last, _, err := store.TakeSnapshot(ctx, in)
		require.NoError(t, err)
		newest, err := store.Snapshot(ctx, "latest")
		require.NoError(t, err)
		assert.Equal(t, last.ID, newest.ID)
	}
	var rows []Tallied
	require.NoError(t, store.Series(ctx, first.ID, SeriesNeighborhood, &rows))
	assert.Equal(t, []Tallied{{Name: "Mission", Totals: Totals{Rows: 1, Open: 1}}}, rows)

	in.AsOf = in.AsOf.AddDate(0, 0, 1)
	second, _, err := store.TakeSnapshot(ctx, in)
	require.NoError(t, err)
	newest, err = store.Snapshot(ctx, "latest")
	require.NoError(t, err)
	assert.Equal(t, second.ID, newest.ID)
	assert.Equal(t, second.Totals, newest.Totals)
	assert.Equal(t, second.Created, newest.Created.UTC())
	require.NoError(t, store.Series(ctx, "latest", SeriesNeighborhood, &rows))
	assert.Equal(t, []Tallied{{Name: "Mission", Totals: Totals{Rows: 2, Open: 1, Closed: 1}}}, rows)
	require.ErrorIs(t, store.Series(ctx, "latest", "no such", &rows), ErrNoSnapshot)
	_, err = store.Snapshot(ctx, first.ID+"/"+SeriesNeighborhood)
	require.ErrorIs(t, err, ErrNoSnapshot, "a part is no snapshot")

	list, err = store.Snapshots(ctx, 20)
	require.NoError(t, err)
	var ids []string
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	require.Len(t, ids, 14)
	day := "2026-10-01-observed"
	assert.Equal(t, []string{second.ID, day + "-11", day + "-10", day + "-09"}, ids[:4])
	assert.Equal(t, []string{day + "-02", day, day + "-red", day + "-unproven"}, ids[10:])
	list, err = store.Snapshots(ctx, 1)
	require.NoError(t, err)
	assert.Len(t, list, 1)
}

// Documents that were counted already are not counted again. That they were not is
// seen because others are stored in the meantime.
func TestCountsOfTheSameDocumentsAreTakenOver(t *testing.T) {
	ctx := t.Context()
	store, l := NewStore(mongodbtest.Open(t)), landingtest.Directory(t)
	records := []landing.Record{statRow{neighborhood: "Mission", openState: 2, start: "1985-01"}.record(t, "a")}
	mirrortest.Load(ctx, t, store.db, l, records)
	runs := 0
	take := func(change func(*SnapshotInput)) Snapshot {
		runs++
		in := sanFranciscoStatistics(t, SnapshotInput{
			AsOf: mongodbtest.Day(1), Run: fmt.Sprint("r", runs), Spec: "s", Outcome: certificate.Green, Documents: "d",
		})
		change(&in)
		snap, taken, err := store.TakeSnapshot(ctx, in)
		require.NoError(t, err)
		require.True(t, taken)
		return snap
	}
	first := take(func(*SnapshotInput) {})
	require.EqualValues(t, 1, first.Totals.Rows)
	records = append(records, statRow{neighborhood: "Marina", openState: 2, start: "1985-01"}.record(t, "b"))
	mirrortest.BeginRuns(ctx, t, store.db, "r2")
	_, err := mirror.New(store.db).Upsert(ctx, l, mirrortest.Crawl(ctx, t, l, 2, records))
	require.NoError(t, err)

	again := take(func(in *SnapshotInput) { in.AsOf = mongodbtest.Day(2) })
	require.Equal(t, first.Totals, again.Totals)
	require.Equal(t, first.Series, again.Series)
	for _, series := range first.Series {
		var was, is bson.RawValue
		require.NoError(t, store.SeriesOf(ctx, &first, series.Name, &was))
		require.NoError(t, store.SeriesOf(ctx, &again, series.Name, &is))
		require.True(t, was.Equal(is), series.Name)
	}
	for what, change := range map[string]func(*SnapshotInput){
		"other documents":   func(in *SnapshotInput) { in.Documents = "e" },
		"unknown documents": func(in *SnapshotInput) { in.Documents = "" },
		"another spec":      func(in *SnapshotInput) { in.Spec = "t" },
		"another month":     func(in *SnapshotInput) { in.AsOf = mongodbtest.Day(40) },
	} {
		require.EqualValues(t, 2, take(change).Totals.Rows, what)
	}
}

func TestSnapshotOfEmptyMirror(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	snap, taken, err := store.TakeSnapshot(t.Context(), SnapshotInput{AsOf: mongodbtest.Day(1)})
	require.NoError(t, err)
	assert.True(t, taken)
	assert.Zero(t, snap.Totals)
	var months []Month
	require.NoError(t, store.Series(t.Context(), snap.ID, SeriesMonths, &months))
	assert.Empty(t, months)
}

func BenchmarkSnapshot(b *testing.B) {
	store := NewStore(mongodbtest.Open(b))
	l := landingtest.Directory(b)
	mirrortest.UpsertAll(b, mirror.New(store.db), l, mirrortest.Ranges(b, l, 200_000, landingtest.Register), 2)
	date := mongodbtest.Day(1)
	for b.Loop() {
		_, taken, err := store.TakeSnapshot(b.Context(), SnapshotInput{AsOf: date})
		require.NoError(b, err)
		require.True(b, taken)
		date = date.AddDate(0, 0, 1)
	}
}
