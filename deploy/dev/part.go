package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"padron/deploy/dev/engine"
	"padron/deploy/dev/stack"
	"padron/deploy/dev/temporal"
)

// partCommand runs one server of the stack until it is told to stop.
func partCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "part", Short: "Run one server of the stack in this process", Hidden: true}
	run := func(use string, start func(args []string) (*stack.Stack, error)) *cobra.Command {
		return &cobra.Command{Use: use, Args: cobra.ExactArgs(3), RunE: func(cmd *cobra.Command, args []string) error {
			s, err := start(args)
			if err == nil {
				<-cmd.Context().Done()
			}
			return errors.Join(err, s.Stop())
		}}
	}
	cmd.AddCommand(
		run("ferretdb POSTGRES LISTEN STATE", func(args []string) (*stack.Stack, error) {
			s := stack.NewPart(stack.Dirs{})
			_, err := engine.StartFerretDB(s, args[0], args[1], args[2], os.Stderr)
			return s, err
		}),
		run("temporal DATA WORLD PORT", func(args []string) (*stack.Stack, error) {
			s := stack.NewPart(stack.Dirs{Data: args[0], World: args[1]})
			port, err := strconv.Atoi(args[2])
			if err == nil {
				_, err = temporal.StartServer(s, port)
			}
			return s, err
		}),
	)
	return cmd
}

// temporalCommand runs the Temporal server alone, for tests that kill it.
func temporalCommand(data *string) *cobra.Command {
	var port int
	cmd := &cobra.Command{
		Use:   "temporal --data DIR [--port N]",
		Short: "Run the Temporal server alone, for tests that kill it",
		Long: "Runs the embedded Temporal server alone, without Web UI, until it is interrupted or the program that started it ends.\n" +
			"Its histories are in a file in DIR. Prints `ready HOST:PORT` when it answers.",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if *data == "" {
				return fmt.Errorf("%w: temporal needs a folder for its file: --data DIR", errUsage)
			}
			return temporal.Alone(cmd.Context(), *data, port)
		},
	}
	cmd.Flags().IntVar(&port, "port", 0, "port of its address; 0 for a free one")
	return cmd
}
