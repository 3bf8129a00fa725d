package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
	"padron/internal/mirror"
)

// causeAll shows the changes of every cause.
const causeAll = "all"

func changeCauses() []string {
	return []string{mirror.CauseSource, mirror.CauseRules, mirror.CauseSchema, causeAll}
}

// changesQuery is what `changes` was asked for.
type changesQuery struct {
	since, until string
	kinds        []string
	cause        string
	key          string
	sensitive    bool
	allFields    bool
	out          output

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
spec or Padron's cleaning did) or schema (only columns came to the portal or went).
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
	cmd.Flags().StringArrayVar(&q.kinds, "kind", nil, "only changes of this `kind`; repeat it for more kinds: "+strings.Join(mirror.Kinds(), ", "))
	cmd.Flags().StringVar(&q.key, "key", "", "only changes of the row with this `key`")
	cmd.Flags().StringVar(&q.cause, "cause", mirror.CauseSource, "only changes of this `cause`: "+strings.Join(changeCauses(), ", "))
	cmd.Flags().BoolVar(&q.sensitive, "sensitive", false, "show values that may concern a private person")
	cmd.Flags().BoolVar(&q.allFields, "all-fields", false, "show what Padron derives too: facets, quality flags, original values")
	q.out.addFormats(cmd, "table", "json", "ndjson")
	completeFlag(cmd, "kind", completeWords(mirror.Kinds()...))
	completeFlag(cmd, "cause", completeWords(changeCauses()...))
	return cmd
}

func (q *changesQuery) run(cmd *cobra.Command) error {
	for _, kind := range q.kinds {
		if !slices.Contains(mirror.Kinds(), kind) {
			return usage(fmt.Errorf("--kind %q: use %s", kind, oneOf(mirror.Kinds())))
		}
	}
	if !slices.Contains(changeCauses(), q.cause) {
		return usage(fmt.Errorf("--cause %q: use %s", q.cause, oneOf(changeCauses())))
	}
	if q.since == "" && q.key == "" {
		return usage(errors.New("say since when: --since 7d, --since 2026-11-01; or of which row: --key KEY"))
	}
	spec, err := specArgument(cmd, nil)
	if err != nil {
		return err
	}
	if q.from, err = parseMoment("--since", q.since, spec.Location(), false); err != nil {
		return err
	}
	if q.to, err = parseMoment("--until", q.until, spec.Location(), true); err != nil {
		return err
	}
	if !q.to.IsZero() && !q.from.Before(q.to) {
		return usage(fmt.Errorf("--until %s is not after --since %s", q.until, q.since))
	}
	return withMirror(cmd, func(m *mirror.Mirror) error {
		w := bufio.NewWriter(cmd.OutOrStdout())
		l := changesList{changesQuery: q, spec: spec, mirror: m, w: w}
		if err := l.list(cmd.Context()); err != nil {
			_ = w.Flush() // what was listed before is of use; the error is what counts
			return err
		}
		return w.Flush()
	})
}

// parseMoment reads a day, a moment or a duration ago; the zero time for "". Of
// a day it is the beginning, or with end that of the next one.
func parseMoment(flag, s string, zone *time.Location, end bool) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, s, zone); err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return day, nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	if days, err := strconv.Atoi(strings.TrimSuffix(s, "d")); err == nil && strings.HasSuffix(s, "d") && days > 0 {
		return time.Now().AddDate(0, 0, -days), nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago > 0 {
		return time.Now().Add(-ago), nil
	}
	return time.Time{}, usage(fmt.Errorf("%s %q: use a day (2026-11-20), a moment (2026-11-20T06:00:00Z) or how long ago (7d, 12h)", flag, s))
}

// changesList prints changes batch by batch, as they are read.
type changesList struct {
	*changesQuery
	spec   *dataset.Spec
	mirror *mirror.Mirror
	w      *bufio.Writer
	listed int
}

func (l *changesList) list(ctx context.Context) error {
	if l.out.format == "json" {
		l.w.WriteString("[") //nolint:errcheck // Flush tells
	}
	if err := l.each(ctx); err != nil {
		return err
	}
	switch {
	case l.out.format == "json" && l.listed > 0:
		l.w.WriteString("\n]\n") //nolint:errcheck // Flush tells
	case l.out.format == "json":
		l.w.WriteString("]\n") //nolint:errcheck // Flush tells
	case l.out.format == "table" && l.listed == 0:
		fmt.Fprintln(l.w, "no such changes")
	}
	return nil
}

// errPast ends a listing: runs come oldest first, and those that follow are past
// what was asked for.
var errPast = errors.New("past --until")

func (l *changesList) each(ctx context.Context) error {
	if l.key == "" {
		err := l.mirror.EachChange(ctx, l.from, func(events []mirror.Event) error {
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
	events, err := l.mirror.ChangesOf(ctx, l.key)
	if err != nil {
		return err
	}
	return l.batch(ctx, events)
}

func (l *changesList) batch(ctx context.Context, events []mirror.Event) error {
	events = slices.DeleteFunc(events, func(e mirror.Event) bool { return !l.wanted(&e) })
	names, err := l.names(ctx, events)
	if err != nil {
		return err
	}
	for i := range events {
		if err := l.print(l.view(&events[i], names[events[i].Key])); err != nil {
			return err
		}
	}
	return nil
}

func (l *changesList) wanted(e *mirror.Event) bool {
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

// names are what the rows are called now: the first of the names whose change
// is a renaming and which may be shown.
func (l *changesList) names(ctx context.Context, events []mirror.Event) (map[string]string, error) {
	var keys []string
	for i := range events {
		keys = append(keys, events[i].Key)
	}
	slices.Sort(keys)
	docs, err := l.mirror.Documents(ctx, slices.Compact(keys))
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(docs))
	for key, doc := range docs {
		for _, path := range l.spec.Events.Renamed {
			if !l.sensitive && l.spec.Sensitive(path) {
				continue
			}
			if name, ok := doc.Lookup(strings.Split(path, ".")...).StringValueOK(); ok {
				names[key] = name
				break
			}
		}
	}
	return names, nil
}

// changeView is one change as it is printed.
type changeView struct {
	Key     string            `json:"key"`
	Version int32             `json:"version"`
	At      time.Time         `json:"at"`
	Run     string            `json:"run"`
	Kinds   []string          `json:"kinds"`
	Cause   string            `json:"cause"`
	Name    string            `json:"name,omitempty"` // the row's, now
	Fields  []changeFieldView `json:"fields"`
}

type changeFieldView struct {
	Path      string `json:"path"`
	Sensitive bool   `json:"sensitive,omitempty"` // the values are left out
	From      any    `json:"from,omitempty"`
	To        any    `json:"to,omitempty"`
}

func (l *changesList) view(e *mirror.Event, name string) changeView {
	v := changeView{Key: e.Key, Version: e.Version, At: e.At.UTC(), Run: e.Run, Kinds: e.Kinds, Cause: e.Cause, Name: name, Fields: []changeFieldView{}}
	for _, f := range e.Fields {
		if !l.allFields && derived(f.Path) {
			continue
		}
		field := changeFieldView{Path: f.Path}
		if !l.sensitive && l.spec.Sensitive(f.Path) {
			field.Sensitive = true
		} else {
			field.From, field.To = readable(f.From), readable(f.To)
		}
		v.Fields = append(v.Fields, field)
	}
	return v
}

// derived says whether a path is none of the business: what Padron computes
// from the row or keeps of it.
func derived(path string) bool {
	return slices.ContainsFunc([]string{"facets", "quality", "source"}, func(top string) bool {
		return path == top || strings.HasPrefix(path, top+".")
	})
}

// readable is a document's value as JSON has it: dates as days, since the
// documents' dates are days at midnight UTC. nil for an absent one.
func readable(v bson.RawValue) any {
	switch v.Type {
	case bson.TypeDateTime:
		if t := v.Time().UTC(); t.Equal(t.Truncate(24 * time.Hour)) {
			return t.Format(time.DateOnly)
		}
		return v.Time().UTC().Format(time.RFC3339Nano)
	case bson.TypeString:
		return v.StringValue()
	case bson.TypeArray:
		values, err := v.Array().Values()
		if err != nil {
			return v.String()
		}
		list := make([]any, len(values))
		for i, e := range values {
			list[i] = readable(e)
		}
		return list
	default:
		var value any // stays nil for an absent one, and for one that is none
		if !v.IsZero() && v.Unmarshal(&value) != nil {
			return v.String()
		}
		return value
	}
}

func (l *changesList) print(v changeView) error {
	l.listed++
	switch l.out.format {
	case "json", "ndjson":
		encoded, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("change %d of %s: %w", v.Version, v.Key, err)
		}
		switch {
		case l.out.format == "ndjson":
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
		if l.cause != mirror.CauseSource {
			what += " (" + v.Cause + ")"
		}
		l.row(moment(v.At), plain(v.Key), plain(v.Name), what, v.fromTo())
	}
	return nil
}

// row prints one line of the table. The columns have widths beforehand, as the
// list is printed while it is read; the last one has none.
func (l *changesList) row(when, key, name, what, fromTo string) {
	line := text.Pad(when, 19, ' ') + "  " + text.Pad(key, 15, ' ') + "  " +
		text.Pad(text.Trim(name, 30), 30, ' ') + "  " + text.Pad(what, 16, ' ') + "  " + fromTo
	fmt.Fprintln(l.w, strings.TrimRight(line, " "))
}

// fromTo says what the fields were and are: "dba_name: A → B; taxes: …". A row
// that was never there before has nothing to compare, so nothing is said.
func (v changeView) fromTo() string {
	if v.Kinds[0] == mirror.KindOpened {
		return ""
	}
	var all []string
	for _, f := range v.Fields {
		switch {
		case f.Sensitive:
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
		return plain(cmp.Or(v, `""`))
	default:
		encoded, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return plain(string(encoded))
	}
}
