package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// partGrace is how long a part in a process of its own has to stop.
const partGrace = 15 * time.Second

// startPart starts this very program as one part of the stack. A benchmark has the parts that are usually embedded run
// apart, because the operating system counts processor time and memory by process.
func startPart(stack *Stack, name string, log *os.File, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, append([]string{"part"}, args...)...) //nolint:noctx // it is stopped in its turn
	cmd.Stdout, cmd.Stderr = log, log
	process, err := startProcess(name, cmd, syscall.SIGTERM)
	if err != nil {
		return err
	}
	stack.watch(process, syscall.SIGTERM, partGrace)
	return nil
}

// partCommand runs one part until it is told to stop.
func partCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "part", Short: "Run one server of the stack in this process", Hidden: true}
	run := func(use string, start func(*Stack, []string) error) *cobra.Command {
		return &cobra.Command{Use: use, Args: cobra.ExactArgs(3), RunE: func(cmd *cobra.Command, args []string) (err error) {
			stack := &Stack{}
			defer func() { err = errors.Join(err, stack.Stop()) }()
			if err := start(stack, args); err != nil {
				return err
			}
			<-cmd.Context().Done()
			return nil
		}}
	}
	cmd.AddCommand(
		run("ferretdb POSTGRES LISTEN STATE", func(stack *Stack, args []string) error {
			_, err := startFerretDB(stack, args[0], args[1], args[2], os.Stderr)
			return err
		}),
		run("temporal DATA WORLD PORT", func(stack *Stack, args []string) error {
			port, err := strconv.Atoi(args[2])
			if err != nil {
				return err
			}
			stack.Dirs = Dirs{Data: args[0], World: args[1]}
			_, err = startTemporalServer(stack, port)
			return err
		}),
	)
	return cmd
}
