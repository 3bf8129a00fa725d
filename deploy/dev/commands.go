package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"padron/internal/socrata/socratatest"
)

// portalFlags adds the flags that say where the rows come from.
func portalFlags(cmd *cobra.Command) *Portal {
	p := &Portal{URL: os.Getenv("PADRON_PORTAL_URL")}
	cmd.Flags().BoolVar(&p.Live, "live", false, "use the real portal")
	cmd.Flags().IntVar(&p.Rows, "rows", defaultRows, "how many rows the simulated portal has")
	cmd.Flags().StringVar(&p.File, "portal-file", "", "serve the rows of this JSON or CSV file")
	cmd.Flags().StringVar(&p.Boundaries, "boundaries-file", "", "serve the neighborhoods' outlines of this GeoJSON file, named by its property "+socratatest.PropertyName)
	return p
}

// open takes the checkout's data folder for a stack that mirrors this portal, whose file it finds.
func open(data string, p *Portal, steps *Steps) (*Stack, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	dirs, err := findDirs(data)
	if err != nil {
		return nil, err
	}
	if p.File != "" {
		p.File = portalFile(dirs, p.File)
	}
	if p.Boundaries != "" {
		p.Boundaries = portalFile(dirs, p.Boundaries)
	}
	if dirs.World, err = p.World(); err != nil {
		return nil, err
	}
	return newStack(dirs, steps, false)
}

// shutDown stops the stack and keeps the error that ended the command, if any, before those of stopping.
func shutDown(stack *Stack, err *error) {
	stopped := stack.Steps.Do("Stop", "stopping everything", func() (string, error) {
		return "everything is stopped", stack.Stop()
	})
	if stopped != nil {
		*err = errors.Join(*err, stopped)
	}
}

func demoCommand(data *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start everything, load the register once, and stay up",
		Args:  cobra.NoArgs,
	}
	portal := portalFlags(cmd)
	exit := cmd.Flags().Bool("exit", false, "stop after the load")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return demo(cmd.Context(), *data, *portal, *exit)
	}
	return cmd
}

// demo keeps the servers up after a load that failed: the Web UI is where to look for the reason.
func demo(ctx context.Context, data string, p Portal, exit bool) (err error) {
	stack, err := open(data, &p, newSteps(os.Stdout))
	if err != nil {
		return err
	}
	defer shutDown(stack, &err)
	product, addresses, err := startProduct(ctx, stack, p, "demo")
	if err != nil {
		return err
	}
	load := product.load(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if load != nil && !exit {
		stack.Steps.Say("Load", "not done: %v; the Web UI shows more", load)
	}
	printAddresses(stack, addresses)
	if exit {
		return load
	}
	stack.Steps.Say("Ready", "Ctrl-C stops everything")
	return errors.Join(stack.Wait(ctx), load)
}

func upCommand(data *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start everything and stay up, without loading anything",
		Args:  cobra.NoArgs,
	}
	portal := portalFlags(cmd)
	noWorker := cmd.Flags().Bool("no-worker", false, "start the servers only")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return up(cmd.Context(), *data, *portal, !*noWorker)
	}
	return cmd
}

func up(ctx context.Context, data string, p Portal, worker bool) (err error) {
	stack, err := open(data, &p, newSteps(os.Stdout))
	if err != nil {
		return err
	}
	defer shutDown(stack, &err)
	if worker {
		_, _, err = startProduct(ctx, stack, p, "up")
	} else if _, err = startAll(ctx, stack, p); err == nil {
		err = stack.announce("up")
	}
	if err != nil {
		return err
	}
	stack.Steps.Say("Logs", "%s", stack.Dirs.Logs())
	stack.Steps.Say("Ready", "Ctrl-C stops everything")
	return stack.Wait(ctx)
}

func execCommand(data *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "exec -- COMMAND [ARGUMENT...]",
		Short:   "Run a command in the repository's root with the servers' addresses set",
		Long:    "Runs a command in the repository's root with MONGODB_URI, TEMPORAL_ADDRESS and PADRON_PORTAL_URL set.\nUses this checkout's running stack, or starts the servers for as long as the command runs.",
		Example: "  go run -C deploy/dev . exec -- go run ./starter status",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("%w: exec needs a command: exec -- COMMAND", errUsage)
			}
			return nil
		},
	}
	portal := portalFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return execute(cmd.Context(), *data, *portal, args)
	}
	return cmd
}

func execute(ctx context.Context, data string, p Portal, args []string) (err error) {
	if _, err := exec.LookPath(args[0]); err != nil {
		return fmt.Errorf("%w: no program %q", errUsage, args[0])
	}
	dirs, err := findDirs(data)
	if err != nil {
		return err
	}
	running, ok, err := runningStack(ctx, dirs)
	if err != nil {
		return err
	}
	if ok {
		return runInForeground(ctx, dirs.Root, running.Env, nil, args[0], args[1:]...)
	}
	// The command's own output is what is wanted on stdout.
	stack, err := open(data, &p, newSteps(os.Stderr))
	if err != nil {
		return err
	}
	defer shutDown(stack, &err)
	if _, err := startAll(ctx, stack, p); err != nil {
		return err
	}
	if err := stack.announce("exec"); err != nil {
		return err
	}
	err = runInForeground(ctx, dirs.Root, stack.env, stack.failed, args[0], args[1:]...)
	if failure := stack.Failure(); failure != nil {
		return failure
	}
	return err
}

// printAddresses sums up where everything is, for readers who have a long load between this and the steps.
func printAddresses(stack *Stack, a Addresses) {
	for _, line := range []struct{ name, text string }{
		{"Dashboard", a.Dashboard},
		{"Web UI", a.TemporalUI},
		{"MongoDB", redacted(a.MongoDB)},
		{"Temporal", a.Temporal},
		{"Portal", a.Portal},
		{"Worker", a.Health},
		{"Logs", stack.Dirs.Logs()},
	} {
		if line.text != "" {
			stack.Steps.Say(line.name, "%s", line.text)
		}
	}
}
