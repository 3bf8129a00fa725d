package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// interactiveGrace is how long a program that got the terminal's Ctrl-C has to
// end by itself.
const interactiveGrace = 3 * time.Second

// RunInForeground runs a program on this terminal in dir, with the variables
// env (KEY=VALUE) added, until it ends, ctx ends or failed is closed. The
// program's exit code comes back as an *exec.ExitError.
func RunInForeground(ctx context.Context, dir string, env []string, failed <-chan struct{}, name string, args ...string) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// The program leads no process group: it stays in the terminal's foreground
	// group, so that it may read from the terminal and gets a Ctrl-C itself.
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	process, err := start(name, cmd, syscall.SIGTERM)
	if err != nil {
		return err
	}
	select {
	case <-process.done:
		return process.err
	case <-failed:
	case <-ctx.Done():
		// A Ctrl-C has reached the program too. A SIGTERM has not.
		select {
		case <-process.done:
			return process.err
		case <-time.After(interactiveGrace):
		}
	}
	if err := process.Stop(syscall.SIGTERM, 10*time.Second); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	return process.err
}
