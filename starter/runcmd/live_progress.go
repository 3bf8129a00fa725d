package runcmd

import (
	"fmt"
	"time"

	"padron/internal/runs"
	"padron/starter/cli"
)

// rowsView is how far a run is, in rows.
type rowsView struct {
	Total     int64   `json:"total"` // on the portal
	Fetched   int64   `json:"fetched"`
	Cleaned   int64   `json:"cleaned"`
	Written   int64   `json:"written"`              // rows without a change are not counted
	PerSecond float64 `json:"per_second,omitempty"` // through all three, at the present pace
	ETA       float64 `json:"eta_seconds,omitempty"`
}

// rowsOf is how far a record says that its run is.
func rowsOf(record runs.Run) rowsView {
	return rowsView{
		Total: record.Probe.Rows, Fetched: record.Progress.Rows("fetch"), Cleaned: record.Progress.Rows("clean"), Written: record.Progress.Rows("upsert"),
	}
}

// doingText says what a record says that its run does.
func doingText(record runs.Run) string {
	switch {
	case record.ID == "":
		return "not begun yet"
	case record.Job == runs.JobBackfill:
		return backfillText(record.Backfill)
	case record.Probe.Decision == "":
		return "asking what there is to do"
	case record.Job == runs.JobReload:
		return "reloading windows, " + cli.Count(record.Progress.Rows("upsert")) + " rows so far"
	case record.Job != "" && record.Job != runs.JobMirror && len(record.Progress) == 0:
		return jobTitle(runs.Job(record.Job), record.Of, record.From)
	}
	what, n := doing(record)
	if what == "planning" {
		return "planning " + cli.Count(record.Probe.Rows) + " rows"
	}
	return fmt.Sprintf("%s, %s of %s rows", what, cli.Count(n), cli.Count(record.Probe.Rows))
}

// backfillText says how far a backfill is.
func backfillText(b runs.Backfill) string {
	switch {
	case b.Paused != "":
		return fmt.Sprintf("paused after %s of %s windows: %s", cli.Count(b.Done), cli.Count(b.Todo), b.Paused)
	case b.Todo == 0:
		return "planning the windows from " + b.Since + " until before " + b.Until
	case b.Proven > 0:
		return fmt.Sprintf("%s windows are proven; reconstructing snapshots", cli.Count(b.Proven))
	default:
		return fmt.Sprintf("reloading windows, %s of %s done in runs that have ended", cli.Count(b.Done), cli.Count(b.Todo))
	}
}

// pace takes rates over the last looks.
type pace struct{ seen []paceMark }

type paceMark struct {
	at   time.Time
	done float64 // of the run's reading and writing, from 0 to 1
}

// add adds a look and sets its rate and how long reading and writing will take
// still, where that can be told.
func (p *pace) add(now time.Time, v *liveView) {
	if v.Rows.Total == 0 {
		return
	}
	done := v.done()
	if n := len(p.seen); n > 0 && done < p.seen[n-1].done {
		p.seen = nil // crawled again
	}
	p.seen = append(p.seen, paceMark{now, done})
	for len(p.seen) > 2 && now.Sub(p.seen[0].at) > paceOver {
		p.seen = p.seen[1:]
	}
	first := p.seen[0]
	took := now.Sub(first.at).Seconds()
	if done <= first.done || took <= 0 {
		return
	}
	perSecond := (done - first.done) / took
	v.Rows.PerSecond = perSecond * float64(v.Rows.Total)
	v.Rows.ETA = (1 - done) / perSecond
}

// done is the share of reading, cleaning and writing that is done. A page
// without changes is never written, so pages count where they tell more.
func (v *liveView) done() float64 {
	share := map[string]float64{
		"fetch_page":  float64(v.Rows.Fetched) / float64(v.Rows.Total),
		"clean_page":  float64(v.Rows.Cleaned) / float64(v.Rows.Total),
		"upsert_page": float64(v.Rows.Written) / float64(v.Rows.Total),
	}
	for _, t := range v.Tasks {
		if have, ok := share[t.Name]; ok && t.Total > 0 {
			share[t.Name] = max(have, float64(t.Done)/float64(t.Total))
		}
	}
	return min((share["fetch_page"]+share["clean_page"]+share["upsert_page"])/float64(len(share)), 1)
}
