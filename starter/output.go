package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// output is the -o flag of the reading commands.
type output struct {
	format  string
	formats []string
}

func (o *output) add(cmd *cobra.Command) { o.addFormats(cmd, "table", "json") }

// addFormats adds the flag with the formats that the command can print, the
// default first.
func (o *output) addFormats(cmd *cobra.Command, formats ...string) {
	o.format, o.formats = formats[0], formats
	cmd.Flags().VarP(o, "output", "o", "how to print: "+oneOf(formats))
	completeFlag(cmd, "output", completeWords(formats...))
}

// Set refuses what cannot be printed before the command does anything.
func (o *output) Set(s string) error {
	if !slices.Contains(o.formats, s) {
		return errors.New("use " + oneOf(o.formats))
	}
	o.format = s
	return nil
}

func (o *output) String() string { return o.format }

// Type is what the help calls the value.
func (*output) Type() string { return "format" }

// oneOf lists words for people: "table, json or ndjson".
func oneOf[S ~string](words []S) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// checkLimit refuses a --limit that would list nothing, or, to MongoDB,
// everything.
func checkLimit(n int) error {
	if n < 1 {
		return usage(fmt.Errorf("--limit %d: must be at least 1", n))
	}
	return nil
}

// show prints v as JSON, or calls asTable.
func (o output) show(w io.Writer, v any, asTable func(io.Writer)) error {
	if o.format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	asTable(w)
	return nil
}

// grid prints a table without frames: it reads well on a terminal and splits
// well in a pipe. numbers are the columns (from 1) aligned to the right.
func grid(w io.Writer, header table.Row, rows []table.Row, numbers ...int) {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft = ""
	style.Box.PaddingRight = "  "
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	var columns []table.ColumnConfig
	for _, n := range numbers {
		columns = append(columns, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	t.AppendHeader(header)
	t.AppendRows(rows)
	t.Render()
}

// widestName keeps one long name from pushing all values to the right.
const widestName = 20

// facts prints name and value pairs.
func facts(w io.Writer, rows [][2]string) {
	width := 0
	for _, r := range rows {
		if r[1] != "" && len(r[0]) <= widestName {
			width = max(width, len(r[0]))
		}
	}
	for _, r := range rows {
		if r[1] != "" {
			fmt.Fprintf(w, "%-*s  %s\n", width, r[0], r[1])
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func count[N int | int64](n N) string { return humanize.Comma(int64(n)) }

func size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }

func took(d time.Duration) string { return d.Round(100 * time.Millisecond).String() }

// moment is a time in the reader's zone; empty for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
