package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/guard"
)

func TestMongoDBCommandsAndBytesAreCounted(t *testing.T) {
	m, err := newMetrics()
	require.NoError(t, err)
	o := options.Client()
	m.observe(o)
	require.Nil(t, o.Monitor.Started, "the driver copies every command that it tells the start of")
	o.Monitor.Succeeded(t.Context(), &event.CommandSucceededEvent{CommandFinishedEvent: event.CommandFinishedEvent{CommandName: "insert"}})
	o.Monitor.Failed(t.Context(), &event.CommandFailedEvent{CommandFinishedEvent: event.CommandFinishedEvent{CommandName: "insert"}})

	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // immediate
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() { // answers three bytes with two
		conn, err := listener.Accept()
		if err == nil {
			_, _ = io.ReadFull(conn, make([]byte, 3))
			_, _ = conn.Write([]byte("ok"))
			_ = conn.Close()
		}
	}()
	conn, err := o.Dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	_, err = conn.Write([]byte("abc"))
	require.NoError(t, err)
	_, err = io.ReadAll(conn)
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	text := get(t, m.endpoint, "/metrics")
	assert.Contains(t, text, `padron_mongodb_commands_total{command="insert",result="ok"} 1`)
	assert.Contains(t, text, `padron_mongodb_commands_total{command="insert",result="failed"} 1`)
	assert.Contains(t, text, `padron_mongodb_bytes_total{direction="sent"} 3`)
	assert.Contains(t, text, `padron_mongodb_bytes_total{direction="received"} 2`)
}

func TestProfilesOnlyWhenAskedFor(t *testing.T) {
	m, err := newMetrics()
	require.NoError(t, err)
	for profiling, want := range map[bool]int{false: http.StatusNotFound, true: http.StatusOK} {
		server, err := serve("127.0.0.1:0", profiling, m, health{guards: []*guard.Guard{}})
		require.NoError(t, err)
		t.Cleanup(func() { _ = server.Close() })
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+server.Addr+"/debug/pprof/", http.NoBody)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, want, answer.StatusCode, "profiling %t", profiling)
	}
}

// TestTheHealthEndpointWaitsForNobody: neither for a request nor for a reader.
func TestTheHealthEndpointWaitsForNobody(t *testing.T) {
	m, err := newMetrics()
	require.NoError(t, err)
	server, err := serve("127.0.0.1:0", false, m, health{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	for name, limit := range map[string]time.Duration{
		"a request": server.ReadTimeout, "an answer": server.WriteTimeout, "the next request": server.IdleTimeout,
	} {
		assert.Positive(t, limit, name)
		assert.LessOrEqual(t, limit, healthTimeout, name)
	}
	// A request that does not end is cut off.
	conn, err := net.Dial("tcp", server.Addr) //nolint:noctx // on this machine
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nContent-Length: 100\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*readyTimeout)))
	_, err = io.Copy(io.Discard, conn)
	require.NoError(t, err, "closed by the server")
}

func get(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	require.Equal(t, http.StatusOK, answer.Code)
	return answer.Body.String()
}
