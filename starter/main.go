// Command starter is Padron's command line: it starts and watches runs, keeps
// the schedules, and shows what the mirror holds. The work itself is done by
// the worker.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailed   = 1 // something went wrong; nothing was left half done
	exitUsage    = 2 // the command line or the configuration is wrong
	exitNotGreen = 3 // the run finished, but the mirror is not proven equal to the portal
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, out, errs io.Writer) int {
	root := newRoot(out, errs)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(errs, "starter:", oneLine(err))
	var coded *codedError
	if errors.As(err, &coded) {
		return coded.code
	}
	return exitFailed
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// codedError is an error with an exit code of its own.
type codedError struct {
	error
	code int
}

func (e *codedError) Unwrap() error { return e.error }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return &codedError{err, exitUsage}
}

// flags are the settings that override the environment, by variable.
var flags = []struct{ flag, variable, help string }{
	{"dataset", "PADRON_DATASET", "name, id or page of a dataset, or path of a spec"},
	{"mongodb-uri", "MONGODB_URI", "where MongoDB is"},
	{"mongodb-database", "MONGODB_DATABASE", "prefix of the databases"},
	{"temporal-address", "TEMPORAL_ADDRESS", "where Temporal is"},
	{"namespace", "TEMPORAL_NAMESPACE", "Temporal namespace"},
	{"portal-url", "PADRON_PORTAL_URL", "replaces the portal's host that the spec names"},
	{"task-queue", "PADRON_TASK_QUEUE", "task queue of the workers"},
}

func newRoot(out, errs io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Keeps an exact MongoDB mirror of a business register",
		Long: `Padron keeps an exact MongoDB mirror of a city's business register, published on
a Socrata portal. The starter starts runs and shows what came of them.

Settings come from the environment (see the README); flags win.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 finished but not green.`,
		Example: `  starter doctor                     check every connection and setting
  starter setup                      prepare Temporal, once
  starter run --wait                 make the mirror equal to the portal
  starter schedule apply             do so every day
  starter watch                      follow a run that is running
  starter backfill --since 1990-01-01  reconstruct the history
  starter status                     the newest runs and what came of them
  starter verify                     prove anew that the mirror equals the portal
  starter changes --since 7d         what opened, closed, moved, was renamed
  starter snapshots show latest      what the mirror holds`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(out)
	root.SetErr(errs)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
	})
	for _, f := range flags {
		root.PersistentFlags().String(f.flag, "", f.help+" ("+f.variable+")")
	}
	root.AddCommand(runCommand(), watchCommand(), cancelCommand(), statusCommand(), backfillCommand(),
		verifyCommand(), approveCommand(), rerunCommand(), changesCommand(), quarantineCommand(),
		snapshotsCommand(), exportCommand(), dashboardCommand(), scheduleCommand(), alertsCommand(), datasetCommand(),
		workersCommand(), dagCommand(), setupCommand(), doctorCommand())
	group(root)
	completeSettings(root)
	explainCompletion(root)
	asUsage(root)
	return root
}

// group puts the commands into the sections of the help.
func group(root *cobra.Command) {
	of := map[string]string{}
	for _, g := range []struct{ id, title, commands string }{
		{"runs", "Runs:", "run watch cancel status verify approve rerun backfill schedule dag"},
		{"data", "What the mirror holds:", "changes quarantine snapshots export dashboard"},
		{"setup", "Setting up and looking into it:", "setup doctor dataset completion"},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for name := range strings.FieldsSeq(g.commands) {
			of[name] = g.id
		}
	}
	for _, cmd := range root.Commands() {
		cmd.GroupID = of[cmd.Name()]
	}
	root.SetHelpCommandGroupID("setup")
	root.SetCompletionCommandGroupID("setup")
}

// asUsage makes a wrong number of arguments a usage error in every command.
func asUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		asUsage(sub)
	}
}
