package dashboard

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"padron/internal/mirror"
)

//go:embed templates
var templateFiles embed.FS

// pages are the templates of one language.
type pages struct {
	*catalogue
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
	c, err := loadCatalogue(lang)
	if err != nil {
		return nil, err
	}
	p := &pages{catalogue: c, by: map[string]*template.Template{}}
	functions := template.FuncMap{
		"t": c.t, "or": c.or, "n": c.show, "percent": c.percent, "value": c.value,
		"path": func(parts ...string) string { return pagePath(lang, parts...) },
		"day":  func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
		"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"date": func(t time.Time) string { return c.date(t.UTC()) },
		// Moments are told in the dataset's time zone.
		"at":      func(t time.Time) string { return c.date(t.In(zone)) + t.In(zone).Format(", 15:04 MST") },
		"hours":   func(d time.Duration) int { return int(d.Hours()) },
		"seconds": func(ms int64) string { return c.show(float64(ms) / 1000) },
	}
	for _, name := range templateNames() {
		t, err := template.New("layout.html").Funcs(functions).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		p.by[name] = t
	}
	return p, nil
}

// request is one request for a page or for data, with what every answer needs.
type request struct {
	*http.Request
	*catalogue
	ctx    context.Context
	server *Server
	mirror *mirror.Mirror
	state  *state
	query  url.Values
}

// view is what a page shows.
type view struct {
	template string
	title    string
	data     any       // of the template
	figures  []*Figure // all charts of the page, by which they are embedded
	refresh  int       // seconds until the page is loaded again where scripts are off; 0: never
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
	Source    *Source // of the newest snapshot; nil: there is none
	Kind      string  // name of the page's template
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

// begin makes ready to answer: language, mirror, state.
func (s *Server) begin(ctx context.Context, lang string, hr *http.Request) (*request, error) {
	r := &request{Request: hr, catalogue: s.templates[lang].catalogue, ctx: ctx, server: s, query: hr.URL.Query()}
	var err error
	if r.mirror, err = s.open(ctx); err != nil {
		return nil, err
	}
	r.state, err = s.now(ctx, r.mirror)
	return r, err
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

// answer answers a request when its turn has come, unless the reader has the
// answer already.
func (s *Server) answer(w http.ResponseWriter, hr *http.Request, lang string, make func(*request) (*content, error)) {
	ctx, cancel := context.WithTimeout(hr.Context(), requestTimeout)
	defer cancel()
	done, err := s.turn(ctx)
	if err != nil {
		s.fail(w, hr, err)
		return
	}
	defer done()
	r, err := s.begin(ctx, lang, hr)
	if err != nil {
		s.fail(w, hr, err)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "private, no-cache")
	etag := r.etag()
	if matches(hr, etag) {
		h.Set("ETag", etag)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	c, err := make(r)
	if err != nil {
		s.fail(w, hr, err)
		return
	}
	h.Set("ETag", etag)
	if c.name != "" {
		h.Set("Content-Disposition", `attachment; filename="`+c.name+`"`)
	}
	if c.lasting {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	if c.next != "" {
		h.Set("Link", "<"+c.next+`>; rel="next"`)
	}
	reply(w, hr, http.StatusOK, c.kind, c.body)
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

// render executes a page's template. r may lack a mirror and a state.
func (s *Server) render(r *request, v *view) ([]byte, error) {
	spec := s.Spec
	p := Page{
		Lang: r.lang, Title: v.title, Data: v.data, Refresh: v.refresh, Sensitive: s.Sensitive,
		Dataset: spec.Title, License: spec.License, Credit: spec.Attribution,
		Portal: spec.Portal.BaseURL("") + "/d/" + spec.Portal.ID, Assets: s.assets, Kind: v.template,
	}
	if r.state != nil && r.state.snapshot.ID != "" {
		p.Source = r.source(&r.state.snapshot)
	}
	here := strings.TrimPrefix(r.URL.Path, "/"+r.lang+"/")
	section, _, _ := strings.Cut(here, "/")
	for _, name := range navigation() {
		key := name
		if key == "" {
			key = "overview"
		}
		p.Nav = append(p.Nav, Link{Text: r.t("nav." + key), Href: pagePath(r.lang, name), Current: section == name && v.template != "error"})
	}
	for _, lang := range Languages() {
		to := "/" + lang + "/"
		if strings.HasPrefix(r.URL.Path, "/"+r.lang+"/") {
			u := url.URL{Path: "/" + lang + "/" + here, RawPath: strings.Replace(r.URL.EscapedPath(), "/"+r.lang+"/", "/"+lang+"/", 1), RawQuery: withoutToken(r.query).Encode()}
			to = u.String()
		}
		p.Languages = append(p.Languages, Link{Text: s.templates[lang].t("language"), Href: to, Lang: lang, Current: lang == r.lang})
	}
	var b bytes.Buffer
	t, ok := s.templates[r.lang].by[v.template]
	if !ok {
		return nil, fmt.Errorf("no template %q", v.template)
	}
	if err := t.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("page %s: %w", v.template, err)
	}
	return b.Bytes(), nil
}

// fail answers with a page that says what is wrong and what to do.
func (s *Server) fail(w http.ResponseWriter, hr *http.Request, err error) {
	f := explain(err)
	if f.cause != nil && hr.Context().Err() == nil {
		s.Log.Warn("dashboard request failed", "path", hr.URL.Path, "error", f.cause)
	}
	lang := preferred(hr)
	for _, l := range Languages() {
		if strings.HasPrefix(hr.URL.Path, "/"+l+"/") {
			lang = l
		}
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if f.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	c := s.templates[lang].catalogue
	r := &request{Request: hr, catalogue: c, ctx: hr.Context(), server: s, query: hr.URL.Query()}
	text := c.t("error."+f.key, f.values...)
	if strings.HasPrefix(hr.URL.Path, "/data/") {
		reply(w, hr, f.status, kindText, []byte(text+"\n"))
		return
	}
	body, rendering := s.render(r, &view{template: "error", title: c.t(fmt.Sprintf("error.title.%d", f.status)), data: text})
	if rendering != nil {
		s.Log.Error("dashboard error page failed", "error", rendering)
		http.Error(w, text, f.status)
		return
	}
	reply(w, hr, f.status, kindHTML, body)
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, missing("page", shorten(r.URL.Path)))
}

// choice is a parameter that is one of a few; the first is the default.
func (r *request) choice(name string, of ...string) (string, error) {
	v := r.query.Get(name)
	if v == "" {
		return of[0], nil
	}
	for _, o := range of {
		if v == o {
			return v, nil
		}
	}
	return "", bad(name, v, "choice", strings.Join(of, ", "))
}

// first is the address of a list's first page; empty when it is asked for.
func (r *request) first() string {
	if !r.query.Has("after") {
		return ""
	}
	return r.with("after", "")
}

// month is a parameter that is a month, such as 2014-10; "" when it is not given.
func (r *request) month(name string) (string, error) {
	v := r.query.Get(name)
	if v == "" {
		return "", nil
	}
	if _, err := time.Parse("2006-01", v); err != nil {
		return "", bad(name, v, "month")
	}
	return v, nil
}

// withoutToken are a request's parameters as links may repeat them.
func withoutToken(query url.Values) url.Values {
	q := maps.Clone(query)
	q.Del("token")
	return q
}

// with is the page's address with a parameter set, or without it for "".
func (r *request) with(name, value string) string {
	q := withoutToken(r.query)
	q.Del("after")
	if value == "" {
		q.Del(name)
	} else {
		q.Set(name, value)
	}
	if len(q) == 0 {
		return r.URL.EscapedPath()
	}
	return r.URL.EscapedPath() + "?" + q.Encode()
}
