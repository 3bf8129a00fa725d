package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/internal/mirror"
)

// snapshotsDiff is what `snapshots diff` prints: what became of every count from
// one snapshot to another.
type snapshotsDiff struct {
	From          mirror.Snapshot `json:"from"`
	To            mirror.Snapshot `json:"to"`
	Caution       string          `json:"caution,omitempty"` // why the two may not be comparable
	Totals        totalsDiff      `json:"totals"`
	Neighborhoods []valueDiff     `json:"neighborhoods"`
	Sectors       []valueDiff     `json:"sectors"`
	Districts     []valueDiff     `json:"districts"` // by number; an empty name is unknown
}

// totalsDiff is a count of both snapshots; the difference is to minus from.
type totalsDiff struct {
	From       mirror.Totals `json:"from"`
	To         mirror.Totals `json:"to"`
	Difference mirror.Totals `json:"difference"`
}

// valueDiff is a value of a dimension; an empty name stands for unknown.
type valueDiff struct {
	Name string `json:"name"`
	totalsDiff
}

func newTotalsDiff(from, to mirror.Totals) totalsDiff {
	return totalsDiff{From: from, To: to, Difference: mirror.Totals{
		Rows: to.Rows - from.Rows, Open: to.Open - from.Open, Closed: to.Closed - from.Closed,
		AdministrativelyClosed: to.AdministrativelyClosed - from.AdministrativelyClosed,
	}}
}

func snapshotsDiffCommand() *cobra.Command {
	var (
		out output
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
			return withMirror(cmd, func(m *mirror.Mirror) error {
				var views [2]snapshotView
				for i, id := range args {
					var err error
					if views[i], err = findSnapshot(cmd, m, id); err != nil {
						return err
					}
				}
				d := newSnapshotsDiff(views[0], views[1])
				return out.show(cmd.OutOrStdout(), d, func(w io.Writer) { d.print(w, top) })
			})
		},
	}
	cmd.Flags().IntVar(&top, "top", 12, "how many neighborhoods and sectors to print, those that differ most; 0 means all")
	out.add(cmd)
	return cmd
}

func newSnapshotsDiff(from, to snapshotView) snapshotsDiff {
	return snapshotsDiff{
		From: from.Snapshot, To: to.Snapshot,
		Caution:       caution(from.Snapshot, to.Snapshot),
		Totals:        newTotalsDiff(from.Totals, to.Totals),
		Neighborhoods: diffValues(from.Neighborhoods, to.Neighborhoods),
		Sectors:       diffValues(from.Sectors, to.Sectors),
		Districts:     diffValues(districtNames(from.Districts), districtNames(to.Districts)),
	}
}

// caution says in one line why two snapshots may not be comparable; empty when
// nothing is known to be in the way.
func caution(from, to mirror.Snapshot) string {
	var why []string
	if from.Basis != to.Basis {
		why = append(why, fmt.Sprintf("%s is %s and %s is %s, so part of the difference is one of method", from.ID, from.Basis, to.ID, to.Basis))
	}
	for _, s := range []mirror.Snapshot{from, to} {
		if s.Provisional {
			why = append(why, s.ID+" is provisional: starts are still to come in")
		}
		if s.SurvivorsOnly {
			why = append(why, s.ID+" counts survivors only: what closed before the register was begun anew is not in it")
		}
		if from.ID == to.ID {
			break
		}
	}
	return strings.Join(why, "; ")
}

// diffValues pairs the values of a dimension by name. A value that one of them
// lacks has no rows there.
func diffValues(from, to []mirror.Tallied) []valueDiff {
	all := map[string][2]mirror.Totals{}
	for i, side := range [][]mirror.Tallied{from, to} {
		for _, t := range side {
			pair := all[t.Name]
			pair[i] = t.Totals
			all[t.Name] = pair
		}
	}
	diffs := make([]valueDiff, 0, len(all))
	for name, pair := range all {
		diffs = append(diffs, valueDiff{Name: name, totalsDiff: newTotalsDiff(pair[0], pair[1])})
	}
	slices.SortFunc(diffs, func(a, b valueDiff) int { return compareNames(a.Name, b.Name) })
	return diffs
}

// compareNames orders names by text, and numbers by their value.
func compareNames(a, b string) int {
	m, errA := strconv.Atoi(a)
	n, errB := strconv.Atoi(b)
	if errA == nil && errB == nil {
		return cmp.Compare(m, n)
	}
	return cmp.Compare(a, b)
}

// districtNames are the districts by name, as the other dimensions are.
func districtNames(districts []mirror.TalliedDistrict) []mirror.Tallied {
	named := make([]mirror.Tallied, len(districts))
	for i, d := range districts {
		if named[i].Totals = d.Totals; d.District != 0 {
			named[i].Name = strconv.FormatInt(d.District, 10)
		}
	}
	return named
}

func (d snapshotsDiff) print(w io.Writer, top int) {
	facts(w, [][2]string{{"from", described(d.From)}, {"to", described(d.To)}, {"caution", d.Caution}})
	fmt.Fprintln(w)
	var rows []table.Row
	for _, r := range []struct {
		name string
		of   func(mirror.Totals) int64
	}{
		{"locations", func(t mirror.Totals) int64 { return t.Rows }},
		{"open", func(t mirror.Totals) int64 { return t.Open }},
		{"closed", func(t mirror.Totals) int64 { return t.Closed }},
		{"of these administratively", func(t mirror.Totals) int64 { return t.AdministrativelyClosed }},
	} {
		rows = append(rows, table.Row{r.name, count(r.of(d.Totals.From)), count(r.of(d.Totals.To)), signed(r.of(d.Totals.Difference))})
	}
	grid(w, table.Row{"totals", "from", "to", "difference"}, rows, 2, 3, 4)
	printDiffs(w, "neighborhood", d.Neighborhoods, top)
	printDiffs(w, "sector", titledDiffs(d.Sectors), top)
	printDiffs(w, "district", d.Districts, 0)
}

// titledDiffs puts the title of each industry sector behind its code.
func titledDiffs(sectors []valueDiff) []valueDiff {
	names := make([]mirror.Tallied, len(sectors))
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
func printDiffs(w io.Writer, name string, all []valueDiff, top int) {
	shown := slices.Clone(all)
	if top > 0 {
		slices.SortStableFunc(shown, func(a, b valueDiff) int {
			return cmp.Or(cmp.Compare(max(b.Difference.Open, -b.Difference.Open), max(a.Difference.Open, -a.Difference.Open)), cmp.Compare(b.To.Open, a.To.Open))
		})
	}
	line := func(label string, d totalsDiff) table.Row {
		return table.Row{
			label, count(d.From.Open), count(d.To.Open), signed(d.Difference.Open),
			count(d.From.Closed), count(d.To.Closed), signed(d.Difference.Closed),
		}
	}
	var rows []table.Row
	var from, to mirror.Totals
	for i, v := range shown {
		if top > 0 && i >= top {
			from, to = addTotals(from, v.From), addTotals(to, v.To)
			continue
		}
		rows = append(rows, line(cmp.Or(v.Name, "(unknown)"), v.totalsDiff))
	}
	if rest := len(shown) - top; top > 0 && rest > 0 {
		rows = append(rows, line(fmt.Sprintf("%d others", rest), newTotalsDiff(from, to)))
	}
	fmt.Fprintln(w)
	grid(w, table.Row{name, "open from", "to", "difference", "closed from", "to", "difference"}, rows, 2, 3, 4, 5, 6, 7)
}

func addTotals(a, b mirror.Totals) mirror.Totals {
	return mirror.Totals{
		Rows: a.Rows + b.Rows, Open: a.Open + b.Open, Closed: a.Closed + b.Closed,
		AdministrativelyClosed: a.AdministrativelyClosed + b.AdministrativelyClosed,
	}
}

// signed is a difference as people write it.
func signed(n int64) string {
	if n > 0 {
		return "+" + count(n)
	}
	return count(n)
}

// described is a snapshot in one line.
func described(s mirror.Snapshot) string {
	words := []string{string(s.Basis)}
	if s.Outcome != "" {
		words = append(words, string(s.Outcome))
	}
	return fmt.Sprintf("%s, as of %s (%s)", s.ID, s.AsOf.UTC().Format("2006-01-02"), strings.Join(append(words, marks(s)...), ", "))
}

// marks are what is to be known of a reconstructed snapshot.
func marks(s mirror.Snapshot) (marks []string) {
	if s.Provisional {
		marks = append(marks, "provisional")
	}
	if s.SurvivorsOnly {
		marks = append(marks, "survivors only")
	}
	return marks
}
