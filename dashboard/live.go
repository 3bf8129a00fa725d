package dashboard

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"padron/internal/certificate"
	"padron/internal/runs"
)

// progress is how far a run is, for pages that follow it. The scripts read it
// too: go generate ./dashboard writes its type for them.
type progress struct {
	Key     string              `json:"key"` // when it changes, more of the page has changed than the progress
	Run     string              `json:"run"`
	Status  runs.Status         `json:"status"`
	Outcome certificate.Outcome `json:"outcome,omitempty"`
	Text    string              `json:"text"` // the progress in one line
	Rows    int64               `json:"rows"` // of the portal; 0 while not known
	Steps   []stepProgress      `json:"steps"`
	Percent int                 `json:"percent"` // of the last step that has begun
	Updated time.Time           `json:"updated,omitzero"`
	Ended   bool                `json:"ended"`
}

// stepProgress is how far one step of a run is.
type stepProgress struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	Text string `json:"text"`
}

// progressOf sums up a run's record.
func (r *request) progressOf(run *runs.Run) progress {
	p := progress{
		Run: run.ID, Status: run.Status, Outcome: run.Outcome, Updated: run.Updated.UTC(), Rows: run.Probe.Rows, Steps: []stepProgress{},
		Ended: run.Status != runs.StatusRunning, Key: string(run.Status),
	}
	names := slices.Sorted(maps.Keys(run.Progress))
	order := []string{"fetch", "clean", "upsert"}
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(slices.Index(order, a), slices.Index(order, b))
	})
	for _, name := range names {
		rows := run.Progress.Rows(name)
		p.Steps = append(p.Steps, stepProgress{Name: name, Rows: rows, Text: r.T("live.step", r.Or("step."+name, name), rows)})
		if p.Rows > 0 {
			p.Percent = int(min(100, 100*rows/p.Rows))
		}
	}
	switch {
	case p.Ended:
		p.Text = r.T("live.ended", r.ending(run))
		p.Percent = 100
	case len(p.Steps) == 0:
		p.Text = r.T("live.begun")
	default:
		p.Text = p.Steps[len(p.Steps)-1].Text
	}
	return p
}

// ending says how a run ended, or that it is running.
func (r *request) ending(run *runs.Run) string {
	if e := run.Ending(); e != "" {
		return r.T("outcome." + string(e))
	}
	return r.T("outcome." + string(run.Status))
}

// running is a run that has not ended; nil: there is none.
func (r *request) running() *runs.Run {
	i := slices.IndexFunc(r.state.runs, func(run runs.Run) bool { return run.Status == runs.StatusRunning })
	if i < 0 {
		return nil
	}
	return &r.state.runs[i]
}

// listProgress is the progress of the running run, if there is one, as the list
// of runs shows it. Its key changes with the list.
func (r *request) listProgress() progress {
	p := progress{Steps: []stepProgress{}}
	if run := r.running(); run != nil {
		p = r.progressOf(run)
	}
	p.Key = r.state.past
	return p
}

// liveList answers with the progress that the list of runs follows.
func (r *request) liveList() (*content, error) { return asJSON(r.listProgress()) }

// live answers with the progress that the page of a run follows.
func (r *request) live() (*content, error) {
	run, err := r.findRun()
	if err != nil {
		return nil, err
	}
	return asJSON(r.progressOf(&run))
}
