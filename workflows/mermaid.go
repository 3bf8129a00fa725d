package workflows

import (
	"fmt"

	"padron/activities"
)

// Mermaid draws what a run that mirrors does, from the graphs that the
// workflows run, as a Mermaid flowchart.
func Mermaid() (string, error) { return MermaidOf(activities.Task{Job: JobMirror}) }

// MermaidOf is Mermaid for any job. Of the task only Job and, for a rerun, From
// count. A job or a step that does not exist is an error.
func MermaidOf(of activities.Task) (string, error) {
	run, writing, err := graphs(of)
	if err != nil {
		return "", err
	}
	outer, err := run.graph()
	if err != nil {
		return "", err
	}
	inner, err := writing.graph()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`flowchart TD
  subgraph mirror_workflow["Mirror: mirror/DATASET/RUN"]
%s  end
  subgraph write_workflow["Write: write/DATASET, one at a time"]
%s  end
  write ==> write_workflow
`, outer.Mermaid(), inner.Mermaid()), nil
}
