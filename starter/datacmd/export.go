package datacmd

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/changes"
	"padron/internal/dataset"
	"padron/internal/export"
	"padron/internal/mongodb"
	"padron/internal/query"
	"padron/internal/statistics"
	"padron/starter/cli"
)

// exportQuery is what `export` was asked for.
type exportQuery struct {
	collection string
	fields     []string
	since      string
	sensitive  bool
	bom        bool
	file       string
	overwrite  bool
	out        cli.Output

	from time.Time // of changes; zero: from the first one
}

func exportCommand() *cobra.Command {
	var q exportQuery
	collections := []string{mongodb.Businesses, mongodb.Removed, mongodb.Changes, mongodb.Snapshots}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the mirror's rows as CSV, JSON or Parquet",
		Long: `Writes all rows of a collection:
  businesses  exactly the portal's rows, by key
  removed     the last document of rows that the portal no longer has
  changes     what happened to rows, oldest run first; with --since only from then on
  snapshots   the counts of every day, and of months of the past after a backfill: by
              neighborhood, sector and district, and of all rows
Rows are written as they are read; memory use does not grow with them.

Columns of csv and parquet are the paths of ` + "`starter dataset dictionary`" + `, a point's
as two, and a list's words in one text; json and ndjson are whole documents, as
` + "`starter dataset schema`" + ` says, or with --fields flat ones. Days are 2006-01-02, moments
RFC 3339 in UTC. In csv nothing stands for an absent value, and text that a spreadsheet
would run as a formula has an apostrophe in front: the other formats have it as it is.
Excel needs --bom to read the alphabet right on a double click; on a double click it also
takes the leading zeros of keys, accounts and zips away: use Data › From Text/CSV, and
make those columns text.

With --file, FILE.about.json says what the file is: dataset, license, columns, rows,
SHA-256, the newest certificate, and whether a run was under way. Parquet says so within,
under the key padron. A file that exists is replaced only with --overwrite.

Values that may concern a private person are left out unless --sensitive is given:
treat such output accordingly. A file with them can be read by you alone.`,
		Example: `  starter export > businesses.csv
  starter export -o parquet --file businesses.parquet
  starter export --fields _id,dba_name,facets.neighborhood,facets.open
  starter export -o ndjson | jq -r 'select(.facets.open).dba_name'
  starter export --collection changes --since 2026-11-01 -o ndjson --file changes.ndjson
  starter export --collection snapshots --file counts.csv --overwrite`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd, collections) },
	}
	cmd.Flags().StringVar(&q.collection, "collection", mongodb.Businesses, "what to export: "+cli.OneOf(collections))
	cmd.Flags().StringSliceVar(&q.fields, "fields", nil, "only these `columns`, separated by commas, in this order")
	cmd.Flags().StringVar(&q.since, "since", "", "of changes: from this `time` on, as in `starter changes`")
	cmd.Flags().BoolVar(&q.sensitive, "sensitive", false, "export values that may concern a private person too")
	cmd.Flags().BoolVar(&q.bom, "bom", false, "of csv: begin with the byte-order mark that Excel needs")
	cmd.Flags().StringVar(&q.file, "file", "", "write to this `file`, which is there only once it is complete (default: standard output)")
	cmd.Flags().BoolVar(&q.overwrite, "overwrite", false, "replace the file if it exists")
	q.out.AddFormats(cmd, "csv", "json", "ndjson", "parquet")
	cli.CompleteFlag(cmd, "collection", cli.CompleteWords(collections...))
	cli.CompleteFlag(cmd, "fields", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		spec, err := cli.SpecArgument(cmd, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return paths(q.all(spec, q.sensitive)), cobra.ShellCompDirectiveNoFileComp
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
		return cli.Usage(fmt.Errorf("--collection %q: use %s", q.collection, cli.OneOf(collections)))
	}
	if q.since != "" && q.collection != mongodb.Changes {
		return cli.Usage(errors.New("--since is of --collection changes only"))
	}
	if q.bom && q.out.Format != string(export.CSV) {
		return cli.Usage(errors.New("--bom is of -o csv only"))
	}
	spec, err := cli.SpecArgument(cmd, nil)
	if err != nil {
		return err
	}
	if q.from, err = cli.ParseMoment("--since", q.since, spec.Location(), false); err != nil {
		return err
	}
	columns, err := q.columns(spec)
	if err != nil {
		return cli.Usage(err)
	}
	if err := q.checkFile(cmd); err != nil {
		return err
	}
	return cli.WithMirror(cmd, func(reader *query.Reader) error {
		if q.file == "" {
			_, err := q.export(cmd.Context(), reader, spec, cmd.OutOrStdout(), columns)
			return err
		}
		a, err := q.toFile(cmd.Context(), reader, spec, columns)
		if err == nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s rows in %s\n", cli.Count(a.Rows), q.file)
		}
		return err
	})
}

// checkFile refuses a place to write to before anything is read.
func (q *exportQuery) checkFile(cmd *cobra.Command) error {
	if q.file == "" {
		if q.out.Format == string(export.Parquet) && cli.IsTerminal(cmd.OutOrStdout()) {
			return cli.Usage(errors.New("parquet is not for a terminal: give --file FILE, or redirect it"))
		}
		return nil
	}
	info, err := os.Lstat(q.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("--file: %w", err)
	case info.IsDir():
		return cli.Usage(fmt.Errorf("--file %s is a folder: name a file in it", q.file))
	case !q.overwrite:
		return cli.Usage(fmt.Errorf("--file %s exists: give --overwrite to replace it", q.file))
	default:
		return nil
	}
}

// all are the columns of the collection.
func (q *exportQuery) all(spec *dataset.Spec, sensitive bool) []export.Column {
	switch q.collection {
	case mongodb.Changes:
		return export.EventColumns()
	case mongodb.Snapshots:
		return export.CountColumns()
	default:
		return export.Columns(spec, sensitive)
	}
}

// columns are those that were asked for.
func (q *exportQuery) columns(spec *dataset.Spec) ([]export.Column, error) {
	all, every := q.all(spec, q.sensitive), q.all(spec, true)
	if len(q.fields) == 0 {
		return all, nil
	}
	for i, f := range q.fields {
		is := func(c export.Column) bool { return c.Path == f }
		if !slices.ContainsFunc(all, is) && slices.ContainsFunc(every, is) {
			return nil, fmt.Errorf("--fields %s may concern a private person: give --sensitive to export it", f)
		}
		if slices.Contains(q.fields[:i], f) {
			return nil, fmt.Errorf("--fields: %q is there twice", f)
		}
	}
	chosen, err := export.Choose(all, q.fields)
	if err != nil {
		return nil, fmt.Errorf("--fields: %w; there are %s", err, strings.Join(paths(all), ", "))
	}
	return chosen, nil
}

// toFile writes the file, and beside it the one that says what it is. Both take
// their names only when both are complete; a reader can tell by the SHA-256
// whether they belong together.
func (q *exportQuery) toFile(ctx context.Context, reader *query.Reader, spec *dataset.Spec, columns []export.Column) (a about, err error) {
	part, err := newPart(q.file, q.sensitive)
	if err != nil {
		return a, fmt.Errorf("--file: %w", err)
	}
	defer part.discard()
	side, err := newPart(q.file+aboutSuffix, false)
	if err != nil {
		return a, fmt.Errorf("--file: %w", err)
	}
	defer side.discard()
	sum := sha256.New()
	a, err = q.export(ctx, reader, spec, io.MultiWriter(part, sum), columns)
	if err != nil {
		return a, fmt.Errorf("export to %s: %w", q.file, err)
	}
	a.SHA256 = hex.EncodeToString(sum.Sum(nil))
	text, err := a.json()
	if err == nil {
		_, err = side.Write(text)
	}
	if err = cmp.Or(err, part.complete(), side.complete()); err == nil {
		err = cmp.Or(side.take(), part.take())
	}
	if err != nil {
		return a, fmt.Errorf("export to %s: %w", q.file, err)
	}
	return a, nil
}

// part is a file that is being written, under another name than it will have.
type part struct {
	*os.File
	name string
}

// newPart begins a file that is open to nobody more than the user's umask says,
// nor than the file that it replaces; one that holds private values is the user's
// alone.
func newPart(name string, private bool) (part, error) {
	mode := fs.FileMode(0o666)
	if private {
		mode = 0o600
	}
	if old, err := os.Stat(name); err == nil {
		mode &= old.Mode().Perm() | 0o600
	}
	next := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+rand.Text())
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	return part{f, name}, err
}

// complete says that all is written, and on the disk.
func (p part) complete() error { return cmp.Or(p.Sync(), p.Close()) }

// take gives the file its name.
func (p part) take() error { return os.Rename(p.Name(), p.name) }

// discard removes the file, unless it has its name.
func (p part) discard() {
	_ = p.Close() // what was not completed is of no use
	_ = os.Remove(p.Name())
}

// export writes all rows, and says what was written.
func (q *exportQuery) export(ctx context.Context, reader *query.Reader, spec *dataset.Spec, w io.Writer, columns []export.Column) (a about, err error) {
	buffered := bufio.NewWriterSize(w, 1<<20)
	if q.bom {
		if _, err := buffered.WriteString(export.ByteOrderMark); err != nil {
			return a, err
		}
	}
	chosen := len(q.fields) > 0
	out, err := export.New(export.Format(q.out.Format), buffered, columns, chosen)
	if err != nil {
		return a, err
	}
	if f := export.Format(q.out.Format); chosen || f == export.CSV || f == export.Parquet {
		a = q.describe(spec, paths(columns))
	} else {
		a = q.describe(spec, nil)
	}
	var rows int64
	write := func(doc bson.Raw) error {
		rows++
		return out.Write(doc)
	}
	switch q.collection {
	case mongodb.Changes:
		err = q.eachEvent(ctx, reader, spec, write)
	case mongodb.Snapshots:
		if err = eachCount(ctx, reader, write); errors.Is(err, statistics.ErrReplaced) {
			err = fmt.Errorf("%w: try again", err)
		}
	default:
		err = reader.EachDocument(ctx, q.collection, q.hidden(spec), write)
	}
	if err != nil {
		return a, err
	}
	if err := a.finish(ctx, reader, rows); err != nil {
		return a, err
	}
	text, err := a.json()
	if err != nil {
		return a, err
	}
	out.Describe(string(text))
	return a, cmp.Or(out.Close(), buffered.Flush())
}

func (q *exportQuery) eachEvent(ctx context.Context, reader *query.Reader, spec *dataset.Spec, write func(bson.Raw) error) error {
	return reader.EachChange(ctx, q.from, func(events []changes.Event) error {
		for i := range events {
			if events[i].At.Before(q.from) {
				continue
			}
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

func (q *exportQuery) eventDocument(spec *dataset.Spec, e *changes.Event) (bson.Raw, error) {
	out := exportedEvent{Key: e.Key, Version: e.Version, At: e.At, Kinds: e.Kinds, Cause: e.Cause, Run: e.Run, Fields: []exportedField{}}
	for _, f := range changes.VisibleFields(e.Fields, q.hidden(spec)) {
		out.Fields = append(out.Fields, exportedField{Path: f.Path, From: f.From, To: f.To, Sensitive: f.Hidden})
	}
	doc, err := bson.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("event of key %q: %w", e.Key, err)
	}
	return doc, nil
}

// hidden says of which values of a document the export has nothing.
func (q *exportQuery) hidden(spec *dataset.Spec) query.Hidden {
	if q.sensitive {
		return nil
	}
	return spec.Sensitive
}

// exportedCount is a count of a snapshot as it is exported.
type exportedCount struct {
	Snapshot          string              `bson:"snapshot"`
	AsOf              time.Time           `bson:"as_of"`
	Basis             statistics.Basis    `bson:"basis"`
	Outcome           certificate.Outcome `bson:"outcome"`
	Run               string              `bson:"run"`
	Provisional       bool                `bson:"provisional"`
	SurvivorsOnly     bool                `bson:"survivors_only"`
	Dimension         string              `bson:"dimension"`
	Name              string              `bson:"name,omitempty"`
	statistics.Totals `bson:",inline"`
}

// dimensionAll is the dimension of a snapshot's totals.
const dimensionAll = "all"

// eachCount writes the counts of all snapshots, newest first.
func eachCount(ctx context.Context, reader *query.Reader, write func(bson.Raw) error) error {
	all, err := reader.Statistics.Snapshots(ctx, math.MaxInt32)
	if err != nil {
		return err
	}
	for i := range all {
		s := &all[i]
		of := func(dimension, name string, t statistics.Totals) error {
			doc, err := bson.Marshal(exportedCount{
				Snapshot: s.ID, AsOf: s.AsOf, Basis: s.Basis, Outcome: s.Outcome, Run: s.Run,
				Provisional: s.Provisional, SurvivorsOnly: s.SurvivorsOnly, Dimension: dimension, Name: name, Totals: t,
			})
			if err != nil {
				return fmt.Errorf("counts of snapshot %s: %w", s.ID, err)
			}
			return write(doc)
		}
		if err := of(dimensionAll, "", s.Totals); err != nil {
			return err
		}
		for _, dimension := range []string{statistics.SeriesNeighborhood, statistics.SeriesSector} {
			var rows []statistics.Tallied
			if err := reader.Statistics.SeriesOf(ctx, s, dimension, &rows); err != nil {
				return err
			}
			for _, r := range rows {
				if err := of(dimension, r.Name, r.Totals); err != nil {
					return err
				}
			}
		}
		var districts []statistics.TalliedDistrict
		if err := reader.Statistics.SeriesOf(ctx, s, statistics.SeriesDistrict, &districts); err != nil {
			return err
		}
		for _, d := range districts {
			if err := of(statistics.SeriesDistrict, string(d.District), d.Totals); err != nil {
				return err
			}
		}
	}
	return nil
}
