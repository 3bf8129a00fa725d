package main

import (
	"context"
	"errors"
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
)

const (
	// readyPatience is how long the worker may take to be ready for work: it connects to both servers and makes indexes.
	readyPatience = 60 * time.Second
	// workerPatience is how long the worker may take to finish what it is at when the stack stops.
	workerPatience = 30 * time.Second
)

// Product is Padron itself: the worker that runs and the starter that gives it work.
type Product struct {
	stack   *Stack
	starter string // path of the program
}

// startProduct starts everything that a person needs: the servers, the portal and the worker.
func startProduct(ctx context.Context, stack *Stack, p Portal, command string) (*Product, Addresses, error) {
	addresses, err := startAll(ctx, stack, p)
	if err != nil {
		return nil, addresses, err
	}
	product := &Product{stack: stack, starter: stack.Dirs.File("bin/starter")}
	if err := (bundle{root: stack.Dirs.Root}).ready(ctx, stack.Steps); err != nil {
		return nil, addresses, err
	}
	err = stack.Steps.Do("Build", "building the worker and the starter", func() (string, error) {
		return "the worker and the starter", product.build(ctx)
	})
	if err != nil {
		return nil, addresses, err
	}
	// The worker does not start before Temporal is set up for it.
	if err := product.setup(ctx); err != nil {
		return nil, addresses, err
	}
	dashboard := stack.getenv("PADRON_DASHBOARD_ADDR")
	if dashboard == "" {
		dashboard = address(stack.ports.Take(portDashboard))
	}
	err = stack.Steps.Do("Worker", "starting the worker", func() (string, error) {
		worker, err := product.startWorker(ctx, "PADRON_DASHBOARD_ADDR="+dashboard)
		addresses.Health, addresses.Dashboard = worker.Health, "http://"+dashboard+"/"
		return fmt.Sprintf("%s/readyz /healthz /metrics (log: %s)", addresses.Health, stack.Dirs.Log("worker")), err
	})
	if err != nil {
		return nil, addresses, err
	}
	stack.Steps.Say("Dashboard", "%s", addresses.Dashboard)
	return product, addresses, stack.announce(command)
}

// build compiles both programs from the checkout as it is.
func (p *Product) build(ctx context.Context) error {
	bin := filepath.Dir(p.starter)
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return fmt.Errorf("make the folder of the programs: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin+string(filepath.Separator), "./worker", "./starter")
	cmd.Dir = p.stack.Dirs.Root
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("build the worker and the starter: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// setup registers with Temporal what the worker's workflows need.
func (p *Product) setup(ctx context.Context) error {
	return p.stack.Steps.Do("Setup", "setting up Temporal", func() (string, error) {
		cmd := exec.CommandContext(ctx, p.starter, "setup")
		cmd.Dir = p.stack.Dirs.Root
		cmd.Env = append(os.Environ(), p.stack.env...)
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if err != nil {
			return "", fmt.Errorf("starter setup: %w\n%s", err, strings.TrimSpace(string(out)))
		}
		return "Temporal is ready for Padron's workflows (starter setup)", nil
	})
}

// Worker is a running worker.
type Worker struct {
	Health string // address of its health and metrics endpoint
	pid    int
	stop   func() error // before the stack stops
}

// startWorker starts the worker, with settings (KEY=VALUE) on top of the stack's, and waits until it is ready for work.
func (p *Product) startWorker(ctx context.Context, settings ...string) (w Worker, err error) {
	log, err := p.stack.openLog("worker")
	if err != nil {
		return w, err
	}
	info, err := log.Stat()
	if err != nil {
		return w, fmt.Errorf("open the log of the worker: %w", err)
	}
	addr := p.stack.getenv("PADRON_HEALTH_ADDR")
	if addr == "" {
		addr = address(p.stack.ports.Take(portHealth))
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(filepath.Dir(p.starter), "worker"))
	cmd.Dir = p.stack.Dirs.Root
	cmd.Env = slices.Concat(os.Environ(), p.stack.env, settings, []string{"PADRON_HEALTH_ADDR=" + addr})
	cmd.Stdout, cmd.Stderr = log, log
	process, err := startProcess("the worker", cmd, syscall.SIGTERM)
	if err != nil {
		return w, err
	}
	w = Worker{Health: "http://" + addr, pid: process.cmd.Process.Pid}
	w.stop = p.stack.watch(process, syscall.SIGTERM, workerPatience)
	deadline := time.Now().Add(readyPatience)
	for {
		err := askReady(ctx, w.Health)
		if err == nil {
			return w, nil
		}
		if ctx.Err() != nil {
			return w, context.Cause(ctx)
		}
		select {
		case <-process.done:
			return w, fmt.Errorf("%w: %s (log: %s)", process.Ended(), lastLine(log.Name(), info.Size()), log.Name())
		case <-p.stack.failed:
			return w, p.stack.Failure()
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return w, fmt.Errorf("the worker is not ready after %s: %w (log: %s)", readyPatience, err, log.Name())
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
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) // only to say more about the failure
		return fmt.Errorf("/readyz: %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// lastLine is the last line that was written to a log after the byte from.
func lastLine(file string, from int64) string {
	text, err := os.ReadFile(file)
	if err != nil || int64(len(text)) <= from {
		return "it wrote nothing"
	}
	lines := strings.Split(strings.TrimSpace(string(text[from:])), "\n")
	return lines[len(lines)-1]
}

// exitNotGreen is the starter's exit code for a run that finished, but could not prove that the mirror is right.
const exitNotGreen = 3

// load runs the mirror once, with its progress on this terminal, and shows the snapshot. A run that finished without
// being green is an error, but has a snapshot to show.
func (p *Product) load(ctx context.Context) error {
	start := time.Now()
	run := p.starterCommand(ctx, "run", "--wait")
	var status *exec.ExitError
	if run != nil && (!errors.As(run, &status) || status.ExitCode() != exitNotGreen) {
		return run
	}
	p.stack.Steps.Say("Load", "took %s", took(start))
	return errors.Join(run, p.starterCommand(ctx, "snapshots", "show", "latest"))
}

// starterCommand runs the starter on this terminal.
func (p *Product) starterCommand(ctx context.Context, args ...string) error {
	return runInForeground(ctx, p.stack.Dirs.Root, p.stack.env, p.stack.failed, p.starter, args...)
}
