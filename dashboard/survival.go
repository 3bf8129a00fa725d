package dashboard

import (
	"slices"
	"strconv"

	"padron/internal/mirror"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (r *request) survival() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	figures, err := r.survivalFigures()
	if err != nil {
		return nil, err
	}
	data := figuresData{Figures: figures, Name: r.query.Get("sector")}
	all, _, err := series[mirror.Survival](r, &r.state.snapshot, mirror.SeriesSurvival)
	for _, code := range all.Sectors {
		if code != "" {
			data.Choices = append(data.Choices, Link{Text: r.sectorName(code), Href: code, Current: code == data.Name})
		}
	}
	return &view{template: "survival", title: r.t("nav.survival"), figures: figures, data: data}, err
}

func (r *request) survivalFigures() ([]*Figure, error) {
	return r.all("survival", func(page string) (*Figure, error) { return r.survivalLines(page, r.query.Get("sector")) })
}

// survivalLines are the curves of survival of a sector (empty: of all rows): of
// closings, and, apart, of administrative closures.
func (r *request) survivalLines(page, sector string) (*Figure, error) {
	snap := &r.state.snapshot
	shown := r.t("all.rows")
	if sector != "" {
		shown = r.sectorName(sector)
	}
	f := r.figure(page, "survival", "lines", "survival", r.source(snap), shown)
	name := mirror.SeriesSurvival
	if sector != "" {
		name = mirror.SeriesSurvivalOf(sector)
	}
	all, ok, err := series[mirror.Survival](r, snap, name)
	switch {
	case err != nil:
		return nil, err
	case !ok && snap.Has(mirror.SeriesSurvival) && page == "survival":
		return nil, missing("survival", shorten(sector))
	case !ok && snap.Has(mirror.SeriesSurvival):
		f.lacks(r).Missing = r.t("missing.curve")
		return f, nil
	case !ok:
		return f.lacks(r), nil
	}
	// Closings and administrative closures are told apart, never added up.
	curves := slices.DeleteFunc(slices.Clone(all.Curves), func(c mirror.Curve) bool {
		return c.Event != mirror.EventClosed && c.Event != mirror.EventAdministrative
	})
	f.Table = r.table(f.Title, "age_months", "event", "#at_risk", "#ended", "#censored", "#survival", "#low95", "#high95")
	last := 0
	for _, c := range curves {
		for _, age := range c.AgeMonths {
			last = max(last, int(age))
		}
	}
	chart := linesChart{XUnit: r.t("unit.months_of_age"), Unit: "%", Percent: true, Marks: []Mark{}}
	for age := 0; age <= last; age++ {
		chart.X = append(chart.X, itoa(age))
	}
	for _, c := range curves {
		line := lineSeries{
			Name: r.t("event." + c.Event), Type: "step", Role: c.Event,
			Values: make([]any, last+1), Low: make([]any, last+1), High: make([]any, last+1),
		}
		for i, age := range c.AgeMonths {
			line.Values[age] = round(100*c.Survival[i], 3)
			line.Low[age], line.High[age] = percentOf(c.Low95[i]), percentOf(c.High95[i])
			f.Table.add(Cell{Value: int64(age), Text: r.show(age)}, Cell{Value: c.Event, Text: r.t("event." + c.Event)},
				r.cell(c.AtRisk[i]), r.cell(c.Closed[i]), r.cell(c.Censored[i]),
				r.rate(&c.Survival[i]), r.rate(c.Low95[i]), r.rate(c.High95[i]))
		}
		chart.Series = append(chart.Series, line)
	}
	f.Chart = chart
	e := all.Excluded
	f.Notes = append(f.Notes, r.t("note.survival", all.Rows, e.Rows()), r.t("note.excluded", e.NoStart, e.FutureStart, e.Impossible, e.ClosedWithoutDate, e.BeforeEntry))
	if all.Entry != "" {
		f.Notes = append(f.Notes, r.t("note.entry", all.Entry))
	}
	return f, nil
}

func percentOf(v *float64) any {
	if v == nil {
		return nil
	}
	return round(100**v, 3)
}
