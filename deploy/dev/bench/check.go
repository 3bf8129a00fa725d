package bench

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

const (
	// CheckRows is the size that ratios are held at: with all servers a
	// measurement takes a minute and a half on two cores.
	CheckRows = 60_000
	// checkPageSize makes some twenty pages of them, so that what costs time for
	// each page is seen.
	checkPageSize = 3_000
)

// boundsTable is the committed table of the ratios and their bounds.
//
//go:embed bounds.md
var boundsTable string

// bound is a line of the table.
type bound struct {
	Name  string  // of a ratio
	Usual float64 // what it was when the table was made
	Most  float64 // what it may be
	Why   string
}

// parseBounds reads the lines of a Markdown table of four columns: the ratio, its
// usual value, its bound, why it is held.
func parseBounds(table string) ([]bound, error) {
	var all []bound
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if !strings.HasPrefix(line, "|") || cells[0] == "ratio" || strings.HasPrefix(cells[0], "---") {
			continue
		}
		if len(cells) != 4 {
			return nil, fmt.Errorf("table of bounds: %q has %d cells, expected 4", strings.TrimSpace(line), len(cells))
		}
		b := bound{Name: cells[0], Why: cells[3]}
		var err error
		if b.Usual, err = strconv.ParseFloat(cells[1], 64); err != nil {
			return nil, fmt.Errorf("table of bounds: %s: usual value: %w", b.Name, err)
		}
		if b.Most, err = strconv.ParseFloat(cells[2], 64); err != nil {
			return nil, fmt.Errorf("table of bounds: %s: bound: %w", b.Name, err)
		}
		switch {
		case b.Usual < 0 || b.Most < b.Usual:
			return nil, fmt.Errorf("table of bounds: %s: usually %g, at most %g", b.Name, b.Usual, b.Most)
		case b.Why == "":
			return nil, fmt.Errorf("table of bounds: %s: nothing says why it is held", b.Name)
		case slices.ContainsFunc(all, func(other bound) bool { return other.Name == b.Name }):
			return nil, fmt.Errorf("table of bounds: %s is there twice", b.Name)
		}
		all = append(all, b)
	}
	if len(all) == 0 {
		return nil, errors.New("table of bounds: there is no line")
	}
	return all, nil
}

// Verdict is what became of one bound.
type Verdict struct {
	Name     string    `json:"name"`
	Why      string    `json:"why"`
	Usual    float64   `json:"usual"`
	Most     float64   `json:"at_most"`
	Measured []float64 `json:"measured"` // twice where the first missed
	Held     bool      `json:"held"`
}

// hold compares measured ratios with the bounds. What the table names and was not
// measured is an error: the table is no longer that of this program.
func hold(bounds []bound, measured []ratio) ([]Verdict, error) {
	var all []Verdict
	for _, b := range bounds {
		i := slices.IndexFunc(measured, func(r ratio) bool { return r.Name == b.Name })
		if i < 0 {
			return nil, fmt.Errorf("table of bounds: %q was not measured: correct the line, or take it out", b.Name)
		}
		value := measured[i].Value
		all = append(all, Verdict{Name: b.Name, Why: b.Why, Usual: b.Usual, Most: b.Most, Measured: []float64{value}, Held: value <= b.Most})
	}
	return all, nil
}

// again gives the ratios that missed their bound a second chance.
func again(verdicts, second []Verdict) {
	for i := range verdicts {
		if v := &verdicts[i]; !v.Held {
			v.Measured = append(v.Measured, second[i].Measured[0])
			v.Held = second[i].Held
		}
	}
}

func missed(verdicts []Verdict) (n int) {
	for _, v := range verdicts {
		if !v.Held {
			n++
		}
	}
	return n
}

// ErrSlower is the error of a check in which ratios missed their bounds.
var ErrSlower = errors.New("slower than the table of bounds allows")

// CheckReport is what a check, or several in a row, found.
type CheckReport struct {
	Rows     int         `json:"rows"`
	Rounds   [][]Verdict `json:"rounds"`
	Measured [][]ratio   `json:"measured"` // every ratio of each measurement, held or not
}

// Check measures, compares the ratios with the table of bounds, and measures
// what missed once more; all that several times. The error is ErrSlower when a
// ratio missed twice in one of them.
func Check(ctx context.Context, o Options, times int) (*CheckReport, error) {
	bounds, err := parseBounds(boundsTable)
	if err != nil {
		return nil, err
	}
	o.Brief, o.PageSize = true, checkPageSize
	report := &CheckReport{Rows: o.Rows}
	measure := func() ([]Verdict, error) {
		measured, err := Run(ctx, o)
		if err != nil {
			return nil, err
		}
		ratios := measured.ratios()
		report.Measured = append(report.Measured, ratios)
		return hold(bounds, ratios)
	}
	slower := 0
	for range times {
		verdicts, err := measure()
		if err != nil {
			return nil, err
		}
		if n := missed(verdicts); n > 0 {
			fmt.Fprintf(os.Stderr, "%d of %d ratios missed their bounds: measuring once more before that counts\n", n, len(verdicts))
			printMissed(os.Stderr, verdicts)
			second, err := measure()
			if err != nil {
				return nil, err
			}
			again(verdicts, second)
		}
		report.Rounds = append(report.Rounds, verdicts)
		slower += missed(verdicts)
	}
	if slower > 0 {
		return report, fmt.Errorf("%w: %d of %d ratios missed theirs", ErrSlower, slower, times*len(bounds))
	}
	return report, nil
}

// PrintTable writes all ratios that are held, then those that missed.
func (c *CheckReport) PrintTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, verdicts := range c.Rounds {
		fmt.Fprintln(t, "ratio\tmeasured\tusually\tat most\t")
		for _, v := range verdicts {
			note := ""
			switch {
			case !v.Held:
				note = "MISSED"
			case len(v.Measured) > 1:
				note = "held when measured once more"
			case v.Measured[0] < v.Usual/2:
				note = "much better: renew the table, or what is gained may be lost unnoticed"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.Name, numbers(v.Measured), number(v.Usual), number(v.Most), note)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, verdicts := range c.Rounds {
		printMissed(w, verdicts)
	}
	if len(c.Measured) > 1 {
		c.printSpread(w)
	}
	return nil
}

// printMissed writes a line for each ratio that missed its bound.
func printMissed(w io.Writer, verdicts []Verdict) {
	for _, v := range verdicts {
		if !v.Held {
			fmt.Fprintf(w, "MISSED  %s: measured %s, at most %s (usually %s; %s). `bench --check --profile DIR` shows where the worker's time goes.\n",
				v.Name, numbers(v.Measured), number(v.Most), number(v.Usual), v.Why)
		}
	}
}

// printSpread says how much the ratios that are held vary.
func (c *CheckReport) printSpread(w io.Writer) {
	fmt.Fprintf(w, "\n%d measurements: least, middle, most, and most in relation to the bound\n", len(c.Measured))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range c.Rounds[0] {
		all := c.all(v.Name)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.2f\n", v.Name, number(all[0]), number(middle(all)), number(all[len(all)-1]), all[len(all)-1]/v.Most)
	}
	_ = t.Flush() // as writing to a terminal
}

// all are the values of a ratio in every measurement, in order of size.
func (c *CheckReport) all(name string) []float64 {
	var values []float64
	for _, ratios := range c.Measured {
		for _, r := range ratios {
			if r.Name == name {
				values = append(values, r.Value)
			}
		}
	}
	slices.Sort(values)
	return values
}

// PrintMarkdown writes the lines of the table of bounds anew: what was measured
// is what is usual now, and each bound stays as many times as large.
func (c *CheckReport) PrintMarkdown(w io.Writer) error {
	printHead(w, []string{"ratio", "usual", "at most", "why"})
	for _, v := range c.Rounds[0] {
		usual := middle(c.all(v.Name))
		most := v.Most // of a ratio that was zero
		if v.Usual > 0 {
			most = usual * v.Most / v.Usual
		}
		printRow(w, []string{v.Name, number(usual), number(most), v.Why})
	}
	return nil
}

// PrintJSON writes every ratio of every measurement.
func (c *CheckReport) PrintJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(c)
}

// number writes a ratio with three digits, and a count as it is.
func number(x float64) string {
	if math.Abs(x) >= 100 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

func numbers(all []float64) string {
	texts := make([]string, len(all))
	for i, x := range all {
		texts[i] = number(x)
	}
	return cmp.Or(strings.Join(texts, ", then "), "nothing")
}
