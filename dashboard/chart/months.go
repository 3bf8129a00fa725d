package chart

import (
	"context"
	"slices"
	"time"

	"padron/internal/statistics"
)

// months lists the months from one to another, both included.
func months(from, to string) []string {
	begin, err := time.Parse("2006-01", from)
	if err != nil {
		return nil
	}
	var all []string
	for m := begin; m.Format("2006-01") <= to; m = m.AddDate(0, 1, 0) {
		all = append(all, m.Format("2006-01"))
	}
	return all
}

// provisionalFrom is the first month that openings are still to come in for.
func (mk *Maker) provisionalFrom() string {
	asOf := mk.Snapshot.AsOf.UTC()
	first := time.Date(asOf.Year(), asOf.Month(), 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 1-statistics.ProvisionalMonths, 0).Format("2006-01")
}

// Months are openings against closings by month, from one month to another.
// asked are the months that the reader's form shows.
func (mk *Maker) Months(from, to string, asked Range) Make {
	return func(ctx context.Context, page Page) (*Figure, error) {
		snap := mk.Snapshot
		f := mk.figure(page, "months", KindLines, "months", mk.Source(snap))
		rows, ok, err := ReadSeries[[]statistics.Month](ctx, mk, snap, statistics.SeriesMonths)
		if err != nil || !ok {
			return f.lacks(mk), err
		}
		by := make(map[string]statistics.Month, len(rows))
		var opened, closed, later int64
		for _, m := range rows {
			by[m.Month] = m
			opened, closed = opened+m.Opened, closed+m.Closed
			if m.Month > snap.AsOf.UTC().Format("2006-01") {
				later += m.Opened + m.Closed
			}
		}
		total := snap.Totals
		f.Notes = append(f.Notes, mk.T("note.months", mk.Percent(opened, total.Rows), mk.Percent(min(closed, total.Closed), total.Closed)))
		if later > 0 {
			f.Notes = append(f.Notes, mk.T("note.future", later))
		}
		f.Range = &asked
		var counts []statistics.Month
		for _, month := range months(from, to) {
			m := by[month] // a month that the series lacks had none
			m.Month = month
			counts = append(counts, m)
		}
		mk.byMonth(f, counts, true)
		return f, nil
	}
}

// NeighborhoodMonths are the openings and closings of a neighborhood by month.
func (mk *Maker) NeighborhoodMonths(name string) Make {
	return mk.monthsOf(name, true, func(m *statistics.MonthsBy) []statistics.MonthsOf { return m.Neighborhoods })
}

// SectorMonths are the closings of a sector by month. Openings are not shown:
// hardly any new row has an industry code yet.
func (mk *Maker) SectorMonths(code string) Make {
	return mk.monthsOf(code, false, func(m *statistics.MonthsBy) []statistics.MonthsOf { return m.Sectors })
}

// monthsOf are the counts of one value of a dimension by month.
func (mk *Maker) monthsOf(name string, openings bool, of func(*statistics.MonthsBy) []statistics.MonthsOf) Make {
	return func(ctx context.Context, page Page) (*Figure, error) {
		snap := mk.Snapshot
		key := "months"
		if !openings {
			key = "closings"
		}
		f := mk.figure(page, key, KindLines, key, mk.Source(snap))
		by, ok, err := ReadSeries[statistics.MonthsBy](ctx, mk, snap, statistics.SeriesMonthsBy)
		if err != nil || !ok {
			return f.lacks(mk), err
		}
		rows := of(&by)
		counts := make([]statistics.Month, len(by.Months))
		for i, month := range by.Months {
			counts[i].Month = month
		}
		// A value without a row had no openings and closings.
		if i := slices.IndexFunc(rows, func(m statistics.MonthsOf) bool { return m.Name == name }); i >= 0 {
			for m := range counts {
				if openings {
					counts[m].Opened = rows[i].Opened[m]
				}
				counts[m].Closed, counts[m].AdministrativelyClosed = rows[i].Closed[m], rows[i].AdministrativelyClosed[m]
			}
		}
		if !openings {
			f.Notes = append(f.Notes, mk.T("note.noopenings"))
		}
		mk.byMonth(f, counts, openings)
		return f, nil
	}
}

// byMonth fills a chart of closings and, where they are to be shown, openings.
func (mk *Maker) byMonth(f *Figure, counts []statistics.Month, openings bool) {
	provisional := mk.provisionalFrom()
	chart := Lines{Unit: mk.T("unit.locations"), X: []string{}}
	opened := Series{Name: mk.T("column.opened"), Type: CurveLine, Role: RoleOpened, Values: []Value{}}
	closed := Series{Name: mk.T("column.closed_otherwise"), Type: CurveLine, Role: RoleClosed, Values: []Value{}}
	admin := Series{Name: mk.T("column.administratively_closed"), Type: CurveBar, Role: RoleAdministrative, Values: []Value{}}
	keys := []string{"month", "#opened", "#closed_otherwise", "#administratively_closed", "state"}
	if !openings {
		keys = slices.Delete(keys, 1, 2)
	}
	f.Table = mk.table(f.Title, keys...)
	for _, m := range counts {
		chart.X = append(chart.X, m.Month)
		opened.Values = append(opened.Values, m.Opened)
		closed.Values = append(closed.Values, m.Closed-m.AdministrativelyClosed)
		admin.Values = append(admin.Values, m.AdministrativelyClosed)
		cells := []Cell{{Value: m.Month, Text: m.Month}}
		if openings {
			cells = append(cells, mk.cell(m.Opened))
		}
		f.Table.add(append(cells, mk.cell(m.Closed-m.AdministrativelyClosed), mk.cell(m.AdministrativelyClosed),
			mk.monthState(m.Month, provisional))...)
	}
	if openings {
		chart.Series = append(chart.Series, opened)
	}
	chart.Series = append(chart.Series, closed, admin)
	if len(chart.X) > 0 {
		last := chart.X[len(chart.X)-1]
		f.Marks = mk.marks(chart.X[0], last)
		chart.Marks = f.Marks
		if provisional >= chart.X[0] && provisional <= last {
			chart.Marks = append(slices.Clone(f.Marks), Mark{X: provisional, Label: mk.T("provisional")})
		}
		f.Notes = append(f.Notes, mk.T("note.provisional", provisional))
	}
	f.Chart = chart
}

// monthState says whether a month's counts can be compared with others.
func (mk *Maker) monthState(month, provisional string) Cell {
	before := mk.Spec.SurvivorsBefore()
	switch {
	case month >= provisional:
		return Cell{Value: "provisional", Text: mk.T("provisional")}
	case !before.IsZero() && month < before.Format("2006-01"):
		return Cell{Value: "survivors_only", Text: mk.T("survivors")}
	default:
		return Cell{Value: "final", Text: mk.T("final")}
	}
}
