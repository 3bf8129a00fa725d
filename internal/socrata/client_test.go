package socrata

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
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
	_, err = New(Options{BaseURL: "https://data.sf.gov/", ID: "g8m3-pdis", AppToken: "!az~"})
	require.NoError(t, err, "the first and the last visible character")
	for _, token := range []string{"a b", "a\x7fb"} {
		_, err = New(Options{BaseURL: "https://data.sf.gov/", ID: "g8m3-pdis", AppToken: token})
		require.ErrorContains(t, err, "app token", token)
	}
}

func TestCount(t *testing.T) {
	var asked []string
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("$select")+" | "+r.URL.Query().Get("$where"))
		assert.Equal(t, "secret-token", r.Header.Get("X-App-Token"))
		assert.Equal(t, DefaultUserAgent, r.Header.Get("User-Agent"))
		w.Header().Set("X-SODA2-Truth-Last-Modified", "Sat, 03 Oct 2026 11:15:00 GMT")
		_, _ = io.WriteString(w, `[{"count":"367825"}]`+"\n")
	})
	n, version, err := c.Count(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, int64(367_825), n)
	assert.Equal(t, time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC), version.Truth)
	_, _, err = c.Count(t.Context(), Range{UpTo: "O'Brien"}.Where("ttxid"))
	require.NoError(t, err)
	assert.Equal(t, []string{"count(*) | ", "count(*) | `ttxid` <= 'O''Brien'"}, asked)
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
		assert.Equal(t, "`ttxid`", q.Get("$select"))
		assert.Equal(t, "`ttxid` is not null", q.Get("$where"))
		assert.Equal(t, "`ttxid`", q.Get("$order"))
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
	key, version, err := c.KeyAt(t.Context(), "ttxid", "", 0)
	require.NoError(t, err)
	assert.Equal(t, "0000024-01-001", key)
	assert.Equal(t, "r1", version.RequestID)

	_, version, err = c.KeyAt(t.Context(), "ttxid", "", 1_000_000)
	require.ErrorIs(t, err, ErrPastEnd)
	assert.Equal(t, "r1", version.RequestID)

	for _, offset := range []int64{7, 8} {
		_, _, err = c.KeyAt(t.Context(), "ttxid", "", offset)
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, Garbage, e.Kind)
	}
}

func TestAMoveToANamedHostIsFollowedForAWhile(t *testing.T) {
	var atNew, atOld atomic.Int32
	var tokens []string // as the new host was told them
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atNew.Add(1)
		tokens = append(tokens, r.Header.Get("X-App-Token"))
		assert.NotContains(t, r.URL.RawQuery, "moved", "the query is the client's own")
		_, _ = io.WriteString(w, `[{"count":"1"}]`)
	}))
	defer portal.Close()
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		atOld.Add(1)
		http.Redirect(w, r, portal.URL+r.URL.Path+"?moved=1", http.StatusMovedPermanently)
	}))
	defer old.Close()

	c, err := New(Options{
		BaseURL: old.URL, ID: "g8m3-pdis", AppToken: "secret-token", HTTPClient: old.Client(), Hosts: []string{strings.TrimPrefix(portal.URL, "http://")},
	})
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

	c.moved.Store(&moved{to: c.moved.Load().to, until: time.Now()})
	_, _, err = c.Count(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, int32(2), atOld.Load(), "after a while the configured address is asked again")
	assert.Equal(t, []string{"", "secret-token", "secret-token", "secret-token", ""}, tokens, "told when it has answered rightly")

	portal.Close()
	_, _, err = c.Count(t.Context(), "")
	requireNetwork(t, err)
	assert.Nil(t, c.moved.Load(), "where it does not answer any more, the portal is not looked for again")
}

// TestAMoveIsBelievedWhenItHasAnswered follows no move to a host that nobody named,
// and holds none to one that does not answer as a portal. Neither is told the token.
func TestAMoveIsBelievedWhenItHasAnswered(t *testing.T) {
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		assert.Empty(t, r.Header.Get("X-App-Token"))
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>This domain is for sale</html>")
	}))
	defer other.Close()
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusMovedPermanently)
	}))
	defer old.Close()
	host := strings.TrimPrefix(other.URL, "http://")
	var e *Error

	c, err := New(Options{BaseURL: old.URL, ID: "g8m3-pdis", AppToken: "secret-token", Hosts: []string{"data.sf.gov"}})
	require.NoError(t, err)
	_, _, err = c.Count(t.Context(), "")
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Moved, e.Kind)
	require.ErrorContains(t, err, "moved (301) to "+other.URL+"/resource/g8m3-pdis.json: the spec names no such host; if the portal is there now, write it into portal.host")
	assert.Zero(t, asked.Load())

	c, err = New(Options{BaseURL: old.URL, ID: "g8m3-pdis", AppToken: "secret-token", Hosts: []string{host}})
	require.NoError(t, err)
	for range 2 {
		_, _, err = c.Count(t.Context(), "")
		require.ErrorAs(t, err, &e)
		assert.Equal(t, Garbage, e.Kind)
		assert.Nil(t, c.moved.Load())
	}
	assert.EqualValues(t, 2, asked.Load())
}

// TestBotChecks knows the answers of what stands in front of portals from those of
// portals.
func TestBotChecks(t *testing.T) {
	const html, js = "text/html; charset=utf-8", "application/json"
	for name, test := range map[string]struct {
		status       int
		header, kind string
		want         Kind
	}{
		"a challenge":             {202, "X-Amzn-Waf-Action", "", BotCheck},
		"a captcha":               {405, "X-Amzn-Waf-Action", html, BotCheck},
		"a challenge of another":  {503, "Cf-Mitigated", html, BotCheck},
		"202 with HTML":           {202, "", html, BotCheck},
		"403 by the user's agent": {403, "", html, BotCheck},
		"still computing":         {202, "", js, Computing},
		"computing, says nothing": {202, "", "", Computing},
		"a private dataset":       {403, "", js, Refused},
		"maintenance":             {503, "", html, Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if test.kind != "" {
					w.Header().Set("Content-Type", test.kind)
				}
				if test.header != "" {
					w.Header().Set(test.header, "challenge")
				}
				w.WriteHeader(test.status)
			})
			_, _, err := c.Count(t.Context(), "")
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, test.want, e.Kind)
			if test.want == BotCheck {
				assert.True(t, e.Retryable())
				assert.True(t, e.DestinationDown())
				assert.ErrorContains(t, err, "refused by a bot check in front of the portal")
			}
		})
	}
}

// TestADripIsGivenUp ends an answer that never falls silent and never ends, before
// its body, within it, and within an error's.
func TestADripIsGivenUp(t *testing.T) {
	for name, status := range map[string]int{"a page": 200, "an error": 500} {
		t.Run(name, func(t *testing.T) {
			c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				for text := `[{"k":"a"},` + strings.Repeat(" ", 1<<20); text != "" && r.Context().Err() == nil; text = text[1:] {
					_, _ = io.WriteString(w, text[:1])
					w.(http.Flusher).Flush()
					time.Sleep(5 * time.Millisecond)
				}
			})
			c.idleWait, c.answerWait = time.Minute, 150*time.Millisecond
			began := time.Now()
			_, err := c.Page(t.Context(), "k", nil, Range{}, 10, io.Discard)
			assert.Less(t, time.Since(began), 10*time.Second)
			if status == 200 {
				requireNetwork(t, err)
				assert.ErrorContains(t, err, "the answer was not whole after 150ms")
				return
			}
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, Unavailable, e.Kind)
		})
	}
}

// TestAFloodIsGivenUp bounds what an answer may hold: as sent, and as it becomes
// when it is decompressed.
func TestAFloodIsGivenUp(t *testing.T) {
	for name, encoding := range map[string]string{"as sent": "", "a bomb": "gzip"} {
		t.Run(name, func(t *testing.T) {
			body := []byte("[" + strings.Repeat(`{"k":"a","x":"`+strings.Repeat("x", 1<<10)+`"},`, 1<<12))
			if encoding != "" {
				body = zip(t, body)
				require.Less(t, len(body), 1<<16)
			}
			c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", encoding)
				_, _ = w.Write(body)
			})
			c.limit = 1 << 19
			var got bytes.Buffer
			_, err := c.Page(t.Context(), "k", nil, Range{}, MaxPage, &got)
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, Garbage, e.Kind)
			require.ErrorContains(t, err, "more than 524288 bytes")
			assert.Less(t, got.Len(), 1<<20)
		})
	}
}

// TestTheSameGarbageHasTheSameDigest tells answers apart by what is wrong where, and
// not by how they arrive.
func TestTheSameGarbageHasTheSameDigest(t *testing.T) {
	digest := func(body string, after Range) string {
		c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
			for text := body; text != ""; {
				n := min(len(text), 1+rand.N(50))
				_, _ = io.WriteString(w, text[:n])
				w.(http.Flusher).Flush()
				text = text[n:]
			}
		})
		_, err := c.Page(t.Context(), "k", nil, after, 10, io.Discard)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, Garbage, e.Kind)
		return e.Digest
	}
	broken := `[{"k":"a"},{"k":nonsense},{"k":"b"}]` + strings.Repeat(" ", 300)
	cut := `[{"k":"a"},{"k":"b"`
	for _, body := range []string{broken, cut} {
		first := digest(body, Range{})
		assert.Equal(t, first, digest(body, Range{}))
	}
	assert.NotEqual(t, digest(cut, Range{}), digest(cut[:len(cut)-1], Range{}))
	assert.NotEqual(t, digest(broken, Range{}), digest(broken, Range{After: "a"}))
	assert.Empty(t, digest("<html>maintenance</html>", Range{}), "a proxy's page")
}

func TestMovesThatAreNotFollowed(t *testing.T) {
	for name, test := range map[string]struct {
		status   int
		location string
	}{
		"a sign-in page":         {301, "https://login.example.org/?return_to=x"},
		"nobody named it":        {301, "https://data.example.org/resource/g8m3-pdis.json"},
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
	c, err := New(Options{BaseURL: one.URL, ID: "g8m3-pdis", Hosts: []string{strings.TrimPrefix(one.URL, "http://"), strings.TrimPrefix(two.URL, "http://")}})
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
	c, err := New(Options{BaseURL: server.URL, ID: "g8m3-pdis", HTTPClient: server.Client(), Hosts: []string{"data.example.org"}})
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

// TestSlowIsNotSilent checks that only the portal's silence ends a request, not
// a slow page or a slow destination.
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
