package dashboard

import (
	"padron/dashboard/chart"
	"padron/internal/statistics"
)

func (r *request) sector() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	code := r.PathValue("code")
	totals, err := r.totalsOf(statistics.SeriesSector, code, "sector")
	if err != nil {
		return nil, err
	}
	figures, err := r.sectorFigures(code)
	name := r.Sector(code)
	data := figuresData{Name: code, Shown: name, Totals: totals, Figures: figures}
	return &view{template: "sector", title: name, figures: figures, data: data}, err
}

func (r *request) sectorFigures(code string) ([]*chart.Figure, error) {
	if _, err := r.totalsOf(statistics.SeriesSector, code, "sector"); err != nil {
		return nil, err
	}
	mk := r.charts
	return mk.All(r.Context(), chart.Page{"sectors", code}, mk.SectorMonths(code), mk.SectorMix(code), mk.Survival(code))
}
