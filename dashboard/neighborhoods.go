package dashboard

import (
	"padron/dashboard/chart"
	"padron/internal/statistics"
)

// figuresData is what a page of charts shows.
type figuresData struct {
	Name    string // of what the page is about: a neighborhood, the code of a sector
	Shown   string // the same as people write it
	Totals  *statistics.Totals
	Figures []*chart.Figure
	Choices []Link
}

func (r *request) neighborhoods() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	figures, err := r.neighborhoodsFigures()
	return &view{template: "neighborhoods", title: r.T("nav.neighborhoods"), figures: figures, data: figuresData{Figures: figures}}, err
}

func (r *request) neighborhoodsFigures() ([]*chart.Figure, error) {
	order, err := r.choice("sort", chart.Orders()...)
	if err != nil {
		return nil, err
	}
	mk := r.charts
	return mk.All(r.Context(), chart.Page{"neighborhoods"}, mk.Ranking(order, r.with), mk.NeighborhoodBars, mk.NeighborhoodAges)
}
