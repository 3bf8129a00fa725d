package bench

import (
	"encoding/json"
	"fmt"
	"io"
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

	// Fastest is the shortest time of an activity of each type, in seconds.
	Fastest map[string]float64 `json:"fastest_seconds,omitempty"`

	Starter float64 `json:"starter_seconds,omitempty"` // the command line's whole time
	Outcome string  `json:"outcome,omitempty"`
	Why     string  `json:"why,omitempty"`
	Windows int     `json:"windows,omitempty"` // of a backfill
	Steps   []step  `json:"steps,omitempty"`   // of the run; those that follow each other page by page overlap
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

// Names of lines.
const (
	lineInsert       = "raw insert"
	lineInsertMany   = "raw insert, usual calls"
	lineIndexed      = "raw insert, then indexes"
	lineReplace      = "raw replace, indexes in place"
	lineReplaceBare  = "raw replace, bare"
	lineFirstIndexed = "first load, to fully indexed"
	lineFirst        = "first load"
	lineUnchanged    = "full crawl, unchanged"
	lineChangedFew   = "full crawl, 0.1 % changed"
	lineChangedMany  = "full crawl, 10 % changed"
	lineSkip         = "skip"
	lineBackfill     = "backfill"
	lineReloaded     = "backfill, reloading all"
)

// tolerated is the share of the processor time that other programs may have.
const tolerated = 0.1

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
	r.judge()
}

// PrintJSON writes the report with every number that was taken.
func (r *Report) PrintJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
