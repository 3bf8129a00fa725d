package dashboard

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/dataset"
	"padron/internal/mongodb"
	"padron/internal/query"
)

// newServing is a dashboard, served as programs serve it, whose only answer is
// body. It reads no database.
func newServing(t *testing.T, body []byte, change func(*Server)) (address string) {
	t.Helper()
	spec, err := dataset.Open("../internal/dataset/specs/sf-business.yaml")
	require.NoError(t, err)
	s, err := New(Options{Spec: spec, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	require.NoError(t, err)
	s.reader, s.state = &query.Reader{}, &state{at: time.Now().Add(time.Hour)}
	if change != nil {
		change(s)
	}
	l, err := listenWith(s, "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, "en", func(*request) (*content, error) { return &content{kind: kindText, body: body}, nil })
	}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Stop(context.WithoutCancel(t.Context()))) })
	return strings.TrimSuffix(strings.TrimPrefix(l.URL, "http://"), "/")
}

// slowReader asks for an address and reads a byte a second of the answer, until
// the test ends. cut is closed when the server has ended the connection.
func slowReader(t *testing.T, address, path string) (cut <-chan struct{}) {
	t.Helper()
	conn, err := net.Dial("tcp", address) //nolint:noctx // on this machine
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, address)
	require.NoError(t, err)
	first := make([]byte, 1)
	_, err = io.ReadFull(conn, first) // the answer is on its way
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-t.Context().Done():
				return
			case <-tick.C:
				if _, err := conn.Read(first); err != nil {
					return
				}
			}
		}
	}()
	go func() {
		defer close(ended)
		// Writing fails once the other side has closed.
		for t.Context().Err() == nil {
			if _, err := conn.Write([]byte("\r\n")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return ended
}

// large is more than the kernel takes for a connection whose reader does not
// read: some 3 MB.
var large = bytes.Repeat([]byte("0123456789abcde\n"), 1<<20)

// TestSlowReadersKeepNobodyWaiting: as many as may read the database at once, with
// answers that do not fit into the buffers of their connections.
func TestSlowReadersKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	address := newServing(t, large[:6<<20], nil)
	for range readersAtOnce {
		slowReader(t, address, "/")
	}
	began := time.Now()
	resp, err := http.Get("http://" + address + "/") //nolint:noctx // it has a deadline of its own
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode, "%.200s", body)
	require.Len(t, body, 6<<20)
	require.Less(t, time.Since(began), requestTimeout/2)
}

// TestAStalledReaderIsCutOff, and what is kept for it is given back.
func TestAStalledReaderIsCutOff(t *testing.T) {
	t.Parallel()
	var s *Server
	address := newServing(t, large, func(made *Server) { s, made.stall = made, 300*time.Millisecond })
	cut := slowReader(t, address, "/")
	select {
	case <-cut:
	case <-time.After(time.Minute):
		require.Fail(t, "a reader who takes nothing is served for ever")
	}
	require.Eventually(t, func() bool {
		free := s.sending.TryAcquire(largeAnswers)
		if free {
			s.sending.Release(largeAnswers)
		}
		return free
	}, time.Minute, 10*time.Millisecond, "the bytes of its answer are free")
}

// TestLargeAnswersAreBounded: what waits to be received does not fill the
// memory, and a reader who takes bytes steadily is not cut off.
func TestLargeAnswersAreBounded(t *testing.T) {
	t.Parallel()
	address := newServing(t, large, nil) // four of them are all that is allowed
	for range largeAnswers / int64(len(large)) {
		slowReader(t, address, "/")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", http.NoBody)
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.DeadlineExceeded, "one more waits")
}

// TestASteadyReaderIsServed, however long the whole takes: the deadline is for
// each piece.
func TestASteadyReaderIsServed(t *testing.T) {
	t.Parallel()
	const stall = 2 * time.Second
	address := newServing(t, large, func(s *Server) { s.stall = stall })
	conn, err := net.Dial("tcp", address) //nolint:noctx // on this machine
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // it was read
	// A small window is opened in small steps.
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(256<<10))
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", address)
	require.NoError(t, err)
	began := time.Now()
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4<<10), nil)
	require.NoError(t, err)
	read := 0
	for piece := make([]byte, 256<<10); ; {
		n, err := io.ReadFull(resp.Body, piece)
		if read += n; err != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.Equal(t, len(large), read)
	require.Greater(t, time.Since(began), stall)
}

// TestReadersThatLeaveGiveTheirTurnBack, even while the database does not
// answer what they wait for together.
func TestReadersThatLeaveGiveTheirTurnBack(t *testing.T) {
	t.Parallel()
	asked, answers := make(chan struct{}, 100), make(chan struct{})
	var s *Server
	address := newServing(t, []byte("hello"), func(made *Server) {
		s, made.reader = made, nil
		made.Open = func(ctx context.Context) (*query.Reader, error) {
			asked <- struct{}{}
			select {
			case <-answers:
				return nil, mongodb.ErrNoMirror
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	})
	ctx, leave := context.WithCancel(t.Context())
	for range readersAtOnce {
		go func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", http.NoBody)
			if err == nil {
				_, _ = http.DefaultClient.Do(req) //nolint:bodyclose // there is none
			}
		}()
	}
	require.Eventually(t, func() bool { return len(s.turns) == readersAtOnce }, time.Minute, time.Millisecond)
	leave()
	require.Eventually(t, func() bool { return len(s.turns) == 0 }, time.Minute, time.Millisecond, "their turns are free")
	require.Len(t, asked, 1, "the mirror is opened once for all")
	close(answers)
}
