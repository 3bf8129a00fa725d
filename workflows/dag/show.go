package dag

import (
	"fmt"
	"strings"
	"time"
)

// Status is what can be said of a task at a moment.
type Status struct {
	Name     string        `json:"name"`
	State    State         `json:"state"`
	Done     int           `json:"done,omitempty"`  // items done, of a mapped task
	Total    int           `json:"total,omitempty"` // items in all; 0 until known
	Started  time.Time     `json:"started,omitzero"`
	Took     time.Duration `json:"took,omitempty"` // of an ended task
	Error    string        `json:"error,omitempty"`
	IsMapped bool          `json:"is_mapped,omitempty"`
}

// Status returns the tasks in the order of declaration.
func (g *Graph) Status() []Status {
	all := make([]Status, 0, len(g.tasks))
	for _, n := range g.tasks {
		s := Status{Name: n.Name, State: n.state, Done: n.done, Total: n.total, Started: n.started, IsMapped: n.Each != nil}
		if !n.started.IsZero() && !n.ended.IsZero() {
			s.Took = n.ended.Sub(n.started)
		}
		if n.err != nil {
			s.Error = n.err.Error()
		}
		all = append(all, s)
	}
	return all
}

var marks = map[State]string{Waiting: "·", Running: "▶", Done: "✓", Failed: "✗", Skipped: "–"}

// maxErrorShown keeps a task's error in the table to a line that can be read.
const maxErrorShown = 200

// Markdown renders statuses as a table for the Temporal Web UI.
func Markdown(tasks []Status) string {
	var b strings.Builder
	b.WriteString("| | task | state | items | took |\n|---|---|---|---|---|\n")
	for _, t := range tasks {
		items, took := "", ""
		if t.IsMapped && t.Total > 0 {
			items = fmt.Sprintf("%d of %d", t.Done, t.Total)
		}
		if t.Took > 0 {
			took = t.Took.Round(10 * time.Millisecond).String()
		}
		state := string(t.State)
		if t.Error != "" {
			state += ": " + cell(t.Error)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", marks[t.State], t.Name, state, items, took)
	}
	return b.String()
}

// cell makes text safe for one cell of a markdown table.
func cell(s string) string {
	s = strings.NewReplacer("|", "\\|", "\n", " ").Replace(s)
	if r := []rune(s); len(r) > maxErrorShown {
		return string(r[:maxErrorShown]) + "…"
	}
	return s
}

// Mermaid renders the declared graph as the body of a Mermaid flowchart, each
// line indented. A mapped task is drawn as a stack; the edge between two tasks
// that follow each other item by item is dotted.
func (g *Graph) Mermaid() string {
	var b strings.Builder
	for _, n := range g.tasks {
		if n.Each != nil {
			fmt.Fprintf(&b, "    %s@{ shape: procs, label: \"%s<br/>at most %d at once\" }\n", n.Name, n.Name, n.Limit)
		} else {
			fmt.Fprintf(&b, "    %s[%s]\n", n.Name, n.Name)
		}
		for _, name := range n.After {
			arrow := "-->"
			if n.Rule != AllSuccess {
				arrow = "-- " + n.Rule.String() + " -->"
			}
			fmt.Fprintf(&b, "    %s %s %s\n", name, arrow, n.Name)
		}
		if n.Per != "" {
			fmt.Fprintf(&b, "    %s -. item by item .-> %s\n", n.Per, n.Name)
		}
	}
	return b.String()
}
