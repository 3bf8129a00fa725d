package dashboard

import (
	"cmp"
	"slices"

	"padron/internal/cleaning"
	"padron/internal/mirror"
)

// sectorName is the name of a sector in the reader's language, as far as it is
// known.
func (r *request) sectorName(code string) string {
	for _, s := range cleaning.Sectors() {
		if s.Code == code {
			return r.or("sector."+code, s.Title)
		}
	}
	return code
}

// sectorCell is a sector in a table, with a link to its page.
func (r *request) sectorCell(code string) Cell {
	return r.named(code, r.sectorName(code), pagePath(r.lang, "sectors", code))
}

func (r *request) sectors() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	figures, err := r.sectorsFigures()
	return &view{template: "sectors", title: r.t("nav.sectors"), figures: figures, data: figuresData{Figures: figures}}, err
}

func (r *request) sectorsFigures() ([]*Figure, error) {
	return r.all("sectors", r.sectorBars, r.sectorCoverage, r.sectorAges)
}

// sectorBars are the open locations by sector, with the closings of a year.
// Openings are not shown: hardly any new row has an industry code yet.
func (r *request) sectorBars(page string) (*Figure, error) {
	snap := &r.state.snapshot
	f := r.figure(page, "sectors", "bars", "sectors", r.source(snap))
	rows, ok, err := series[[]mirror.Tallied](r, snap, mirror.SeriesSector)
	if err != nil || !ok {
		return f.lacks(r), err
	}
	churn, hasChurn, err := series[mirror.Churn](r, snap, mirror.SeriesChurn)
	if err != nil {
		return nil, err
	}
	year := map[string]mirror.Churned{}
	for _, c := range churn.Sectors {
		year[c.Name] = c
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b mirror.Tallied) int {
		return cmp.Or(known(b.Name)-known(a.Name), cmp.Compare(b.Open, a.Open), cmp.Compare(a.Name, b.Name))
	})
	keys := []string{"sector", "#open", "#closed", "#administratively_closed"}
	if hasChurn {
		keys = append(keys, "#closed_year", "#churn")
		f.Notes = append(f.Notes, r.t("note.churn", churn.From, churn.To))
	}
	f.Table = r.table(f.Title, keys...)
	chart := barsChart{Unit: r.t("unit.locations"), Categories: []string{}, Series: []lineSeries{{Name: r.t("column.open"), Type: "bar", Values: []any{}}}}
	var named, all int64
	for _, row := range rows {
		all += row.Open
		cell := r.sectorCell(row.Name)
		if row.Name != "" {
			named += row.Open
			chart.Categories = append(chart.Categories, cell.Text)
			chart.Links = append(chart.Links, cell.Href)
			chart.Series[0].Values = append(chart.Series[0].Values, row.Open)
		}
		cells := []Cell{cell, r.cell(row.Open), r.cell(row.Closed), r.cell(row.AdministrativelyClosed)}
		if hasChurn {
			c := year[row.Name]
			cells = append(cells, r.cell(c.Closed), r.rate(rateOf(c, true)))
		}
		f.Table.add(cells...)
	}
	f.Chart = chart
	f.Notes = append([]string{r.t("note.sector", r.percent(named, all), all-named), r.t("note.noopenings")}, f.Notes...)
	return f, nil
}

// sectorCoverage says of how many rows the sector is known, by the year in which
// they opened or closed: why openings by sector are no trend.
func (r *request) sectorCoverage(page string) (*Figure, error) {
	snap := &r.state.snapshot
	f := r.figure(page, "coverage", "lines", "coverage", r.source(snap))
	coverage, ok, err := series[mirror.Coverage](r, snap, mirror.SeriesCoverage)
	if err != nil || !ok {
		return f.lacks(r), err
	}
	openings, closings := byYear(coverage.Openings), byYear(coverage.Closings)
	last := snap.AsOf.UTC().Year()
	chart := linesChart{Unit: "%", Percent: true, X: []string{}}
	of := []lineSeries{{Name: r.t("column.openings_coded"), Type: "line", Role: "opened"}, {Name: r.t("column.closings_coded"), Type: "line", Role: "closed"}}
	f.Table = r.table(f.Title, "year", "#openings", "#openings_coded", "#closings", "#closings_coded")
	for y := last - defaultYears; y <= last; y++ {
		year := itoa(y)
		o, c := openings[year], closings[year]
		chart.X = append(chart.X, year)
		of[0].Values = append(of[0].Values, share(o))
		of[1].Values = append(of[1].Values, share(c))
		f.Table.add(Cell{Value: year, Text: year}, r.cell(o.Rows), r.share(o.Sector, o.Rows), r.cell(c.Rows), r.share(c.Sector, c.Rows))
	}
	chart.Series = of
	f.Marks = r.marks(chart.X[0]+"-01", "")
	for i := range f.Marks {
		f.Marks[i].X = f.Marks[i].X[:len("2006")]
	}
	chart.Marks = f.Marks
	f.Chart = chart
	f.Notes = append(f.Notes, r.t("note.coverage", r.percent(coverage.Open.Sector, coverage.Open.Rows), r.percent(coverage.All.Sector, coverage.All.Rows)))
	return f, nil
}

func byYear(years []mirror.CoveredYear) map[string]mirror.Covered {
	by := make(map[string]mirror.Covered, len(years))
	for _, y := range years {
		by[y.Year] = y.Covered
	}
	return by
}

// share is the percentage of rows with a sector; nil of none.
func share(c mirror.Covered) any {
	if c.Rows == 0 {
		return nil
	}
	return round(100*float64(c.Sector)/float64(c.Rows), 2)
}

func (r *request) sectorAges(page string) (*Figure, error) {
	return r.ages(page, "sector", func(a *mirror.Ages) []mirror.AgesOf { return a.Sectors }, r.sectorCell)
}

func (r *request) sector() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	code := r.PathValue("code")
	totals, err := r.tally(mirror.SeriesSector, code, "sector")
	if err != nil {
		return nil, err
	}
	figures, err := r.sectorFigures(code)
	name := r.sectorName(code)
	return &view{template: "sector", title: name, figures: figures, data: figuresData{Name: code, Shown: name, Totals: totals, Figures: figures}}, err
}

func (r *request) sectorFigures(code string) ([]*Figure, error) {
	if _, err := r.tally(mirror.SeriesSector, code, "sector"); err != nil {
		return nil, err
	}
	return r.all(pageOf("sectors", code),
		func(page string) (*Figure, error) {
			return r.monthsOf(page, code, false, func(m *mirror.MonthsBy) []mirror.MonthsOf { return m.Sectors })
		},
		func(page string) (*Figure, error) { return r.mix(page, "", code) },
		func(page string) (*Figure, error) { return r.survivalLines(page, code) },
	)
}
