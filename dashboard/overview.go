package dashboard

import (
	"time"

	"padron/dashboard/chart"
	"padron/internal/certificate"
	"padron/internal/runs"
	"padron/internal/statistics"
)

// overviewData is what the first page shows.
type overviewData struct {
	Fresh   *freshness
	Totals  statistics.Totals
	Figures []*chart.Figure
}

// freshness says how new the mirror is, and what proves it.
type freshness struct {
	Proof       runs.Run // zero: none
	Stale       bool
	Limit       time.Duration
	Certificate runs.Run  // newest run that ended with one; zero: none
	Running     *runs.Run // nil: none
	Published   runs.Publication
}

func (r *request) freshness() *freshness {
	return &freshness{
		Proof: r.state.proof, Stale: r.state.stale, Limit: r.server.Spec.Schedule.Freshness, Certificate: r.state.certificate,
		Running: r.running(), Published: r.state.published,
	}
}

// State is stale, or the outcome of the newest proof or certificate, whichever
// is newer.
func (f *freshness) State() string {
	switch {
	case f.Stale:
		return "stale"
	case f.Certificate.Started.After(f.Proof.Started):
		return string(f.Certificate.Certificate.Outcome)
	default:
		return string(certificate.Green)
	}
}

func (r *request) overview() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	figures, err := r.overviewFigures()
	if err != nil {
		return nil, err
	}
	return &view{
		template: "overview", title: r.T("title.overview", r.server.Spec.Title), figures: figures,
		data: overviewData{Fresh: r.freshness(), Totals: r.state.snapshot.Totals, Figures: figures},
	}, nil
}

func (r *request) overviewFigures() ([]*chart.Figure, error) {
	from, to, err := r.span()
	if err != nil {
		return nil, err
	}
	order, err := r.choice("sort", chart.Orders()...)
	if err != nil {
		return nil, err
	}
	mk := r.charts
	asked := chart.Range{From: r.query.Get("from"), To: r.query.Get("to"), Sort: r.query.Get("sort")}
	return mk.All(r.Context(), chart.Page{"overview"},
		mk.NeighborhoodBars, mk.Months(from, to, asked), mk.History(), mk.Map(), mk.Ranking(order, r.with))
}
