package dashboard

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"padron/dashboard/chart"
	"padron/dashboard/i18n"
	"padron/internal/cleaning"
)

//go:embed templates
var templateFiles embed.FS

// pages are the templates of one language.
type pages struct {
	*i18n.Catalogue
	by map[string]*template.Template
}

// templateNames are the pages that have a template of their own.
func templateNames() []string {
	return []string{
		"overview", "neighborhoods", "neighborhood", "sectors", "sector", "survival", "businesses", "business",
		"changes", "profile", "runs", "run", "embed", "error",
	}
}

func loadPages(lang string, zone *time.Location) (*pages, error) {
	c, err := i18n.Load(lang)
	if err != nil {
		return nil, err
	}
	p := &pages{Catalogue: c, by: map[string]*template.Template{}}
	functions := template.FuncMap{
		"t": c.T, "or": c.Or, "n": c.Show, "percent": c.Percent, "value": c.Value, "field": c.Field,
		"path": func(parts ...string) string { return chart.PagePath(lang, parts...) },
		"day":  func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
		"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"date": func(t time.Time) string { return c.Date(t.UTC()) },
		// Moments are shown in the dataset's time zone.
		"at":      func(t time.Time) string { return c.Date(t.In(zone)) + t.In(zone).Format(", 15:04 MST") },
		"hours":   func(d time.Duration) int { return int(d.Hours()) },
		"seconds": func(ms int64) string { return c.Show(float64(ms) / 1000) },
	}
	for _, name := range templateNames() {
		files := []string{"templates/layout.html", "templates/parts.html", "templates/" + name + ".html"}
		t, err := template.New("layout.html").Funcs(functions).ParseFS(templateFiles, files...)
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		p.by[name] = t
	}
	return p, nil
}

// view is what a page shows.
type view struct {
	template string
	title    string
	data     any             // of the template
	figures  []*chart.Figure // all charts of the page, by which they are embedded
	refresh  int             // seconds until the page is loaded again where scripts are off; 0: never
}

// Page is what the templates are given.
type Page struct {
	Lang      string
	Title     string
	Nav       []Link
	Languages []Link
	Dataset   string
	License   string
	Credit    string
	Portal    string // address of the dataset's page
	Assets    *assets
	Refresh   int
	Sensitive bool
	Source    *chart.Source // of the newest snapshot; nil: there is none
	Apart     string        // run that last wrote what lists show, when charts are of an earlier one
	Kind      string        // name of the page's template
	Data      any
}

// Link is one of a list.
type Link struct {
	Text, Href, Lang string
	Current          bool
}

// navigation are the pages in the order of the menu, by the key of their name.
func navigation() []string {
	return []string{"", "neighborhoods", "sectors", "survival", "businesses", "changes", "profile", "runs"}
}

// page answers requests for a page.
func (s *Server) page(lang string, answer func(*request) (*view, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		s.answer(w, hr, lang, func(r *request) (*content, error) {
			v, err := answer(r)
			if err == nil && embedded(hr) {
				v, err = r.embed(v)
			}
			if err != nil {
				return nil, err
			}
			body, err := s.render(r, v)
			return &content{kind: kindHTML, body: body}, err
		})
	})
}

// embed is the page of one chart alone.
func (r *request) embed(v *view) (*view, error) {
	id := r.query.Get("chart")
	for _, f := range v.figures {
		if f.ID == id {
			return &view{template: "embed", title: f.Title, data: f}, nil
		}
	}
	ids := make([]string, len(v.figures))
	for i, f := range v.figures {
		ids[i] = f.ID
	}
	return nil, bad("chart", id, "choice", strings.Join(ids, ", "))
}

// render executes a page's template. For an error page, r may lack a mirror and
// a state.
func (s *Server) render(r *request, v *view) ([]byte, error) {
	spec := s.Spec
	p := Page{
		Lang: r.Lang, Title: v.title, Data: v.data, Refresh: v.refresh, Sensitive: s.Sensitive,
		Dataset: spec.Title, License: spec.License, Credit: spec.Attribution,
		Portal: spec.Portal.BaseURL("") + "/d/" + spec.Portal.ID, Assets: s.assets, Kind: v.template,
		Languages: r.languages(),
	}
	if r.state != nil && r.state.snapshot.ID != "" {
		p.Source = r.charts.Source(&r.state.snapshot)
		if r.state.apart() {
			p.Apart = r.state.lists.ID
		}
	}
	section, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"+r.Lang+"/"), "/")
	for _, name := range navigation() {
		text := r.T("nav." + cmp.Or(name, "overview"))
		current := section == name && v.template != "error"
		p.Nav = append(p.Nav, Link{Text: text, Href: chart.PagePath(r.Lang, name), Current: current})
	}
	t, ok := s.templates[r.Lang].by[v.template]
	if !ok {
		return nil, fmt.Errorf("no template %q", v.template)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("page %s: %w", v.template, err)
	}
	// Whatever a value holds, nothing of the page is turned around or hidden by it.
	return []byte(cleaning.Visible(b.String())), nil
}

// languages are links to the same page in each language. What has no language,
// such as an unknown address, leads to the first page.
func (r *request) languages() []Link {
	var links []Link
	own := "/" + r.Lang + "/"
	for _, lang := range Languages() {
		to := "/" + lang + "/"
		if rest, ok := strings.CutPrefix(r.URL.Path, own); ok {
			escaped := strings.Replace(r.URL.EscapedPath(), own, to, 1)
			u := url.URL{Path: to + rest, RawPath: escaped, RawQuery: withoutToken(r.query).Encode()}
			to = u.String()
		}
		links = append(links, Link{Text: r.server.templates[lang].T("language"), Href: to, Lang: lang, Current: lang == r.Lang})
	}
	return links
}
