package socrata

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clientOf is a client of a portal that answers everything by the handler.
func clientOf(t testing.TB, handler http.HandlerFunc) *Client {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(Options{BaseURL: server.URL, ID: "g8m3-pdis", AppToken: "secret-token"})
	require.NoError(t, err)
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

// answering is a client of a portal that always gives this body.
func answering(t *testing.T, body string) *Client {
	return clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.Header().Set("X-SODA2-Truth-Last-Modified", "Sat, 03 Oct 2026 11:15:00 GMT")
		_, _ = io.WriteString(w, body)
	})
}

func TestNewChecksItsOptions(t *testing.T) {
	for _, base := range []string{"", "data.sf.gov", "ftp://data.sf.gov", "https://", "https://data.sf.gov/d/g8m3-pdis", "https://u:hushhush@data.sf.gov", "https://data.sf.gov?x=1", "::"} {
		_, err := New(Options{BaseURL: base, ID: "g8m3-pdis"})
		require.ErrorContains(t, err, "portal address", base)
		require.NotContains(t, err.Error(), "hushhush")
	}
	for _, id := range []string{"", "g8m3pdis", "G8M3-PDIS", "g8m3-pdis ", "g8m3_pdis", "g8m3-pdisx"} {
		_, err := New(Options{BaseURL: "https://data.sf.gov", ID: id})
		require.ErrorContains(t, err, "dataset id", id)
	}
	_, err := New(Options{BaseURL: "https://data.sf.gov/", ID: "g8m3-pdis", AppToken: "hushhush\n"})
	require.ErrorContains(t, err, "app token")
	require.NotContains(t, err.Error(), "hushhush")
	_, err = New(Options{BaseURL: "https://data.sf.gov/", ID: "g8m3-pdis"})
	require.NoError(t, err)
}

func TestCount(t *testing.T) {
	var asked []string
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("$select")+" | "+r.URL.Query().Get("$where"))
		assert.Equal(t, "secret-token", r.Header.Get("X-App-Token"))
		assert.Equal(t, "padron", r.Header.Get("User-Agent"))
		w.Header().Set("X-SODA2-Truth-Last-Modified", "Sat, 03 Oct 2026 11:15:00 GMT")
		_, _ = io.WriteString(w, `[{"count":"367825"}]`+"\n")
	})
	n, version, err := c.Count(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, int64(367_825), n)
	assert.Equal(t, time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC), version.Truth)
	_, _, err = c.Count(t.Context(), Range{UpTo: "O'Brien"}.Where("ttxid"))
	require.NoError(t, err)
	assert.Equal(t, []string{"count(*) | ", "count(*) | ttxid <= 'O''Brien'"}, asked)
}

func TestCountOfAnyServer(t *testing.T) {
	for body, want := range map[string]int64{
		`[{"count":"0"}]`:    0,
		`[{"count_1":"17"}]`: 17,
		`[{"count":17}]`:     17,
	} {
		n, _, err := answering(t, body).Count(t.Context(), "")
		require.NoError(t, err, body)
		assert.Equal(t, want, n, body)
	}
	for _, body := range []string{`[]`, `[{}]`, `{"count":"1"}`, `[{"count":"many"}]`, `[{"count":"-1"}]`, `[{"count":null}]`, `[{"count":"1"},{"count":"2"}]`, `[{"a":"1","b":"2"}]`, `[{"count":"1"}`, `[{"count":"1"}]]`, strings.Repeat(" ", maxSmallBody+1)} {
		_, _, err := answering(t, body).Count(t.Context(), "")
		var e *Error
		require.ErrorAs(t, err, &e, body)
		assert.Equal(t, Garbage, e.Kind, body)
	}
}

func TestKeyAt(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		assert.Equal(t, "ttxid", q.Get("$select"))
		assert.Equal(t, "ttxid is not null", q.Get("$where"))
		assert.Equal(t, "ttxid", q.Get("$order"))
		assert.Equal(t, "1", q.Get("$limit"))
		w.Header().Set("X-Socrata-RequestId", "r1")
		switch q.Get("$offset") {
		case "":
			_, _ = io.WriteString(w, `[{"ttxid":"0000024-01-001"}]`)
		case "7":
			_, _ = io.WriteString(w, `[{"uniqueid":"0000024-01-001"}]`)
		case "8":
			_, _ = io.WriteString(w, `[{"ttxid":"0000024-01-001","city":"Sf"}]`)
		default:
			_, _ = io.WriteString(w, `[]`)
		}
	})
	key, version, err := c.KeyAt(t.Context(), "ttxid", 0)
	require.NoError(t, err)
	assert.Equal(t, "0000024-01-001", key)
	assert.Equal(t, "r1", version.RequestID)

	_, version, err = c.KeyAt(t.Context(), "ttxid", 1_000_000)
	require.ErrorIs(t, err, ErrPastEnd)
	assert.Equal(t, "r1", version.RequestID)

	for _, offset := range []int64{7, 8} {
		_, _, err = c.KeyAt(t.Context(), "ttxid", offset)
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, Garbage, e.Kind)
	}
}

func TestMovedHostIsFollowedOnceAndRemembered(t *testing.T) {
	var atNew, atOld atomic.Int32
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atNew.Add(1)
		assert.Equal(t, "secret-token", r.Header.Get("X-App-Token"), "headers go along")
		assert.NotContains(t, r.URL.RawQuery, "moved", "the query is the client's own")
		_, _ = io.WriteString(w, `[{"count":"1"}]`)
	}))
	defer portal.Close()
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atOld.Add(1)
		http.Redirect(w, r, portal.URL+r.URL.Path+"?moved=1", http.StatusMovedPermanently)
	}))
	defer old.Close()

	c, err := New(Options{BaseURL: old.URL, ID: "g8m3-pdis", AppToken: "secret-token", HTTPClient: old.Client()})
	require.NoError(t, err)
	canonical, err := c.CanonicalURL(t.Context())
	require.NoError(t, err)
	assert.Equal(t, portal.URL, canonical)
	for range 3 {
		_, _, err = c.Count(t.Context(), "")
		require.NoError(t, err)
		canonical, err = c.CanonicalURL(t.Context())
		require.NoError(t, err)
		assert.Equal(t, portal.URL, canonical)
	}
	assert.Equal(t, int32(1), atOld.Load())
	assert.Equal(t, int32(4), atNew.Load())
	assert.Nil(t, old.Client().CheckRedirect, "the caller's client stays as it was")
}

func TestMovesThatAreNotFollowed(t *testing.T) {
	for name, test := range map[string]struct {
		status   int
		location string
	}{
		"a sign-in page":         {301, "https://login.example.org/?return_to=x"},
		"for the time being":     {302, "https://data.example.org/resource/g8m3-pdis.json"},
		"to itself":              {301, "/resource/g8m3-pdis.json"},
		"nowhere":                {301, ""},
		"a place without a host": {301, "mailto:someone@example.org"},
		"credentials":            {301, "http://u:p@data.example.org/resource/g8m3-pdis.json"},
		"not http":               {301, "ftp://data.example.org/resource/g8m3-pdis.json"},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
				requests++
				if test.location != "" {
					w.Header().Set("Location", test.location)
				}
				w.WriteHeader(test.status)
			})
			_, err := c.CanonicalURL(t.Context())
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, Moved, e.Kind)
			assert.False(t, e.Retryable())
			assert.Equal(t, 1, requests)
			assert.NotContains(t, e.Error(), "return_to")
		})
	}
}

func TestMovesInACircle(t *testing.T) {
	var one, two *httptest.Server
	requests := 0
	one = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		http.Redirect(w, r, two.URL+r.URL.Path, http.StatusMovedPermanently)
	}))
	defer one.Close()
	two = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		http.Redirect(w, r, one.URL+r.URL.Path, http.StatusMovedPermanently)
	}))
	defer two.Close()
	c, err := New(Options{BaseURL: one.URL, ID: "g8m3-pdis"})
	require.NoError(t, err)
	_, _, err = c.Count(t.Context(), "")
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Moved, e.Kind)
	assert.Equal(t, 1+maxMoves, requests)
}

// A move must not give up TLS, with the token in the headers.
func TestMoveToPlainHTTP(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://data.example.org"+r.URL.Path, http.StatusMovedPermanently)
	}))
	defer server.Close()
	c, err := New(Options{BaseURL: server.URL, ID: "g8m3-pdis", HTTPClient: server.Client()})
	require.NoError(t, err)
	_, err = c.CanonicalURL(t.Context())
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Moved, e.Kind)
}

func TestNetworkErrors(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()

	for name, base := range map[string]string{
		"connection refused":  closed,
		"unknown certificate": tls.URL,
		"no such host":        "http://portal.invalid",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := New(Options{BaseURL: base, ID: "g8m3-pdis", AppToken: "secret-token"})
			require.NoError(t, err)
			_, _, err = c.Count(t.Context(), "city = 'Sf'")
			requireNetwork(t, err)
			assert.NotContains(t, err.Error(), "%24select", "the query is left out")
		})
	}
	t.Run("reset before the answer", func(t *testing.T) {
		c := clientOf(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		_, _, err := c.Count(t.Context(), "")
		requireNetwork(t, err)
	})
	t.Run("reset within the body", func(t *testing.T) {
		c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write(registerPage(100))
			conn, _, err := w.(http.Hijacker).Hijack()
			if assert.NoError(t, err) {
				assert.NoError(t, conn.(*net.TCPConn).SetLinger(0)) // a reset instead of an end
				assert.NoError(t, conn.Close())
			}
		})
		_, err := c.Page(t.Context(), "ttxid", nil, Range{}, 1000, io.Discard)
		requireNetwork(t, err)
	})
}

func requireNetwork(t *testing.T, err error) {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Network, e.Kind, err)
	assert.True(t, e.Retryable())
	assert.True(t, e.DestinationDown())
	assert.NotContains(t, err.Error(), "secret-token")
}

func TestSilenceIsGivenUp(t *testing.T) {
	t.Run("before the answer", func(t *testing.T) {
		c := clientOf(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		c.headerWait = 30 * time.Millisecond
		_, err := c.Page(t.Context(), "ttxid", nil, Range{}, 10, io.Discard)
		requireNetwork(t, err)
		assert.ErrorContains(t, err, "nothing came for 30ms")
	})
	t.Run("within the body", func(t *testing.T) {
		c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `[{"ttxid":"a"},`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		c.idleWait = 30 * time.Millisecond
		_, err := c.Page(t.Context(), "ttxid", nil, Range{}, 10, io.Discard)
		requireNetwork(t, err)
		assert.ErrorContains(t, err, "nothing came for 30ms")
	})
	t.Run("within an error's body the status still counts", func(t *testing.T) {
		c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"message":"maintenance",`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		c.idleWait = 30 * time.Millisecond
		_, err := c.Page(t.Context(), "ttxid", nil, Range{}, 10, io.Discard)
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, Unavailable, e.Kind)
		assert.Equal(t, "maintenance", e.Message)
	})
}

type slowDisk struct{ bytes.Buffer }

func (d *slowDisk) Write(p []byte) (int, error) {
	time.Sleep(300 * time.Millisecond)
	return d.Buffer.Write(p)
}

// Only the portal's silence counts: neither a slow page as a whole nor a slow destination is cut off.
func TestSlowIsNotSilent(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, piece := range []string{"[", `{"k":"a"}`, ",", `{"k":"b"}`, "]"} {
			_, _ = io.WriteString(w, piece)
			w.(http.Flusher).Flush()
			time.Sleep(15 * time.Millisecond)
		}
	})
	c.idleWait = 250 * time.Millisecond
	var dst slowDisk
	info, err := c.Page(t.Context(), "k", nil, Range{}, 10, &dst)
	require.NoError(t, err)
	assert.Equal(t, 2, info.Rows)
}

func TestContextIsNotThePortalsFault(t *testing.T) {
	started := make(chan struct{}, 1)
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `[{"k":"a"},`)
		w.(http.Flusher).Flush()
		started <- struct{}{}
		<-r.Context().Done()
	})
	var e *Error

	canceled, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	_, err := c.Page(canceled, "k", nil, Range{}, 10, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorAs(t, err, &e)

	late, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = c.Page(late, "k", nil, Range{}, 10, io.Discard)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorAs(t, err, &e)

	_, _, err = c.Count(canceled, "")
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorAs(t, err, &e)
}

// Connections are used again: a page read to its end leaves nothing behind.
func TestConnectionIsReused(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zip(t, []byte(`[{"count":"1"}]`)))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c, err := New(Options{BaseURL: server.URL, ID: "g8m3-pdis"})
	require.NoError(t, err)
	for range 5 {
		_, _, err := c.Count(t.Context(), "")
		require.NoError(t, err)
		_, err = c.Page(t.Context(), "count", nil, Range{}, 10, io.Discard)
		require.NoError(t, err)
	}
	assert.Equal(t, int32(1), connections.Load())
}
