package product

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"padron/deploy/dev/process"
	"padron/deploy/dev/stack"
)

const (
	// readyTimeout is how long the worker may take to be ready: it connects to
	// both servers and makes indexes.
	readyTimeout = 60 * time.Second
	// workerGrace is how long the worker may take to finish its work when the
	// stack stops.
	workerGrace = 30 * time.Second
)

// Worker is a running worker.
type Worker struct {
	Health string // address of its health and metrics endpoint
	PID    int
	Stop   func() error // stops it before the stack stops
}

// StartWorker starts the worker, with settings (KEY=VALUE) in addition to the
// stack's, and waits until it is ready.
func (p *Product) StartWorker(ctx context.Context, settings ...string) (w Worker, err error) {
	log, err := p.stack.OpenLog("worker")
	if err != nil {
		return w, err
	}
	info, err := log.Stat()
	if err != nil {
		return w, fmt.Errorf("open the log of the worker: %w", err)
	}
	addr := os.Getenv("PADRON_HEALTH_ADDR")
	if addr == "" {
		addr = stack.Address(p.stack.Take(stack.PortHealth))
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(filepath.Dir(p.starter), "worker"))
	cmd.Dir = p.stack.Dirs.Root
	cmd.Env = slices.Concat(os.Environ(), p.stack.Env(), settings, []string{"PADRON_HEALTH_ADDR=" + addr})
	cmd.Stdout, cmd.Stderr = log, log
	worker, err := process.Start("the worker", cmd, syscall.SIGTERM)
	if err != nil {
		return w, err
	}
	w = Worker{Health: "http://" + addr, PID: worker.PID()}
	w.Stop = p.stack.Watch(worker, syscall.SIGTERM, workerGrace)
	deadline := time.Now().Add(readyTimeout)
	for {
		err := askReady(ctx, w.Health)
		if err == nil {
			return w, nil
		}
		if ctx.Err() != nil {
			return w, context.Cause(ctx)
		}
		select {
		case <-worker.Done():
			return w, fmt.Errorf("%w: %s (log: %s)", worker.Ended(), lastLine(log.Name(), info.Size()), log.Name())
		case <-p.stack.Failed():
			return w, p.stack.Failure()
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return w, fmt.Errorf("the worker is not ready after %s: %w (log: %s)", readyTimeout, err, log.Name())
		}
	}
}

func askReady(ctx context.Context, health string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, health+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) // it only adds to the error
		return fmt.Errorf("/readyz: %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// lastLine is the last line of a log that was written after the byte from.
func lastLine(file string, from int64) string {
	text, err := os.ReadFile(file)
	if err != nil || int64(len(text)) <= from {
		return "it wrote nothing"
	}
	lines := strings.Split(strings.TrimSpace(string(text[from:])), "\n")
	return lines[len(lines)-1]
}
