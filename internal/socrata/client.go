// Package socrata is a client for one dataset on a Socrata portal, over the SODA 2.1 API.
//
// It asks for pages of rows by key range, for counts, for the key at an offset and for the dataset's
// metadata. Each answer carries the version of the copy that served it, and whatever goes wrong is an
// [Error] that says whether another try can help and whether the portal itself is in trouble.
package socrata

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// MaxPage is the largest number of rows one page may ask for. Portals serve 50,000 at most in practice and
// cut a larger answer off without a word, which would look like the end of the range.
const MaxPage = 50_000

const (
	// headerTimeout bounds the wait for an answer to begin. A portal sorts a large table before it
	// sends anything and gives up by itself (408) well within two minutes.
	headerTimeout = 2 * time.Minute
	// idleTimeout bounds the silence within a body. There is no limit on the whole page: a slow one that
	// keeps coming is fine.
	idleTimeout = time.Minute
	// maxMoves is how many permanent redirects are followed in one request: from http to https, then to
	// the new host, and one to spare.
	maxMoves = 3
	// maxErrorBody is how much of the body of an error answer is read, in bytes. An envelope is well under
	// it; a proxy's HTML page need not be read to the end.
	maxErrorBody = 8 << 10
	// maxSmallBody bounds answers of one row: a count, a key.
	maxSmallBody = 64 << 10
)

// ErrPastEnd is returned by [Client.KeyAt] when the dataset has no key at the offset.
var ErrPastEnd = errors.New("no key at this offset")

// Options say which dataset of which portal a [Client] reads.
type Options struct {
	// BaseURL is the portal's address without a path, such as https://data.sf.gov.
	BaseURL string
	// ID is the dataset's four-by-four id, such as g8m3-pdis.
	ID string
	// AppToken is sent as X-App-Token when it is set. Without one, requests share a small pool per IP
	// address and are soon throttled. It never appears in an error.
	AppToken string
	// UserAgent is sent with each request; "padron" when empty.
	UserAgent string
	// HTTPClient makes the requests, apart from following redirects; when nil, a client with timeouts
	// fit for streaming. An overall Timeout set on it limits whole pages, too.
	HTTPClient *http.Client
}

// Client reads one dataset. It may be used by several goroutines at once.
type Client struct {
	id        string
	appToken  string
	userAgent string
	http      *http.Client

	// headerWait and idleWait are headerTimeout and idleTimeout, but in tests.
	headerWait, idleWait time.Duration

	// base is the portal's address as far as it is known: the configured one until the portal names
	// another.
	base atomic.Pointer[url.URL]
	// settled is set by the first good answer: base is canonical then.
	settled atomic.Bool
}

// New returns a client for the dataset. The base URL must be an absolute http or https address without path
// and query, the id a four-by-four, and the token, if any, visible ASCII. Nothing is requested yet.
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
	// Such as the newline at the end of a file; net/http would refuse every single request.
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
	}
	if c.userAgent == "" {
		c.userAgent = "padron"
	}
	if o.HTTPClient != nil {
		own := *o.HTTPClient
		c.http = &own
	}
	// Redirects are followed here, by hand: net/http would follow them on every single request, to any
	// place, and without telling.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.base.Store(&url.URL{Scheme: base.Scheme, Host: base.Host})
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

// CanonicalURL returns the portal's own address, such as https://data.sf.gov for a client made with
// https://data.sfgov.org. A client that has had an answer knows it; otherwise one small request finds out.
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
	return c.base.Load().String(), nil
}

// KeyAt returns the key at this offset in key order, rows without a key left out: at offset 0 the smallest.
// Past the end the error is [ErrPastEnd] and the version that of the answer. Keys at offsets cut the key
// space into ranges; pages are never read by offset, since rows shift while the data changes.
func (c *Client) KeyAt(ctx context.Context, key string, offset int64) (string, Version, error) {
	a, err := c.get(ctx, fmt.Sprintf("the key at offset %d", offset), query{
		columns: key,
		where:   Range{}.Where(key),
		order:   key,
		limit:   1,
		offset:  offset,
	}.soda2(c.id))
	if err != nil {
		return "", Version{}, err
	}
	defer a.Close()
	name, value, ok, err := a.readSingle()
	if err != nil {
		return "", Version{}, err
	}
	if !ok {
		return "", a.version, ErrPastEnd
	}
	if name != key {
		return "", Version{}, a.garbage("another column than "+key, nil)
	}
	return value, a.version, nil
}

// query is one question to a dataset, apart from how a version of the API spells it.
type query struct {
	columns, where, group, order string
	limit                        int
	offset                       int64
}

// soda2 spells the query for SODA 2.1: a path with parameters, for a GET.
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

// get asks the portal and returns its answer when that is a 200 with a body still to be read, which the
// caller closes. Any other answer is an *Error; a context that ended is the context's error.
func (c *Client) get(ctx context.Context, asked string, ref *url.URL) (*answer, error) {
	for move := 0; ; move++ {
		base := c.base.Load()
		target := base.ResolveReference(ref)
		a, err := c.once(ctx, asked, target)
		if err != nil {
			return nil, err
		}
		if a.response.StatusCode != http.StatusMovedPermanently && a.response.StatusCode != http.StatusPermanentRedirect {
			if a.response.StatusCode != http.StatusOK {
				defer a.Close()
				return nil, a.refused()
			}
			c.settled.Store(true)
			if err := a.open(); err != nil {
				a.Close()
				return nil, err
			}
			return a, nil
		}

		next, ok := movedTo(a.response, target)
		if !ok || move == maxMoves {
			defer a.Close()
			return nil, a.refused()
		}
		// Of two requests that learn of the move at once, the first one's word stands.
		c.base.CompareAndSwap(base, next)
		a.Close()
	}
}

// movedTo returns the base address that a permanent redirect names. It is false when the portal sends the
// request to another path, which is no move of the host but a sign-in page or the like, when the address is
// the same one, and when the move would give up TLS.
func movedTo(r *http.Response, target *url.URL) (*url.URL, bool) {
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

// accepted is what an answer may be: portals go by the end of the path, proxies by this.
func accepted(target *url.URL) string {
	if strings.HasSuffix(target.Path, geoJSON) {
		return "application/vnd.geo+json, application/geo+json, application/json"
	}
	return "application/json"
}

// once makes one request and returns its answer, whatever its status.
func (c *Client) once(ctx context.Context, asked string, target *url.URL) (*answer, error) {
	own, stop := context.WithCancelCause(ctx)
	a := &answer{client: c, asked: asked, url: target, parent: ctx, ctx: own, stop: stop}
	request, err := http.NewRequestWithContext(own, http.MethodGet, target.String(), nil)
	if err != nil {
		stop(nil)
		return nil, fmt.Errorf("ask %s for %s: %w", target.Host, asked, err)
	}
	request.Header.Set("Accept", accepted(target))
	// Asked for by name, so that net/http leaves the body as it came and its size can be counted.
	request.Header.Set("Accept-Encoding", "gzip")
	request.Header.Set("User-Agent", c.userAgent)
	if c.appToken != "" {
		request.Header.Set("X-App-Token", c.appToken)
	}

	a.timer = time.AfterFunc(c.headerWait, func() { stop(errStalled) })
	a.response, err = c.http.Do(request)
	a.timer.Stop()
	if err != nil {
		err = a.broken(err)
		stop(nil)
		return nil, err
	}
	a.version = versionOf(a.response.Header)
	return a, nil
}
