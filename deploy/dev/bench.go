package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"padron/deploy/dev/bench"
	"padron/deploy/dev/stack"
)

func benchCommand() *cobra.Command {
	var (
		o              bench.Options
		check, latency bool
		times          int
	)
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure loads and crawls against the raw limits of driver and engine",
		Long: "Starts its own servers on fresh data, loads a simulated register, crawls it again with and without changes, and\n" +
			"compares that with what the bare driver can do on the same engine. Prints one table, then the targets.\n" +
			"Progress goes to stderr. Nothing is left behind.\n\n" +
			"With --check it measures a small register, compares times, processor time and counts, all in relation to the raw insert\n" +
			"of the same run, with the table in deploy/dev/bench/bounds.md, and fails when one is larger than allowed. What misses\n" +
			"its bound is measured once more before it counts.\n\n" +
			"With --latency it gives the dataset the shortest schedule, a run each minute, publishes edits at the simulated portal and\n" +
			"says after how many seconds each is in the mirror and proven, and what that costs in Temporal's billable actions. This\n" +
			"takes some 12 minutes.",
		Args: cobra.NoArgs,
	}
	format := outputFlag(cmd, "table", "json", "md")
	cmd.Flags().BoolVar(&check, "check", false, "hold the ratios to the table of bounds, at 60,000 rows unless --rows says otherwise")
	cmd.Flags().IntVar(&times, "times", 1, "with --check: how often, to see how the ratios vary; -o md then prints the table anew")
	cmd.Flags().BoolVar(&latency, "latency", false, "measure the time from a publication to the mirrored, proven state")
	cmd.Flags().IntVar(&o.Rows, "rows", bench.DefaultRows, "how many rows the simulated portal has")
	cmd.Flags().BoolVar(&o.NoRaw, "no-raw", false, "leave out the raw limits, and with them the ratios")
	cmd.Flags().StringVar(&o.Profiles, "profile", "", "write CPU profiles of the worker to this `folder`; go tool pprof merges all of a phase")
	cmd.MarkFlagsMutuallyExclusive("check", "no-raw", "latency")
	cmd.MarkFlagsMutuallyExclusive("latency", "profile")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if times < 1 || times > 1 && !check {
			return fmt.Errorf("%w: --times %d: at least 1, and more with --check only", errUsage, times)
		}
		if o.Rows < 1000 {
			return fmt.Errorf("%w: --rows %d: at least 1000 are needed to measure anything", errUsage, o.Rows)
		}
		if check {
			if !cmd.Flags().Changed("rows") {
				o.Rows = bench.CheckRows
			}
			report, err := bench.Check(cmd.Context(), o, times)
			if report == nil {
				return err
			}
			return errors.Join(printResult(*format, report), err)
		}
		if latency {
			report, err := bench.Latency(cmd.Context(), o.Rows)
			if err != nil {
				return err
			}
			return printResult(*format, report)
		}
		// What was measured before an error or Ctrl-C is printed: it took long.
		report, err := bench.Run(cmd.Context(), o)
		if report == nil {
			return err
		}
		return errors.Join(err, printResult(*format, report))
	}
	return cmd
}

func benchPagesCommand(data *string) *cobra.Command {
	var o bench.PagesOptions
	cmd := &cobra.Command{
		Use:   "bench-pages",
		Short: "Measure how fast a running dashboard answers",
		Long: "Asks the dashboard of this checkout's running stack (demo) for pages, searches, rows and data, thousands of different\n" +
			"addresses in no order and at a steady rate, and says how long whole answers took. With --sync it does so again while\n" +
			"a full run compares and writes the mirror.",
		Args: cobra.NoArgs,
	}
	format := outputFlag(cmd, "table", "json")
	cmd.Flags().StringVar(&o.URL, "url", "http://"+stack.Address(stack.DefaultPorts()[stack.PortDashboard]), "where the dashboard is")
	cmd.Flags().Float64Var(&o.Rate, "rate", 20, "requests a second")
	cmd.Flags().DurationVar(&o.Length, "for", time.Minute, "how long each phase is")
	cmd.Flags().BoolVar(&o.Sync, "sync", false, "measure during a full run too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Rate <= 0 || o.Length <= 0 {
			return fmt.Errorf("%w: --rate and --for must be above 0", errUsage)
		}
		dirs, err := stack.FindDirs(*data)
		if err != nil {
			return err
		}
		phases, err := bench.MeasurePages(cmd.Context(), o, dirs)
		if err != nil {
			return err
		}
		return printResult(*format, phases)
	}
	return cmd
}

// outputFlag adds the flag for the format of the output, and its check. The first
// format is the default.
func outputFlag(cmd *cobra.Command, formats ...string) *string {
	last := len(formats) - 1
	all := strings.Join(formats[:last], ", ") + " or " + formats[last]
	format := cmd.Flags().StringP("output", "o", formats[0], all)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains(formats, *format) {
			return fmt.Errorf("%w: -o %s: use %s", errUsage, *format, all)
		}
		return nil
	}
	return format
}

// printer is a result of a benchmark.
type printer interface {
	PrintTable(w io.Writer) error
	PrintJSON(w io.Writer) error
}

// markdownPrinter is one that the documentation shows.
type markdownPrinter interface {
	printer
	PrintMarkdown(w io.Writer) error
}

func printResult(format string, result printer) error {
	if m, ok := result.(markdownPrinter); ok && format == "md" {
		return m.PrintMarkdown(os.Stdout)
	}
	if format == "json" {
		return result.PrintJSON(os.Stdout)
	}
	return result.PrintTable(os.Stdout)
}
