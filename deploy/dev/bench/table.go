package bench

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// column is one column of the table of lines.
type column struct {
	top, below string // its head, in two lines
	cell       func(m measurement) string
}

func columns() []column {
	return []column{
		{"", "rows/s", func(m measurement) string {
			if m.Rows == 0 {
				return "" // a skip
			}
			return thousands(int(m.RowsPerSecond))
		}},
		{"", "s", func(m measurement) string { return strconv.FormatFloat(m.Seconds, 'f', 2, 64) }},
		{"× raw insert", "to indexed", func(m measurement) string { return known("%.2f", m.OfInsert) }},
		{"× raw replace", "indexed", func(m measurement) string { return known("%.2f", m.OfReplace) }},
		{"worker", "MiB", func(m measurement) string { return known("%.0f", float64(m.WorkerPeak)/(1<<20)) }},
		{"worker", "CPU s", func(m measurement) string { return known("%.2f", m.client()) }},
		{"database", "CPU s", func(m measurement) string { return known("%.2f", m.CPU.database()) }},
		{"portal", "MiB", func(m measurement) string { return known("%.2f", float64(m.Portal.Bytes)/(1<<20)) }},
		{"portal", "requests", func(m measurement) string { return known("%.0f", float64(m.Portal.Requests)) }},
		{"MongoDB", "commands", func(m measurement) string { return known("%.0f", float64(total(m.Commands))) }},
		{"Temporal", "events", func(m measurement) string { return known("%.0f", float64(m.Events)) }},
		{"billable", "actions", func(m measurement) string { return known("%.0f", float64(total(m.Actions))) }},
		{"", "outcome", func(m measurement) string { return m.Outcome }},
	}
}

// PrintTable writes the report for people.
func (r *Report) PrintTable(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.subject())
	var lines strings.Builder
	t := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', tabwriter.AlignRight)
	all := columns()
	top, below := []string{pad("")}, []string{pad("")}
	for _, c := range all {
		top, below = append(top, c.top), append(below, c.below)
	}
	rows := [][]string{top, below}
	for _, m := range r.Lines {
		rows = append(rows, cells(pad(m.Name), m, all))
	}
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t")+"\t")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(lines.String()) {
		fmt.Fprintln(w, strings.TrimRight(strings.TrimPrefix(line, "  "), " \n"))
	}
	fmt.Fprintln(w)
	for _, m := range r.Lines {
		if m.Note != "" {
			fmt.Fprintf(w, "%s: %s\n", m.Name, m.Note)
		}
		var steps []string
		for _, s := range m.Steps {
			steps = append(steps, s.Name+" "+s.seconds())
		}
		if len(steps) > 0 {
			fmt.Fprintf(w, "%s: seconds of its steps: %s\n", m.Name, strings.Join(steps, ", "))
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, n)
	}
	fmt.Fprintln(w)
	for _, a := range r.Targets {
		verdict := "reached"
		if !a.Reached {
			verdict = "MISSED "
		}
		fmt.Fprintf(w, "%s  %s: %s\n", verdict, a.Name, a.Detail)
	}
	return nil
}

// PrintMarkdown writes the report for the documentation: the lines, the seconds
// of each step, the targets.
func (r *Report) PrintMarkdown(w io.Writer) error {
	fmt.Fprintf(w, "%s.\n\n", r.subject())
	all := columns()
	head := []string{""}
	for _, c := range all {
		head = append(head, strings.TrimSpace(c.top+" "+c.below))
	}
	printHead(w, head)
	for _, m := range r.Lines {
		printRow(w, cells(m.Name, m, all))
	}
	r.printSteps(w)
	if len(r.Targets) > 0 {
		fmt.Fprintln(w)
		printHead(w, []string{"target", "", ""})
	}
	for _, a := range r.Targets {
		verdict := "reached"
		if !a.Reached {
			verdict = "**missed**"
		}
		printRow(w, []string{a.Name, verdict, a.Detail})
	}
	fmt.Fprintln(w)
	for _, m := range r.Lines {
		if m.Note != "" {
			fmt.Fprintf(w, "- %s: %s.\n", m.Name, m.Note)
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "- %s\n", n)
	}
	return nil
}

// printSteps writes a table with a row for each step and a column for each run
// that had steps.
func (r *Report) printSteps(w io.Writer) {
	head, names := []string{"seconds of each step"}, []string(nil)
	var runs []measurement
	for _, m := range r.Lines {
		if len(m.Steps) == 0 {
			continue
		}
		head, runs = append(head, m.Name), append(runs, m)
		for _, s := range m.Steps {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	if len(runs) == 0 {
		return
	}
	fmt.Fprintln(w)
	printHead(w, head)
	for _, name := range names {
		row := []string{name}
		for _, m := range runs {
			took := ""
			if i := slices.IndexFunc(m.Steps, func(s step) bool { return s.Name == name }); i >= 0 {
				took = m.Steps[i].seconds()
			}
			row = append(row, took)
		}
		printRow(w, row)
	}
}

func printHead(w io.Writer, head []string) {
	printRow(w, head)
	fmt.Fprintln(w, "|"+strings.Repeat("---|", len(head)))
}

func printRow(w io.Writer, row []string) {
	fmt.Fprintln(w, "| "+strings.Join(row, " | ")+" |")
}

func cells(name string, m measurement, of []column) []string {
	row := []string{name}
	for _, c := range of {
		row = append(row, c.cell(m))
	}
	return row
}

// subject says what was measured, and where.
func (r *Report) subject() string {
	return fmt.Sprintf("%s rows · %s · %s", thousands(r.Rows), r.Machine, r.Engine)
}

func (s step) seconds() string { return fmt.Sprintf("%.1f", float64(s.TookMS)/1000) }

// client is the processor time of the program that writes: the worker, or this
// process in a raw limit.
func (m *measurement) client() float64 {
	if m.Events == 0 && m.Outcome == "" {
		return m.CPU.Bench
	}
	return m.CPU.Worker
}

// pad makes names equally long, so that they are left-aligned in a table whose
// cells are right-aligned.
func pad(name string) string { return fmt.Sprintf("%-*s", len(lineReplace), name) }

// known formats a number, or returns "" for one that was not measured.
func known(format string, x float64) string {
	if x == 0 {
		return ""
	}
	return fmt.Sprintf(format, x)
}

// thousands groups digits: 368,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
