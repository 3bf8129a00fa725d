package dag

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
)

// Status is what can be said of a task at a moment.
type Status struct {
	Name     string        `json:"name"`
	Doing    string        `json:"doing,omitempty"` // as declared
	State    State         `json:"state"`
	Why      string        `json:"why,omitempty"`       // skipped or cancelled: for which reason
	WaitsFor []string      `json:"waits_for,omitempty"` // waiting: the tasks that it waits for
	Chose    []string      `json:"chose,omitempty"`     // of a branch
	IsMapped bool          `json:"is_mapped,omitempty"`
	Done     int           `json:"done,omitempty"`  // items done, of a mapped task
	Total    int           `json:"total,omitempty"` // items in all; 0 until known
	Rate     float64       `json:"rate,omitempty"`  // items per second, over all of its time
	ETA      time.Time     `json:"eta,omitzero"`    // when the last item will be done at that rate
	Started  time.Time     `json:"started,omitzero"`
	Took     time.Duration `json:"took,omitempty"` // of an ended task
	Error    string        `json:"error,omitempty"`
}

// Status returns the tasks in the order of declaration.
func (g *Graph) Status() []Status {
	all := make([]Status, 0, len(g.tasks))
	for _, n := range g.tasks {
		s := Status{
			Name: n.Name, Doing: n.Doing, State: n.state, Why: n.why, Chose: n.chosen, IsMapped: n.Each != nil,
			Done: len(n.finished), Total: n.total, Started: n.started,
		}
		if took := n.progress.Sub(n.started).Seconds(); s.Done > 0 && took > 0 && !n.progress.IsZero() {
			s.Rate = float64(s.Done) / took
			if n.state == Running {
				s.ETA = n.progress.Add(time.Duration(float64(s.Total-s.Done) / s.Rate * float64(time.Second)))
			}
		}
		if !n.started.IsZero() && !n.ended.IsZero() {
			s.Took = n.ended.Sub(n.started)
		}
		if n.err != nil {
			s.Error = n.err.Error()
			if app := (*temporal.ApplicationError)(nil); errors.As(n.err, &app) {
				s.Error = app.Message() // without what Temporal wraps around it
			}
		}
		for _, b := range n.before {
			if n.state == Waiting && !b.isFinal() {
				s.WaitsFor = append(s.WaitsFor, b.Name)
			}
		}
		all = append(all, s)
	}
	return all
}

const (
	// maxRows bounds the table's rows, in bytes, so that with its head and the
	// count of what has no room it stays below 20 kB.
	maxRows = 19_500
	// maxCell keeps an error in the table to a line that can be read, in characters.
	maxCell = 200
	// maxNamed is how many of the tasks that one waits for are named.
	maxNamed = 3
)

// look is how the states are shown, in the order in which their rows are kept
// where not all have room.
var look = []struct {
	state State
	mark  string
}{{Failed, "✗"}, {Running, "▶"}, {Cancelled, "◼"}, {Waiting, "·"}, {Done, "✓"}, {Skipped, "–"}}

// Markdown renders statuses as a table for the Temporal Web UI, times in UTC.
// It has at most 20 kB whatever the graph: what failed, runs or waits is kept
// first, and what has no room is counted.
func Markdown(tasks []Status) string {
	size := 0
	rows := make([]string, len(tasks))
	var left []string
	for _, l := range look {
		dropped := 0
		for i, t := range tasks {
			if t.State != l.state {
				continue
			}
			took := ""
			if t.Took > 0 {
				took = t.Took.Round(10 * time.Millisecond).String()
			}
			row := fmt.Sprintf("| %s | %s | %s | %s | %s |\n", l.mark, cell(t.Name), t.state(), t.items(), took)
			if size+len(row) > maxRows {
				dropped++
				continue
			}
			size += len(row)
			rows[i] = row
		}
		if dropped > 0 {
			left = append(left, fmt.Sprintf("%d %s", dropped, l.state))
		}
	}
	table := "| | task | state | items | took |\n|---|---|---|---|---|\n" + strings.Join(rows, "")
	if left != nil {
		table += "| … | and more | " + strings.Join(left, ", ") + " | | |\n"
	}
	return table
}

// state is the cell that says how a task stands, and why.
func (t Status) state() string {
	s := string(t.State)
	why := cmp.Or(t.Error, t.Why)
	if len(t.WaitsFor) > 0 {
		s = "waits for " + strings.Join(t.WaitsFor[:min(maxNamed, len(t.WaitsFor))], ", ")
		if more := len(t.WaitsFor) - maxNamed; more > 0 {
			s += fmt.Sprintf(" and %d more", more)
		}
	}
	if len(t.Chose) > 0 {
		why = "chose " + strings.Join(t.Chose, ", ")
	}
	if why != "" {
		s += ": " + why
	}
	return cell(s)
}

// items is the cell that says how far a mapped task has come.
func (t Status) items() string {
	if !t.IsMapped || t.Total == 0 {
		return ""
	}
	s := fmt.Sprintf("%d of %d", t.Done, t.Total)
	if t.Rate >= 1 {
		s += fmt.Sprintf(", %.1f/s", t.Rate)
	} else if t.Rate > 0 {
		s += fmt.Sprintf(", %.1f/min", t.Rate*60)
	}
	if !t.ETA.IsZero() {
		s += ", done at " + clock(t.ETA, t.Started)
	}
	return s
}

// clock names a time in UTC, with its day where that is another than since's.
func clock(t, since time.Time) string {
	if t, since = t.UTC(), since.UTC(); t.YearDay() == since.YearDay() && t.Year() == since.Year() {
		return t.Format("15:04 UTC")
	}
	return t.Format("2 Jan 15:04 UTC")
}

// cell makes text safe for one cell of a markdown table.
func cell(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxCell {
		s = string(r[:maxCell]) + "…"
	}
	return strings.ReplaceAll(s, "|", "\\|")
}

// short is a duration without the units that are zero: 2h, not 2h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Mermaid renders the graph as the body of a Mermaid flowchart, each line
// indented. The prefix makes the names of its nodes differ from those of other
// graphs in the same chart. A mapped task is drawn as a stack, a branch as a
// diamond; the edge between two tasks that follow each other item by item is
// dotted, and so is the one back to the first of the tasks that a task can have
// run again.
func (g *Graph) Mermaid(prefix string) string {
	var b strings.Builder
	for _, n := range g.tasks {
		label := strconv.Quote(strings.Join(append([]string{n.Name}, n.options()...), "<br/>"))
		switch {
		case n.Each != nil:
			fmt.Fprintf(&b, "    %s%s@{ shape: procs, label: %s }\n", prefix, n.Name, label)
		case n.Branch != nil:
			fmt.Fprintf(&b, "    %s%s{%s}\n", prefix, n.Name, label)
		default:
			fmt.Fprintf(&b, "    %s%s[%s]\n", prefix, n.Name, label)
		}
		edge := func(from, arrow, to string) { fmt.Fprintf(&b, "    %s%s %s %s%s\n", prefix, from, arrow, prefix, to) }
		for _, name := range n.After {
			var says []string
			if g.byName[name].Branch != nil {
				says = append(says, "if chosen")
			}
			if n.Rule != AllSuccess {
				says = append(says, n.Rule.String())
			}
			arrow := "-->"
			if says != nil {
				arrow = "-- " + strings.Join(says, ", ") + " -->"
			}
			edge(name, arrow, n.Name)
		}
		if n.Per != "" {
			edge(n.Per, "-. item by item .->", n.Name)
		}
		for _, first := range n.Repeats {
			if !slices.ContainsFunc(n.Repeats, g.byName[first].comesAfter) {
				edge(n.Name, fmt.Sprintf("-. %q .->", strings.TrimSpace("again "+n.RepeatsWhen)), first)
			}
		}
	}
	return b.String()
}

// options are the declared ones, a line each.
func (t Task) options() []string {
	var lines []string
	add := func(format string, is bool, value any) {
		if is {
			lines = append(lines, fmt.Sprintf(format, value))
		}
	}
	a := t.Activities
	add("at most %d at once", t.Each != nil, t.Limit)
	add("one attempt %s", a.StartToCloseTimeout > 0, short(a.StartToCloseTimeout))
	add("all attempts %s", a.ScheduleToCloseTimeout > 0, short(a.ScheduleToCloseTimeout))
	add("heartbeat %s", a.HeartbeatTimeout > 0, short(a.HeartbeatTimeout))
	if a.RetryPolicy != nil {
		add("at most %d attempts", a.RetryPolicy.MaximumAttempts > 0, a.RetryPolicy.MaximumAttempts)
	}
	return lines
}
