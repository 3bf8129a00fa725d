package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// testTemporal is the variable that tells tests of the program that runs a Temporal server of their own: this one. They
// call it as `$PADRON_TEST_TEMPORAL temporal --data DIR --port N`, kill it, and start it again.
const testTemporal = "PADRON_TEST_TEMPORAL"

// temporalCommand runs the Temporal server alone, on a folder and a port that outlive it: what was killed goes on
// where it was when it is started again.
func temporalCommand(data *string) *cobra.Command {
	var port int
	cmd := &cobra.Command{
		Use:    "temporal --data DIR [--port N]",
		Short:  "Run the Temporal server alone, for tests that kill it",
		Long:   "Runs the embedded Temporal server alone, without Web UI, until it is interrupted or the program that started it ends.\nIts histories are in a file in DIR. Prints `ready HOST:PORT` when it answers.",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if *data == "" {
				return fmt.Errorf("%w: temporal needs a folder for its file: --data DIR", errUsage)
			}
			return temporalAlone(cmd.Context(), *data, port)
		},
	}
	cmd.Flags().IntVar(&port, "port", 0, "port of its address; 0 for a free one")
	return cmd
}

func temporalAlone(ctx context.Context, data string, port int) (err error) {
	stack := &Stack{Dirs: Dirs{Data: data}}
	if err := os.MkdirAll(stack.Dirs.Logs(), 0o755); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	held, err := holdPorts(map[string]int{portTemporal: port})
	if err != nil {
		return err
	}
	if len(held.moved) > 0 {
		held.Release()
		return fmt.Errorf("port %d is taken by another program", port)
	}
	defer func() { err = errors.Join(err, stack.Stop()) }()
	addr, err := startTemporalServer(stack, held.Take(portTemporal))
	if err != nil {
		return fmt.Errorf("start Temporal: %w (log: %s)", err, stack.Dirs.Log("temporal"))
	}
	if err := awaitTemporal(ctx, addr); err != nil {
		return fmt.Errorf("%w (log: %s)", err, stack.Dirs.Log("temporal"))
	}
	fmt.Println("ready", addr)
	awaitOrphaned(ctx)
	return nil
}

// awaitOrphaned returns when ctx ends or the program that started this one has ended: a test that was killed leaves no
// server behind.
func awaitOrphaned(ctx context.Context) {
	parent := os.Getppid()
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for os.Getppid() == parent {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}
