package dashboard

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"padron/internal/mirror"
)

const (
	// runsPerPage is how many runs a page lists.
	runsPerPage = 25

	// quarantineAtMost bounds the quarantined rows whose reasons are counted.
	quarantineAtMost = 1000

	// refreshAfter is how many seconds a page of a running run waits until it is
	// loaded again where scripts are off.
	refreshAfter = 5
)

// runPlace is how the parameter after of the list of runs is written: when the
// last one shown had started.
const runPlace = "2006-01-02T15:04:05.000Z"

type runsData struct {
	Runs        []mirror.Run
	First, Next string // addresses of pages; empty: there is none
	Running     *mirror.Run
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
	runs, err := r.mirror.Runs(r.ctx, runsPerPage+1, before)
	if err != nil {
		return nil, err
	}
	d := runsData{Runs: runs, First: r.first(), Running: r.running(), Progress: r.listProgress()}
	if d.First == "" {
		d.Live = dataPath(".json", "runs", "live") + "?lang=" + r.lang
	}
	if len(runs) > runsPerPage {
		d.Runs = runs[:runsPerPage]
		d.Next = r.with("after", d.Runs[runsPerPage-1].Started.UTC().Format(runPlace))
	}
	v := &view{template: "runs", title: r.t("nav.runs"), data: d}
	if d.Running != nil {
		v.refresh = refreshAfter
	}
	return v, nil
}

type runData struct {
	mirror.Run
	Quarantine []reason
	Counted    int64 // rows in quarantine
	More       bool  // there are more than were looked at
	Progress   progress
	Live       string // address of progress
	Checks     []mirror.Check
}

// reason is why rows are in quarantine, and how many.
type reason struct {
	Reason string
	Rows   int
}

// progress is how far a run is, for pages that follow it.
type progress struct {
	Key     string         `json:"key"` // when it changes, the page has changed otherwise too
	Run     string         `json:"run"`
	Status  mirror.Status  `json:"status"`
	Outcome mirror.Outcome `json:"outcome,omitempty"`
	Text    string         `json:"text"` // in a line
	Rows    int64          `json:"rows"` // of the portal; 0 while not known
	Steps   []stepProgress `json:"steps"`
	Percent int            `json:"percent"` // of the last step that has begun
	Updated time.Time      `json:"updated,omitzero"`
	Ended   bool           `json:"ended"`
}

type stepProgress struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	Text string `json:"text"`
}

// progressOf sums up a run's record.
func (r *request) progressOf(run *mirror.Run) progress {
	p := progress{
		Run: run.ID, Status: run.Status, Outcome: run.Outcome, Updated: run.Updated.UTC(), Rows: run.Probe.Rows, Steps: []stepProgress{},
		Ended: run.Status != mirror.StatusRunning, Key: string(run.Status),
	}
	names := slices.Sorted(maps.Keys(run.Progress))
	order := []string{"fetch", "clean", "upsert"}
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(slices.Index(order, a), slices.Index(order, b))
	})
	for _, name := range names {
		rows := run.Progress.Rows(name)
		p.Steps = append(p.Steps, stepProgress{Name: name, Rows: rows, Text: r.t("live.step", r.or("step."+name, name), rows)})
		if p.Rows > 0 {
			p.Percent = int(min(100, 100*rows/p.Rows))
		}
	}
	switch {
	case p.Ended:
		p.Text = r.t("live.ended", r.ending(run))
		p.Percent = 100
	case len(p.Steps) == 0:
		p.Text = r.t("live.begun")
	default:
		p.Text = p.Steps[len(p.Steps)-1].Text
	}
	return p
}

// ending is how a run ended, in words; of a running one that it runs.
func (r *request) ending(run *mirror.Run) string {
	if e := run.Ending(); e != "" {
		return r.t("outcome." + string(e))
	}
	return r.t("outcome." + string(run.Status))
}

func (r *request) findRun() (mirror.Run, error) {
	id := r.PathValue("id")
	run, err := r.mirror.Run(r.ctx, id)
	if errors.Is(err, mirror.ErrNoRun) {
		return run, missing("run", shorten(id))
	}
	return run, err
}

func (r *request) run() (*view, error) {
	run, err := r.findRun()
	if err != nil {
		return nil, err
	}
	d := runData{Run: run, Progress: r.progressOf(&run), Live: dataPath(".json", "runs", run.ID, "live") + "?lang=" + r.lang, Checks: run.Certificate.Checks}
	rows, err := r.mirror.QuarantineOf(r.ctx, run.ID, "", quarantineAtMost)
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
	v := &view{template: "run", title: r.t("title.run", run.ID), data: d}
	if run.Status == mirror.StatusRunning {
		v.refresh = refreshAfter
	}
	return v, nil
}

// running is a run that is under way; nil: none is.
func (r *request) running() *mirror.Run {
	i := slices.IndexFunc(r.state.runs, func(run mirror.Run) bool { return run.Status == mirror.StatusRunning })
	if i < 0 {
		return nil
	}
	return &r.state.runs[i]
}

// listProgress is the progress of the run that is under way, if one is, as the
// list of runs shows it.
func (r *request) listProgress() progress {
	p := progress{Steps: []stepProgress{}}
	if run := r.running(); run != nil {
		p = r.progressOf(run)
	}
	p.Key = r.state.past
	return p
}

// liveList is what a page that shows the list of runs follows.
func (r *request) liveList() (*content, error) { return asJSON(r.listProgress()) }

// live is a run's progress, for a page that follows it.
func (r *request) live() (*content, error) {
	run, err := r.findRun()
	if err != nil {
		return nil, err
	}
	return asJSON(r.progressOf(&run))
}
