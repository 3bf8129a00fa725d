package bench

import "fmt"

// target is something to be reached.
type target struct {
	Name    string `json:"name"`
	Reached bool   `json:"reached"`
	Detail  string `json:"detail"`
}

// Times and sums of processor time are asked for at the size of San Francisco's
// register only (DefaultRows): at another they would mean something else.
const (
	targetFirstIndexed    = 0.70 // of the raw insert limit, to the same fully indexed state
	targetFirst           = 0.50 // the same for the whole load: certificate, snapshot, profile
	targetUnchanged       = 8.0  // times as fast as replacing all rows
	targetChangedFew      = 6.0
	targetChangedMany     = 2.5
	targetUnchangedCPU    = 5.0 // seconds of the database's processor time
	targetSnapshot        = 3.0 // seconds
	targetSkipSeconds     = 1.0
	targetSkipRequests    = 3
	targetSkipActions     = 8
	targetBackfill        = 12.0 // seconds
	targetBackfillActions = 60
	targetReloadedRate    = 10.0      // windows a second, all reloaded
	targetReloadedActions = 2.0       // for each of them
	targetMemory          = 192 << 20 // bytes, of the worker
)

// snapshotStep is the step of a run that makes its snapshot.
const snapshotStep = "aggregate_snapshot"

// judge compares the lines with the targets.
func (r *Report) judge() {
	for _, t := range []struct {
		line, name string
		of         func(measurement) float64
		least      float64
		unit       string
	}{
		{lineFirstIndexed, "first load to fully indexed", ofInsert, targetFirstIndexed, "of the raw limit"},
		{lineFirst, "first load with certificate, snapshot and profile", ofInsert, targetFirst, "of the raw limit"},
		{lineUnchanged, "unchanged full crawl", ofReplace, targetUnchanged, "times as fast as replacing all rows"},
		{lineChangedFew, "full crawl, 0.1 % changed", ofReplace, targetChangedFew, "times as fast as replacing all rows"},
		{lineChangedMany, "full crawl, 10 % changed", ofReplace, targetChangedMany, "times as fast as replacing all rows"},
	} {
		if m, ok := r.line(t.line); ok && t.of(m) > 0 {
			r.aim(t.name, t.of(m) >= t.least, "%.2f %s, at least %.2f", t.of(m), t.unit, t.least)
		}
	}
	if m, ok := r.line(lineSkip); ok {
		r.aim("skip: time", m.Starter < targetSkipSeconds, "%.2f s, under %.0f s", m.Starter, targetSkipSeconds)
		r.aim("skip: portal requests", m.Portal.Requests <= targetSkipRequests, "%d, at most %d", m.Portal.Requests, targetSkipRequests)
		r.aim("skip: billable actions", total(m.Actions) <= targetSkipActions, "%d, at most %d", total(m.Actions), targetSkipActions)
		r.aim("skip: it was one", m.Outcome == "skipped", "%s", m.Outcome)
	}
	if m, ok := r.line(lineBackfill); ok {
		r.aim("backfill of what is proven: billable actions", total(m.Actions) <= targetBackfillActions,
			"%d, at most %d", total(m.Actions), targetBackfillActions)
	}
	if m, ok := r.line(lineReloaded); ok && m.Windows > 0 {
		each := float64(total(m.Actions)) / float64(m.Windows)
		r.aim("reloading backfill: billable actions", each <= targetReloadedActions, "%.1f a window, at most %.0f", each, targetReloadedActions)
	}
	peak, slowest := measurement{}, step{}
	for _, m := range r.Lines {
		if m.WorkerPeak > peak.WorkerPeak {
			peak = m
		}
		for _, s := range m.Steps {
			if s.Name == snapshotStep && s.TookMS > slowest.TookMS {
				slowest = s
			}
		}
	}
	if peak.WorkerPeak > 0 {
		r.aim("worker memory", peak.WorkerPeak <= targetMemory,
			"%d MiB at most (%s), at most %d", peak.WorkerPeak>>20, peak.Name, targetMemory>>20)
	}
	if r.Rows != DefaultRows {
		return
	}
	if m, ok := r.line(lineUnchanged); ok {
		r.aim("unchanged full crawl: CPU of the database", m.CPU.database() <= targetUnchangedCPU,
			"%.1f s, at most %.0f s", m.CPU.database(), targetUnchangedCPU)
	}
	if took := float64(slowest.TookMS) / 1000; took > 0 {
		r.aim("snapshot", took <= targetSnapshot, "%.1f s in the slowest run, at most %.0f s", took, targetSnapshot)
	}
	if m, ok := r.line(lineReloaded); ok && m.Windows > 0 {
		rate := float64(m.Windows) / m.Seconds
		r.aim("reloading backfill: windows", rate >= targetReloadedRate, "%.1f a second, at least %.0f", rate, targetReloadedRate)
	}
	if m, ok := r.line(lineBackfill); ok {
		r.aim("backfill of what is proven: time", m.Seconds <= targetBackfill, "%.1f s, at most %.0f s", m.Seconds, targetBackfill)
	}
}

func ofInsert(m measurement) float64 { return m.OfInsert }

func ofReplace(m measurement) float64 { return m.OfReplace }

func (r *Report) aim(name string, reached bool, format string, args ...any) {
	r.Targets = append(r.Targets, target{name, reached, fmt.Sprintf(format, args...)})
}
