package dashboard

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"padron/dashboard/chart"
	"padron/dashboard/i18n"
	"padron/internal/query"
)

// request is one request for a page or for data, with what every answer needs.
type request struct {
	*http.Request
	*i18n.Catalogue
	server *Server
	reader *query.Reader
	state  *state
	query  url.Values
	charts *chart.Maker
}

// begin gets ready to answer: language, mirror, state, charts.
func (s *Server) begin(hr *http.Request, lang string) (*request, error) {
	r := &request{Request: hr, Catalogue: s.templates[lang].Catalogue, server: s, query: hr.URL.Query()}
	var err error
	if r.reader, err = s.open(hr.Context()); err != nil {
		return nil, err
	}
	if r.state, err = s.now(hr.Context(), r.reader); err != nil {
		return nil, err
	}
	query := withoutToken(r.query)
	for _, name := range []string{"embed", "chart", "lang", keyParameter} {
		query.Del(name)
	}
	r.charts = &chart.Maker{
		Catalogue: r.Catalogue, Spec: s.Spec, Reader: r.reader, Snapshot: &r.state.snapshot, Past: r.state.past, Kept: s.kept,
		Sensitive: s.Sensitive, Query: query, Embedded: embedded(hr), Shared: s.shared,
	}
	return r, nil
}

// preferred is the language that a reader's browser asks for.
func preferred(r *http.Request) string { return i18n.Preferred(r.Header.Get("Accept-Language")) }

// needSnapshot is an error before the first snapshot.
func (r *request) needSnapshot() error {
	if r.state.snapshot.ID == "" {
		return &failure{status: http.StatusServiceUnavailable, key: "nosnapshot"}
	}
	return nil
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

// month is a parameter that is a month, such as 2014-10; "" when it is not
// given.
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

// span reads the parameters from and to, both months, with their defaults.
// Neither is later than the as-of date.
func (r *request) span() (from, to string, err error) {
	asOf := r.state.snapshot.AsOf.UTC()
	last := asOf.Format("2006-01")
	if from, err = r.month("from"); err != nil {
		return "", "", err
	}
	if to, err = r.month("to"); err != nil {
		return "", "", err
	}
	from = cmp.Or(from, fmt.Sprintf("%04d-01", asOf.Year()-chart.DefaultYears))
	if to = cmp.Or(to, last); to > last {
		to = last
	}
	if from > to {
		return "", "", bad("from", from, "order", to)
	}
	if from < "1800-01" {
		return "", "", bad("from", from, "month")
	}
	return from, to, nil
}

// withoutToken are a request's parameters that links may repeat.
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

// first is the address of a list's first page; empty when that is asked for.
func (r *request) first() string {
	if !r.query.Has("after") {
		return ""
	}
	return r.with("after", "")
}

// hidden says whether the value at a path of a document must not be shown.
func (r *request) hidden(path string) bool { return r.charts.Hidden(path) }
