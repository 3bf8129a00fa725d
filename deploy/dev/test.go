package main

import (
	"github.com/spf13/cobra"

	"padron/deploy/dev/testrun"
)

func testCommand() *cobra.Command {
	var o testrun.Options
	cmd := &cobra.Command{
		Use:   "test [-- GO TEST FLAGS]",
		Short: "Start the servers on fresh data and run every test of both modules against them",
		Long: "Starts MongoDB and Temporal on fresh data, and runs `go test ./...` in the repository's root and in deploy/dev\n" +
			"with their addresses set. A test that skips because an address is not set counts as failed.\n" +
			"The last line is the result: `N passed, N failed, N skipped`.",
		Example: "  go run -C deploy/dev . test\n" +
			"  go run -C deploy/dev . test -- -run TestModel -v\n" +
			"  go run -C deploy/dev . test --mutants [guard cleaning ...]",
	}
	cmd.Flags().BoolVar(&o.Long, "long", false, "random sequences, chaos and walks through the pages at full length")
	cmd.Flags().BoolVar(&o.Again, "again", false,
		"run up to five tests that failed once more, alone, and count those as passed that then pass; they are listed")
	mutants := cmd.Flags().Bool("mutants", false, "run no tests of both modules, but measure those of the pure packages by mutants (gremlins)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *mutants {
			return testrun.Mutants(cmd.Context(), args...)
		}
		o.Args = args
		return testrun.Run(cmd.Context(), o)
	}
	return cmd
}
