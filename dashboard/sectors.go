package dashboard

import "padron/dashboard/chart"

func (r *request) sectors() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	figures, err := r.sectorsFigures()
	return &view{template: "sectors", title: r.T("nav.sectors"), figures: figures, data: figuresData{Figures: figures}}, err
}

func (r *request) sectorsFigures() ([]*chart.Figure, error) {
	mk := r.charts
	return mk.All(r.Context(), chart.Page{"sectors"}, mk.SectorBars, mk.SectorCoverage, mk.SectorAges)
}
