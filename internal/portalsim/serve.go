package portalsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"padron/internal/portalsim/soql"
	"padron/internal/portalsim/store"
)

// ServeHTTP answers /resource/{id}.json, /api/views/{id}.json and the page
// /d/{id}, and of the boundaries /resource/{id}.geojson and
// /api/views/{id}.json.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	w.Header().Set("X-Socrata-RequestId", fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()))
	served, truth := p.choose(r)
	a := &answer{portal: p, writer: w, request: r, fault: p.fault(r)}
	if a.fault != nil && a.fault.instead(a) {
		return
	}
	if target := p.movedTo(r.Host); target != "" {
		http.Redirect(w, r, target+r.URL.RequestURI(), http.StatusMovedPermanently)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		a.problem(http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed", nil)
		return
	}
	if p.throttled(r) {
		if p.throttle.RetryAfter != "" {
			w.Header().Set("Retry-After", p.throttle.RetryAfter)
		}
		a.problem(http.StatusTooManyRequests, "too_many_requests", tooManyRequests, nil)
		return
	}
	path := r.URL.Path
	switch id := datasetID(path); {
	case p.servesOutlines(path):
		a.outlines()
	case id == "":
		a.problem(http.StatusNotFound, "not_found", "Cannot find "+path, nil)
	case id != p.id:
		a.problem(http.StatusNotFound, "dataset.missing", "Not found", map[string]any{"id": id})
	case strings.HasPrefix(path, "/resource/"):
		p.pageRequests.Add(1)
		a.resource(served, truth)
	case strings.HasPrefix(path, "/api/views/"):
		a.metadata(truth)
	default:
		a.html(http.StatusOK, "<!DOCTYPE html>\n<html><head><title>"+html.EscapeString(p.name)+"</title></head><body><h1>"+
			html.EscapeString(p.name)+"</h1><p>"+strconv.Itoa(truth.Len())+" rows. API: /resource/"+p.id+".json</p></body></html>\n")
	}
}

const tooManyRequests = "You made too many requests recently, please try again soon."

// choose calls the hook, then picks the versions that answer a request.
func (p *Portal) choose(r *http.Request) (served, truth *store.Snapshot) {
	p.mu.Lock()
	hook := p.onRequest
	p.mu.Unlock()
	if hook != nil {
		hook(r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lagging != nil && p.lags(r) {
		return p.lagging, p.truth
	}
	return p.truth, p.truth
}

// datasetID takes the id out of a path that the portal knows.
func datasetID(path string) string {
	for _, prefix := range []string{"/resource/", "/api/views/", "/d/"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			id := strings.TrimSuffix(rest, ".json")
			if fourByFour.MatchString(id) {
				return id
			}
		}
	}
	return ""
}

func (p *Portal) movedTo(host string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.moved[host]
}

// throttled counts a request against the pool of those without an app token.
func (p *Portal) throttled(r *http.Request) bool {
	if p.throttle == nil || r.Header.Get("X-App-Token") != "" || r.URL.Query().Get("$$app_token") != "" {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.window.IsZero() || now.Sub(p.window) >= p.throttle.Window {
		p.window, p.inWindow = now, 0
	}
	p.inWindow++
	return p.inWindow > p.throttle.Requests
}

// answer is one request being answered.
type answer struct {
	portal  *Portal
	writer  http.ResponseWriter
	request *http.Request
	fault   *Fault // nil when nothing goes wrong
}

// resource answers a query.
func (a *answer) resource(served, truth *store.Snapshot) {
	plan, err := a.plan(served)
	if err != nil {
		var refused *soql.Error
		if !errors.As(err, &refused) {
			a.problem(http.StatusInternalServerError, "internal_error", err.Error(), nil)
			return
		}
		data := map[string]any{"query": a.request.URL.Query().Encode()}
		for k, v := range refused.Data {
			data[k] = v
		}
		a.problem(http.StatusBadRequest, refused.Code, "Query coordinator error: "+refused.Error(), data)
		return
	}
	a.versionHeaders(served, truth)
	if a.unchanged(served) {
		return
	}
	h := a.writer.Header()
	h.Set("Content-Type", "application/json;charset=utf-8")
	fields := plan.Fields()
	h.Set("X-SODA2-Fields", list(fields, func(f soql.Field) string { return f.Name }))
	h.Set("X-SODA2-Types", list(fields, func(f soql.Field) string { return f.Kind.String() }))
	if a.cacheable(plan) {
		a.fromCache(plan)
		return
	}
	body, closeBody := a.body(http.StatusOK)
	defer closeBody()
	if a.request.Method != http.MethodHead {
		_ = plan.Write(body) // the client is gone; there is nobody to tell
	}
}

// plan reads the request's query and binds it to the version that answers.
func (a *answer) plan(served *store.Snapshot) (*soql.Plan, error) {
	query, err := soql.Parse(a.request.URL.Query(), DefaultLimit, a.portal.maxLimit)
	if err != nil {
		return nil, err
	}
	o := soql.Options{HideComputed: a.portal.hide, Raw: a.portal.raw()}
	if a.portal.shuffleTies {
		o.Salt = a.portal.salts.Add(1)
	}
	return query.Plan(served, o)
}

// list renders a property of the fields as a JSON array of strings.
func list(fields []soql.Field, property func(soql.Field) string) string {
	b := []byte{'['}
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = store.AppendQuoted(b, property(f))
	}
	return string(append(b, ']'))
}

// versionHeaders say which version answers and which is the newest.
func (a *answer) versionHeaders(served, truth *store.Snapshot) {
	h, at := a.writer.Header(), served.Published().Format(http.TimeFormat)
	switch a.portal.says {
	case SaysNothing:
	case SaysLegacy:
		h.Set("Last-Modified", strings.Replace(at, "GMT", "UTC", 1))
	case SaysNoTruth:
		lagging := "[]"
		if served != truth {
			lagging = `["` + a.portal.id + `"]`
		}
		h.Set("Last-Modified", at)
		h.Set("X-SODA2-Data-Out-Of-Date", lagging)
	default:
		h.Set("Last-Modified", at)
		h.Set("X-SODA2-Secondary-Last-Modified", at)
		h.Set("X-SODA2-Truth-Last-Modified", truth.Published().Format(http.TimeFormat))
		h.Set("X-SODA2-Data-Out-Of-Date", strconv.FormatBool(served != truth))
	}
}

// unchanged sets the ETag, which covers the query, the encoding and the
// version, and answers 304 when the client has it.
func (a *answer) unchanged(s *store.Snapshot) bool {
	encoding := "identity"
	if a.gzip() {
		encoding = "gzip"
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(a.request.URL.Path + "?" + a.request.URL.RawQuery)) // a hash takes everything
	etag := fmt.Sprintf(`W/"%016x.%d--%s"`, s.Hash(h.Sum64()), s.Published().Unix(), encoding)
	a.writer.Header().Set("ETag", etag)
	for _, known := range strings.Split(a.request.Header.Get("If-None-Match"), ",") {
		if strings.TrimSpace(known) == etag {
			a.writer.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}

// body opens the body, compressed when the client accepts that; closeBody ends
// it. No header may be set afterwards.
func (a *answer) body(status int) (body io.Writer, closeBody func()) {
	a.writer.Header().Add("Vary", "Accept-Encoding")
	if a.request.Method == http.MethodHead {
		a.writer.WriteHeader(status)
		return io.Discard, func() {}
	}
	wire := &wireWriter{answer: a}
	if !a.gzip() {
		a.writer.WriteHeader(status)
		return a.cut(wire), func() {}
	}
	a.writer.Header().Set("Content-Encoding", "gzip")
	a.writer.WriteHeader(status)
	z := a.portal.gzips.Get().(*gzip.Writer)
	z.Reset(wire)
	return a.cut(z), func() {
		_ = z.Close() // the client is gone; there is nobody to tell
		a.portal.gzips.Put(z)
	}
}

func (a *answer) gzip() bool {
	return strings.Contains(a.request.Header.Get("Accept-Encoding"), "gzip")
}

// problem answers with the portal's JSON for errors.
func (a *answer) problem(status int, code, message string, data map[string]any) {
	envelope := map[string]any{"error": true, "message": message}
	if code != "" {
		envelope["code"] = code
	}
	if data != nil {
		envelope["data"] = data
	}
	a.json(status, "application/json; charset=utf-8", envelope)
}

func (a *answer) json(status int, contentType string, x any) {
	text, err := json.Marshal(x)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":true,"code":"internal_error"}`)
	}
	a.send(status, contentType, append(text, '\n'))
}

func (a *answer) html(status int, text string) {
	a.send(status, "text/html; charset=utf-8", []byte(text))
}

func (a *answer) send(status int, contentType string, text []byte) {
	a.writer.Header().Set("Content-Type", contentType)
	body, closeBody := a.body(status)
	defer closeBody()
	_, _ = body.Write(text) // the client is gone; there is nobody to tell
}
