package workflows

import (
	"errors"
	"fmt"

	"padron/activities"
	"padron/workflows/dag"
)

// The workflows of a run, as Declared names them.
const (
	InMirror = "mirror"
	InWrite  = "write"
)

// DeclaredTask is one task of a job's graph, as the workflows declare it.
type DeclaredTask struct {
	Workflow string   `json:"workflow"` // InMirror or InWrite
	Name     string   `json:"name"`
	After    []string `json:"after,omitempty"`    // tasks of the same workflow that it waits for
	Per      string   `json:"per,omitempty"`      // the task that it follows item by item
	Rule     string   `json:"rule"`               // when it runs once those have ended, such as all_success
	Mapped   bool     `json:"mapped,omitempty"`   // done in items, such as key ranges
	AtOnce   int      `json:"at_once,omitempty"`  // items at once, of a mapped task; of a backfill's windows, at least
	Contains string   `json:"contains,omitempty"` // the workflow that the task runs as its child
}

// errNoSuchJob says that there is no graph for a job.
var errNoSuchJob = errors.New("no such job")

// Declared lists the tasks of a job's graph, those of the run itself first, in
// the order of declaration. Of the task only Job and, for a rerun, From count.
// A job or a step that does not exist is an error.
func Declared(of activities.Task) ([]DeclaredTask, error) {
	_, inner, err := graphs(of)
	if err != nil {
		return nil, err
	}
	var all []DeclaredTask
	for _, t := range new(mirrorRun).tasks() {
		d := declared(InMirror, t)
		if t.Name == InWrite {
			d.Contains = InWrite
		}
		all = append(all, d)
	}
	for _, t := range inner.tasks() {
		all = append(all, declared(InWrite, t))
	}
	return all, nil
}

func declared(workflow string, t dag.Task) DeclaredTask {
	return DeclaredTask{Workflow: workflow, Name: t.Name, After: t.After, Per: t.Per, Rule: t.Rule.String(), Mapped: t.Each != nil, AtOnce: t.Limit}
}

// graphs are the workflows that hold a job's graphs.
func graphs(of activities.Task) (*mirrorRun, *write, error) {
	// A backfill's windows are as many at once as its run was told.
	w := &write{in: WriteInput{Task: of, Reload: &activities.Reload{MaxActive: 1}}}
	if len(w.tasks()) == 0 {
		return nil, nil, fmt.Errorf("%w: %q", errNoSuchJob, of.Job)
	}
	if from := of.From; of.Job == JobRerun && from != activities.FromClean && from != activities.FromGate && from != activities.FromSnapshot {
		return nil, nil, fmt.Errorf("%w: rerun from %q", errNoSuchJob, from)
	}
	return new(mirrorRun), w, nil
}
