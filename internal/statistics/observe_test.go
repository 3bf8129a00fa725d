package statistics

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/certificate"
	"padron/internal/cleaning"
	"padron/internal/dataset"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
)

// sanFranciscoStatistics completes what a snapshot is asked for by what San
// Francisco's spec says.
func sanFranciscoStatistics(t testing.TB, in SnapshotInput) SnapshotInput {
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	in.Entry = spec.SurvivorsBefore()
	g := cleaning.GridOf(spec.Box)
	in.Grid = &Grid{
		Size: g.Size, Width: g.Width, MetersPerLon: g.MetersPerLon, MetersPerLat: g.MetersPerLat, Box: Box(spec.Box),
		Center: func(cell string) (float64, float64, error) { return cleaning.CellCenter(spec.Box, cell) },
	}
	return in
}

// end is the day that the row ended on, zero when none is known.
func (r lifeRow) end() time.Time {
	if r.locationEnd.IsZero() {
		return r.businessEnd
	}
	return r.locationEnd
}

func (r lifeRow) open() bool { return r.end().IsZero() && !r.admin }

func monthOf(d time.Time) string { return d.Format("2006-01") }

// monthsApart is how many calendar months one date is after another.
func monthsApart(from, to time.Time) int {
	return (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
}

// seriesOf reads a series.
func seriesOf[T any](ctx context.Context, t require.TestingT, store *Store, snap *Snapshot, name string) T {
	var rows T
	require.NoError(t, store.SeriesOf(ctx, snap, name, &rows), name)
	return rows
}

// TestStatisticsEqualBruteForce takes snapshots of drawn rows, and counts the
// same rows one by one.
func TestStatisticsEqualBruteForce(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	l := landingtest.Directory(t)
	ctx := t.Context()
	c := mirrortest.SanFrancisco(t)
	base := sanFranciscoStatistics(t, SnapshotInput{Run: "r1", Outcome: certificate.Green})
	rapid.Check(t, func(t *rapid.T) {
		mongodbtest.Clear(ctx, t, store.db, mongodb.Snapshots)
		date := rapid.SampledFrom([]time.Time{
			{},
			{},
			{},
			dateOf(1848, 1, 1), dateOf(1985, 1, 15), dateOf(1985, 1, 31), dateOf(1999, 12, 31), dateOf(2000, 1, 1),
			dateOf(2014, 12, 31), dateOf(2015, 1, 1), dateOf(2016, 2, 29), dateOf(2016, 10, 31), dateOf(2016, 11, 1),
			dateOf(2025, 9, 30), dateOf(2025, 10, 1), dateOf(2025, 10, 2), dateOf(2026, 9, 30), dateOf(2026, 10, 1),
			dateOf(2026, 10, 14), dateOf(2026, 10, 15), dateOf(2026, 10, 16), dateOf(2028, 3, 1), dateOf(2205, 6, 30),
		})
		kinds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) lifeRow {
			return lifeRow{
				start: date.Draw(t, "start"), locationEnd: date.Draw(t, "location end"), businessEnd: date.Draw(t, "business end"),
				admin:        rapid.Bool().Draw(t, "administratively closed"),
				neighborhood: rapid.SampledFrom([]string{"", "Mission", "Sunset/Parkside", "Dos. $iguiente"}).Draw(t, "neighborhood"),
				code:         rapid.SampledFrom([]string{"", "722511"}).Draw(t, "code"),
				district:     rapid.SampledFrom([]int64{0, 3, 11}).Draw(t, "district"),
				point: rapid.SampledFrom([][2]float64{
					{}, {-122.4194, 37.7749}, {-122.4195, 37.7750}, {-122.45, 37.76}, {-122.3301, 37.8399}, {-100, 40},
				}).Draw(t, "point"),
			}
		}), 0, 12).Draw(t, "kinds of rows")
		var rows []lifeRow
		for _, r := range kinds {
			for range rapid.SampledFrom([]int{1, 2, 9, 40}).Draw(t, "of these") {
				rows = append(rows, r)
			}
		}
		load(ctx, t, store, l, c, rows)
		in := base
		in.AsOf = rapid.SampledFrom([]time.Time{
			dateOf(2026, 10, 15), dateOf(2026, 10, 1), dateOf(2026, 10, 31), dateOf(2014, 6, 1),
		}).Draw(t, "as of")
		if rapid.IntRange(0, 3).Draw(t, "no break") == 0 {
			in.Entry = time.Time{}
		}
		snap, taken, err := store.TakeSnapshot(ctx, in)
		require.NoError(t, err)
		require.True(t, taken)

		bruteMonthsBy(t, rows, in.AsOf, seriesOf[MonthsBy](ctx, t, store, &snap, SeriesMonthsBy))
		bruteChurn(t, rows, in.AsOf, seriesOf[Churn](ctx, t, store, &snap, SeriesChurn))
		bruteAges(t, rows, in.AsOf, seriesOf[Ages](ctx, t, store, &snap, SeriesAges))
		bruteHexes(t, rows, seriesOf[Hexes](ctx, t, store, &snap, SeriesHexes))
		bruteCoverage(t, rows, seriesOf[Coverage](ctx, t, store, &snap, SeriesCoverage))

		all := seriesOf[Survival](ctx, t, store, &snap, SeriesSurvival)
		bruteSurvival(t, rows, in, all)
		var want []string
		for _, sector := range []string{"", "722"} {
			of := slices.DeleteFunc(slices.Clone(rows), func(r lifeRow) bool { return sectorOf(r.code) != sector })
			counting := 0
			for _, r := range of {
				if _, excluded := observe(r, in); excluded == (Excluded{}) {
					counting++
				}
			}
			require.Equal(t, counting >= 200, snap.Has(SeriesSurvivalOf(sector)), "%q: %d", sector, counting)
			if counting >= 200 {
				want = append(want, sector)
				bruteSurvival(t, of, in, seriesOf[Survival](ctx, t, store, &snap, SeriesSurvivalOf(sector)))
			}
		}
		require.ElementsMatch(t, want, all.Sectors)
	})
}

func bruteMonthsBy(t require.TestingT, rows []lifeRow, asOf time.Time, got MonthsBy) {
	require.Len(t, got.Months, 120)
	require.Equal(t, monthOf(asOf), got.Months[119])
	require.Equal(t, monthOf(dateOf(asOf.Year(), asOf.Month(), 1).AddDate(0, -119, 0)), got.Months[0])
	neighborhoods, sectors := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		neighborhoods[r.neighborhood], sectors[sectorOf(r.code)] = true, true
	}
	check := func(got []MonthsOf, names map[string]bool, months []string, of func(lifeRow) string, opened bool) {
		require.Len(t, got, len(names))
		for _, g := range got {
			require.True(t, names[g.Name])
			if !opened {
				require.Nil(t, g.Opened)
			}
			for i, month := range months {
				var o, c, a int64
				for _, r := range rows {
					if of(r) != g.Name {
						continue
					}
					if !r.start.IsZero() && monthOf(r.start) == month {
						o++
					}
					if !r.end().IsZero() && monthOf(r.end()) == month {
						c++
						if r.admin {
							a++
						}
					}
				}
				if opened {
					require.Equal(t, o, g.Opened[i], "%s %s", g.Name, month)
				}
				require.Equal(t, c, g.Closed[i], "%s %s", g.Name, month)
				require.Equal(t, a, g.AdministrativelyClosed[i], "%s %s", g.Name, month)
			}
		}
	}
	check(got.Neighborhoods, neighborhoods, got.Months, func(r lifeRow) string { return r.neighborhood }, true)
	check(got.Sectors, sectors, got.Months, func(r lifeRow) string { return sectorOf(r.code) }, false)
}

func bruteChurn(t require.TestingT, rows []lifeRow, asOf time.Time, got Churn) {
	until := dateOf(asOf.Year(), asOf.Month(), 1)
	from := until.AddDate(-1, 0, 0)
	require.Equal(t, []string{monthOf(from), monthOf(until.AddDate(0, 0, -1))}, []string{got.From, got.To})
	within := func(d time.Time) bool { return !d.IsZero() && !d.Before(from) && d.Before(until) }
	count := func(name string, of func(lifeRow) bool) Churned {
		c := Churned{Name: name}
		for _, r := range rows {
			if !of(r) {
				continue
			}
			if !r.start.IsZero() && r.start.Before(from) && (r.open() || !r.end().IsZero() && !r.end().Before(from)) {
				c.Open++
			}
			if within(r.start) {
				c.Opened++
			}
			if within(r.end()) {
				c.Closed++
				if r.admin {
					c.AdministrativelyClosed++
				}
			}
		}
		return c
	}
	require.Equal(t, count("", func(lifeRow) bool { return true }), got.All)
	for _, g := range got.Neighborhoods {
		require.Equal(t, count(g.Name, func(r lifeRow) bool { return r.neighborhood == g.Name }), g)
	}
	for _, g := range got.Sectors {
		require.Equal(t, count(g.Name, func(r lifeRow) bool { return sectorOf(r.code) == g.Name }), g)
	}
}

func bruteAges(t require.TestingT, rows []lifeRow, asOf time.Time, got Ages) {
	check := func(got AgesOf, of func(lifeRow) bool) {
		var ages []float64
		var undated int64
		for _, r := range rows {
			switch {
			case !of(r) || !r.open():
			case r.start.IsZero() || monthsApart(r.start, asOf) < 0:
				undated++
			default:
				ages = append(ages, float64(monthsApart(r.start, asOf))/12)
			}
		}
		slices.Sort(ages)
		require.Equal(t, []int64{int64(len(ages)), undated}, []int64{got.Count, got.Undated}, got.Name)
		if len(ages) == 0 {
			require.Equal(t, [5]float64{}, [5]float64{got.Min, got.Q1, got.Median, got.Q3, got.Max})
			return
		}
		at := func(p float64) float64 {
			h := p * float64(len(ages)-1)
			i := int(h)
			if i+1 == len(ages) {
				return ages[i]
			}
			return ages[i] + (h-float64(i))*(ages[i+1]-ages[i])
		}
		for i, v := range []float64{got.Min, got.Q1, got.Median, got.Q3, got.Max} {
			require.InDelta(t, at(float64(i)/4), v, 1e-9, got.Name)
		}
	}
	check(got.All, func(lifeRow) bool { return true })
	for _, g := range got.Neighborhoods {
		check(g, func(r lifeRow) bool { return r.neighborhood == g.Name })
	}
	for _, g := range got.Sectors {
		check(g, func(r lifeRow) bool { return sectorOf(r.code) == g.Name })
	}
}

// bruteHexes puts each point into the cell whose center is the nearest.
func bruteHexes(t require.TestingT, rows []lifeRow, got Hexes) {
	require.InDelta(t, got.Width, got.Size*math.Sqrt(3), 1e-9)
	cells := make([]Hex, len(got.Cells))
	var unlocated Totals
	for _, r := range rows {
		at := r.point
		if at[0] < got.Box.West || at[0] > got.Box.East || at[1] < got.Box.South || at[1] > got.Box.North {
			one := Totals{Rows: 1}
			switch {
			case r.open():
				one.Open = 1
			case r.admin:
				one.Closed, one.AdministrativelyClosed = 1, 1
			default:
				one.Closed = 1
			}
			unlocated = unlocated.Plus(one)
			continue
		}
		nearest, distance := -1, math.Inf(1)
		for i, c := range got.Cells {
			if d := math.Hypot((c.Lon-at[0])*got.MetersPerLon, (c.Lat-at[1])*got.MetersPerLat); d < distance {
				nearest, distance = i, d
			}
		}
		require.LessOrEqual(t, distance, got.Size*1.0001, "%v", at)
		if r.open() {
			cells[nearest].Open++
		} else {
			cells[nearest].Closed++
		}
	}
	for i, c := range got.Cells {
		require.Equal(t, []int64{cells[i].Open, cells[i].Closed}, []int64{c.Open, c.Closed}, c.Cell)
	}
	require.Equal(t, unlocated, got.Unlocated)
}

func bruteCoverage(t require.TestingT, rows []lifeRow, got Coverage) {
	var all, open Covered
	var noStart int64
	openings, closings := map[string]Covered{}, map[string]Covered{}
	for _, r := range rows {
		add := func(c Covered) Covered {
			c.Rows++
			if r.neighborhood != "" {
				c.Neighborhood++
			}
			if r.code != "" {
				c.Sector++
			}
			if r.district != 0 {
				c.District++
			}
			return c
		}
		all = add(all)
		if r.open() {
			open = add(open)
		}
		if r.start.IsZero() {
			noStart++
		} else {
			openings[r.start.Format("2006")] = add(openings[r.start.Format("2006")])
		}
		if !r.end().IsZero() {
			closings[r.end().Format("2006")] = add(closings[r.end().Format("2006")])
		}
	}
	require.Equal(t, []any{all, open, noStart}, []any{got.All, got.Open, got.NoStart})
	check := func(want map[string]Covered, got []CoveredYear) {
		require.True(t, slices.IsSortedFunc(got, func(a, b CoveredYear) int { return cmp.Compare(a.Year, b.Year) }))
		years := map[string]Covered{}
		for _, y := range got {
			years[y.Year] = y.Covered
		}
		require.Equal(t, want, years)
	}
	check(openings, got.Openings)
	check(closings, got.Closings)
}

// seen is a row under observation: from one age in months to another.
type seen struct {
	from, to int
	ended    bool
}

// observe says when the row was under observation, or why it is in no curve.
func observe(r lifeRow, in SnapshotInput) (seen, Excluded) {
	end, ended := r.end(), !r.open()
	switch {
	case r.start.IsZero():
		return seen{}, Excluded{NoStart: 1}
	case monthsApart(r.start, in.AsOf) < 0:
		return seen{}, Excluded{FutureStart: 1}
	case ended && end.IsZero():
		return seen{}, Excluded{ClosedWithoutDate: 1}
	case ended && monthsApart(r.start, end) < 0:
		return seen{}, Excluded{Impossible: 1}
	case !ended || monthsApart(in.AsOf, end) > 0:
		end, ended = in.AsOf, false
	}
	from := r.start
	if !in.Entry.IsZero() && in.Entry.After(from) {
		from = in.Entry
	}
	if monthsApart(from, end) < 0 {
		return seen{}, Excluded{BeforeEntry: 1}
	}
	return seen{monthsApart(r.start, from), monthsApart(r.start, end), ended}, Excluded{}
}

func bruteSurvival(t require.TestingT, rows []lifeRow, in SnapshotInput, got Survival) {
	require.Equal(t, monthOf(in.AsOf), got.AsOf)
	if in.Entry.IsZero() {
		require.Empty(t, got.Entry)
	} else {
		require.Equal(t, "2015-01", got.Entry)
	}
	var excluded Excluded
	type one struct {
		seen
		admin bool
	}
	var lives []one
	for _, r := range rows {
		s, not := observe(r, in)
		if not != (Excluded{}) {
			excluded = Excluded{
				NoStart: excluded.NoStart + not.NoStart, FutureStart: excluded.FutureStart + not.FutureStart,
				Impossible:        excluded.Impossible + not.Impossible,
				ClosedWithoutDate: excluded.ClosedWithoutDate + not.ClosedWithoutDate, BeforeEntry: excluded.BeforeEntry + not.BeforeEntry,
			}
			continue
		}
		lives = append(lives, one{s, r.admin})
	}
	require.Equal(t, excluded, got.Excluded)
	require.EqualValues(t, len(lives), got.Rows)
	require.EqualValues(t, len(rows), got.Rows+got.Excluded.Rows())
	events := map[string]func(one) bool{
		EventClosed:         func(l one) bool { return l.ended && !l.admin },
		EventAdministrative: func(l one) bool { return l.ended && l.admin },
		EventAny:            func(l one) bool { return l.ended },
	}
	require.Len(t, got.Curves, 3)
	for _, curve := range got.Curves {
		had := events[curve.Event]
		delete(events, curve.Event)
		var ages []int32
		var risk, closed, gone []int64
		survival, median := []float64{}, (*int32)(nil)
		s := 1.0
		for age := 0; age <= 600; age++ {
			var r, d, c int64
			for _, l := range lives {
				if l.from <= age && age <= l.to {
					r++
					switch {
					case l.to == age && had(l):
						d++
					case l.to == age:
						c++
					}
				}
			}
			if r == 0 && len(ages) == 0 {
				continue
			}
			if r < 10 {
				break
			}
			s *= float64(r-d) / float64(r)
			if s <= 0.5 && median == nil {
				at := int32(age)
				median = &at
			}
			ages, risk, closed, gone, survival = append(ages, int32(age)), append(risk, r), append(closed, d), append(gone, c), append(survival, s)
		}
		require.Len(t, curve.AgeMonths, len(ages), curve.Event)
		if len(ages) > 0 {
			require.Equal(t, []any{ages, risk, closed, gone}, []any{curve.AgeMonths, curve.AtRisk, curve.Closed, curve.Censored}, curve.Event)
		}
		require.InDeltaSlice(t, survival, curve.Survival, 1e-9, curve.Event)
		require.Equal(t, median, curve.Median, curve.Event)
		for i, v := range curve.Survival {
			if v == 0 {
				require.Nil(t, curve.Low95[i])
				require.Nil(t, curve.High95[i])
				continue
			}
			require.LessOrEqual(t, *curve.Low95[i], v)
			require.GreaterOrEqual(t, *curve.High95[i], v)
		}
	}
	require.Empty(t, slices.Collect(maps.Keys(events)))
}

// TestStatisticsOfNothing: an empty mirror has every series, and says nothing.
func TestStatisticsOfNothing(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	snap, _, err := store.TakeSnapshot(t.Context(), sanFranciscoStatistics(t, SnapshotInput{AsOf: mongodbtest.Day(1), Outcome: certificate.Green}))
	require.NoError(t, err)
	survival := seriesOf[Survival](t.Context(), t, store, &snap, SeriesSurvival)
	require.Len(t, survival.Curves, 3)
	assert.Empty(t, survival.Curves[0].AgeMonths)
	assert.Empty(t, survival.Sectors)
	assert.Empty(t, seriesOf[Hexes](t.Context(), t, store, &snap, SeriesHexes).Cells)
	assert.Zero(t, seriesOf[Churn](t.Context(), t, store, &snap, SeriesChurn).All)
	assert.Len(t, seriesOf[MonthsBy](t.Context(), t, store, &snap, SeriesMonthsBy).Months, 120)
}
