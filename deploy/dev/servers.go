package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Addresses are what a person may want to look at.
type Addresses struct {
	Dashboard, MongoDB, Temporal, TemporalUI, Portal, Health string // "" where there is none
}

// startServers starts MongoDB and Temporal, and tells programs of them.
func startServers(ctx context.Context, stack *Stack) (a Addresses, err error) {
	if a.MongoDB, err = startEngine(ctx, stack); err != nil {
		return a, err
	}
	stack.setenv("MONGODB_URI", a.MongoDB)
	if a.Temporal, a.TemporalUI, err = startTemporal(ctx, stack); err != nil {
		return a, err
	}
	stack.setenv("TEMPORAL_ADDRESS", a.Temporal)
	self, err := os.Executable()
	if err != nil {
		return a, fmt.Errorf("find this program: %w", err)
	}
	stack.setenv(testTemporal, self)
	return a, nil
}

// startAll is startServers with the portal.
func startAll(ctx context.Context, stack *Stack, p Portal) (a Addresses, err error) {
	if a, err = startServers(ctx, stack); err != nil {
		return a, err
	}
	if stack.Dirs.World != "" && stack.getenv("MONGODB_DATABASE") == "" {
		stack.setenv("MONGODB_DATABASE", "padron_"+stack.Dirs.World)
	}
	a.Portal, err = startPortal(ctx, stack, p)
	return a, err
}

// interactivePatience is how long a program that got the terminal's Ctrl-C has to end by itself.
const interactivePatience = 3 * time.Second

// runInForeground runs a program on this terminal in the repository's root, with the stack's variables set, until it
// ends, the context ends or the stack fails. Its exit code comes back as an *exec.ExitError.
func runInForeground(ctx context.Context, root string, env []string, failed <-chan struct{}, name string, args ...string) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	process, err := startInForeground(name, cmd)
	if err != nil {
		return err
	}
	select {
	case <-process.done:
		return process.err
	case <-failed:
	case <-ctx.Done():
		// Its end by Ctrl-C is the usual case; a SIGTERM reached only this command.
		select {
		case <-process.done:
			return process.err
		case <-time.After(interactivePatience):
		}
	}
	if err := process.Stop(syscall.SIGTERM, 10*time.Second); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	return process.err
}
