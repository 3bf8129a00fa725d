package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"padron/deploy/dev/process"
	"padron/deploy/dev/stack"
)

// localMongod is the `mongod` that is installed on this machine.
type localMongod struct {
	path string
}

// Name implements engine.
func (*localMongod) Name() string { return "mongod" }

// Prepare implements engine.
func (m *localMongod) Prepare(context.Context) error {
	path, err := exec.LookPath("mongod")
	if err != nil {
		return errors.New("no program of that name on PATH: install MongoDB Community Server")
	}
	m.path = path
	return nil
}

// Start implements engine.
func (m *localMongod) Start(ctx context.Context, s *stack.Stack) (uri, description string, err error) {
	data := s.Dirs.File("mongod")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", "", fmt.Errorf("make the data folder: %w", err)
	}
	log, err := s.OpenLog("mongod")
	if err != nil {
		return "", "", err
	}
	port := s.Take(stack.PortMongoDB)
	// It does not end with the context: the stack stops it after those that
	// use it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), m.path, "--dbpath", data, "--bind_ip", stack.Loopback, "--port", strconv.Itoa(port))
	cmd.Stdout, cmd.Stderr = log, log
	mongod, err := process.Start("mongod", cmd, syscall.SIGTERM)
	if err != nil {
		return "", "", err
	}
	s.Watch(mongod, syscall.SIGTERM, 20*time.Second)
	uri = "mongodb://" + stack.Address(port) + "/"
	return uri, uri + " (" + m.path + ")", nil
}
