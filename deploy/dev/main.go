// Command dev runs Padron on this machine: MongoDB, Temporal with its Web UI, a
// simulated portal and the worker, each found or set up by the command itself.
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

	"padron/deploy/dev/process"
)

// Exit codes. A command run by exec and the tests pass on their own.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(run())
}

// run is main with an exit code, so that deferred calls run.
func run() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stopOnSignal(cancel)

	root := rootCommand()
	parsed := false // the words and flags of the command line are valid
	root.PersistentPreRun = func(*cobra.Command, []string) { parsed = true }
	err := root.ExecuteContext(ctx)
	for _, message := range messages(err) {
		fmt.Fprintln(os.Stderr, "error:", message)
	}
	var status *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return status.ExitCode()
	case !parsed || errors.Is(err, errUsage):
		return exitUsage
	}
	return exitFailed
}

// messages are the errors in err that were not printed yet: a program that was
// run has printed its own error, and who interrupts the command knows.
func messages(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the tree itself is examined
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, messages(e)...)
		}
		return all
	}
	// Only a bare error is left out. A wrapped one says what failed.
	if _, printed := err.(*exec.ExitError); printed || err == nil || err == errInterrupted { //nolint:errorlint // as above
		return nil
	}
	return []string{err.Error()}
}

var (
	// errInterrupted is the cause of the context's end after a signal.
	errInterrupted = errors.New("interrupted")
	// errUsage marks invalid arguments.
	errUsage = errors.New("wrong usage")
)

// stopOnSignal ends the context on Ctrl-C, SIGTERM and the terminal's end. A
// second signal ends the command at once; the kernel then ends its children.
// `go run` passes no SIGTERM on: started by it, the command watches its parent.
func stopOnSignal(stop context.CancelCauseFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	parent := os.Getppid()
	fromGoRun := process.StartedByGoRun()
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
	root.AddCommand(
		demoCommand(&data), upCommand(&data), execCommand(&data), testCommand(), benchCommand(), benchPagesCommand(&data),
		partCommand(), temporalCommand(&data),
	)
	return root
}
