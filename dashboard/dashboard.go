// Package dashboard serves web pages and data over what a mirror holds. It reads
// only: every answer is made of the stored snapshots, run records, change events
// and documents, and says which run and date it is of.
//
// Pages are complete without JavaScript: each chart comes with its numbers as a
// table, and the script that draws it (dashboard/web) is an extra. Everything a
// page shows is in its address, in English under /en/ and in Spanish under /es/.
package dashboard

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"padron/internal/dataset"
	"padron/internal/mirror"
)

const (
	// readersAtOnce bounds the requests that read the database at the same
	// time, so that a crowd of readers leaves the server to the runs: a read
	// takes a few milliseconds, and others wait their turn.
	readersAtOnce = 8

	// requestTimeout bounds one request, its wait for a turn included.
	requestTimeout = 15 * time.Second

	// stateFor is for how long it is not looked up again which runs and
	// snapshots are the newest. A page may be this much behind.
	stateFor = time.Second
)

// Options say what is served, and to whom.
type Options struct {
	Spec *dataset.Spec
	// Open opens the mirror for reading. It is called until it succeeds, so that
	// a mirror may come into being after the dashboard.
	Open func(ctx context.Context) (*mirror.Mirror, error)
	// Sensitive shows and exports fields that the spec calls sensitive.
	Sensitive bool
	// Token is asked of every reader; empty: of none. A secret.
	Token string
	// Public says that the pages may be read by anybody who reaches them.
	Public bool
	// Embed says whose pages may show charts in frames: * or empty for
	// everybody's, none, or origins with a space between.
	Embed string
	Log   *slog.Logger
}

// Server answers the requests for one dataset's dashboard.
type Server struct {
	Options
	templates map[string]*pages // by language
	assets    *assets
	build     string // of templates, catalogues and assets

	turns   chan struct{}
	flights singleflight.Group
	cache   cache

	mu     sync.Mutex
	mirror *mirror.Mirror // nil: not opened yet
	state  *state
}

// New makes a server. The templates and catalogues are part of the program, so
// an error is a fault of it.
func New(o Options) (*Server, error) {
	s := &Server{Options: o, templates: map[string]*pages{}, turns: make(chan struct{}, readersAtOnce)}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	for _, lang := range Languages() {
		if s.templates[lang], err = loadPages(lang, o.Spec.Location()); err != nil {
			return nil, fmt.Errorf("dashboard: %w", err)
		}
	}
	s.build = s.digest()
	return s, nil
}

// Handler serves all pages, data and static files. Requests other than GET and
// HEAD are refused.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /static/", s.assets)
	mux.HandleFunc("GET /robots.txt", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "User-agent: *\nDisallow: /\n")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Language")
		http.Redirect(w, r, "/"+preferred(r)+"/", http.StatusFound)
	})
	for _, lang := range Languages() {
		mux.HandleFunc("GET /"+lang+"/{rest...}", s.notFound)
		mux.HandleFunc("GET /"+lang, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/"+lang+"/", http.StatusMovedPermanently)
		})
		for pattern, answer := range map[string]func(*request) (*view, error){
			"{$}":                     (*request).overview,
			"neighborhoods":           (*request).neighborhoods,
			"neighborhoods/{name...}": (*request).neighborhood,
			"sectors":                 (*request).sectors,
			"sectors/{code}":          (*request).sector,
			"survival":                (*request).survival,
			"businesses":              (*request).businesses,
			"businesses/{key}":        (*request).business,
			"changes":                 (*request).changes,
			"profile":                 (*request).profile,
			"runs":                    (*request).runs,
			"runs/{id}":               (*request).run,
		} {
			mux.Handle("GET /"+lang+"/"+pattern, s.page(lang, answer))
		}
	}
	mux.Handle("GET /data/{path...}", s.data(s.figures))
	mux.Handle("GET /data/businesses.csv", s.data((*request).businessesCSV))
	mux.Handle("GET /data/businesses.json", s.data((*request).businessesJSON))
	mux.Handle("GET /data/boundaries.json", s.data((*request).boundariesJSON))
	mux.Handle("GET /data/changes.json", s.data((*request).changesJSON))
	mux.Handle("GET /data/runs/live.json", s.data((*request).liveList))
	mux.Handle("GET /data/runs/{id}/live.json", s.data((*request).live))
	mux.Handle("GET /changes.rss", s.data((*request).feed))
	mux.HandleFunc("GET /", s.notFound)
	return s.guard(mux)
}

// pagePath is the address of a page in a language: "", "sectors/722".
func pagePath(lang string, parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(p)
	}
	return "/" + lang + "/" + strings.Join(escaped, "/")
}

// dataPath is the address of data: dataPath(".csv", "overview", "months").
func dataPath(extension string, parts ...string) string {
	return pagePath("data", parts...) + extension
}
