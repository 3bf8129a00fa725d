package dashboard

import (
	"errors"
	"maps"
	"regexp"
	"slices"

	"padron/dashboard/chart"
	"padron/internal/certificate"
	"padron/internal/runs"
)

// quarantineAtMost bounds the quarantined rows whose reasons are counted.
const quarantineAtMost = 1000

// runData is what the page of a run shows.
type runData struct {
	runs.Run
	Quarantine []reason
	Counted    int64 // rows in quarantine
	More       bool  // there are more than were counted
	Progress   progress
	Live       string // address of progress
	Checks     []certificate.Check
}

// reason is why rows are in quarantine, and how many of them.
type reason struct {
	Reason string
	Rows   int
}

// findRun reads the run that the address names.
func (r *request) findRun() (runs.Run, error) {
	id := r.PathValue("id")
	run, err := r.reader.Runs.Run(r.Context(), id)
	if errors.Is(err, runs.ErrNoRun) {
		return run, missing("run", shorten(id))
	}
	return run, err
}

var (
	// digests are the first digits of digests of documents.
	digests = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

	// machines are hosts with their ports, and folders: records of older versions
	// have what drivers said.
	machines = regexp.MustCompile(`[\w.\-\[\]:]*[\w\]]:\d{4,5}\b|(^|\s)/[\w.\-]+/[^\s,;:]+`)
)

// shownRun is a run as it may be shown: without the names of machines, and
// without the digests of documents that have something which must not be shown.
func (r *request) shownRun(run runs.Run) runs.Run {
	shown := func(text string) string {
		text = machines.ReplaceAllString(text, "$1…")
		if r.hidden("lineage.hash") {
			text = digests.ReplaceAllString(text, "…")
		}
		return text
	}
	run.Reason, run.Probe.Why = shown(run.Reason), shown(run.Probe.Why)
	run.Certificate.Checks, run.Steps, run.Warnings = slices.Clone(run.Certificate.Checks), slices.Clone(run.Steps), slices.Clone(run.Warnings)
	for i := range run.Certificate.Checks {
		run.Certificate.Checks[i].Detail = shown(run.Certificate.Checks[i].Detail)
	}
	for i := range run.Steps {
		run.Steps[i].Why = shown(run.Steps[i].Why)
	}
	for i := range run.Warnings {
		run.Warnings[i] = shown(run.Warnings[i])
	}
	return run
}

func (r *request) run() (*view, error) {
	run, err := r.findRun()
	if err != nil {
		return nil, err
	}
	run = r.shownRun(run)
	d := runData{
		Run: run, Progress: r.progressOf(&run), Live: chart.DataPath(".json", "runs", run.ID, "live") + "?lang=" + r.Lang,
		Checks: run.Certificate.Checks,
	}
	rows, err := r.reader.Quarantine.List(r.Context(), run.ID, "", quarantineAtMost)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, q := range rows {
		counts[q.Reason]++
	}
	for _, why := range slices.Sorted(maps.Keys(counts)) {
		d.Quarantine = append(d.Quarantine, reason{why, counts[why]})
	}
	d.Counted, d.More = int64(len(rows)), len(rows) == quarantineAtMost
	v := &view{template: "run", title: r.T("title.run", run.ID), data: d}
	if run.Status == runs.StatusRunning {
		v.refresh = refreshAfter
	}
	return v, nil
}
