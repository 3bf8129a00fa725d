package dashboard

import (
	"padron/dashboard/chart"
	"padron/internal/statistics"
)

func (r *request) survival() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	figures, err := r.survivalFigures()
	if err != nil {
		return nil, err
	}
	data := figuresData{Figures: figures, Name: r.query.Get("sector")}
	all, _, err := chart.ReadSeries[statistics.Survival](r.Context(), r.charts, &r.state.snapshot, statistics.SeriesSurvival)
	for _, code := range all.Sectors {
		if code != "" {
			data.Choices = append(data.Choices, Link{Text: r.Sector(code), Href: code, Current: code == data.Name})
		}
	}
	return &view{template: "survival", title: r.T("nav.survival"), figures: figures, data: data}, err
}

func (r *request) survivalFigures() ([]*chart.Figure, error) {
	sector, snap := r.query.Get("sector"), &r.state.snapshot
	if sector != "" && snap.Has(statistics.SeriesSurvival) && !snap.Has(statistics.SeriesSurvivalOf(sector)) {
		return nil, missing("survival", shorten(sector))
	}
	return r.charts.All(r.Context(), chart.Page{"survival"}, r.charts.Survival(sector))
}
