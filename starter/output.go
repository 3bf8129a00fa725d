package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// output is the -o flag of the reading commands.
type output string

func (o *output) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP((*string)(o), "output", "o", "table", "table or json")
}

// show prints v as JSON, or calls asTable.
func (o output) show(w io.Writer, v any, asTable func(io.Writer)) error {
	switch o {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case "table":
		asTable(w)
		return nil
	}
	return usage(fmt.Errorf("-o %q: use table or json", string(o)))
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

// facts prints name and value pairs.
func facts(w io.Writer, rows [][2]string) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
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
