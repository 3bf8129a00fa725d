package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"padron/activities"
	"padron/internal/runs"
	"padron/workflows/dag"
)

// The workflows of a run, as Declared names them.
const (
	InBackfill = "backfill"
	InMirror   = "mirror"
	InWrite    = "write"
)

// DeclaredTask is one task of a job's graph, as the workflows declare it.
type DeclaredTask struct {
	Workflow    string   `json:"workflow"` // InBackfill, InMirror or InWrite
	Name        string   `json:"name"`
	After       []string `json:"after,omitempty"`        // tasks of the same workflow that it waits for
	Per         string   `json:"per,omitempty"`          // the task that it follows item by item
	Rule        string   `json:"rule"`                   // when it runs once those have ended: all_success or all_done
	Branch      bool     `json:"branch,omitempty"`       // decides which of the tasks directly after it run
	Mapped      bool     `json:"mapped,omitempty"`       // done in items, such as key ranges
	AtOnce      int      `json:"at_once,omitempty"`      // items at once, of a mapped task; of a backfill's windows, at least
	Repeats     []string `json:"repeats,omitempty"`      // tasks before it that it can have run again
	RepeatsWhen string   `json:"repeats_when,omitempty"` // in which case
	Contains    string   `json:"contains,omitempty"`     // the workflow that the task runs as its child
}

// errNoSuchJob says that there is no graph for a job.
var errNoSuchJob = errors.New("no such job")

// Declared lists the tasks of a job's graphs, the outer workflow's first, in the
// order of declaration. Of the job only Name and, for a rerun, From count. A job
// or a step that does not exist is an error.
func Declared(of activities.JobSpec) ([]DeclaredTask, error) {
	levels, err := levelsOf(of)
	if err != nil {
		return nil, err
	}
	var all []DeclaredTask
	for i, l := range levels {
		for _, t := range l.tasks {
			d := DeclaredTask{
				Workflow: l.workflow, Name: t.Name, After: t.After, Per: t.Per, Rule: t.Rule.String(), Branch: t.Branch != nil,
				Mapped: t.Each != nil, AtOnce: t.Limit, Repeats: t.Repeats, RepeatsWhen: t.RepeatsWhen,
			}
			if t.Name == l.child {
				d.Contains = levels[i+1].workflow
			}
			all = append(all, d)
		}
	}
	return all, nil
}

// Mermaid draws a job's graphs as a Mermaid flowchart, from the declarations
// that the workflows run. Of the job only Name and, for a rerun, From count; the
// empty job mirrors. A job or a step that does not exist is an error.
func Mermaid(of activities.JobSpec) (string, error) {
	levels, err := levelsOf(of)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	for _, l := range levels {
		g, err := dag.New(l.tasks...)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "  subgraph %s_workflow[\"%s\"]\n%s  end\n", l.workflow, l.title, g.Mermaid(l.workflow+"_"))
	}
	for i, l := range levels[:len(levels)-1] {
		fmt.Fprintf(&b, "  %s_%s ==> %s_workflow\n", l.workflow, l.child, levels[i+1].workflow)
	}
	return b.String(), nil
}

// level is one of the workflows of a job.
type level struct {
	workflow string
	title    string // with its workflow id
	tasks    []dag.Task
	child    string // the task that runs the next level as its child
}

// levelsOf are the workflows that hold a job's graphs, from the outside in.
func levelsOf(of activities.JobSpec) ([]level, error) {
	var outer []level
	if of.Name == runs.JobBackfill {
		outer = []level{{InBackfill, "Backfill: backfill/DATASET/BACKFILL", new(backfillRun).tasks(), "reload"}}
		of.Name = runs.JobReload
	}
	// A backfill's windows are as many at once as its run was told.
	w := &write{in: WriteInput{Job: of, Probe: activities.ProbeResult{Boundaries: true}, Reload: &activities.Reload{MaxActive: 1}}}
	writing := w.tasks()
	if len(writing) == 0 {
		return nil, fmt.Errorf("%w: %q", errNoSuchJob, of.Name)
	}
	steps := []string{runs.FromClean, runs.FromGate, runs.FromSnapshot}
	if of.Name == runs.JobRerun && !slices.Contains(steps, of.From) {
		return nil, fmt.Errorf("%w: rerun from %q", errNoSuchJob, of.From)
	}
	return append(outer,
		level{InMirror, "Mirror: mirror/DATASET/RUN", new(mirrorRun).tasks(), InWrite},
		level{InWrite, "Write: write/DATASET, one at a time", writing, ""}), nil
}
