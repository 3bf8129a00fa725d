package dashboard

import (
	"time"

	"padron/dashboard/chart"
	"padron/internal/runs"
)

const (
	// runsPerPage is how many runs a page lists.
	runsPerPage = 25

	// refreshAfter is after how many seconds the page of a running run is
	// loaded again where scripts are off.
	refreshAfter = 5
)

// runPlace is the format of the parameter after of the list of runs: when the
// last run of the page before started.
const runPlace = "2006-01-02T15:04:05.000Z"

// runsData is what the list of runs shows.
type runsData struct {
	Runs        []runs.Run
	First, Next string // addresses of pages; empty: there is none
	Running     *runs.Run
	Progress    progress
	Live        string // address of progress; empty: the page is not followed
}

func (r *request) runs() (*view, error) {
	var before time.Time
	if after := r.query.Get("after"); after != "" {
		var err error
		if before, err = time.Parse(runPlace, after); err != nil {
			return nil, bad("after", after, "after")
		}
	}
	runs, err := r.reader.Runs.Runs(r.Context(), runsPerPage+1, before)
	if err != nil {
		return nil, err
	}
	d := runsData{Runs: runs, First: r.first(), Running: r.running(), Progress: r.listProgress()}
	for i := range runs {
		runs[i] = r.shownRun(runs[i])
	}
	if d.First == "" {
		d.Live = chart.DataPath(".json", "runs", "live") + "?lang=" + r.Lang
	}
	if len(runs) > runsPerPage {
		d.Runs = runs[:runsPerPage]
		d.Next = r.with("after", d.Runs[runsPerPage-1].Started.UTC().Format(runPlace))
	}
	v := &view{template: "runs", title: r.T("nav.runs"), data: d}
	if d.Running != nil {
		v.refresh = refreshAfter
	}
	return v, nil
}
