package socrata

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// MaxPage is the largest number of rows one page may ask for. In practice
// portals serve at most 50,000 and truncate a larger answer without saying so,
// which would look like the end of the range.
const MaxPage = 50_000

const (
	// headerTimeout bounds the wait for an answer to begin. A portal sorts a
	// large table before it sends anything and gives up by itself (408) well
	// within two minutes.
	headerTimeout = 2 * time.Minute
	// idleTimeout bounds the silence within a body.
	idleTimeout = time.Minute
	// answerTimeout bounds the wait for a whole answer, the time apart that its
	// reader takes: a page of 50 MB at 100 kB/s. A drip that never falls silent
	// must not hold a request until the step's own deadline.
	answerTimeout = 10 * time.Minute
	// maxAnswer bounds an answer, in bytes, as sent and decompressed. A page of
	// 50,000 rows of a register is some 50 MB.
	maxAnswer = 512 << 20
	// moveHeld is how long a move of the portal is believed before the configured
	// address is asked again.
	moveHeld = time.Hour
	// maxMoves is how many permanent redirects are followed in one request:
	// from http to https, then to the new host, and one to spare.
	maxMoves = 3
	// maxErrorBody is how much of the body of an error answer is read, in
	// bytes. An envelope is well under it; a proxy's HTML page need not be read
	// to the end.
	maxErrorBody = 8 << 10
	// maxSmallBody bounds answers of one row: a count, a key.
	maxSmallBody = 64 << 10
)

// DefaultUserAgent is what a client calls itself when it is not told otherwise.
// Bot checks in front of portals refuse short names and those of libraries.
const DefaultUserAgent = "Mozilla/5.0 (compatible; padron; mirror of public data)"

// Options say which dataset of which portal a [Client] reads.
type Options struct {
	// BaseURL is the portal's address without a path, such as
	// https://data.sf.gov.
	BaseURL string
	// ID is the dataset's four-by-four id, such as g8m3-pdis.
	ID string
	// Hosts are the hosts, with their ports if they have any, that the portal may
	// move to by a permanent redirect: those that the spec names.
	Hosts []string
	// AppToken is sent as X-App-Token when it is set. Without one, requests
	// share a small pool per IP address and are soon throttled. It never
	// appears in an error.
	AppToken string
	// UserAgent is sent with each request; [DefaultUserAgent] when empty.
	UserAgent string
	// HTTPClient makes the requests, apart from following redirects; when nil,
	// a client with timeouts fit for streaming. An overall Timeout set on it
	// limits whole pages, too.
	HTTPClient *http.Client
}

// Client reads one dataset. It may be used by several goroutines at once.
type Client struct {
	id        string
	appToken  string
	userAgent string
	http      *http.Client

	// headerWait, idleWait and answerWait are headerTimeout, idleTimeout and
	// answerTimeout, limit is maxAnswer and hold moveHeld; tests lower them.
	headerWait, idleWait, answerWait, hold time.Duration
	limit                                  int64

	base  *url.URL // the portal's configured address
	hosts []string // that it may move to
	// moved is where the portal was found instead; nil when it is at base.
	moved atomic.Pointer[moved]
	// settled is set by the first good answer.
	settled atomic.Bool
}

// moved is an address that the portal redirected to and that answered rightly.
type moved struct {
	to    *url.URL
	until time.Time // when the configured address is asked again
}

// New returns a client for the dataset. The base URL must be an absolute http
// or https address without path and query, the id a four-by-four, and the
// token, if any, visible ASCII. Nothing is requested yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("portal address: %w", err)
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Hostname() == "" {
		return nil, fmt.Errorf("portal address %q is not an http or https address such as https://data.sf.gov", base.Redacted())
	}
	if strings.Trim(base.Path, "/") != "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return nil, fmt.Errorf("portal address %q must be scheme and host only, such as https://data.sf.gov", base.Redacted())
	}
	if !isID(o.ID) {
		return nil, fmt.Errorf("dataset id %q is not of the form g8m3-pdis (four letters or digits, a hyphen, four more)", o.ID)
	}
	// Such as the newline at the end of a file: net/http would refuse every
	// request.
	if strings.ContainsFunc(o.AppToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the app token contains space or other characters that no token has")
	}

	c := &Client{
		id:        o.ID,
		appToken:  o.AppToken,
		userAgent: o.UserAgent,
		http:      &http.Client{Transport: newTransport()},

		headerWait: headerTimeout,
		idleWait:   idleTimeout,
		answerWait: answerTimeout,
		hold:       moveHeld,
		limit:      maxAnswer,

		base:  &url.URL{Scheme: base.Scheme, Host: base.Host},
		hosts: o.Hosts,
	}
	if c.userAgent == "" {
		c.userAgent = DefaultUserAgent
	}
	if o.HTTPClient != nil {
		own := *o.HTTPClient
		c.http = &own
	}
	// The client follows redirects itself: net/http would follow them on every
	// request, to any place, and without saying so.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     90 * time.Second,
	}
}

// CanonicalURL returns the portal's own address, such as https://data.sf.gov
// for a client made with https://data.sfgov.org. A client that has had an
// answer knows it; otherwise one small request finds out.
func (c *Client) CanonicalURL(ctx context.Context) (string, error) {
	if !c.settled.Load() {
		a, err := c.get(ctx, "its canonical address", query{limit: 1}.soda2(c.id))
		if err != nil {
			return "", err
		}
		defer a.Close()
		if _, err := a.readSmall(maxRowBytes); err != nil {
			return "", err
		}
	}
	return c.address().String(), nil
}

// address is where the portal is asked: the configured address, or for a while the
// one that it moved to.
func (c *Client) address() *url.URL {
	if m := c.moved.Load(); m != nil {
		if time.Now().Before(m.until) {
			return m.to
		}
		c.moved.CompareAndSwap(m, nil)
	}
	return c.base
}

// arrived notes where a good answer came from.
func (c *Client) arrived(at *url.URL) {
	c.settled.Store(true)
	if at != c.base {
		// When two requests learn of the move at once, the first one wins.
		c.moved.CompareAndSwap(nil, &moved{to: at, until: time.Now().Add(c.hold)})
	}
}

// query is one query to a dataset, independent of the API's version.
type query struct {
	columns, where, group, order string
	limit                        int
	offset                       int64
}

// soda2 returns the query as SODA 2.1 has it: a path with parameters, for a
// GET.
func (q query) soda2(id string) *url.URL {
	v := url.Values{}
	if q.columns != "" {
		v.Set("$select", q.columns)
	}
	if q.where != "" {
		v.Set("$where", q.where)
	}
	if q.group != "" {
		v.Set("$group", q.group)
	}
	if q.order != "" {
		v.Set("$order", q.order)
	}
	if q.limit > 0 {
		v.Set("$limit", strconv.Itoa(q.limit))
	}
	if q.offset > 0 {
		v.Set("$offset", strconv.FormatInt(q.offset, 10))
	}
	return &url.URL{Path: "/resource/" + id + ".json", RawQuery: v.Encode()}
}

// get asks the portal and returns a 200 with its body still to be read; the
// caller closes it. For any other answer it returns an *Error, for a context
// that ended the context's error.
func (c *Client) get(ctx context.Context, asked string, ref *url.URL) (*answer, error) {
	base := c.address()
	trusted := true // the token may be sent there
	for move := 0; ; move++ {
		target := base.ResolveReference(ref)
		a, err := c.once(ctx, asked, target, trusted)
		if err != nil {
			c.moved.Store(nil)
			return nil, err
		}
		next, ok := movedTo(a.response, target)
		switch {
		case a.response.StatusCode == http.StatusOK:
			if err := a.open(); err != nil {
				a.Close()
				return nil, err
			}
			c.arrived(base)
			return a, nil
		case !ok, move == maxMoves, !c.named(next):
			defer a.Close()
			c.moved.Store(nil) // the next request begins where it was configured to
			return nil, a.refused(ok && !c.named(next))
		}
		a.Close()
		// A host that has not answered yet is not told the token.
		base, trusted = next, strings.EqualFold(next.Host, c.base.Host)
	}
}

// named reports whether the portal may be at an address: at the configured host or
// at one that was named beside it.
func (c *Client) named(at *url.URL) bool {
	return slices.ContainsFunc(append([]string{c.base.Host}, c.hosts...), func(host string) bool { return strings.EqualFold(host, at.Host) })
}

// movedTo returns the base address that a permanent redirect names. ok is false
// when the path is another (a sign-in page, not a move of the host), when the
// address is the same, and when the move would give up TLS.
func movedTo(r *http.Response, target *url.URL) (*url.URL, bool) {
	if r.StatusCode != http.StatusMovedPermanently && r.StatusCode != http.StatusPermanentRedirect {
		return nil, false
	}
	to, err := r.Location()
	if err != nil || to.Path != target.Path || to.Hostname() == "" || to.User != nil {
		return nil, false
	}
	if to.Scheme != "https" && to.Scheme != target.Scheme {
		return nil, false
	}
	if to.Scheme == target.Scheme && strings.EqualFold(to.Host, target.Host) {
		return nil, false
	}
	return &url.URL{Scheme: to.Scheme, Host: to.Host}, true
}

// accepted returns the Accept header: portals choose the format by the end of
// the path, proxies by this.
func accepted(target *url.URL) string {
	if strings.HasSuffix(target.Path, geoJSON) {
		return "application/vnd.geo+json, application/geo+json, application/json"
	}
	return "application/json"
}

// once makes one request and returns its answer, whatever its status.
func (c *Client) once(ctx context.Context, asked string, target *url.URL, trusted bool) (*answer, error) {
	own, stop := context.WithCancelCause(ctx)
	a := &answer{client: c, asked: asked, url: target, parent: ctx, ctx: own, stop: stop}
	request, err := http.NewRequestWithContext(own, http.MethodGet, target.String(), nil)
	if err != nil {
		stop(nil)
		return nil, fmt.Errorf("ask %s for %s: %w", target.Host, asked, err)
	}
	request.Header.Set("Accept", accepted(target))
	// Set explicitly, so that net/http does not decompress the body and its
	// size can be counted.
	request.Header.Set("Accept-Encoding", "gzip")
	request.Header.Set("User-Agent", c.userAgent)
	if c.appToken != "" && trusted {
		request.Header.Set("X-App-Token", c.appToken)
	}

	a.timer = time.AfterFunc(c.headerWait, func() { stop(errStalled) })
	began := time.Now()
	a.response, err = c.http.Do(request)
	a.timer.Stop()
	a.waited = time.Since(began)
	if err != nil {
		err = a.broken(err)
		stop(nil)
		return nil, err
	}
	a.version = versionOf(a.response.Header)
	return a, nil
}
