package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// measurement is one line of a benchmark's table.
type measurement struct {
	Name    string  `json:"name"`
	Rows    int     `json:"rows"`
	Seconds float64 `json:"seconds"`

	RowsPerSecond float64 `json:"rows_per_second"`
	OfInsert      float64 `json:"of_raw_insert,omitempty"`  // of the raw insert limit to the same fully indexed state
	OfReplace     float64 `json:"of_raw_replace,omitempty"` // of raw replaces with the indexes in place

	WorkerPeak int64   `json:"worker_peak_bytes,omitempty"`
	CPU        usage   `json:"cpu_seconds"`
	Portal     traffic `json:"portal,omitzero"`

	Commands      map[string]int64 `json:"mongodb_commands,omitempty"` // by name
	MongoSent     int64            `json:"mongodb_bytes_sent,omitempty"`
	MongoReceived int64            `json:"mongodb_bytes_received,omitempty"`

	Events  int            `json:"temporal_events,omitempty"`
	Actions map[string]int `json:"temporal_actions,omitempty"` // billable, by kind

	Starter float64 `json:"starter_seconds,omitempty"` // the command line's whole time
	Outcome string  `json:"outcome,omitempty"`
	Why     string  `json:"why,omitempty"`
	Steps   []step  `json:"steps,omitempty"` // of the run; those that follow each other page by page overlap
	Note    string  `json:"note,omitempty"`
}

// step is how long one step of a run took.
type step struct {
	Name   string `json:"name"`
	TookMS int64  `json:"took_ms"`
}

// traffic is what the simulated portal was asked.
type traffic struct {
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"` // of the bodies, as sent
}

func (m *measurement) over(rows int, seconds float64) {
	m.Rows, m.Seconds = rows, seconds
	if seconds > 0 {
		m.RowsPerSecond = float64(rows) / seconds
	}
}

func total[N int | int64](counts map[string]N) (sum N) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// Names of lines, and the targets that they are compared with.
const (
	lineInsert         = "raw insert"
	lineInsertMany     = "raw insert, usual calls"
	lineIndexed        = "raw insert, then indexes"
	lineReplace        = "raw replace, indexes in place"
	lineReplaceBare    = "raw replace, bare"
	lineFirstIndexed   = "first load, to fully indexed"
	lineFirst          = "first load"
	lineUnchanged      = "full crawl, unchanged"
	lineChangedFew     = "full crawl, 0.1 % changed"
	lineChangedMany    = "full crawl, 10 % changed"
	lineSkip           = "skip"
	lineBackfill       = "backfill, 440 months"
	targetFirst        = 0.6
	targetUnchanged    = 5.0
	targetSkipSeconds  = 1.0
	targetSkipRequests = 3
	targetSkipActions  = 8
	targetMemory       = 256 << 20
	tolerated          = 0.1 // share of processor time that other programs may have
)

// target is something to be reached.
type target struct {
	Name    string `json:"name"`
	Reached bool   `json:"reached"`
	Detail  string `json:"detail"`
}

// Report is what a benchmark of loads and crawls found.
type Report struct {
	Rows    int      `json:"rows"`
	Machine string   `json:"machine"`
	Engine  string   `json:"engine"`
	Notes   []string `json:"notes"`
	// Elsewhere is the share of the processor time used during the measured
	// phases that other programs had.
	Elsewhere float64       `json:"elsewhere"`
	Lines     []measurement `json:"lines"`
	Targets   []target      `json:"targets"`
}

func (r *Report) line(name string) (measurement, bool) {
	for _, m := range r.Lines {
		if m.Name == name {
			return m, true
		}
	}
	return measurement{}, false
}

// finish computes what follows from all lines together.
func (r *Report) finish() {
	insert, _ := r.line(lineIndexed)
	replace, _ := r.line(lineReplace)
	for i := range r.Lines {
		m := &r.Lines[i]
		if insert.RowsPerSecond > 0 {
			m.OfInsert = m.RowsPerSecond / insert.RowsPerSecond
		}
		if replace.RowsPerSecond > 0 {
			m.OfReplace = m.RowsPerSecond / replace.RowsPerSecond
		}
	}
	if m, ok := r.line(lineFirstIndexed); ok && m.OfInsert > 0 {
		r.aim("first load to fully indexed, of the raw limit", m.OfInsert >= targetFirst, "%.2f, at least %.1f", m.OfInsert, targetFirst)
	}
	if m, ok := r.line(lineUnchanged); ok && m.OfReplace > 0 {
		r.aim("unchanged full crawl, against replacing all rows", m.OfReplace >= targetUnchanged,
			"%.1f times as fast, at least %.0f", m.OfReplace, targetUnchanged)
	}
	if m, ok := r.line(lineSkip); ok {
		r.aim("skip: time", m.Starter < targetSkipSeconds, "%.2f s, under %.0f s", m.Starter, targetSkipSeconds)
		r.aim("skip: portal requests", m.Portal.Requests <= targetSkipRequests, "%d, at most %d", m.Portal.Requests, targetSkipRequests)
		r.aim("skip: billable actions", total(m.Actions) <= targetSkipActions, "%d, at most %d", total(m.Actions), targetSkipActions)
		r.aim("skip: it was one", m.Outcome == "skipped", "%s", m.Outcome)
	}
	var machine, here float64
	for _, m := range r.Lines {
		machine, here = machine+m.CPU.Machine, here+m.CPU.known()
	}
	if machine > 0 {
		r.Elsewhere = max(0, 1-here/machine)
		if r.Elsewhere > tolerated {
			r.Notes = append(r.Notes, fmt.Sprintf("WARNING: other programs used %.0f %% of the processor time meanwhile: "+
				"rates are too low, and comparing them means little. CPU seconds hold.", 100*r.Elsewhere))
		}
	}
	peak := measurement{}
	for _, m := range r.Lines {
		if m.WorkerPeak > peak.WorkerPeak {
			peak = m
		}
	}
	if peak.WorkerPeak > 0 {
		r.aim("worker memory", peak.WorkerPeak <= targetMemory,
			"%d MiB at most (%s), at most %d", peak.WorkerPeak>>20, peak.Name, targetMemory>>20)
	}
}

func (r *Report) aim(name string, reached bool, format string, args ...any) {
	r.Targets = append(r.Targets, target{name, reached, fmt.Sprintf(format, args...)})
}

// PrintJSON writes the report with every number that was taken.
func (r *Report) PrintJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// PrintTable writes the report for people.
func (r *Report) PrintTable(w io.Writer) error {
	fmt.Fprintf(w, "%s rows · %s · %s\n\n", thousands(r.Rows), r.Machine, r.Engine)
	var lines strings.Builder
	t := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := [][]string{
		{"", "rows/s", "s", "× raw insert", "× raw replace", "worker", "CPU s", "CPU s", "portal", "portal", "MongoDB", "Temporal", "billable", ""},
		{"", "", "", "to indexed", "indexed", "MiB", "worker", "database", "MiB", "requests", "commands", "events", "actions", "outcome"},
	}
	for _, cells := range head {
		cells[0] = pad("")
		fmt.Fprintln(t, strings.Join(cells, "\t")+"\t")
	}
	for _, m := range r.Lines {
		rate := thousands(int(m.RowsPerSecond))
		if m.Rows == 0 {
			rate = "" // a skip
		}
		fmt.Fprintln(t, strings.Join([]string{
			pad(m.Name), rate, strconv.FormatFloat(m.Seconds, 'f', 2, 64), known("%.2f", m.OfInsert), known("%.2f", m.OfReplace),
			known("%.0f", float64(m.WorkerPeak)/(1<<20)), known("%.2f", m.client()), known("%.2f", m.CPU.database()),
			known("%.2f", float64(m.Portal.Bytes)/(1<<20)), known("%.0f", float64(m.Portal.Requests)),
			known("%.0f", float64(total(m.Commands))), known("%.0f", float64(m.Events)), known("%.0f", float64(total(m.Actions))),
			m.Outcome,
		}, "\t")+"\t")
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
			steps = append(steps, fmt.Sprintf("%s %.1f", s.Name, float64(s.TookMS)/1000))
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
