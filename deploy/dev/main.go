// Command dev runs Padron on this machine: MongoDB, Temporal with its Web UI, a simulated portal and the worker, each
// found or set up by itself. `go run -C deploy/dev . demo` is all a newcomer needs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes; a command run by exec and the tests pass on their own.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(run())
}

// run is main with an exit code, so that deferred calls are made.
func run() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stopOnSignal(cancel)

	root := rootCommand()
	understood := false // the words and flags of the command line
	root.PersistentPreRun = func(*cobra.Command, []string) { understood = true }
	err := root.ExecuteContext(ctx)
	for _, complaint := range complaints(err) {
		fmt.Fprintln(os.Stderr, "error:", complaint)
	}
	var status *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return status.ExitCode()
	case !understood || errors.Is(err, errUsage):
		return exitUsage
	}
	return exitFailed
}

// complaints are the errors in err that nobody has told yet: a program that was run has said itself what went wrong,
// and who interrupts the command knows.
func complaints(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the tree itself is looked at
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, complaints(e)...)
		}
		return all
	}
	// Alone they say nothing new; wrapped they do: what failed, and what the program printed.
	if _, told := err.(*exec.ExitError); told || err == nil || err == errInterrupted { //nolint:errorlint // as above
		return nil
	}
	return []string{err.Error()}
}

var (
	// errInterrupted is the end of the command's context by a signal.
	errInterrupted = errors.New("interrupted")
	// errUsage marks arguments that cannot be meant.
	errUsage = errors.New("wrong usage")
)

// stopOnSignal ends the context on Ctrl-C, SIGTERM and the terminal's going away. A second signal ends the command at
// once; the kernel then ends its children. Started by `go run`, which passes no SIGTERM on, it also watches its parent.
func stopOnSignal(stop context.CancelCauseFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	parent := os.Getppid()
	fromGoRun := startedByGoRun()
	go func() {
		ticks := time.Tick(time.Second)
		for {
			select {
			case <-signals:
				stop(errInterrupted)
				signal.Reset(syscall.SIGINT, syscall.SIGTERM)
				return
			case <-ticks:
				if fromGoRun && os.Getppid() != parent {
					stop(errInterrupted)
					return
				}
			}
		}
	}()
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "dev",
		Short:         "Padron on this machine",
		Long:          "Starts everything Padron needs on this machine, without Docker or any account, and stops it again.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	var data string
	root.PersistentFlags().StringVar(&data, "data", "", "data folder (default: one for each checkout, in the user's cache folder)")
	root.AddCommand(demoCommand(&data), upCommand(&data), execCommand(&data), testCommand(), benchCommand(), benchPagesCommand(&data), partCommand(), temporalCommand(&data))
	return root
}
