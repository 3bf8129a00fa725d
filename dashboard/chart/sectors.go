package chart

import (
	"context"
	"slices"
	"strconv"

	"padron/internal/statistics"
)

// DefaultYears is how far back charts by month and year go unless they are
// asked to begin elsewhere: of earlier years the register has few closings.
const DefaultYears = 25

// SectorBars are the open locations by sector, with the closings of a year.
// Openings are not shown: hardly any new row has an industry code yet.
func (mk *Maker) SectorBars(ctx context.Context, page Page) (*Figure, error) {
	snap := mk.Snapshot
	f := mk.figure(page, "sectors", KindBars, "sectors", mk.Source(snap))
	rows, ok, err := ReadSeries[[]statistics.Tallied](ctx, mk, snap, statistics.SeriesSector)
	if err != nil || !ok {
		return f.lacks(mk), err
	}
	churn, hasChurn, err := ReadSeries[statistics.Churn](ctx, mk, snap, statistics.SeriesChurn)
	if err != nil {
		return nil, err
	}
	year := changesOf(churn.Sectors)
	keys := []string{"sector", "#open", "#closed", "#administratively_closed"}
	if hasChurn {
		keys = append(keys, "#closed_year", "#churn")
	}
	f.Table = mk.table(f.Title, keys...)
	chart := Bars{
		Unit: mk.T("unit.locations"), Categories: []string{},
		Series: []Series{{Name: mk.T("column.open"), Type: CurveBar, Values: []Value{}}},
	}
	var named, all int64
	for _, row := range slices.SortedStableFunc(slices.Values(rows), mostOpen) {
		all += row.Open
		cell := mk.sectorCell(row.Name)
		if row.Name != "" {
			named += row.Open
			chart.add(cell, row.Open)
		}
		cells := []Cell{cell, mk.cell(row.Open), mk.cell(row.Closed), mk.cell(row.AdministrativelyClosed)}
		if hasChurn {
			c := year[row.Name]
			cells = append(cells, mk.cell(c.Closed), mk.rate(rateOf(c, true)))
		}
		f.Table.add(cells...)
	}
	f.Chart = chart
	f.Notes = append(f.Notes, mk.T("note.sector", mk.Percent(named, all), all-named), mk.T("note.noopenings"))
	if hasChurn {
		f.Notes = append(f.Notes, mk.T("note.churn", churn.From, churn.To))
	}
	return f, nil
}

// SectorCoverage says of how many rows the sector is known, by the year in
// which they opened or closed. It shows why openings by sector are no trend.
func (mk *Maker) SectorCoverage(ctx context.Context, page Page) (*Figure, error) {
	snap := mk.Snapshot
	f := mk.figure(page, "coverage", KindLines, "coverage", mk.Source(snap))
	coverage, ok, err := ReadSeries[statistics.Coverage](ctx, mk, snap, statistics.SeriesCoverage)
	if err != nil || !ok {
		return f.lacks(mk), err
	}
	openings, closings := byYear(coverage.Openings), byYear(coverage.Closings)
	last := snap.AsOf.UTC().Year()
	chart := Lines{Unit: "%", Percent: true, X: []string{}}
	opened := Series{Name: mk.T("column.openings_coded"), Type: CurveLine, Role: RoleOpened}
	closed := Series{Name: mk.T("column.closings_coded"), Type: CurveLine, Role: RoleClosed}
	f.Table = mk.table(f.Title, "year", "#openings", "#openings_coded", "#closings", "#closings_coded")
	for y := last - DefaultYears; y <= last; y++ {
		year := strconv.Itoa(y)
		o, c := openings[year], closings[year]
		chart.X = append(chart.X, year)
		opened.Values, closed.Values = append(opened.Values, coded(o)), append(closed.Values, coded(c))
		f.Table.add(Cell{Value: year, Text: year},
			mk.cell(o.Rows), mk.share(o.Sector, o.Rows), mk.cell(c.Rows), mk.share(c.Sector, c.Rows))
	}
	chart.Series = []Series{opened, closed}
	f.Marks = mk.marks(chart.X[0]+"-01", "")
	for i := range f.Marks {
		f.Marks[i].X = f.Marks[i].X[:len("2006")]
	}
	chart.Marks = f.Marks
	f.Chart = chart
	open, every := coverage.Open, coverage.All
	f.Notes = append(f.Notes, mk.T("note.coverage", mk.Percent(open.Sector, open.Rows), mk.Percent(every.Sector, every.Rows)))
	return f, nil
}

func byYear(years []statistics.CoveredYear) map[string]statistics.Covered {
	by := make(map[string]statistics.Covered, len(years))
	for _, y := range years {
		by[y.Year] = y.Covered
	}
	return by
}

// coded is the percentage of rows with a sector; nil where there are no rows.
func coded(c statistics.Covered) Value {
	if c.Rows == 0 {
		return nil
	}
	return round(100*float64(c.Sector)/float64(c.Rows), 2)
}
