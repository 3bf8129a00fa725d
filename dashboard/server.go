package dashboard

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"padron/dashboard/chart"
	"padron/dashboard/i18n"
	"padron/internal/dataset"
	"padron/internal/query"
)

const (
	// readersAtOnce bounds the requests that read the database at the same
	// time, so that many readers leave the server to the runs. A read takes a
	// few milliseconds, and the others wait for their turn.
	readersAtOnce = 8

	// requestTimeout bounds one request, the wait for its turn included.
	requestTimeout = 15 * time.Second

	// stateFor is how long the newest runs and snapshots are not looked up
	// again. A page may be this much behind.
	stateFor = time.Second
)

// Options say what is served, and to whom.
type Options struct {
	Spec *dataset.Spec
	// Open opens the mirror for reading. It is called until it succeeds, so
	// that a mirror may be created after the dashboard was started.
	Open func(ctx context.Context) (*query.Reader, error)
	// Sensitive shows and exports fields that the spec calls sensitive.
	Sensitive bool
	// Token is required of every reader; empty: of none. A secret.
	Token string
	// Public says that anybody who reaches the pages may read them.
	Public bool
	// Embed says whose pages may show charts in frames: * or empty for
	// everybody's, none, or origins separated by spaces.
	Embed string
	Log   *slog.Logger
}

// Server answers the requests for one dataset's dashboard.
type Server struct {
	Options
	templates map[string]*pages // by language
	assets    *assets
	build     string // digest of templates, catalogues, assets and settings
	kept      *chart.Kept

	// Browsers keep static files for good, so their size counts: all of them
	// are compressed, at the library's default level. Other answers are made
	// for one request: those of 1 KiB or more are compressed, and fast.
	compressStatic, compress func(http.Handler) http.HandlerFunc

	turns   chan struct{}
	sending *semaphore.Weighted // bytes of large answers
	stall   time.Duration       // stallTimeout
	flights singleflight.Group

	mu     sync.Mutex
	reader *query.Reader // nil: not opened yet
	state  *state
}

// New makes a server. The templates and catalogues are part of the program, so
// an error is a fault of it.
func New(o Options) (*Server, error) {
	s := &Server{
		Options: o, templates: map[string]*pages{},
		turns: make(chan struct{}, readersAtOnce), sending: semaphore.NewWeighted(largeAnswers), stall: stallTimeout,
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	dist, err := fs.Sub(bundle, "web/dist")
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	if s.assets, err = loadAssets(dist); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	if s.kept, err = chart.NewKept(); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	if s.compressStatic, err = gzhttp.NewWrapper(gzhttp.EnableZstd(false), gzhttp.MinSize(0)); err != nil {
		return nil, fmt.Errorf("dashboard: compression: %w", err)
	}
	if s.compress, err = gzhttp.NewWrapper(gzhttp.EnableZstd(false), gzhttp.CompressionLevel(gzip.BestSpeed)); err != nil {
		return nil, fmt.Errorf("dashboard: compression: %w", err)
	}
	for _, lang := range Languages() {
		if s.templates[lang], err = loadPages(lang, o.Spec.Location()); err != nil {
			return nil, fmt.Errorf("dashboard: %w", err)
		}
	}
	s.build = s.digest()
	return s, nil
}

// Languages are those that the pages are in, the default first.
func Languages() []string { return i18n.Languages() }

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
		w.Header().Add("Vary", "Accept-Language")
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
	mux.Handle("GET "+feedPath, s.data((*request).feed))
	mux.HandleFunc("GET /", s.notFound)
	return s.compressed(s.guard(mux))
}

// compressed compresses answers for readers that accept gzip.
func (s *Server) compressed(next http.Handler) http.Handler {
	static, others := s.compressStatic(next), s.compress(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			// HEAD must have the headers of GET, and gzhttp knows them only when
			// it compresses a body. net/http leaves the body of HEAD out.
			r = r.Clone(r.Context())
			r.Method = http.MethodGet
		}
		if strings.HasPrefix(r.URL.Path, "/static/") {
			static(w, r)
		} else {
			others(w, r)
		}
	})
}
