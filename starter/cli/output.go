package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Output is the -o flag of the reading commands.
type Output struct {
	Format  string
	formats []string
}

// Add adds the flag with table and json.
func (o *Output) Add(cmd *cobra.Command) { o.AddFormats(cmd, "table", "json") }

// AddFormats adds the flag with the formats that the command can print, the
// default first.
func (o *Output) AddFormats(cmd *cobra.Command, formats ...string) {
	o.Format, o.formats = formats[0], formats
	cmd.Flags().VarP(o, "output", "o", "how to print: "+OneOf(formats))
	CompleteFlag(cmd, "output", CompleteWords(formats...))
}

// Set refuses what cannot be printed before the command does anything.
func (o *Output) Set(s string) error {
	if !slices.Contains(o.formats, s) {
		return errors.New("use " + OneOf(o.formats))
	}
	o.Format = s
	return nil
}

func (o *Output) String() string { return o.Format }

// Type is what the help calls the value.
func (*Output) Type() string { return "format" }

// CheckLimit refuses a --limit that would list nothing, or, to MongoDB,
// everything.
func CheckLimit(n int) error {
	if n < 1 {
		return Usage(fmt.Errorf("--limit %d: must be at least 1", n))
	}
	return nil
}

// Show prints v as JSON, or calls asTable.
func (o Output) Show(w io.Writer, v any, asTable func(io.Writer)) error {
	if o.Format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	asTable(w)
	return nil
}

// Grid prints a table without frames: it reads well on a terminal and splits
// well in a pipe. numbers are the columns (from 1) aligned to the right.
func Grid(w io.Writer, header table.Row, rows []table.Row, numbers ...int) {
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
	for _, row := range rows {
		for i, cell := range row {
			if s, ok := cell.(string); ok {
				row[i] = Plain(s)
			}
		}
		t.AppendRow(row)
	}
	t.Render()
}

// widestName keeps one long name from pushing all values to the right.
const widestName = 20

// Facts prints name and value pairs.
func Facts(w io.Writer, rows [][2]string) {
	width := 0
	for _, r := range rows {
		if r[1] != "" && len(r[0]) <= widestName {
			width = max(width, len(r[0]))
		}
	}
	for _, r := range rows {
		if r[1] != "" {
			fmt.Fprintf(w, "%-*s  %s\n", width, r[0], Plain(r[1]))
		}
	}
}

// IsTerminal says whether somebody sees what is written, so that it may move and
// have colors.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
