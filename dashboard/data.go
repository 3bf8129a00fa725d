package dashboard

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"padron/dashboard/chart"
)

// data answers requests for data. The parameter lang says in which language
// texts are, where there are any.
func (s *Server) data(answer func(*request) (*content, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		lang := hr.URL.Query().Get("lang")
		if lang == "" {
			lang = Languages()[0]
		}
		if !slices.Contains(Languages(), lang) {
			s.fail(w, hr, bad("lang", lang, "choice", strings.Join(Languages(), ", ")))
			return
		}
		s.answer(w, hr, lang, answer)
	})
}

// figures answers /data/<page>/<chart>.csv and .json: the numbers of one chart.
func (s *Server) figures(r *request) (*content, error) {
	page, file := path.Split(r.PathValue("path"))
	extension := path.Ext(file)
	id := strings.TrimSuffix(file, extension)
	page = strings.TrimSuffix(page, "/")
	if extension != ".csv" && extension != ".json" {
		return nil, missing("data", shorten(r.URL.Path))
	}
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	figures, err := r.figuresOf(page)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(figures, func(f *chart.Figure) bool { return f.ID == id })
	if i < 0 || figures[i].Table == nil {
		return nil, missing("data", shorten(r.URL.Path))
	}
	f := figures[i]
	if extension == ".json" {
		return asJSON(f.Numbers(s.Spec))
	}
	body, err := f.Table.WriteCSV()
	return &content{kind: kindCSV, name: chart.FileName(s.Spec.Name, id, f.Source.Snapshot) + ".csv", body: body}, err
}

// figuresOf makes all charts of a page.
func (r *request) figuresOf(page string) ([]*chart.Figure, error) {
	section, rest, _ := strings.Cut(page, "/")
	switch {
	case page == "overview":
		return r.overviewFigures()
	case page == "neighborhoods":
		return r.neighborhoodsFigures()
	case section == "neighborhoods":
		return r.neighborhoodFigures(rest)
	case page == "sectors":
		return r.sectorsFigures()
	case section == "sectors":
		return r.sectorFigures(rest)
	case page == "survival":
		return r.survivalFigures()
	case page == "profile":
		return r.charts.ProfileFigures(r.Context())
	default:
		return nil, missing("data", shorten(r.URL.Path))
	}
}

// boundariesJSON answers /data/boundaries.json: the outlines over the map.
func (r *request) boundariesJSON() (*content, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	o, err := r.charts.Boundaries(r.Context())
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, missing("boundaries")
	}
	return &content{kind: kindGeoJSON, body: o.Body, lasting: r.query.Get("v") == o.Version}, nil
}
