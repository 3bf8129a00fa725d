package chart

import (
	"context"
	"slices"
	"strconv"

	"padron/internal/statistics"
)

// Survival are the curves of survival of a sector, or of all rows for "": of
// closings and, apart from them, of administrative closures.
func (mk *Maker) Survival(sector string) Make {
	return func(ctx context.Context, page Page) (*Figure, error) {
		snap := mk.Snapshot
		shown, name := mk.T("all.rows"), statistics.SeriesSurvival
		if sector != "" {
			shown, name = mk.Sector(sector), statistics.SeriesSurvivalOf(sector)
		}
		f := mk.figure(page, "survival", KindLines, "survival", mk.Source(snap), shown)
		all, ok, err := ReadSeries[statistics.Survival](ctx, mk, snap, name)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			f.lacks(mk)
			if snap.Has(statistics.SeriesSurvival) {
				f.Missing = mk.T("missing.curve") // there is none of this sector
			}
			return f, nil
		}
		// Closings and administrative closures are told apart, never added up.
		curves := slices.DeleteFunc(slices.Clone(all.Curves), func(c statistics.Curve) bool {
			return c.Event != statistics.EventClosed && c.Event != statistics.EventAdministrative
		})
		mk.survivalCurves(f, curves)
		e := all.Excluded
		f.Notes = append(f.Notes, mk.T("note.survival", all.Rows, e.Rows()),
			mk.T("note.excluded", e.NoStart, e.FutureStart, e.Impossible, e.ClosedWithoutDate, e.BeforeEntry))
		if all.Entry != "" {
			f.Notes = append(f.Notes, mk.T("note.entry", all.Entry))
		}
		return f, nil
	}
}

// survivalCurves fills a chart of curves by the age in months.
func (mk *Maker) survivalCurves(f *Figure, curves []statistics.Curve) {
	f.Table = mk.table(f.Title, "age_months", "event", "#at_risk", "#ended", "#censored", "#survival", "#low95", "#high95")
	last := 0
	for _, c := range curves {
		for _, age := range c.AgeMonths {
			last = max(last, int(age))
		}
	}
	chart := Lines{XUnit: mk.T("unit.months_of_age"), Unit: "%", Percent: true, Marks: []Mark{}}
	for age := 0; age <= last; age++ {
		chart.X = append(chart.X, strconv.Itoa(age))
	}
	for _, c := range curves {
		line := Series{
			Name: mk.T("event." + c.Event), Type: CurveStep, Role: Role(c.Event),
			Values: make([]Value, last+1), Low: make([]Value, last+1), High: make([]Value, last+1),
		}
		for i, age := range c.AgeMonths {
			line.Values[age] = round(100*c.Survival[i], 3)
			line.Low[age], line.High[age] = percentOf(c.Low95[i]), percentOf(c.High95[i])
			f.Table.add(Cell{Value: int64(age), Text: mk.Show(age)}, Cell{Value: c.Event, Text: mk.T("event." + c.Event)},
				mk.cell(c.AtRisk[i]), mk.cell(c.Closed[i]), mk.cell(c.Censored[i]),
				mk.rate(&c.Survival[i]), mk.rate(c.Low95[i]), mk.rate(c.High95[i]))
		}
		chart.Series = append(chart.Series, line)
	}
	f.Chart = chart
}

func percentOf(v *float64) Value {
	if v == nil {
		return nil
	}
	return round(100**v, 3)
}
