package main_test

import (
	"bufio"
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/testenv"
)

// temporalServer is a Temporal server of a test's own, in a process that the
// test can kill and start again: its histories are in a file, its address stays.
type temporalServer struct {
	t       *testing.T
	program string
	data    string
	address string // HOST:PORT
	log     bytes.Buffer
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has ended
}

// newTemporalServer starts a server. It skips the test when there is no program
// that runs one.
func newTemporalServer(t *testing.T) *temporalServer {
	t.Helper()
	s := &temporalServer{t: t, program: testenv.TemporalProgram(t), data: t.TempDir()}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Start starts the server and waits until it answers: the first time on a free
// port, then on the same one and on the histories that it had.
func (s *temporalServer) Start() {
	s.t.Helper()
	port := "0"
	if s.address != "" {
		port = s.address[strings.LastIndexByte(s.address, ':')+1:]
	}
	s.cmd = exec.CommandContext(context.WithoutCancel(s.t.Context()), s.program, "temporal", "--data", s.data, "--port", port)
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.cmd.Start())
	ready, done := make(chan string, 1), make(chan struct{})
	s.done = done
	go func() {
		defer close(done)
		line, _ := bufio.NewReader(out).ReadString('\n') // empty when it ended before
		ready <- line
		_ = s.cmd.Wait() // it is killed
	}()
	select {
	case line := <-ready:
		address, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
		require.True(s.t, ok, "the server says %q and %s", line, &s.log)
		require.True(s.t, s.address == "" || s.address == address, "it is at %s, not at %s", address, s.address)
		s.address = address
	case <-time.After(soon):
		require.FailNow(s.t, "the server does not answer")
	}
}

// Kill ends the server as a loss of power would, as far as one process can. One
// that is dead already stays so.
func (s *temporalServer) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}
