package workflows

import "fmt"

// Mermaid draws what a run does, from the graphs that the workflows run, as a
// Mermaid flowchart.
func Mermaid() (string, error) {
	outer, err := new(mirrorRun).graph()
	if err != nil {
		return "", err
	}
	inner, err := new(write).graph()
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
