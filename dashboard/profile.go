package dashboard

import (
	"slices"

	"padron/dashboard/chart"
	"padron/internal/profile"
	"padron/internal/statistics"
)

// profileData is what the page of the data profile shows.
type profileData struct {
	Profile *statistics.DataProfile // nil: none yet
	Earlier bool                    // its columns are those of an earlier run than the snapshot's
	Fields  []fieldView
	Figures []*chart.Figure // those of no single field
}

// fieldView is one field of the document.
type fieldView struct {
	profile.Field
	Hidden    bool // nothing that was counted of it is shown
	Label     string
	Figure    *chart.Figure // its histogram; nil: none
	DistinctN chart.Cell
}

func (r *request) profile() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	p, err := r.charts.Profile(r.Context())
	if err != nil {
		return nil, err
	}
	figures, err := r.charts.ProfileFigures(r.Context())
	if err != nil {
		return nil, err
	}
	d := profileData{Profile: p}
	if p != nil {
		d.Earlier = r.charts.Earlier(p)
		by := map[string]*chart.Figure{}
		for _, f := range figures {
			by[f.ID] = f
		}
		for _, f := range p.Fields {
			if r.hidden(f.Path) {
				f = profile.Field{Path: f.Path, Sensitive: true}
			}
			d.Fields = append(d.Fields, fieldView{
				Hidden: r.hidden(f.Path), Field: f, Label: r.Field(f.Path), Figure: by[chart.FieldFigure(f.Path)], DistinctN: r.charts.Distinct(&f),
			})
		}
		for _, f := range figures {
			if !slices.ContainsFunc(d.Fields, func(v fieldView) bool { return v.Figure == f }) {
				d.Figures = append(d.Figures, f)
			}
		}
	}
	return &view{template: "profile", title: r.T("nav.profile"), figures: figures, data: d}, nil
}
