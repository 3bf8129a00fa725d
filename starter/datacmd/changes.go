package datacmd

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"padron/internal/changes"
	"padron/internal/dataset"
	"padron/internal/query"
	"padron/starter/cli"
)

// causeAll shows the changes of every cause.
const causeAll = "all"

func changeCauses() []string {
	return []string{changes.CauseSource, changes.CauseRules, changes.CauseSchema, changes.CauseRepair, causeAll}
}

// changesQuery is what `changes` was asked for.
type changesQuery struct {
	since, until string
	kinds        []string
	cause        string
	key          string
	sensitive    bool
	allFields    bool
	out          cli.Output

	from, to time.Time // half open; a zero to is open
}

func changesCommand() *cobra.Command {
	var q changesQuery
	cmd := &cobra.Command{
		Use:   "changes --since DAY",
		Short: "List what changed: opened, closed, moved, renamed, …",
		Long: `Lists the changes of rows, oldest run first. A change is dated by the run that saw
it. What a first load brought is no change.

--since and --until take
  2026-11-20              a day in the dataset's time zone: --since from its
                          beginning, --until to its end
  2026-11-20T06:00:00Z    a moment: --since that moment included, --until excluded
  7d, 12h                 that long ago

A change has a cause: source (the portal's row changed), rules (only the dataset's
spec or Padron's cleaning did), schema (only columns came to the portal or went) or
repair (another hand had changed the document, and it is as it was).
Those of the source are listed unless --cause says otherwise.

Values that may concern a private person are left out, and marked so, unless
--sensitive is given: treat such output accordingly.

json is one array, ndjson one change to a line; both are written as they are read.`,
		Example: `  starter changes --since 7d
  starter changes --since 2026-11-01 --until 2026-11-30 --kind closed --kind removed
  starter changes --key 0123456-01-001 --cause all
  starter changes --since 2026-11-01 -o ndjson | jq -r 'select(.kinds[0]=="opened").name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	cmd.Flags().StringVar(&q.since, "since", "", "changes from this `time` on; may be left out with --key")
	cmd.Flags().StringVar(&q.until, "until", "", "changes up to this `time` (default: now)")
	cmd.Flags().StringArrayVar(&q.kinds, "kind", nil, "only changes of this `kind`; repeat it for more kinds: "+strings.Join(changes.Kinds(), ", "))
	cmd.Flags().StringVar(&q.key, "key", "", "only changes of the row with this `key`")
	cmd.Flags().StringVar(&q.cause, "cause", changes.CauseSource, "only changes of this `cause`: "+strings.Join(changeCauses(), ", "))
	cmd.Flags().BoolVar(&q.sensitive, "sensitive", false, "show values that may concern a private person")
	cmd.Flags().BoolVar(&q.allFields, "all-fields", false, "show what Padron derives too: facets, quality flags, original values")
	q.out.AddFormats(cmd, "table", "json", "ndjson")
	cli.CompleteFlag(cmd, "kind", cli.CompleteWords(changes.Kinds()...))
	cli.CompleteFlag(cmd, "cause", cli.CompleteWords(changeCauses()...))
	return cmd
}

func (q *changesQuery) run(cmd *cobra.Command) error {
	for _, kind := range q.kinds {
		if !slices.Contains(changes.Kinds(), kind) {
			return cli.Usage(fmt.Errorf("--kind %q: use %s", kind, cli.OneOf(changes.Kinds())))
		}
	}
	if !slices.Contains(changeCauses(), q.cause) {
		return cli.Usage(fmt.Errorf("--cause %q: use %s", q.cause, cli.OneOf(changeCauses())))
	}
	if q.since == "" && q.key == "" {
		return cli.Usage(errors.New("say since when: --since 7d, --since 2026-11-01; or of which row: --key KEY"))
	}
	spec, err := cli.SpecArgument(cmd, nil)
	if err != nil {
		return err
	}
	if q.from, err = cli.ParseMoment("--since", q.since, spec.Location(), false); err != nil {
		return err
	}
	if q.to, err = cli.ParseMoment("--until", q.until, spec.Location(), true); err != nil {
		return err
	}
	if !q.to.IsZero() && !q.from.Before(q.to) {
		return cli.Usage(fmt.Errorf("--until %s is not after --since %s", q.until, q.since))
	}
	return cli.WithMirror(cmd, func(reader *query.Reader) error {
		w := bufio.NewWriter(cmd.OutOrStdout())
		l := changesList{changesQuery: q, spec: spec, reader: reader, w: w}
		if err := l.list(cmd.Context()); err != nil {
			_ = w.Flush() // what was listed before is of use; the error is what counts
			return err
		}
		return w.Flush()
	})
}

// changesList prints changes batch by batch, as they are read.
type changesList struct {
	*changesQuery
	spec   *dataset.Spec
	reader *query.Reader
	w      *bufio.Writer
	listed int
}

func (l *changesList) list(ctx context.Context) error {
	if l.out.Format == "json" {
		l.w.WriteString("[") //nolint:errcheck // Flush tells
	}
	if err := l.each(ctx); err != nil {
		return err
	}
	switch {
	case l.out.Format == "json" && l.listed > 0:
		l.w.WriteString("\n]\n") //nolint:errcheck // Flush tells
	case l.out.Format == "json":
		l.w.WriteString("]\n") //nolint:errcheck // Flush tells
	case l.out.Format == "table" && l.listed == 0:
		fmt.Fprintln(l.w, "no such changes")
	}
	return nil
}

// errPast ends a listing: runs come oldest first, and those that follow are past
// what was asked for.
var errPast = errors.New("past --until")

func (l *changesList) each(ctx context.Context) error {
	if l.key == "" {
		err := l.reader.EachChange(ctx, l.from, func(events []changes.Event) error {
			if !l.to.IsZero() && !events[0].At.Before(l.to) {
				return errPast
			}
			return l.batch(ctx, events)
		})
		if errors.Is(err, errPast) {
			err = nil
		}
		return err
	}
	events, err := l.reader.ChangesOf(ctx, l.key)
	if err != nil {
		return err
	}
	return l.batch(ctx, events)
}

func (l *changesList) batch(ctx context.Context, events []changes.Event) error {
	events = slices.DeleteFunc(events, func(e changes.Event) bool { return !l.wanted(&e) })
	keys := make([]string, len(events))
	for i := range events {
		keys[i] = events[i].Key
	}
	slices.Sort(keys)
	docs, err := l.reader.Documents(ctx, slices.Compact(keys))
	if err != nil {
		return err
	}
	hidden := l.spec.Sensitive
	if l.sensitive {
		hidden = nil
	}
	for i := range events {
		e := &events[i]
		shown := changes.Show(e, hidden, l.allFields)
		shown.Name = changes.Name(docs[e.Key], l.spec.Events.Renamed, hidden)
		if err := l.print(&shown); err != nil {
			return err
		}
	}
	return nil
}

func (l *changesList) wanted(e *changes.Event) bool {
	switch {
	case e.At.Before(l.from), !l.to.IsZero() && !e.At.Before(l.to):
		return false
	case l.cause != causeAll && e.Cause != l.cause:
		return false
	case len(l.kinds) == 0:
		return true
	default:
		return slices.ContainsFunc(e.Kinds, func(kind string) bool { return slices.Contains(l.kinds, kind) })
	}
}

func (l *changesList) print(v *changes.Shown) error {
	l.listed++
	switch l.out.Format {
	case "json", "ndjson":
		encoded, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("change %d of %s: %w", v.Version, v.Key, err)
		}
		switch {
		case l.out.Format == "ndjson":
			fmt.Fprintf(l.w, "%s\n", encoded)
		case l.listed == 1:
			fmt.Fprintf(l.w, "\n%s", encoded)
		default:
			fmt.Fprintf(l.w, ",\n%s", encoded)
		}
	default:
		if l.listed == 1 {
			l.row("when", "key", "name now", "what", "from → to")
		}
		what := strings.Join(v.Kinds, ", ")
		if l.cause != changes.CauseSource {
			what += " (" + v.Cause + ")"
		}
		l.row(cli.Moment(v.At), cli.Plain(v.Key), cli.Plain(v.Name), what, fromTo(v))
	}
	return nil
}

// row prints one line of the table. The columns have widths beforehand, as the
// list is printed while it is read; the last one has none.
func (l *changesList) row(when, key, name, what, fromTo string) {
	line := text.Pad(when, len("2006-01-02 15:04:05Z"), ' ') + "  " + text.Pad(key, 15, ' ') + "  " +
		text.Pad(cli.ShortenTo(l.w, name, 30), 30, ' ') + "  " + text.Pad(what, 16, ' ') + "  " + fromTo
	fmt.Fprintln(l.w, strings.TrimRight(line, " "))
}

// fromTo says what the fields were and are: "dba_name: A → B; taxes: …". It is
// empty for a row that was never there before.
func fromTo(v *changes.Shown) string {
	if v.Kind() == changes.KindOpened {
		return ""
	}
	var all []string
	for _, f := range v.Fields {
		switch {
		case f.Hidden:
			all = append(all, f.Path+": changed (not shown)")
		case f.From == nil && f.To == nil:
			all = append(all, f.Path+": changed (not kept)")
		default:
			all = append(all, f.Path+": "+shown(f.From)+" → "+shown(f.To))
		}
	}
	return strings.Join(all, "; ")
}

// shown is a value for people.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "(none)"
	case string:
		return cli.Plain(cmp.Or(v, `""`))
	default:
		encoded, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return cli.Plain(string(encoded))
	}
}
