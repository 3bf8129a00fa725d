package dashboard

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"padron/internal/analytics"
	"padron/internal/mirror"
)

// figuresData is what a page of charts shows.
type figuresData struct {
	Name    string // of what the page is about
	Shown   string
	Totals  *mirror.Totals
	Figures []*Figure
	Choices []Link
}

func (r *request) neighborhoods() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	figures, err := r.neighborhoodsFigures()
	return &view{template: "neighborhoods", title: r.t("nav.neighborhoods"), figures: figures, data: figuresData{Figures: figures}}, err
}

func (r *request) neighborhoodsFigures() ([]*Figure, error) {
	return r.all("neighborhoods", r.ranking, r.neighborhoodBars, r.neighborhoodAges)
}

// all makes the charts of a page.
func (r *request) all(page string, makers ...func(page string) (*Figure, error)) ([]*Figure, error) {
	var figures []*Figure
	for _, make := range makers {
		f, err := make(page)
		if err != nil {
			return nil, err
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// rateOf is a churn's rate; nil where there is none.
func rateOf(c mirror.Churned, has bool) *float64 {
	if rate, ok := analytics.Churn(c.Open, c.Closed); has && ok {
		return &rate
	}
	return nil
}

// neighborhoodAges are the ages of open locations by neighborhood.
func (r *request) neighborhoodAges(page string) (*Figure, error) {
	return r.ages(page, "neighborhood", func(a *mirror.Ages) []mirror.AgesOf { return a.Neighborhoods },
		func(name string) Cell { return r.named(name, name, pagePath(r.lang, "neighborhoods", name)) })
}

// ages are the ages of open locations by the values of a dimension.
func (r *request) ages(page, dimension string, of func(*mirror.Ages) []mirror.AgesOf, name func(string) Cell) (*Figure, error) {
	snap := &r.state.snapshot
	f := r.figure(page, "ages", "boxes", "ages_"+dimension, r.source(snap))
	ages, ok, err := series[mirror.Ages](r, snap, mirror.SeriesAges)
	if err != nil || !ok {
		return f.lacks(r), err
	}
	rows := slices.Clone(of(&ages))
	slices.SortStableFunc(rows, func(a, b mirror.AgesOf) int {
		return cmp.Or(known(b.Name)-known(a.Name), cmp.Compare(b.Median, a.Median), cmp.Compare(a.Name, b.Name))
	})
	f.Table = r.table(f.Title, dimension, "#count", "#undated", "#min", "#q1", "#median", "#q3", "#max")
	chart := boxChart{Unit: r.t("unit.years"), Categories: []string{}, Boxes: [][5]float64{}}
	var dated, undated int64
	for _, a := range append(rows, ages.All) {
		cell := name(a.Name)
		last := len(f.Table.Rows) == len(rows)
		if last {
			cell = Cell{Value: "all", Text: r.t("all")}
			dated, undated = a.Count, a.Undated
		}
		if a.Count == 0 {
			f.Table.add(cell, r.cell(a.Count), r.cell(a.Undated), r.cell(nil), r.cell(nil), r.cell(nil), r.cell(nil), r.cell(nil))
			continue
		}
		f.Table.add(cell, r.cell(a.Count), r.cell(a.Undated), r.cell(a.Min), r.cell(a.Q1), r.cell(a.Median), r.cell(a.Q3), r.cell(a.Max))
		if last || a.Name != "" {
			chart.Categories = append(chart.Categories, cell.Text)
			chart.Boxes = append(chart.Boxes, [5]float64{round(a.Min, 2), round(a.Q1, 2), round(a.Median, 2), round(a.Q3, 2), round(a.Max, 2)})
		}
	}
	f.Chart = chart
	f.Notes = append(f.Notes, r.t("note.ages", r.percent(dated, dated+undated), undated))
	return f, nil
}

func (r *request) neighborhood() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	totals, err := r.tally(mirror.SeriesNeighborhood, name, "neighborhood")
	if err != nil {
		return nil, err
	}
	figures, err := r.neighborhoodFigures(name)
	return &view{template: "neighborhood", title: name, figures: figures, data: figuresData{Name: name, Shown: name, Totals: totals, Figures: figures}}, err
}

// tally is one value's row of a series; an error that it does not exist.
func (r *request) tally(name, value, kind string) (*mirror.Totals, error) {
	rows, _, err := series[[]mirror.Tallied](r, &r.state.snapshot, name)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].Name == value && value != "" {
			return &rows[i].Totals, nil
		}
	}
	return nil, missing(kind, shorten(value))
}

func (r *request) neighborhoodFigures(name string) ([]*Figure, error) {
	if _, err := r.tally(mirror.SeriesNeighborhood, name, "neighborhood"); err != nil {
		return nil, err
	}
	return r.all(pageOf("neighborhoods", name),
		func(page string) (*Figure, error) {
			return r.monthsOf(page, name, true, func(m *mirror.MonthsBy) []mirror.MonthsOf { return m.Neighborhoods })
		},
		func(page string) (*Figure, error) { return r.yearly(page, mirror.SeriesNeighborhood, name) },
		func(page string) (*Figure, error) { return r.mix(page, name, "") },
	)
}

// monthsOf are the openings and closings of one value of a dimension by month.
func (r *request) monthsOf(page, name string, openings bool, of func(*mirror.MonthsBy) []mirror.MonthsOf) (*Figure, error) {
	snap := &r.state.snapshot
	key := "months"
	if !openings {
		key = "closings"
	}
	f := r.figure(page, key, "lines", key, r.source(snap))
	by, ok, err := series[mirror.MonthsBy](r, snap, mirror.SeriesMonthsBy)
	if err != nil || !ok {
		return f.lacks(r), err
	}
	rows := of(&by)
	counts := make([]mirror.Month, len(by.Months))
	for i, month := range by.Months {
		counts[i].Month = month
	}
	// A value that is in none of the rows had no openings and closings.
	if i := slices.IndexFunc(rows, func(m mirror.MonthsOf) bool { return m.Name == name }); i >= 0 {
		for m := range counts {
			if openings {
				counts[m].Opened = rows[i].Opened[m]
			}
			counts[m].Closed, counts[m].AdministrativelyClosed = rows[i].Closed[m], rows[i].AdministrativelyClosed[m]
		}
	}
	if !openings {
		f.Notes = append(f.Notes, r.t("note.noopenings"))
	}
	r.byMonth(f, counts, openings)
	return f, nil
}

// yearly are the open locations of one value at the beginning of each year, from
// reconstructed snapshots, and now.
func (r *request) yearly(page, name, value string) (*Figure, error) {
	snap := &r.state.snapshot
	f := r.figure(page, "history", "lines", "history", r.source(snap))
	reconstructed, _, err := r.history()
	if err != nil {
		return nil, err
	}
	var points []mirror.Snapshot
	for _, s := range reconstructed {
		if s.AsOf.UTC().Month() == time.January && s.AsOf.Before(snap.AsOf) && s.Has(name) {
			points = append(points, s)
		}
	}
	if len(points) > yearsAtMost {
		points = points[len(points)-yearsAtMost:]
	}
	if len(points) == 0 {
		f.Notes = append(f.Notes, r.t("note.nohistory"))
	}
	points = append(points, *snap)
	key := "years " + name + " " + r.state.past
	counts, err := remember(r.ctx, r.server, key, func(ctx context.Context) ([]map[string]int64, error) {
		all := make([]map[string]int64, len(points))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(yearsAtOnce)
		for i := range points {
			group.Go(func() error {
				var rows []mirror.Tallied
				if err := r.mirror.SeriesOf(ctx, &points[i], name, &rows); err != nil {
					return err
				}
				all[i] = make(map[string]int64, len(rows))
				for _, row := range rows {
					all[i][row.Name] = row.Open
				}
				return nil
			})
		}
		return all, group.Wait()
	})
	if err != nil {
		return nil, err
	}
	// A value that a snapshot lacks had none.
	r.overTime(f, points, true, func(i int) int64 { return counts[i][value] })
	return f, nil
}

const (
	// yearsAtMost bounds the snapshots that one chart reads a series of, and
	// yearsAtOnce how many are read at the same time.
	yearsAtMost = 40
	yearsAtOnce = 4
)

// mix are the open locations of a neighborhood by sector, or of a sector by
// neighborhood.
func (r *request) mix(page, neighborhood, sector string) (*Figure, error) {
	snap := &r.state.snapshot
	key, column := "mix_sector", "sector"
	if neighborhood == "" {
		key, column = "mix_neighborhood", "neighborhood"
	}
	f := r.figure(page, "mix", "bars", key, r.source(snap))
	cells, ok, err := series[mirror.Cells](r, snap, mirror.SeriesCells)
	if err != nil || !ok {
		return f.lacks(r), err
	}
	sums := map[string]mirror.Totals{}
	for _, c := range cells.Rows {
		n, s := cells.Neighborhoods[c[0]], cells.Sectors[c[1]]
		name := s
		if neighborhood == "" {
			name = n
		}
		if neighborhood != "" && n != neighborhood || neighborhood == "" && s != sector {
			continue
		}
		sum := sums[name]
		sum.Open, sum.Closed, sum.AdministrativelyClosed = sum.Open+c[3], sum.Closed+c[4], sum.AdministrativelyClosed+c[5]
		sums[name] = sum
	}
	names := make([]string, 0, len(sums))
	for name := range sums {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(known(b)-known(a), cmp.Compare(sums[b].Open, sums[a].Open), cmp.Compare(a, b))
	})
	f.Table = r.table(f.Title, column, "#open", "#closed", "#administratively_closed")
	chart := barsChart{Unit: r.t("unit.locations"), Categories: []string{}, Series: []lineSeries{{Name: r.t("column.open"), Type: "bar", Values: []any{}}}}
	var named, all int64
	for _, name := range names {
		sum := sums[name]
		all += sum.Open
		cell := r.named(name, name, pagePath(r.lang, "neighborhoods", name))
		if column == "sector" {
			cell = r.sectorCell(name)
		}
		if name != "" {
			named += sum.Open
			if sum.Open > 0 {
				chart.Categories = append(chart.Categories, cell.Text)
				chart.Links = append(chart.Links, cell.Href)
				chart.Series[0].Values = append(chart.Series[0].Values, sum.Open)
			}
		}
		f.Table.add(cell, r.cell(sum.Open), r.cell(sum.Closed), r.cell(sum.AdministrativelyClosed))
	}
	f.Chart = chart
	f.Notes = append(f.Notes, r.t("note."+column, r.percent(named, all), all-named))
	return f, nil
}
