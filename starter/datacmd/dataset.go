package datacmd

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/activities"
	"padron/internal/dataset"
	"padron/starter/cli"
)

func datasetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dataset",
		Short: "Show datasets and check them against their portal",
		Long: `A dataset is one register: a spec, which comes with Padron or is a YAML file of
your own, says where it is published and what becomes of each of its columns.
DATASET is a spec's name, the id or the address of its page on the portal, or a
file; without it, the configured one is meant.`,
		Example: `  starter dataset list
  starter dataset show sf-business
  starter dataset check ./my-city.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(datasetListCommand(), datasetShowCommand(), datasetCheckCommand(),
		datasetDictionaryCommand(), datasetSchemaCommand())
	return cmd
}

func datasetListCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the datasets that come with Padron",
		Example: `  starter dataset list
  starter dataset list -o json | jq -r '.[].name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var specs []*dataset.Spec
			for _, name := range dataset.Names() {
				spec, err := dataset.Open(name)
				if err != nil {
					return err
				}
				specs = append(specs, spec)
			}
			return out.Show(cmd.OutOrStdout(), specs, func(w io.Writer) {
				var rows []table.Row
				for _, s := range specs {
					rows = append(rows, table.Row{s.Name, s.Portal.Host + "/" + s.Portal.ID, s.Title})
				}
				cli.Grid(w, table.Row{"dataset", "portal", "title"}, rows)
			})
		},
	}
	out.Add(cmd)
	return cmd
}

func datasetShowCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "show [DATASET]",
		Short: "Show what becomes of every column of a dataset",
		Example: `  starter dataset show
  starter dataset show ./my-city.yaml`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cli.CompleteDataset,
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := cli.SpecArgument(cmd, args)
			if err != nil {
				return err
			}
			return out.Show(cmd.OutOrStdout(), spec, func(w io.Writer) { printSpec(w, spec) })
		},
	}
	out.Add(cmd)
	return cmd
}

// digestShown is how much of a digest people are shown: enough to tell two apart.
const digestShown = 16

func printSpec(w io.Writer, s *dataset.Spec) {
	about := [][2]string{
		{"dataset", s.Name + ": " + s.Title},
		{"portal", s.Portal.Host + "/" + s.Portal.ID + ", key " + s.Key},
		{"schedule", fmt.Sprintf("%q in %s", s.Schedule.Cron, s.TimeZone)},
		{"late", lateness(s.Schedule)},
		{"history", history(s.History)},
		{"license", s.License + "; " + s.Attribution},
		{"digest", s.Digest()[:digestShown]},
		{"volatile", strings.Join(s.Volatile, ", ") + " (not stored)"},
	}
	for _, b := range s.Breaks {
		about = append(about, [2]string{"break", b.Date + " " + b.Name + ": " + b.Note})
	}
	if b := s.Boundaries; b.ID != "" {
		about = append(about, [2]string{"boundaries", fmt.Sprintf("%s/%s, %s by %s; %s; %s", s.Portal.Host, b.ID, b.Title, b.Name, b.License, b.Attribution)})
	}
	for _, column := range slices.Sorted(maps.Keys(s.Ignored)) {
		about = append(about, [2]string{"ignored", column + ": " + s.Ignored[column]})
	}
	cli.Facts(w, about)
	fmt.Fprintln(w)
	var rows []table.Row
	for _, f := range s.Fields {
		var marks []string
		if f.Required {
			marks = append(marks, "required")
		}
		if f.Sensitive {
			marks = append(marks, "sensitive")
		}
		if f.Drop {
			marks = append(marks, "dropped")
		}
		if slices.Contains(s.Untracked, f.Path) {
			marks = append(marks, "untracked")
		}
		if slices.Contains(s.Events.Moved, f.Path) {
			marks = append(marks, "moved")
		}
		if slices.Contains(s.Events.Renamed, f.Path) {
			marks = append(marks, "renamed")
		}
		from := strings.Join(f.From, ", else ")
		if f.Copy != "" {
			from = "copy of " + f.Copy
		}
		rows = append(rows, table.Row{f.Path, f.Type, from, strings.Join(marks, ", ")})
	}
	cli.Grid(w, table.Row{"field", "type", "column", ""}, rows)
}

// checkView is what `dataset check` found.
type checkView struct {
	Portal   string        `json:"portal"`
	Rows     int64         `json:"rows"`
	Columns  int           `json:"columns"`
	Proof    cli.Proof     `json:"proof"` // what can show that a crawl is of one version
	Check    dataset.Check `json:"check"`
	Warnings []string      `json:"warnings"`
}

// checkRows are the differences between portal and spec, those that stop a run first.
func checkRows(c dataset.Check) []table.Row {
	var stops, goes []table.Row
	for _, m := range c.MissingRequired {
		stops = append(stops, table.Row{m.String(), missing(m), m.Path, "stops: required"})
	}
	for _, r := range c.Retyped {
		is := r.Type + ", expected " + cli.OneOf(r.Expected)
		if r.Required {
			stops = append(stops, table.Row{r.Column, is, r.Path, "stops: required"})
		} else {
			goes = append(goes, table.Row{r.Column, is, r.Path, "keeps what it can read"})
		}
	}
	for _, m := range c.MissingOptional {
		goes = append(goes, table.Row{m.String(), missing(m), m.Path, "leaves the field empty"})
	}
	mapped := slices.Concat(c.MissingRequired, c.MissingOptional)
	for _, column := range c.ListedOnly {
		if !slices.ContainsFunc(mapped, func(m dataset.Missing) bool { return slices.Contains(m.Columns, column) }) {
			goes = append(goes, table.Row{column, "listed, not there", "", "leaves it out"})
		}
	}
	for _, n := range c.New {
		goes = append(goes, table.Row{n.Name, "new, " + n.Type, "", "counts it, does not store it"})
	}
	return append(stops, goes...)
}

// missing says how a field's columns are not there.
func missing(m dataset.Missing) string {
	if m.ListedOnly {
		return "listed, not there"
	}
	return "gone"
}

func datasetCheckCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "check [DATASET]",
		Short: "Hold the portal's columns against the spec; writes nothing",
		Long: `Asks the portal for its columns and lists those that are not as the spec expects,
with what a run would make of it. Fails if a run would stop.`,
		Example: `  starter dataset check
  starter dataset check https://data.sf.gov/d/g8m3-pdis
  starter dataset check ./my-city.yaml -o json | jq .warnings`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cli.CompleteDataset,
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := cli.SpecArgument(cmd, args)
			if err != nil {
				return err
			}
			c, err := cli.Settings(cmd)
			if err != nil {
				return err
			}
			portal, err := cli.OpenPortal(c, spec)
			if err != nil {
				return err
			}
			live, _, err := cli.Metadata(cmd.Context(), portal)
			if err != nil {
				return err
			}
			proof, rows, err := cli.ReadProof(cmd.Context(), portal, live.RowsUpdatedAt)
			if err != nil {
				return err
			}
			base, err := portal.CanonicalURL(cmd.Context())
			if err != nil {
				return err
			}
			columns, err := activities.Columns(cmd.Context(), portal, spec, live)
			if err != nil {
				return err
			}
			check := spec.Check(columns)
			v := checkView{Portal: base + "/d/" + spec.Portal.ID, Rows: rows, Columns: len(live.Columns), Proof: proof, Check: check, Warnings: check.Warnings()}
			err = out.Show(cmd.OutOrStdout(), v, func(w io.Writer) {
				cli.Facts(w, [][2]string{
					{"portal", fmt.Sprintf("%s: %s, %s rows, %d columns", v.Portal, live.Name, cli.Count(v.Rows), v.Columns)},
					{"proof", proof.Detail},
					{"published", cli.Moment(proof.Published)},
					{"dropped", strings.Join(check.Dropped, ", ")},
				})
				if differences := checkRows(check); len(differences) > 0 {
					fmt.Fprintln(w)
					cli.Grid(w, table.Row{"column", "is", "field", "a run"}, differences)
					fmt.Fprintln(w)
				}
				if check.Err() == nil {
					fmt.Fprintln(w, "the spec fits")
				}
			})
			if err != nil {
				return err
			}
			return check.Err()
		},
	}
	out.Add(cmd)
	return cmd
}

// lateness says what a spec calls late.
// history is what the first green run reconstructs; empty: nothing.
func history(h dataset.History) string {
	if h.Since == "" {
		return ""
	}
	return "counts since " + h.Since + " by " + h.Every + ", reconstructed after the first green run"
}

func lateness(s dataset.Schedule) string {
	late := "a mirror whose last proof is older than " + s.Freshness.String()
	if s.Deadline > 0 {
		late += ", a run that takes longer than " + s.Deadline.String()
	}
	return late
}
