package portalsim

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStatusFaults(t *testing.T) {
	p := portalWith(t, 10, Options{})
	server := serve(t, p)
	for _, status := range []int{202, 400, 401, 403, 404, 408, 429, 500, 502, 503, 504} {
		p.Fail(Fault{Status: status, RetryAfter: "3"})
		response, body, err := get(t, server.URL+query1())
		require.NoError(t, err)
		assert.Equal(t, status, response.StatusCode)
		assert.Equal(t, "3", response.Header.Get("Retry-After"))
		assert.True(t, json.Valid(body), "%s", body)
	}
	p.Fail(Fault{HTML: true}, Fault{HTML: true, Status: 502}, Fault{Body: "{nonsense"})
	for _, want := range []struct {
		status int
		holds  string
	}{{200, "<html>"}, {502, "<html>"}, {200, "{nonsense"}, {200, "ttxid"}} {
		response, body, err := get(t, server.URL+query1())
		require.NoError(t, err)
		assert.Equal(t, want.status, response.StatusCode)
		assert.Contains(t, string(body), want.holds)
	}
}

func TestFaultScript(t *testing.T) {
	p := portalWith(t, 10, Options{})
	statuses := func(n int) (list []int) {
		for range n {
			list = append(list, ask(p, nil).Code)
		}
		return list
	}
	p.Fail(Fault{Path: "/resource/", Skip: 1, Times: 2, Status: 503}, Fault{Path: "/api/", Status: 500})
	assert.Equal(t, []int{200, 503, 503, 200}, statuses(4))
	assert.Equal(t, 1, p.PendingFaults())
	p.Heal()
	p.Fail(Fault{Fraction: 0.25, Times: -1, Status: 503})
	assert.Equal(t, []int{200, 200, 200, 503, 200, 200, 200, 503}, statuses(8))
	p.Heal()
	p.Fail(Fault{Match: func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "count") }, Times: -1, Status: 500})
	assert.Equal(t, 200, ask(p, nil).Code)
	assert.Equal(t, 500, ask(p, map[string]string{"$select": "count(*)"}).Code)
	p.Heal()
	assert.Equal(t, 200, ask(p, map[string]string{"$select": "count(*)"}).Code)
}

func TestBrokenBodies(t *testing.T) {
	p := portalWith(t, 2000, Options{})
	server := serve(t, p)
	address := server.URL + query1("$order", "ttxid")
	for _, encoding := range []string{"gzip", "identity"} {
		p.Fail(Fault{Reset: true})
		_, _, err := get(t, address, "Accept-Encoding", encoding)
		require.Error(t, err, "no answer at all")

		p.Fail(Fault{Reset: true, ResetAfter: 5000})
		_, body, err := get(t, address, "Accept-Encoding", encoding)
		require.Error(t, err, "an answer that breaks off")
		assert.LessOrEqual(t, len(body), 5000)

		_, _, err = get(t, address, "Accept-Encoding", encoding)
		require.NoError(t, err)
	}
	p.Fail(Fault{TruncateAfter: 100_000})
	_, body, err := get(t, address)
	require.NoError(t, err, "cut JSON in a proper answer")
	assert.Len(t, body, 100_000)
	assert.False(t, json.Valid(body))
}

func TestDelays(t *testing.T) {
	p := portalWith(t, 2000, Options{})
	server := serve(t, p)
	for _, f := range []Fault{{Delay: time.Minute}, {Delay: time.Minute, StallAfter: 70_000}} {
		p.Fail(f)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+query1("$order", "ttxid"), nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, response.Body.Close())
		}
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
	}
	p.Fail(Fault{Delay: 10 * time.Millisecond})
	start := time.Now()
	_, _, err := get(t, server.URL+query1())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(start), 10*time.Millisecond)
}
