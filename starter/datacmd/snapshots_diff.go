package datacmd

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/internal/query"
	"padron/internal/statistics"
	"padron/starter/cli"
)

// snapshotsDiff is what `snapshots diff` prints: what became of every count from
// one snapshot to another.
type snapshotsDiff struct {
	From          statistics.Snapshot        `json:"from"`
	To            statistics.Snapshot        `json:"to"`
	Caution       string                     `json:"caution,omitempty"` // why the two may not be comparable
	Totals        statistics.Comparison      `json:"totals"`
	Neighborhoods []statistics.ComparedValue `json:"neighborhoods"`
	Sectors       []statistics.ComparedValue `json:"sectors"`
	Districts     []statistics.ComparedValue `json:"districts"` // by number; an empty name is unknown
}

func snapshotsDiffCommand() *cobra.Command {
	var (
		out cli.Output
		top int
	)
	cmd := &cobra.Command{
		Use:   "diff FROM TO",
		Short: "Show what became of the counts from one snapshot to another",
		Long: `Holds two snapshots against each other: totals, and each neighborhood, sector and
district. FROM and TO are ids as ` + "`starter snapshots list`" + ` prints them, or latest; a
difference is what TO has more than FROM.

Any two can be compared. Where that may mislead, one line says why: when one was
observed and the other reconstructed, when one is provisional, or when one is of a
time of which the register knows survivors only.`,
		Example: `  starter snapshots diff 2026-11-01-observed latest
  starter snapshots diff 2016-01-01-reconstructed 2026-01-01-reconstructed --top 0
  starter snapshots diff 2016-01-01-reconstructed latest -o json | jq .totals.difference`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cli.WithMirror(cmd, func(reader *query.Reader) error {
				var views [2]snapshotView
				for i, id := range args {
					var err error
					if views[i], err = findSnapshot(cmd, reader, id); err != nil {
						return err
					}
				}
				d := newSnapshotsDiff(views[0], views[1])
				return out.Show(cmd.OutOrStdout(), d, func(w io.Writer) { d.print(w, top) })
			})
		},
	}
	cmd.Flags().IntVar(&top, "top", 12, "how many neighborhoods and sectors to print, those that differ most; 0 means all")
	out.Add(cmd)
	return cmd
}

func newSnapshotsDiff(from, to snapshotView) snapshotsDiff {
	return snapshotsDiff{
		From: from.Snapshot, To: to.Snapshot,
		Caution:       statistics.Caution(from.Snapshot, to.Snapshot),
		Totals:        statistics.Compare(from.Totals, to.Totals),
		Neighborhoods: statistics.CompareValues(from.Neighborhoods, to.Neighborhoods),
		Sectors:       statistics.CompareValues(from.Sectors, to.Sectors),
		Districts:     statistics.CompareValues(statistics.DistrictsByName(from.Districts), statistics.DistrictsByName(to.Districts)),
	}
}

func (d snapshotsDiff) print(w io.Writer, top int) {
	cli.Facts(w, [][2]string{{"from", described(d.From)}, {"to", described(d.To)}, {"caution", d.Caution}})
	fmt.Fprintln(w)
	var rows []table.Row
	for _, r := range []struct {
		name string
		of   func(statistics.Totals) int64
	}{
		{"locations", func(t statistics.Totals) int64 { return t.Rows }},
		{"open", func(t statistics.Totals) int64 { return t.Open }},
		{"closed", func(t statistics.Totals) int64 { return t.Closed }},
		{"of these administratively", func(t statistics.Totals) int64 { return t.AdministrativelyClosed }},
	} {
		rows = append(rows, table.Row{r.name, cli.Count(r.of(d.Totals.From)), cli.Count(r.of(d.Totals.To)), signed(r.of(d.Totals.Difference))})
	}
	cli.Grid(w, table.Row{"totals", "from", "to", "difference"}, rows, 2, 3, 4)
	printDiffs(w, "neighborhood", d.Neighborhoods, top)
	printDiffs(w, "sector", titledDiffs(d.Sectors), top)
	printDiffs(w, "district", d.Districts, 0)
}

// titledDiffs puts the title of each industry sector behind its code.
func titledDiffs(sectors []statistics.ComparedValue) []statistics.ComparedValue {
	names := make([]statistics.Tallied, len(sectors))
	for i, s := range sectors {
		names[i].Name = s.Name
	}
	diffs := slices.Clone(sectors)
	for i, t := range titled(names) {
		diffs[i].Name = t.Name
	}
	return diffs
}

// printDiffs prints the values whose open locations differ most, or all of them
// in their order (top 0); the rest is summed up in one line, so that the columns
// add up to the totals.
func printDiffs(w io.Writer, name string, all []statistics.ComparedValue, top int) {
	shown := slices.Clone(all)
	if top > 0 {
		slices.SortStableFunc(shown, func(a, b statistics.ComparedValue) int {
			return cmp.Or(cmp.Compare(max(b.Difference.Open, -b.Difference.Open), max(a.Difference.Open, -a.Difference.Open)), cmp.Compare(b.To.Open, a.To.Open))
		})
	}
	line := func(label string, d statistics.Comparison) table.Row {
		return table.Row{
			label, cli.Count(d.From.Open), cli.Count(d.To.Open), signed(d.Difference.Open),
			cli.Count(d.From.Closed), cli.Count(d.To.Closed), signed(d.Difference.Closed),
		}
	}
	var rows []table.Row
	var from, to statistics.Totals
	for i, v := range shown {
		if top > 0 && i >= top {
			from, to = from.Plus(v.From), to.Plus(v.To)
			continue
		}
		rows = append(rows, line(cmp.Or(v.Name, "(unknown)"), v.Comparison))
	}
	if rest := len(shown) - top; top > 0 && rest > 0 {
		rows = append(rows, line(fmt.Sprintf("%d others", rest), statistics.Compare(from, to)))
	}
	fmt.Fprintln(w)
	cli.Grid(w, table.Row{name, "open from", "to", "difference", "closed from", "to", "difference"}, rows, 2, 3, 4, 5, 6, 7)
}

// signed is a difference as people write it.
func signed(n int64) string {
	if n > 0 {
		return "+" + cli.Count(n)
	}
	return cli.Count(n)
}

// described is a snapshot in one line.
func described(s statistics.Snapshot) string {
	words := []string{string(s.Basis)}
	if s.Outcome != "" {
		words = append(words, string(s.Outcome))
	}
	return fmt.Sprintf("%s, as of %s (%s)", s.ID, s.AsOf.UTC().Format("2006-01-02"), strings.Join(append(words, marks(s)...), ", "))
}

// marks are what is to be known of a reconstructed snapshot.
func marks(s statistics.Snapshot) (marks []string) {
	if s.Provisional {
		marks = append(marks, "provisional")
	}
	if s.SurvivorsOnly {
		marks = append(marks, "survivors only")
	}
	return marks
}
