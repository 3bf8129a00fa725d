package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/internal/cleaning"
	"padron/internal/mirror"
)

func snapshotsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshots",
		Short: "Show the statistics kept of each day",
		Long: `A snapshot is what one day's mirror counted: locations, open and closed, by
neighborhood, sector, district and month. It is of the day that the portal's data
are of; one that is there is never made again.`,
		Example: `  starter snapshots list
  starter snapshots show latest`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(snapshotsListCommand(), snapshotsShowCommand())
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
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the snapshots, newest first",
		Example: `  starter snapshots list
  starter snapshots list -n 400 -o json | jq -r '.[].id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			return withMirror(cmd, func(m *mirror.Mirror) error {
				all, err := m.Snapshots(cmd.Context(), limit)
				if err != nil {
					return err
				}
				return out.show(cmd.OutOrStdout(), all, func(w io.Writer) { printSnapshots(w, all) })
			})
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "how many snapshots")
	out.add(cmd)
	return cmd
}

func printSnapshots(w io.Writer, all []mirror.Snapshot) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no snapshots yet; `starter run --wait` makes the first")
		return
	}
	var rows []table.Row
	for _, s := range all {
		rows = append(rows, table.Row{
			s.ID, s.Basis, s.Outcome, count(s.Totals.Rows), count(s.Totals.Open), count(s.Totals.Closed), s.Run,
		})
	}
	grid(w, table.Row{"snapshot", "basis", "outcome", "locations", "open", "closed", "run"}, rows, 4, 5, 6)
}

// snapshotView is a snapshot with the series that `show` prints.
type snapshotView struct {
	mirror.Snapshot
	Neighborhoods []mirror.Tallied         `json:"neighborhoods"`
	Sectors       []mirror.Tallied         `json:"sectors"`
	Districts     []mirror.TalliedDistrict `json:"districts"`
	Months        []mirror.Month           `json:"months"`
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
  starter snapshots show latest -o json | jq .neighborhoods`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(completeSnapshots),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withMirror(cmd, func(m *mirror.Mirror) error {
				view, err := readSnapshot(cmd, m, args[0])
				if errors.Is(err, mirror.ErrNoSnapshot) && args[0] == "latest" {
					return errors.New("there is no snapshot yet; `starter run --wait` makes the first")
				}
				if errors.Is(err, mirror.ErrNoSnapshot) {
					return fmt.Errorf("there is no snapshot %q; `starter snapshots list` lists them", args[0])
				}
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

func readSnapshot(cmd *cobra.Command, m *mirror.Mirror, id string) (snapshotView, error) {
	var v snapshotView
	var err error
	if v.Snapshot, err = m.Snapshot(cmd.Context(), id); err != nil {
		return v, err
	}
	return v, errors.Join(
		m.Series(cmd.Context(), v.ID, mirror.SeriesNeighborhood, &v.Neighborhoods),
		m.Series(cmd.Context(), v.ID, mirror.SeriesSector, &v.Sectors),
		m.Series(cmd.Context(), v.ID, mirror.SeriesDistrict, &v.Districts),
		m.Series(cmd.Context(), v.ID, mirror.SeriesMonths, &v.Months),
	)
}

func (v snapshotView) print(w io.Writer, top int) {
	facts(w, [][2]string{
		{"snapshot", fmt.Sprintf("%s, as of %s (%s, %s)", v.ID, v.AsOf.Format("2006-01-02"), v.Basis, v.Outcome)},
		{"locations", count(v.Totals.Rows)},
		{"open", count(v.Totals.Open)},
		{"closed", fmt.Sprintf("%s, of these %s administratively", count(v.Totals.Closed), count(v.Totals.AdministrativelyClosed))},
	})
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
