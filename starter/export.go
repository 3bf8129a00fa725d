package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
	"padron/internal/export"
	"padron/internal/mirror"
)

// exportQuery is what `export` was asked for.
type exportQuery struct {
	collection string
	fields     []string
	sensitive  bool
	file       string
	out        output
}

func exportCommand() *cobra.Command {
	var q exportQuery
	collections := []string{mirror.Businesses, mirror.Removed, mirror.Changes}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the mirror's rows as CSV, JSON or Parquet",
		Long: `Writes all rows of a collection: businesses (exactly the portal's rows, by key),
removed (the last document of rows that the portal no longer has) or changes (what
happened to rows, oldest run first). Rows are written as they are read; memory use
does not grow with them.

Columns of csv and parquet are the paths of ` + "`starter dataset dictionary`" + `, a point's
as two; json and ndjson are whole documents, as ` + "`starter dataset schema`" + ` says, or with
--fields flat ones. Days are 2006-01-02, moments RFC 3339 in UTC. In csv, text that a
spreadsheet would run as a formula has an apostrophe in front.

Values that may concern a private person are left out unless --sensitive is given:
treat such output accordingly.`,
		Example: `  starter export > businesses.csv
  starter export -o parquet --file businesses.parquet
  starter export --fields _id,dba_name,facets.neighborhood,facets.open
  starter export -o ndjson | jq -r 'select(.facets.open).dba_name'
  starter export --collection changes -o ndjson --file changes.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd, collections) },
	}
	cmd.Flags().StringVar(&q.collection, "collection", mirror.Businesses, "what to export: "+oneOf(collections))
	cmd.Flags().StringSliceVar(&q.fields, "fields", nil, "only these `columns`, separated by commas, in this order")
	cmd.Flags().BoolVar(&q.sensitive, "sensitive", false, "export values that may concern a private person too")
	cmd.Flags().StringVar(&q.file, "file", "", "write to this `file`, which is there only once it is complete (default: standard output)")
	q.out.addFormats(cmd, "csv", "json", "ndjson", "parquet")
	completeFlag(cmd, "collection", completeWords(collections...))
	completeFlag(cmd, "fields", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		spec, err := specArgument(cmd, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return paths(export.Columns(spec, q.sensitive)), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func paths(columns []export.Column) []string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c.Path
	}
	return all
}

func (q *exportQuery) run(cmd *cobra.Command, collections []string) error {
	if !slices.Contains(collections, q.collection) {
		return usage(fmt.Errorf("--collection %q: use %s", q.collection, oneOf(collections)))
	}
	spec, err := specArgument(cmd, nil)
	if err != nil {
		return err
	}
	columns, err := q.columns(spec)
	if err != nil {
		return usage(err)
	}
	if q.file == "" && q.out.format == string(export.Parquet) && isTerminal(cmd.OutOrStdout()) {
		return usage(errors.New("parquet is not for a terminal: give --file FILE, or redirect it"))
	}
	return withMirror(cmd, func(m *mirror.Mirror) error {
		rows, err := q.write(cmd, func(w io.Writer) (int64, error) {
			buffered := bufio.NewWriterSize(w, 1<<20)
			rows, err := q.export(cmd.Context(), m, spec, buffered, columns)
			return rows, cmp.Or(err, buffered.Flush())
		})
		if err == nil && q.file != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s rows in %s\n", count(rows), q.file)
		}
		return err
	})
}

// columns are those that were asked for.
func (q *exportQuery) columns(spec *dataset.Spec) ([]export.Column, error) {
	all, every := export.EventColumns(), export.EventColumns()
	if q.collection != mirror.Changes {
		all, every = export.Columns(spec, q.sensitive), export.Columns(spec, true)
	}
	if len(q.fields) == 0 {
		return all, nil
	}
	for _, f := range q.fields {
		is := func(c export.Column) bool { return c.Path == f }
		if !slices.ContainsFunc(all, is) && slices.ContainsFunc(every, is) {
			return nil, fmt.Errorf("--fields %s may concern a private person: give --sensitive to export it", f)
		}
	}
	chosen, err := export.Choose(all, q.fields)
	if err != nil {
		return nil, fmt.Errorf("--fields: %w; there are %s", err, strings.Join(paths(all), ", "))
	}
	return chosen, nil
}

// write calls f with where to write to. A file takes its name only when it is
// complete.
func (q *exportQuery) write(cmd *cobra.Command, f func(io.Writer) (int64, error)) (int64, error) {
	if q.file == "" {
		return f(cmd.OutOrStdout())
	}
	part, err := os.CreateTemp(filepath.Dir(q.file), "."+filepath.Base(q.file)+".*")
	if err != nil {
		return 0, fmt.Errorf("--file: %w", err)
	}
	defer os.Remove(part.Name()) //nolint:errcheck // it is gone once it has its name
	rows, err := f(part)
	if err := cmp.Or(err, part.Chmod(0o644), part.Close()); err != nil {
		return rows, fmt.Errorf("export to %s: %w", q.file, err)
	}
	return rows, os.Rename(part.Name(), q.file)
}

func (q *exportQuery) export(ctx context.Context, m *mirror.Mirror, spec *dataset.Spec, w io.Writer, columns []export.Column) (rows int64, err error) {
	out, err := export.New(export.Format(q.out.format), w, columns, len(q.fields) > 0)
	if err != nil {
		return 0, err
	}
	write := func(doc bson.Raw) error {
		rows++
		return out.Write(doc)
	}
	if q.collection == mirror.Changes {
		err = m.EachChange(ctx, time.Time{}, func(events []mirror.Event) error {
			for i := range events {
				doc, err := q.eventDocument(spec, &events[i])
				if err != nil {
					return err
				}
				if err := write(doc); err != nil {
					return err
				}
			}
			return nil
		})
	} else {
		var hidden []string
		if !q.sensitive {
			hidden = spec.SensitivePaths()
		}
		err = m.EachDocument(ctx, q.collection, hidden, write)
	}
	return rows, cmp.Or(err, out.Close())
}

// exportedEvent is a change event as it is exported.
type exportedEvent struct {
	Key     string          `bson:"key"`
	Version int32           `bson:"version"`
	At      time.Time       `bson:"at"`
	Kinds   []string        `bson:"kinds"`
	Cause   string          `bson:"cause"`
	Run     string          `bson:"run"`
	Fields  []exportedField `bson:"fields"`
}

// exportedField is what changed in a field; of a sensitive one without values.
type exportedField struct {
	Path      string        `bson:"path"`
	From      bson.RawValue `bson:"from,omitempty"`
	To        bson.RawValue `bson:"to,omitempty"`
	Sensitive bool          `bson:"sensitive,omitempty"`
}

func (q *exportQuery) eventDocument(spec *dataset.Spec, e *mirror.Event) (bson.Raw, error) {
	out := exportedEvent{Key: e.Key, Version: e.Version, At: e.At, Kinds: e.Kinds, Cause: e.Cause, Run: e.Run, Fields: []exportedField{}}
	for _, f := range e.Fields {
		if !q.sensitive && spec.Sensitive(f.Path) {
			out.Fields = append(out.Fields, exportedField{Path: f.Path, Sensitive: true})
			continue
		}
		out.Fields = append(out.Fields, exportedField{Path: f.Path, From: f.From, To: f.To})
	}
	doc, err := bson.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("event of key %q: %w", e.Key, err)
	}
	return doc, nil
}
