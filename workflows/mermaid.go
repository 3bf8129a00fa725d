package workflows

import (
	"fmt"
	"strings"

	"padron/activities"
	"padron/workflows/dag"
)

// Mermaid draws what a run that mirrors does, from the graphs that the
// workflows run, as a Mermaid flowchart.
func Mermaid() (string, error) { return MermaidOf(activities.Task{Job: JobMirror}) }

// MermaidOf is Mermaid for any job. Of the task only Job and, for a rerun, From
// count. A job or a step that does not exist is an error.
func MermaidOf(of activities.Task) (string, error) {
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
		fmt.Fprintf(&b, "  subgraph %s_workflow[\"%s\"]\n%s  end\n", l.workflow, l.title, g.Mermaid())
	}
	for i, l := range levels[:len(levels)-1] {
		fmt.Fprintf(&b, "  %s ==> %s_workflow\n", l.child, levels[i+1].workflow)
	}
	return b.String(), nil
}
