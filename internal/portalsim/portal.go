package portalsim

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"padron/internal/boundaries"
	"padron/internal/portalsim/register"
	"padron/internal/portalsim/store"
)

const (
	// DefaultID is the dataset of San Francisco's business register.
	DefaultID = "g8m3-pdis"
	// DefaultBoundariesID is the dataset of the outlines of its neighborhoods.
	DefaultBoundariesID = "j2bu-swwd"

	// DefaultLimit is how many rows a page has when $limit is absent, as on the
	// real portal.
	DefaultLimit = 1000
	// MaxLimit is how many rows a page has at most.
	MaxLimit = 50_000
)

// Options configure a Portal. Only Table is required.
type Options struct {
	Table *store.Table // the rows to begin with; several portals may share one
	ID    string       // four-by-four; DefaultID when empty
	Name  string       // the dataset's title
	Key   string       // the column that edits find rows by; "ttxid", else "id", else the first

	Seed     uint64           // of row identifiers, and of the order of answers without $order
	Now      func() time.Time // the clock of edits and throttling; time.Now when nil
	Updated  time.Time        // when the first version was published; the last 11:15 UTC that is an hour old when zero
	MaxLimit int              // MaxLimit when zero

	// Boundaries are the outlines that the portal serves as a second dataset,
	// DefaultBoundariesID. Nil are those of the generated neighborhoods. With
	// an empty list there is no such dataset.
	Boundaries []boundaries.Area
	// BoundariesUpdated is when they were published; three years before Updated
	// when zero.
	BoundariesUpdated time.Time

	// HideComputed leaves the :@computed_region_ columns out of whole rows when
	// $order is given, unless $select names them. Users of the real portal have
	// seen it do so.
	HideComputed bool
	// NoMetadataContents leaves cachedContents out of the metadata, as the
	// portal does before it has computed them.
	NoMetadataContents bool
	// Says is what answers tell of their version; everything when empty.
	Says Says
	// Collate is the order of texts, by which the portal sorts and compares;
	// nil is the order of their bytes. Dictionary is that of a locale. Only
	// equal texts are equal in any case.
	Collate func(a, b string) int
	// ShuffleTies gives rows that the order does not tell apart (rows of one
	// key, or all without an order) another order in each request.
	ShuffleTies bool
	// History keeps every version for RowsAt and VersionsOf. It takes 20 bytes
	// for each row and version, and what edits write.
	History bool
	// CacheBytes keeps up to so many bytes of answers, as they went over the
	// wire: a benchmark then measures the client alone. An answer is kept until
	// an edit touches its rows.
	CacheBytes int64
	// Throttle answers 429 to requests without an app token beyond a limit.
	Throttle *Throttle
}

// Says is what a portal's answers tell of their version.
type Says string

// What portals were seen to tell.
const (
	SaysAll     Says = ""         // the master's version, the copy's, and whether that lags
	SaysNoTruth Says = "no-truth" // the copy's, and whether it lags: the newer query path
	SaysLegacy  Says = "legacy"   // the copy's, in a date that ends in UTC: an old portal
	SaysNothing Says = "none"     // nothing, nor do the metadata say when rows were updated
)

// ParseSays reads one of them.
func ParseSays(text string) (Says, error) {
	switch says := Says(text); says {
	case SaysAll, SaysNoTruth, SaysLegacy, SaysNothing:
		return says, nil
	}
	return "", fmt.Errorf("%q is none of no-truth, legacy and none", text)
}

// Throttle is the limit of the pool that all requests without an app token
// share.
type Throttle struct {
	Requests   int           // per window
	Window     time.Duration // windows follow each other, by the portal's clock
	RetryAfter string        // the header's value; none when empty
}

// Portal is a simulated portal. All methods may be called while it serves.
type Portal struct {
	id, name    string
	now         func() time.Time
	maxLimit    int
	hide        bool
	noContents  bool
	says        Says
	throttle    *Throttle
	shuffleTies bool
	cache       *cache // nil when no answer is kept

	mu        sync.Mutex
	truth     *store.Snapshot // what the publisher has
	lagging   *store.Snapshot // what a lagging copy serves; nil when none lags
	lags      func(*http.Request) bool
	history   []*store.Snapshot // all versions, oldest first; nil when they are not kept
	raws      map[string]string // see ServeRaw
	outlines  outlines
	moved     map[string]string // host to the base URL that it moved to
	faults    []*Fault
	onRequest func(*http.Request)
	window    time.Time // the start of the throttling window
	inWindow  int       // requests in it so far

	listedOnly []string // columns of the metadata that no row has

	contentsMu sync.Mutex
	contentsOf *store.Snapshot // the version that contents describe
	contents   map[string]store.Contents

	requests, pageRequests, bytes atomic.Int64
	salts                         atomic.Uint64

	gzips sync.Pool
}

var fourByFour = regexp.MustCompile(`^[a-z0-9]{4}-[a-z0-9]{4}$`)

// New makes a portal that serves a table. The error says which option cannot be
// used.
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
		o.Key = defaultKey(o.Table.Columns())
	}
	if o.Boundaries == nil {
		o.Boundaries = register.Neighborhoods()
	}
	if o.BoundariesUpdated.IsZero() {
		o.BoundariesUpdated = o.Updated.AddDate(-3, 0, 0)
	}
	first, err := store.NewSnapshot(o.Table, store.Options{Key: o.Key, Seed: o.Seed, Published: o.Updated, Collate: o.Collate})
	if err != nil {
		return nil, err
	}
	p := &Portal{
		id: o.ID, name: o.Name, now: o.Now, maxLimit: o.MaxLimit, hide: o.HideComputed, noContents: o.NoMetadataContents, says: o.Says,
		throttle: o.Throttle, shuffleTies: o.ShuffleTies, truth: first, moved: map[string]string{},
		outlines: outlines{areas: o.Boundaries, published: o.BoundariesUpdated.UTC().Truncate(time.Second)},
	}
	if o.History {
		p.history = []*store.Snapshot{first}
	}
	if o.CacheBytes > 0 {
		p.cache = &cache{left: o.CacheBytes, answers: map[string]*cachedAnswer{}}
	}
	p.gzips.New = func() any {
		w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is valid
		return w
	}
	return p, nil
}

// lastRefresh returns the last 11:15 UTC (04:15 Pacific, when the register is
// refreshed each day) that is at least an hour ago.
func lastRefresh(now time.Time) time.Time {
	y, m, d := now.UTC().Date()
	at := time.Date(y, m, d, 11, 15, 0, 0, time.UTC)
	if now.Sub(at) < time.Hour {
		at = at.AddDate(0, 0, -1)
	}
	return at
}

func defaultKey(columns []string) string {
	for _, name := range []string{"ttxid", "id"} {
		if slices.Contains(columns, name) {
			return name
		}
	}
	if len(columns) > 0 {
		return columns[0]
	}
	return ""
}

// MoveHost makes requests for a host (the Host header, with its port) answer
// 301 to the same path below a base URL.
func (p *Portal) MoveHost(host, baseURL string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved[host] = strings.TrimSuffix(baseURL, "/")
}

// ListOnly has the metadata list these columns, of type text, beyond those that
// the rows have: asking for one is an error. None takes that back.
func (p *Portal) ListOnly(columns ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listedOnly = columns
}

// OnRequest calls f at the start of each request, before the version that
// answers it is chosen: f may edit.
func (p *Portal) OnRequest(f func(*http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onRequest = f
}

// Requests returns the number of requests so far, of all kinds.
func (p *Portal) Requests() int64 { return p.requests.Load() }

// PageRequests returns the number of requests so far for rows or counts of the
// dataset.
func (p *Portal) PageRequests() int64 { return p.pageRequests.Load() }

// BytesServed returns the size of all bodies so far, as sent: compressed.
func (p *Portal) BytesServed() int64 { return p.bytes.Load() }

// Len returns the number of rows that the publisher has.
func (p *Portal) Len() int { return p.newest().Len() }

// Versions returns when the publisher's version and the one that a lagging copy
// serves were published. They are the same when none lags.
func (p *Portal) Versions() (truth, served time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	truth = p.truth.Published()
	if p.lagging == nil {
		return truth, truth
	}
	return truth, p.lagging.Published()
}

// SourceRows yields the publisher's rows as decoded JSON, in key order, rows
// without a key last. System columns are left out, nulls are absent.
func (p *Portal) SourceRows() iter.Seq[map[string]any] { return p.newest().All }

// Row returns the publisher's row with a key: nil when there is none, the first
// when there are several.
func (p *Portal) Row(key string) map[string]any {
	s := p.newest()
	rows := s.Find(key)
	if len(rows) == 0 {
		return nil
	}
	return s.Decoded(rows[0])
}

// newest returns the publisher's version.
func (p *Portal) newest() *store.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.truth
}
