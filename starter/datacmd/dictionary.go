package datacmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/internal/dataset"
	"padron/starter/cli"
)

func datasetDictionaryCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "dictionary [DATASET]",
		Short: "Describe every field of the documents in the mirror",
		Long: `Describes every path that documents in the collections businesses and removed have:
its type, the columns of the portal it comes from, and what it means. A field is
absent where the source has no value, unless it says always.`,
		Example: `  starter dataset dictionary
  starter dataset dictionary -o markdown > dictionary.md
  starter dataset dictionary -o json | jq -r '.[] | select(.sensitive).path'`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cli.CompleteDataset,
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := cli.SpecArgument(cmd, args)
			if err != nil {
				return err
			}
			entries := spec.Dictionary()
			if out.Format == "markdown" {
				printDictionary(cmd.OutOrStdout(), spec, entries)
				return nil
			}
			return out.Show(cmd.OutOrStdout(), entries, func(w io.Writer) {
				var rows []table.Row
				for _, e := range entries {
					rows = append(rows, table.Row{e.Path, e.Kind, strings.Join(e.Columns, ", else "), strings.Join(entryMarks(e), ", "), e.Meaning})
				}
				cli.Grid(w, table.Row{"field", "type", "column", "", "meaning"}, rows)
			})
		},
	}
	out.AddFormats(cmd, "table", "json", "markdown")
	return cmd
}

func entryMarks(e dataset.Entry) []string {
	var marks []string
	if e.Always {
		marks = append(marks, "always")
	}
	if e.Sensitive {
		marks = append(marks, "sensitive")
	}
	return marks
}

func printDictionary(w io.Writer, spec *dataset.Spec, entries []dataset.Entry) {
	fmt.Fprintf(w, "# %s\n\nDocuments of the collections `businesses` and `removed`. %s. License: %s.\n\n", spec.Title, spec.Attribution, spec.License)
	fmt.Fprintln(w, "| Field | Type | Column of the portal | | Meaning |\n|---|---|---|---|---|")
	for _, e := range entries {
		var columns []string
		for _, c := range e.Columns {
			columns = append(columns, "`"+c+"`")
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s | %s |\n", e.Path, e.Kind, strings.Join(columns, ", else "),
			strings.Join(entryMarks(e), ", "), strings.NewReplacer("|", `\|`, "*", `\*`).Replace(e.Meaning))
	}
}

func datasetSchemaCommand() *cobra.Command {
	var (
		out     cli.Output
		dialect string
	)
	cmd := &cobra.Command{
		Use:   "schema [DATASET]",
		Short: "Print the JSON Schema of the documents in the mirror",
		Long: `Prints the schema of documents in the collections businesses and removed: as
` + "`starter export -o ndjson`" + ` writes them (--dialect json, draft 2020-12), or as they are
stored, for MongoDB's $jsonSchema (--dialect mongodb).`,
		Example: `  starter dataset schema > business.schema.json
  starter dataset schema --dialect mongodb`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cli.CompleteDataset,
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := cli.SpecArgument(cmd, args)
			if err != nil {
				return err
			}
			var schema map[string]any
			switch dialect {
			case "json":
				schema = spec.JSONSchema()
			case "mongodb":
				schema = spec.MongoSchema()
			default:
				return cli.Usage(errors.New("--dialect " + dialect + ": use json or mongodb"))
			}
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			return e.Encode(schema)
		},
	}
	cmd.Flags().StringVar(&dialect, "dialect", "json", "of exports or of MongoDB: json or mongodb")
	cli.CompleteFlag(cmd, "dialect", cli.CompleteWords("json", "mongodb"))
	out.AddFormats(cmd, "json")
	return cmd
}
