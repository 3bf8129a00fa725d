package dashboard

import (
	"padron/dashboard/chart"
	"padron/internal/statistics"
)

func (r *request) neighborhood() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	totals, err := r.totalsOf(statistics.SeriesNeighborhood, name, "neighborhood")
	if err != nil {
		return nil, err
	}
	figures, err := r.neighborhoodFigures(name)
	data := figuresData{Name: name, Shown: name, Totals: totals, Figures: figures}
	return &view{template: "neighborhood", title: name, figures: figures, data: data}, err
}

func (r *request) neighborhoodFigures(name string) ([]*chart.Figure, error) {
	if _, err := r.totalsOf(statistics.SeriesNeighborhood, name, "neighborhood"); err != nil {
		return nil, err
	}
	mk := r.charts
	return mk.All(r.Context(), chart.Page{"neighborhoods", name},
		mk.NeighborhoodMonths(name), mk.NeighborhoodHistory(name), mk.NeighborhoodMix(name))
}

// totalsOf are the totals of one value of a dimension. An error says that the
// value does not exist; kind is what it would be.
func (r *request) totalsOf(series, value, kind string) (*statistics.Totals, error) {
	rows, _, err := chart.ReadSeries[[]statistics.Tallied](r.Context(), r.charts, &r.state.snapshot, series)
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
