package datacmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/internal/cleaning"
	"padron/internal/query"
	"padron/internal/statistics"
	"padron/starter/cli"
)

func snapshotsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshots",
		Short: "Show the statistics kept of each day",
		Long: `A snapshot counts locations, open and closed, by neighborhood, sector and district,
as of one day.

An observed one is what that day's mirror counted, by month too; it is of the day
that the portal's data are of, and never made again. A reconstructed one is of the
first day of a month in the past, made from the months in which today's rows started
and ended; a later backfill replaces it. It is provisional where starts are still to
come in, and counts survivors only where the register was begun anew since.`,
		Example: `  starter snapshots list
  starter snapshots show latest
  starter snapshots diff 2016-01-01-reconstructed latest`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(snapshotsListCommand(), snapshotsShowCommand(), snapshotsDiffCommand())
	return cmd
}

func snapshotsListCommand() *cobra.Command {
	var (
		out   cli.Output
		limit int
		basis string
	)
	bases := []statistics.Basis{statistics.Observed, statistics.Reconstructed}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the snapshots, newest first",
		Example: `  starter snapshots list
  starter snapshots list --basis reconstructed -n 440 -o json | jq -r '.[].id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckLimit(limit); err != nil {
				return err
			}
			var of []statistics.Basis
			if cmd.Flags().Changed("basis") {
				if of = []statistics.Basis{statistics.Basis(basis)}; !slices.Contains(bases, of[0]) {
					return cli.Usage(fmt.Errorf("--basis %q: use %s", basis, cli.OneOf(bases)))
				}
			}
			return cli.WithMirror(cmd, func(reader *query.Reader) error {
				all, err := reader.Statistics.Snapshots(cmd.Context(), limit, of...)
				if err != nil {
					return err
				}
				return out.Show(cmd.OutOrStdout(), all, func(w io.Writer) { printSnapshots(w, all, basis) })
			})
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "how many snapshots")
	cmd.Flags().StringVar(&basis, "basis", "", "only those of this `basis`: "+cli.OneOf(bases)+" (default: both)")
	out.Add(cmd)
	return cmd
}

func printSnapshots(w io.Writer, all []statistics.Snapshot, basis string) {
	if len(all) == 0 {
		maker := "`starter run --wait` makes the first"
		if basis == string(statistics.Reconstructed) {
			maker = "`starter backfill` makes them"
		}
		fmt.Fprintln(w, strings.Join(strings.Fields("no "+basis+" snapshots yet; "+maker), " "))
		return
	}
	var rows []table.Row
	for _, s := range all {
		rows = append(rows, table.Row{
			s.ID, s.Basis, s.Outcome, cli.Count(s.Totals.Rows), cli.Count(s.Totals.Open), cli.Count(s.Totals.Closed), s.Run, strings.Join(marks(s), ", "),
		})
	}
	cli.Grid(w, table.Row{"snapshot", "basis", "outcome", "locations", "open", "closed", "run", ""}, rows, 4, 5, 6)
}

// snapshotView is a snapshot with the series that `show` prints.
type snapshotView struct {
	statistics.Snapshot
	Neighborhoods []statistics.Tallied         `json:"neighborhoods"`
	Sectors       []statistics.Tallied         `json:"sectors"`
	Districts     []statistics.TalliedDistrict `json:"districts"`
	Months        []statistics.Month           `json:"months,omitempty"` // of an observed one
}

func snapshotsShowCommand() *cobra.Command {
	var (
		out cli.Output
		top int
	)
	cmd := &cobra.Command{
		Use:   "show SNAPSHOT|latest",
		Short: "Show one snapshot",
		Example: `  starter snapshots show latest
  starter snapshots show 2026-11-23-observed --top 0
  starter snapshots show 2016-01-01-reconstructed
  starter snapshots show latest -o json | jq .neighborhoods`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.CompleteFirst(completeSnapshots),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cli.WithMirror(cmd, func(reader *query.Reader) error {
				view, err := findSnapshot(cmd, reader, args[0])
				if err != nil {
					return err
				}
				return out.Show(cmd.OutOrStdout(), view, func(w io.Writer) { view.print(w, top) })
			})
		},
	}
	cmd.Flags().IntVar(&top, "top", 12, "how many neighborhoods and sectors to print; 0 means all")
	out.Add(cmd)
	return cmd
}

// findSnapshot reads a snapshot, and says what to do when it is not there.
func findSnapshot(cmd *cobra.Command, reader *query.Reader, id string) (snapshotView, error) {
	view, err := readSnapshot(cmd, reader, id)
	switch {
	case errors.Is(err, statistics.ErrNoSnapshot) && id == "latest":
		return view, errors.New("there is no observed snapshot yet; `starter run --wait` makes the first")
	case errors.Is(err, statistics.ErrNoSnapshot):
		return view, fmt.Errorf("there is no snapshot %q; `starter snapshots list` lists them", id)
	case errors.Is(err, statistics.ErrReplaced):
		return view, fmt.Errorf("%w: try again", err)
	default:
		return view, err
	}
}

func readSnapshot(cmd *cobra.Command, reader *query.Reader, id string) (snapshotView, error) {
	var v snapshotView
	var err error
	if v.Snapshot, err = reader.Statistics.Snapshot(cmd.Context(), id); err != nil {
		return v, err
	}
	for name, into := range map[string]any{
		statistics.SeriesNeighborhood: &v.Neighborhoods, statistics.SeriesSector: &v.Sectors,
		statistics.SeriesDistrict: &v.Districts, statistics.SeriesMonths: &v.Months,
	} {
		if v.Has(name) { // a reconstructed one has no months: it is one
			err = errors.Join(err, reader.Statistics.SeriesOf(cmd.Context(), &v.Snapshot, name, into))
		}
	}
	return v, err
}

func (v snapshotView) print(w io.Writer, top int) {
	about := [][2]string{
		{"snapshot", described(v.Snapshot)},
		{"locations", cli.Count(v.Totals.Rows)},
		{"open", cli.Count(v.Totals.Open)},
		{"closed", fmt.Sprintf("%s, of these %s administratively", cli.Count(v.Totals.Closed), cli.Count(v.Totals.AdministrativelyClosed))},
	}
	if u := v.Undated; u != nil {
		about = append(about, [2]string{"not counted", fmt.Sprintf("%s without a start, %s closed nobody knows when", cli.Count(u.NoStart), cli.Count(u.ClosedWithoutDate))})
	}
	if v.Unclear > 0 {
		about = append(about, [2]string{"not counted", cli.Count(v.Unclear) + " neither open nor closed: their end cannot be read"})
	}
	cli.Facts(w, about)
	printTallied(w, "neighborhood", v.Neighborhoods, top)
	printTallied(w, "sector", titled(v.Sectors), top)
}

// titled puts the title of each industry sector behind its code.
func titled(sectors []statistics.Tallied) []statistics.Tallied {
	titles := map[string]string{}
	for _, s := range cleaning.Sectors() {
		titles[s.Code] = s.Code + " " + s.Title
	}
	named := slices.Clone(sectors)
	for i, s := range named {
		named[i].Name = cmp.Or(titles[s.Name], s.Name)
	}
	return named
}

// printTallied prints the values with the most open locations; the rest is
// summed up in one line, so that the columns add up to the totals.
func printTallied(w io.Writer, name string, all []statistics.Tallied, top int) {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b statistics.Tallied) int {
		return cmp.Or(cmp.Compare(b.Open, a.Open), cmp.Compare(a.Name, b.Name))
	})
	var rows []table.Row
	var rest statistics.Totals
	for i, t := range sorted {
		if top > 0 && i >= top {
			rest = rest.Plus(t.Totals)
			continue
		}
		label := t.Name
		if label == "" {
			label = "(unknown)"
		}
		rows = append(rows, table.Row{label, cli.Count(t.Open), cli.Count(t.Closed), cli.Count(t.Rows)})
	}
	if rest.Rows > 0 {
		rows = append(rows, table.Row{fmt.Sprintf("%d others", len(sorted)-top), cli.Count(rest.Open), cli.Count(rest.Closed), cli.Count(rest.Rows)})
	}
	fmt.Fprintln(w)
	cli.Grid(w, table.Row{name, "open", "closed", "locations"}, rows, 2, 3, 4)
}

// completeSnapshots offers the newest snapshots.
func completeSnapshots(cmd *cobra.Command, _ string) []cobra.Completion {
	return cli.FromMirror(cmd, func(ctx context.Context, reader *query.Reader) []cobra.Completion {
		all, err := reader.Statistics.Snapshots(ctx, cli.MostOffered)
		if err != nil || len(all) == 0 {
			return nil
		}
		list := []cobra.Completion{cobra.CompletionWithDesc("latest", all[0].ID)}
		for _, s := range all {
			list = append(list, cobra.CompletionWithDesc(s.ID, fmt.Sprintf("%s, %s locations open", s.Basis, cli.Count(s.Totals.Open))))
		}
		return list
	})
}
