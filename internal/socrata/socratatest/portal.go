// Package socratatest simulates a Socrata portal with one dataset: SODA 2.1 queries, metadata, version headers,
// lagging copies, edits and scripted faults. It is for tests and for trying the product without a network.
//
// A Portal is an http.Handler; serve it with httptest.NewServer or any http.Server.
package socratatest

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"iter"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"padron/internal/boundaries"
)

// DefaultID is the business register of San Francisco, DefaultBoundariesID the outlines of its neighborhoods.
const (
	DefaultID           = "g8m3-pdis"
	DefaultBoundariesID = "j2bu-swwd"
)

// The portal's page sizes: rows when $limit is absent, and the most it gives.
const (
	DefaultLimit = 1000
	MaxLimit     = 50_000
)

// Options configure a Portal. Only Table is required.
type Options struct {
	Table *Table // the rows to begin with; a Table may be shared by several portals
	ID    string // four-by-four; DefaultID when empty
	Name  string // the dataset's title
	Key   string // the column rows are looked up by in edits and that the key index is over; "ttxid", else "id", else the first

	Seed     uint64           // of row identifiers and of the order of unordered answers
	Now      func() time.Time // the clock of edits and throttling; time.Now when nil
	Updated  time.Time        // when the first version was published; the last 11:15 UTC that is an hour old when zero
	MaxLimit int              // MaxLimit when zero

	// Boundaries are the outlines that the portal serves as a second dataset, DefaultBoundariesID; nil are those of the
	// generator's neighborhoods. A portal with an empty list has no such dataset.
	Boundaries        []boundaries.Area
	BoundariesUpdated time.Time // when they were published; three years before Updated when zero

	// HideComputed leaves the :@computed_region_ columns out of whole rows when $order is given, unless $select names
	// them. Users of the real portal have seen it do so.
	HideComputed bool
	// NoMetadataContents leaves cachedContents out of the metadata, as the portal does before it has computed them.
	NoMetadataContents bool
	// Collate is the order of texts in which the portal sorts and compares, as a locale's that is not that of bytes
	// (see Dictionary); nil is the order of bytes. Equal are only equal texts.
	Collate func(a, b string) int
	// ShuffleTies makes rows that the order does not tell apart (of one key, or all without an order) come in another
	// order for each request.
	ShuffleTies bool
	// History keeps every version for RowsAt and VersionsOf: 20 bytes for each row and version, and what edits write.
	History bool
	// CacheBytes keeps answers as they went over the wire, up to so many bytes, so that asking again costs next to
	// nothing: a benchmark then measures who asks. An answer stays good until an edit touches its rows.
	CacheBytes int64
	// Throttle answers 429 to requests without an app token beyond so many per window.
	Throttle *Throttle
}

// Throttle is the limit of the shared pool that requests without an app token draw from.
type Throttle struct {
	Requests   int           // per window
	Window     time.Duration // fixed windows, by the portal's clock
	RetryAfter string        // value of the header; none when empty
}

// Portal is a simulated portal. All methods may be called while it serves.
type Portal struct {
	id, name   string
	now        func() time.Time
	maxLimit   int
	hide       bool
	noContents bool
	throttle   *Throttle
	ties       bool
	cache      *cache // nil when none is kept
	outlines   outlines

	mu        sync.Mutex
	truth     *snapshot // what the publisher has
	lagging   *snapshot // what a lagging copy serves; nil when none lags
	lags      func(*http.Request) bool
	moved     map[string]string // host to the base URL it moved to
	history   []*snapshot       // all versions, oldest first; nil when they are not kept
	faults    []*Fault
	onRequest func(*http.Request)
	window    time.Time // throttling: start of the current window
	inWindow  int

	contentsMu sync.Mutex
	contentsOf *snapshot // the version contents was computed of
	contents   map[string]*contents

	requests, pageRequests, bytes atomic.Int64
	active, maxActive             atomic.Int64
	requestID                     atomic.Uint64

	buffers, gzips sync.Pool
}

var fourByFour = regexp.MustCompile(`^[a-z0-9]{4}-[a-z0-9]{4}$`)

// New makes a portal that serves a table.
func New(o Options) (*Portal, error) {
	if o.Table == nil {
		return nil, errors.New("no table to serve")
	}
	if o.ID == "" {
		o.ID = DefaultID
	}
	if !fourByFour.MatchString(o.ID) {
		return nil, fmt.Errorf("id %q is not of the form xxxx-xxxx", o.ID)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Updated.IsZero() {
		o.Updated = lastRefresh(o.Now())
	}
	if o.Name == "" {
		o.Name = "Registered Business Locations (simulated)"
	}
	if o.MaxLimit <= 0 {
		o.MaxLimit = MaxLimit
	}
	if o.Key == "" {
		names := o.Table.Columns()
		switch {
		case slices.Contains(names, "ttxid"):
			o.Key = "ttxid"
		case slices.Contains(names, "id"):
			o.Key = "id"
		case len(names) > 0:
			o.Key = names[0]
		}
	}
	first, err := newSnapshot(o.Table, o)
	if err != nil {
		return nil, err
	}
	p := &Portal{
		id: o.ID, name: o.Name, now: o.Now, maxLimit: o.MaxLimit, hide: o.HideComputed, noContents: o.NoMetadataContents,
		throttle: o.Throttle, ties: o.ShuffleTies, truth: first, moved: map[string]string{},
	}
	if o.Boundaries == nil {
		o.Boundaries = Neighborhoods()
	}
	if o.BoundariesUpdated.IsZero() {
		o.BoundariesUpdated = o.Updated.AddDate(-3, 0, 0)
	}
	p.outlines = outlines{areas: o.Boundaries, published: o.BoundariesUpdated.UTC().Truncate(time.Second)}
	if o.History {
		p.history = []*snapshot{first}
	}
	if o.CacheBytes > 0 {
		p.cache = &cache{left: o.CacheBytes, answers: map[string]*cachedAnswer{}}
	}
	p.buffers.New = func() any { return new([]byte) }
	p.gzips.New = func() any {
		w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is valid
		return w
	}
	return p, nil
}

// lastRefresh is the last 11:15 UTC (04:15 Pacific, the register's daily refresh) that is at least an hour ago.
func lastRefresh(now time.Time) time.Time {
	y, m, d := now.UTC().Date()
	at := time.Date(y, m, d, 11, 15, 0, 0, time.UTC)
	if now.Sub(at) < time.Hour {
		at = at.AddDate(0, 0, -1)
	}
	return at
}

// MoveHost makes requests for a host (as in the Host header, with its port) answer 301 to a base URL.
func (p *Portal) MoveHost(host, baseURL string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved[host] = strings.TrimSuffix(baseURL, "/")
}

// OnRequest calls f at the start of each request, before the version that will answer it is chosen: f may edit.
func (p *Portal) OnRequest(f func(*http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onRequest = f
}

// Requests is the number of requests so far, of all kinds.
func (p *Portal) Requests() int64 { return p.requests.Load() }

// PageRequests is the number of requests so far for rows or counts of the dataset.
func (p *Portal) PageRequests() int64 { return p.pageRequests.Load() }

// BytesServed is the size of all bodies so far, as sent (compressed).
func (p *Portal) BytesServed() int64 { return p.bytes.Load() }

// MaxConcurrent is the highest number of requests that were in work at once.
func (p *Portal) MaxConcurrent() int64 { return p.maxActive.Load() }

// Len is the number of rows the publisher has.
func (p *Portal) Len() int { return p.snapshots().len() }

// Versions gives the times the publisher's and a lagging copy's version were published; the same when none lags.
func (p *Portal) Versions() (truth, served time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	truth = p.truth.published()
	if p.lagging == nil {
		return truth, truth
	}
	return truth, p.lagging.published()
}

// SourceRows yields the publisher's rows as decoded JSON, in key order, rows without a key last: the ground truth of a
// test. System columns are left out; nulls are absent.
func (p *Portal) SourceRows() iter.Seq[map[string]any] {
	return p.snapshots().all
}

// Row gives the publisher's row with a key, nil when there is none, the first when there are several.
func (p *Portal) Row(key string) map[string]any {
	s := p.snapshots()
	rows := s.findText(key)
	if len(rows) == 0 {
		return nil
	}
	return s.row(rows[0])
}

func (p *Portal) snapshots() *snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.truth
}

// choose picks the versions that answer a request, after the test's hook.
func (p *Portal) choose(r *http.Request) (served, truth *snapshot) {
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

// ServeHTTP answers /resource/{id}.json, /api/views/{id}.json and the page /d/{id}, and of the boundaries
// /resource/{id}.geojson and /api/views/{id}.json.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	active := p.active.Add(1)
	defer p.active.Add(-1)
	for top := p.maxActive.Load(); active > top && !p.maxActive.CompareAndSwap(top, active); {
		top = p.maxActive.Load()
	}
	w.Header().Set("X-Socrata-RequestId", fmt.Sprintf("%016x%016x", mix(p.requestID.Add(1), 1, 2), mix(p.requestID.Load(), 3, 4)))
	served, truth := p.choose(r)
	fault := p.fault(r)
	a := &answer{portal: p, writer: w, request: r, fault: fault}
	if fault != nil && fault.instead(a) {
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
		a.problem(http.StatusTooManyRequests, "too_many_requests", "You made too many requests recently, please try again soon.", nil)
		return
	}
	path := r.URL.Path
	switch id := dataset(path); {
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
			html.EscapeString(p.name)+"</h1><p>"+strconv.Itoa(truth.len())+" rows. API: /resource/"+p.id+".json</p></body></html>\n")
	}
}

// dataset takes the id out of a path the portal knows.
func dataset(path string) string {
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
	fault   *Fault
}

// body opens the body, compressed when the client accepts that; close ends it. Nothing else may set headers afterwards.
func (a *answer) body(status int) (body io.Writer, closeBody func()) {
	wire := &wireWriter{answer: a}
	a.writer.Header().Add("Vary", "Accept-Encoding")
	if a.request.Method == http.MethodHead {
		a.writer.WriteHeader(status)
		return io.Discard, func() {}
	}
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

// problem answers with the portal's envelope.
func (a *answer) problem(status int, code, message string, data map[string]any) {
	envelope := map[string]any{"error": true, "message": message}
	if code != "" {
		envelope["code"] = code
	}
	if data != nil {
		envelope["data"] = data
	}
	text, err := json.Marshal(envelope)
	if err != nil {
		text = []byte(`{"error":true}`)
	}
	a.send(status, "application/json; charset=utf-8", append(text, '\n'))
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

// versionHeaders say which version answers and which is the newest.
func (a *answer) versionHeaders(served, truth *snapshot) {
	h := a.writer.Header()
	h.Set("Last-Modified", served.published().Format(http.TimeFormat))
	h.Set("X-SODA2-Secondary-Last-Modified", served.published().Format(http.TimeFormat))
	h.Set("X-SODA2-Truth-Last-Modified", truth.published().Format(http.TimeFormat))
	h.Set("X-SODA2-Data-Out-Of-Date", strconv.FormatBool(served.version != truth.version))
}

// unchanged sets the ETag, which covers the query, the encoding and the version, and answers 304 when the client has it.
func (a *answer) unchanged(s *snapshot) bool {
	encoding := "identity"
	if a.gzip() {
		encoding = "gzip"
	}
	h := s.seed
	for i, c := range []byte(a.request.URL.Path + "?" + a.request.URL.RawQuery) {
		h = mix(h, uint64(i), uint64(c))
	}
	etag := fmt.Sprintf(`W/"%016x.%d--%s"`, h, s.published().Unix(), encoding)
	a.writer.Header().Set("ETag", etag)
	for _, known := range strings.Split(a.request.Header.Get("If-None-Match"), ",") {
		if strings.TrimSpace(known) == etag {
			a.writer.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}

// resource answers a query.
func (a *answer) resource(served, truth *snapshot) {
	p := a.portal
	parsed, err := parseQuery(a.request.URL.Query(), DefaultLimit, p.maxLimit)
	var q *query
	if err == nil {
		salt := uint64(0)
		if p.ties {
			salt = p.requestID.Add(1)
		}
		q, err = plan(served, parsed, p.hide && len(parsed.order) > 0, salt)
	}
	if err != nil {
		var wrong *soqlError
		if !errors.As(err, &wrong) {
			wrong = soqlErrorf(codeMalformed, "%s", err)
		}
		data := map[string]any{"query": a.request.URL.Query().Encode()}
		for k, v := range wrong.data {
			data[k] = v
		}
		a.problem(http.StatusBadRequest, wrong.code, "Query coordinator error: "+wrong.Error(), data)
		return
	}
	a.versionHeaders(served, truth)
	if a.unchanged(served) {
		return
	}
	h := a.writer.Header()
	h.Set("Content-Type", "application/json;charset=utf-8")
	h.Set("X-SODA2-Fields", list(q.outputs, func(o output) string { return o.name }))
	h.Set("X-SODA2-Types", list(q.outputs, func(o output) string { return o.kind.String() }))
	if a.cacheable(q) {
		a.fromCache(q)
		return
	}
	body, closeBody := a.body(http.StatusOK)
	defer closeBody()
	if a.request.Method == http.MethodHead {
		return
	}
	p.render(q, body)
}

func (p *Portal) render(q *query, body io.Writer) {
	buf := p.buffers.Get().(*[]byte)
	defer p.buffers.Put(buf)
	if cap(*buf) == 0 {
		*buf = make([]byte, 0, flushSize*2)
	}
	_, _ = q.write(body, *buf) // the client is gone; there is nobody to tell
}

// list renders a property of the outputs as a JSON array of strings.
func list(outputs []output, property func(output) string) string {
	b := []byte{'['}
	for i, o := range outputs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, property(o))
	}
	return string(append(b, ']'))
}
