package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/internal/cleaning"
	"padron/internal/mirror"
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

// withMirror opens the configured dataset's mirror for a reading command.
func withMirror(cmd *cobra.Command, read func(m *mirror.Mirror) error) error {
	c, err := settings(cmd)
	if err != nil {
		return err
	}
	spec, err := openSpec(c)
	if err != nil {
		return err
	}
	m, disconnect, err := openMirror(cmd.Context(), c, spec, mirror.ReadOnly())
	if errors.Is(err, mirror.ErrNoMirror) {
		return fmt.Errorf("there is no mirror of %s yet (database %s_%s): `starter run --wait` makes it", spec.Name, c.MongoDatabase, spec.Name)
	}
	if err != nil {
		return err
	}
	defer disconnect()
	return read(m)
}

func snapshotsListCommand() *cobra.Command {
	var (
		out   output
		limit int
		basis string
	)
	bases := []mirror.Basis{mirror.Observed, mirror.Reconstructed}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the snapshots, newest first",
		Example: `  starter snapshots list
  starter snapshots list --basis reconstructed -n 440 -o json | jq -r '.[].id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			var of []mirror.Basis
			if cmd.Flags().Changed("basis") {
				if of = []mirror.Basis{mirror.Basis(basis)}; !slices.Contains(bases, of[0]) {
					return usage(fmt.Errorf("--basis %q: use %s", basis, oneOf(bases)))
				}
			}
			return withMirror(cmd, func(m *mirror.Mirror) error {
				all, err := m.Snapshots(cmd.Context(), limit, of...)
				if err != nil {
					return err
				}
				return out.show(cmd.OutOrStdout(), all, func(w io.Writer) { printSnapshots(w, all, basis) })
			})
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "how many snapshots")
	cmd.Flags().StringVar(&basis, "basis", "", "only those of this `basis`: "+oneOf(bases)+" (default: both)")
	out.add(cmd)
	return cmd
}

func printSnapshots(w io.Writer, all []mirror.Snapshot, basis string) {
	if len(all) == 0 {
		maker := "`starter run --wait` makes the first"
		if basis == string(mirror.Reconstructed) {
			maker = "`starter backfill` makes them"
		}
		fmt.Fprintln(w, strings.Join(strings.Fields("no "+basis+" snapshots yet; "+maker), " "))
		return
	}
	var rows []table.Row
	for _, s := range all {
		rows = append(rows, table.Row{
			s.ID, s.Basis, s.Outcome, count(s.Totals.Rows), count(s.Totals.Open), count(s.Totals.Closed), s.Run, strings.Join(marks(s), ", "),
		})
	}
	grid(w, table.Row{"snapshot", "basis", "outcome", "locations", "open", "closed", "run", ""}, rows, 4, 5, 6)
}

// snapshotView is a snapshot with the series that `show` prints.
type snapshotView struct {
	mirror.Snapshot
	Neighborhoods []mirror.Tallied         `json:"neighborhoods"`
	Sectors       []mirror.Tallied         `json:"sectors"`
	Districts     []mirror.TalliedDistrict `json:"districts"`
	Months        []mirror.Month           `json:"months,omitempty"` // of an observed one
}

func snapshotsShowCommand() *cobra.Command {
	var (
		out output
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
		ValidArgsFunction: completeFirst(completeSnapshots),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withMirror(cmd, func(m *mirror.Mirror) error {
				view, err := findSnapshot(cmd, m, args[0])
				if err != nil {
					return err
				}
				return out.show(cmd.OutOrStdout(), view, func(w io.Writer) { view.print(w, top) })
			})
		},
	}
	cmd.Flags().IntVar(&top, "top", 12, "how many neighborhoods and sectors to print; 0 means all")
	out.add(cmd)
	return cmd
}

// findSnapshot reads a snapshot, and says what to do when it is not there.
func findSnapshot(cmd *cobra.Command, m *mirror.Mirror, id string) (snapshotView, error) {
	view, err := readSnapshot(cmd, m, id)
	switch {
	case errors.Is(err, mirror.ErrNoSnapshot) && id == "latest":
		return view, errors.New("there is no observed snapshot yet; `starter run --wait` makes the first")
	case errors.Is(err, mirror.ErrNoSnapshot):
		return view, fmt.Errorf("there is no snapshot %q; `starter snapshots list` lists them", id)
	case errors.Is(err, mirror.ErrReplaced):
		return view, fmt.Errorf("%w: try again", err)
	default:
		return view, err
	}
}

func readSnapshot(cmd *cobra.Command, m *mirror.Mirror, id string) (snapshotView, error) {
	var v snapshotView
	var err error
	if v.Snapshot, err = m.Snapshot(cmd.Context(), id); err != nil {
		return v, err
	}
	for name, into := range map[string]any{
		mirror.SeriesNeighborhood: &v.Neighborhoods, mirror.SeriesSector: &v.Sectors,
		mirror.SeriesDistrict: &v.Districts, mirror.SeriesMonths: &v.Months,
	} {
		if v.Has(name) { // a reconstructed one has no months: it is one
			err = errors.Join(err, m.SeriesOf(cmd.Context(), &v.Snapshot, name, into))
		}
	}
	return v, err
}

func (v snapshotView) print(w io.Writer, top int) {
	about := [][2]string{
		{"snapshot", described(v.Snapshot)},
		{"locations", count(v.Totals.Rows)},
		{"open", count(v.Totals.Open)},
		{"closed", fmt.Sprintf("%s, of these %s administratively", count(v.Totals.Closed), count(v.Totals.AdministrativelyClosed))},
	}
	if u := v.Undated; u != nil {
		about = append(about, [2]string{"not counted", fmt.Sprintf("%s without a start, %s closed nobody knows when", count(u.NoStart), count(u.ClosedWithoutDate))})
	}
	facts(w, about)
	printTallied(w, "neighborhood", v.Neighborhoods, top)
	printTallied(w, "sector", titled(v.Sectors), top)
}

// titled puts the title of each industry sector behind its code.
func titled(sectors []mirror.Tallied) []mirror.Tallied {
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
func printTallied(w io.Writer, name string, all []mirror.Tallied, top int) {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b mirror.Tallied) int {
		return cmp.Or(cmp.Compare(b.Open, a.Open), cmp.Compare(a.Name, b.Name))
	})
	var rows []table.Row
	var rest mirror.Totals
	for i, t := range sorted {
		if top > 0 && i >= top {
			rest.Rows, rest.Open, rest.Closed = rest.Rows+t.Rows, rest.Open+t.Open, rest.Closed+t.Closed
			continue
		}
		label := t.Name
		if label == "" {
			label = "(unknown)"
		}
		rows = append(rows, table.Row{label, count(t.Open), count(t.Closed), count(t.Rows)})
	}
	if rest.Rows > 0 {
		rows = append(rows, table.Row{fmt.Sprintf("%d others", len(sorted)-top), count(rest.Open), count(rest.Closed), count(rest.Rows)})
	}
	fmt.Fprintln(w)
	grid(w, table.Row{name, "open", "closed", "locations"}, rows, 2, 3, 4)
}
