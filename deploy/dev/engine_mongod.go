package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// localMongod is the `mongod` that is installed on this machine.
type localMongod struct {
	path string
}

// Name implements Engine.
func (*localMongod) Name() string { return "mongod" }

// Prepare implements Engine.
func (m *localMongod) Prepare(context.Context) error {
	path, err := exec.LookPath("mongod")
	if err != nil {
		return errors.New("no program of that name on PATH: install MongoDB Community Server")
	}
	m.path = path
	return nil
}

// Start implements Engine.
func (m *localMongod) Start(ctx context.Context, stack *Stack) (uri, description string, err error) {
	data := stack.Dirs.File("mongod")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", "", fmt.Errorf("make the data folder: %w", err)
	}
	log, err := stack.openLog("mongod")
	if err != nil {
		return "", "", err
	}
	port := stack.ports.Take(portMongoDB)
	// It does not end with the context: it is stopped in its turn, after those that use it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), m.path, "--dbpath", data, "--bind_ip", loopback, "--port", strconv.Itoa(port))
	cmd.Stdout, cmd.Stderr = log, log
	process, err := startProcess("mongod", cmd, syscall.SIGTERM)
	if err != nil {
		return "", "", err
	}
	stack.watch(process, syscall.SIGTERM, 20*time.Second)
	uri = "mongodb://" + address(port) + "/"
	return uri, uri + " (" + m.path + ")", nil
}
