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

	"padron/internal/config"
	"padron/starter/backfillcmd"
	"padron/starter/cli"
	"padron/starter/datacmd"
	"padron/starter/opscmd"
	"padron/starter/runcmd"
	"padron/starter/schedulecmd"
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
	fmt.Fprintln(errs, "starter:", cli.OneLine(err))
	var coded *cli.CodedError
	if errors.As(err, &coded) {
		return coded.Code
	}
	return cli.ExitFailed
}

func newRoot(out, errs io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Keeps an exact MongoDB mirror of a business register",
		Long: `Padron keeps an exact MongoDB mirror of a city's business register, published on
a Socrata portal. The starter starts runs and shows what came of them.

Settings come from the environment (docs/configuration.md); flags win.
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
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if strings.HasPrefix(cmd.Name(), cobra.ShellCompRequestCmd) {
			return nil
		}
		warnings, err := config.Unknown()
		for _, warning := range warnings {
			fmt.Fprintln(errs, "starter: warning:", warning)
		}
		return err
	}
	root.SetOut(out)
	root.SetErr(errs)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usage(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
	})
	for _, f := range cli.Flags {
		root.PersistentFlags().String(f.Flag, "", f.Help+" ("+f.Variable+")")
	}
	for _, commands := range [][]*cobra.Command{
		runcmd.Commands(), backfillcmd.Commands(), schedulecmd.Commands(), datacmd.Commands(), opscmd.Commands(),
	} {
		root.AddCommand(commands...)
	}
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
		{"data", "What the mirror holds:", "changes quarantine snapshots export dashboard share"},
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
				return cli.Usage(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		asUsage(sub)
	}
}
