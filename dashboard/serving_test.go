package dashboard

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"padron/internal/dataset"
	"padron/internal/mongodb"
	"padron/internal/query"
)

// readers is a dashboard without a mirror, whose bundle has two scripts.
type readers struct {
	t   *testing.T
	url string
}

func newReaders(t *testing.T) *readers {
	t.Helper()
	spec, err := dataset.Open("../internal/dataset/specs/sf-business.yaml")
	require.NoError(t, err)
	s, err := New(Options{Spec: spec, Open: func(context.Context) (*query.Reader, error) { return nil, mongodb.ErrNoMirror }})
	require.NoError(t, err)
	s.assets, err = loadAssets(fstest.MapFS{
		"assets/large.js": {Data: []byte(largeScript())},
		"assets/small.js": {Data: []byte(smallScript)},
		// These are part of the bundle, but not served.
		"placeholder.txt": {Data: []byte("the bundle")}, ".vite/manifest.json": {Data: []byte("{}")},
	})
	require.NoError(t, err)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return &readers{t, server.URL}
}

// ask asks for an address; headers are names and values in turn. Nothing is
// unpacked.
func (r *readers) ask(method, path string, headers ...string) (resp *http.Response, body string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, http.NoBody)
	require.NoError(r.t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	c := http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer c.CloseIdleConnections()
	resp, err = c.Do(req)
	require.NoError(r.t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	require.NoError(r.t, resp.Body.Close())
	resp.Header.Del("Date")
	return resp, string(text)
}

func unpacked(t *testing.T, body string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(body))
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}

const smallScript = `document.documentElement.classList.add("js"); // document.documentElement.classList.add("js")`

func largeScript() string { return strings.Repeat("console.log('padron');\n", 200) }

// TestStaticFiles: a browser keeps static files for good, and gets them
// compressed where it accepts that, whatever their size.
func TestStaticFiles(t *testing.T) {
	t.Parallel()
	r := newReaders(t)
	for path, script := range map[string]string{"/static/assets/large.js": largeScript(), "/static/assets/small.js": smallScript} {
		for accept, compressed := range map[string]bool{
			"": false, "gzip": true, "gzip, deflate, br, zstd": true, "gzip;q=0": false, "identity": false,
		} {
			resp, body := r.ask(http.MethodGet, path, "Accept-Encoding", accept)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.Equal(t, "public, max-age=31536000, immutable", resp.Header.Get("Cache-Control"))
			require.Equal(t, "text/javascript; charset=utf-8", resp.Header.Get("Content-Type"))
			require.Contains(t, resp.Header.Values("Vary"), "Accept-Encoding")
			if compressed {
				require.Equal(t, "gzip", resp.Header.Get("Content-Encoding"), "%s: %q", path, accept)
				body = unpacked(t, body)
			} else {
				require.Empty(t, resp.Header.Get("Content-Encoding"), "%s: %q", path, accept)
				require.Equal(t, strconv.Itoa(len(script)), resp.Header.Get("Content-Length"))
			}
			require.Equal(t, script, body)

			head, body := r.ask(http.MethodHead, path, "Accept-Encoding", accept)
			require.Empty(t, body)
			require.Equal(t, resp.Header, head.Header, "%s: %q", path, accept)

			// What the browser has is not sent again.
			tag := resp.Header.Get("ETag")
			require.NotEmpty(t, tag)
			for _, tags := range []string{tag, strings.TrimPrefix(tag, "W/"), `"other", ` + tag, "*"} {
				again, body := r.ask(http.MethodGet, path, "If-None-Match", tags, "Accept-Encoding", accept)
				require.Equal(t, http.StatusNotModified, again.StatusCode, tags)
				require.Empty(t, body)
			}
			other, _ := r.ask(http.MethodGet, path, "If-None-Match", `"other"`)
			require.Equal(t, http.StatusOK, other.StatusCode)
		}
	}
	for _, path := range []string{"/static/assets/none.js", "/static/", "/static/placeholder.txt", "/static/.vite/manifest.json"} {
		resp, _ := r.ask(http.MethodGet, path)
		require.Equal(t, http.StatusNotFound, resp.StatusCode, path)
	}
}

// TestAnswersAreCompressedWhereThatPays: pages are, a line of text is not.
func TestAnswersAreCompressedWhereThatPays(t *testing.T) {
	t.Parallel()
	r := newReaders(t)
	page, packed := r.ask(http.MethodGet, "/en/", "Accept-Encoding", "gzip")
	require.Equal(t, http.StatusServiceUnavailable, page.StatusCode)
	require.Equal(t, "gzip", page.Header.Get("Content-Encoding"))
	text := unpacked(t, packed)
	require.Contains(t, text, "starter run --wait")

	plain, body := r.ask(http.MethodGet, "/en/")
	require.Empty(t, plain.Header.Get("Content-Encoding"))
	require.Equal(t, strconv.Itoa(len(text)), plain.Header.Get("Content-Length"))
	require.Equal(t, text, body)

	line, body := r.ask(http.MethodGet, "/data/overview/months.csv", "Accept-Encoding", "gzip")
	require.Equal(t, http.StatusServiceUnavailable, line.StatusCode)
	require.Empty(t, line.Header.Get("Content-Encoding"))
	require.Contains(t, body, "starter run --wait")

	head, body := r.ask(http.MethodHead, "/en/", "Accept-Encoding", "gzip")
	require.Empty(t, body)
	require.Equal(t, page.Header, head.Header)
}
