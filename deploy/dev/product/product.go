package product

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"padron/deploy/dev/process"
	"padron/deploy/dev/servers"
	"padron/deploy/dev/stack"
)

// ExitNotGreen is the starter's exit code for a run that finished, but could
// not prove that the mirror is right.
const ExitNotGreen = 3

// Product is Padron itself: the worker and the starter.
type Product struct {
	stack   *stack.Stack
	starter string // path of the program
}

// New is a product on a stack, whose programs are not built yet.
func New(s *stack.Stack) *Product {
	return &Product{stack: s, starter: StarterPath(s.Dirs)}
}

// StarterPath is where the starter's program is after Build.
func StarterPath(d stack.Dirs) string { return d.File("bin/starter") }

// Starter is the path of the starter's program.
func (p *Product) Starter() string { return p.starter }

// Start starts the servers, the portal and the worker with its dashboard, and
// announces the stack under the name of the command.
func Start(ctx context.Context, s *stack.Stack, portal servers.Portal, command string) (*Product, servers.Addresses, error) {
	addresses, err := servers.StartAll(ctx, s, portal)
	if err != nil {
		return nil, addresses, err
	}
	if err := BuildBundle(ctx, s); err != nil {
		return nil, addresses, err
	}
	p := New(s)
	if err := p.Build(ctx); err != nil {
		return nil, addresses, err
	}
	if err := p.SetUp(ctx); err != nil {
		return nil, addresses, err
	}
	dashboard := os.Getenv("PADRON_DASHBOARD_ADDR")
	if dashboard == "" {
		dashboard = stack.Address(s.Take(stack.PortDashboard))
	}
	err = s.Steps.Do("Worker", "starting the worker", func() (string, error) {
		worker, err := p.StartWorker(ctx, "PADRON_DASHBOARD_ADDR="+dashboard)
		addresses.Health, addresses.Dashboard = worker.Health, "http://"+dashboard+"/"
		return fmt.Sprintf("%s/readyz /healthz /metrics (log: %s)", addresses.Health, s.Dirs.Log("worker")), err
	})
	if err != nil {
		return nil, addresses, err
	}
	s.Steps.Say("Dashboard", "%s", addresses.Dashboard)
	return p, addresses, s.Announce(command)
}

// Build compiles both programs from the checkout as it is.
func (p *Product) Build(ctx context.Context) error {
	return p.stack.Steps.Do("Build", "building the worker and the starter", func() (string, error) {
		bin := filepath.Dir(p.starter)
		if err := os.MkdirAll(bin, 0o755); err != nil {
			return "", fmt.Errorf("make the folder of the programs: %w", err)
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-o", bin+string(filepath.Separator), "./worker", "./starter")
		cmd.Dir = p.stack.Dirs.Root
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if err != nil {
			return "", fmt.Errorf("build the worker and the starter: %w\n%s", err, strings.TrimSpace(string(out)))
		}
		return "the worker and the starter", nil
	})
}

// SetUp registers with Temporal what the workflows need. The worker refuses to
// start without it.
func (p *Product) SetUp(ctx context.Context) error {
	return p.stack.Steps.Do("Setup", "setting up Temporal", func() (string, error) {
		cmd := exec.CommandContext(ctx, p.starter, "setup")
		cmd.Dir = p.stack.Dirs.Root
		cmd.Env = append(os.Environ(), p.stack.Env()...)
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

// Load runs the mirror once, with its progress on this terminal, and shows the
// snapshot. A run that finished without being green is an error, but has a
// snapshot to show.
func (p *Product) Load(ctx context.Context) error {
	start := time.Now()
	run := p.runStarter(ctx, "run", "--wait")
	var status *exec.ExitError
	if run != nil && (!errors.As(run, &status) || status.ExitCode() != ExitNotGreen) {
		return run
	}
	p.stack.Steps.Say("Load", "took %s", stack.Took(start))
	return errors.Join(run, p.runStarter(ctx, "snapshots", "show", "latest"))
}

// runStarter runs the starter on this terminal.
func (p *Product) runStarter(ctx context.Context, args ...string) error {
	return process.RunInForeground(ctx, p.stack.Dirs.Root, p.stack.Env(), p.stack.Failed(), p.starter, args...)
}
