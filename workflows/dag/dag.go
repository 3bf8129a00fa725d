package dag

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"
)

// Rule says when a task runs; see the package documentation.
type Rule int

// The trigger rules.
const (
	AllSuccess Rule = iota
	AllDone
)

func (r Rule) String() string { return [...]string{"all_success", "all_done"}[r] }

// State of a task.
type State string

// The states of a task. All but Waiting and Running are final.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Skipped   State = "skipped"
	Cancelled State = "cancelled"
)

// ErrSkip is what Run returns when there turned out to be nothing to do: the
// task ends as skipped, with no failure. It may be wrapped in the reason.
var ErrSkip = errors.New("nothing to do")

// nameRunes are the characters of a task's name: it is a node in Mermaid too.
const nameRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// Task is one node. Exactly one of Run, Branch and Each is set.
type Task struct {
	Name  string   // of letters, digits, _ and -
	Doing string   // what it does while it runs, for people: "checking the crawl"; may be empty
	After []string // names of earlier tasks
	Rule  Rule
	Run   func(ctx workflow.Context) error

	// Branch is Run for a task that decides: it returns the names of those
	// tasks directly after it that are to run. Another name fails the task.
	Branch func(ctx workflow.Context) ([]string, error)

	// Each makes the task a mapped one: it is called for the items 0 to
	// Items()-1, at most Limit at once.
	Each  func(ctx workflow.Context, item int) error
	Limit int
	// Items is called once, when the task starts. Not used with Per.
	Items func() int
	// Per names an earlier mapped task: item i starts as soon as item i of
	// that task is done. It implies After.
	Per string

	// Repeats names tasks before this one that its Run may have run again, see
	// Graph.Repeat, with all that come after them but do not come after this
	// one. RepeatsWhen says in which case, for the drawing.
	Repeats     []string
	RepeatsWhen string

	// Activities are the options in the task's context for the activities that
	// it calls: the timeout of one attempt, the deadline over all attempts, the
	// heartbeat, retries. What is zero is left to the caller of the activity.
	Activities workflow.ActivityOptions
}

// Graph is a checked list of tasks, for one run.
type Graph struct {
	tasks    []*node
	byName   map[string]*node
	onChange func(workflow.Context)
}

// node is a task and what has become of it.
type node struct {
	Task
	before []*node
	per    *node // the task that it follows item by item

	state    State
	caused   bool   // skipped, with a failure at the root
	why      string // skipped or cancelled: for which reason
	err      error
	begun    bool  // mapped: total is known
	total    int   // mapped: items in all
	taken    int   // items that were started
	finished []int // items that are done, in the order of their ends
	chosen   []string
	started  time.Time
	progress time.Time // of the last item's end
	ended    time.Time
}

// New checks the tasks and makes a graph of them. It returns an error that
// names the task for a bad or repeated name, an unknown or later predecessor, a
// task with none or several of Run, Branch and Each, a mapped task without a
// limit or a source of items, and Repeats that name a task that does not come
// before, or leave out one that comes between.
func New(tasks ...Task) (*Graph, error) {
	g := &Graph{byName: map[string]*node{}, onChange: func(workflow.Context) {}}
	for _, t := range tasks {
		n := &node{Task: t, state: Waiting, per: g.byName[t.Per]}
		for _, name := range t.After {
			if g.byName[name] == nil {
				return nil, fmt.Errorf("task %q: comes after %q, which is not an earlier task", t.Name, name)
			}
			n.before = append(n.before, g.byName[name])
		}
		if n.per != nil {
			n.before = append(n.before, n.per)
		}
		if err := g.check(n); err != nil {
			return nil, fmt.Errorf("task %q: %w", t.Name, err)
		}
		g.tasks = append(g.tasks, n)
		g.byName[t.Name] = n
	}
	for _, n := range g.tasks {
		if err := g.checkRepeats(n); err != nil {
			return nil, fmt.Errorf("task %q: %w", n.Name, err)
		}
	}
	return g, nil
}

func (g *Graph) check(n *node) error {
	// Mermaid has no way to draw a node called end.
	if n.Name == "" || n.Name == "end" || strings.Trim(n.Name, nameRunes) != "" {
		return errors.New("a task needs a name of letters, digits, _ and -, other than end")
	}
	if g.byName[n.Name] != nil {
		return errors.New("a task needs a name of its own")
	}
	run, branch, mapped := n.Run != nil, n.Branch != nil, n.Each != nil
	switch {
	case !run && !branch && !mapped, run && branch, run && mapped, branch && mapped:
		return errors.New("needs one of Run, Branch and Each")
	case !mapped && (n.Limit != 0 || n.Items != nil || n.Per != ""):
		return errors.New("has Items, Per or a Limit, which only a task with Each can have")
	case mapped && n.Limit < 1:
		return errors.New("a mapped task needs a limit of at least 1")
	case mapped && (n.Items == nil) == (n.Per == ""):
		return errors.New("a mapped task needs either Items or Per")
	case n.Per != "" && (n.per == nil || n.per.Each == nil):
		return fmt.Errorf("follows %q, which is not an earlier mapped task", n.Per)
	case n.Per != "" && n.Rule != AllSuccess:
		return fmt.Errorf("follows %q item by item, which the rule %s cannot; use After", n.Per, n.Rule)
	}
	return nil
}

// checkRepeats sees to it that nothing but n waits for, or uses, the work of the
// tasks that n has run again.
func (g *Graph) checkRepeats(n *node) error {
	for _, name := range n.Repeats {
		switch {
		case n.Run == nil:
			return errors.New("has Repeats, which only a task with Run can have")
		case !n.comesAfter(name):
			return fmt.Errorf("repeats %q, which does not come before it", name)
		}
		for _, m := range g.tasks {
			if m != n && slices.Contains(m.before, g.byName[name]) && !slices.Contains(n.Repeats, m.Name) && !m.comesAfter(n.Name) {
				return fmt.Errorf("repeats %q and not %q, which comes after that", name, m.Name)
			}
		}
	}
	return nil
}

// OnChange sets what is called after every change of a task's state or count.
func (g *Graph) OnChange(f func(workflow.Context)) { g.onChange = f }

// comesAfter says whether n comes after the named task, directly or not.
func (n *node) comesAfter(name string) bool {
	return slices.ContainsFunc(n.before, func(b *node) bool { return b.Name == name || b.comesAfter(name) })
}

// leavesOut says whether the answer of a branch keeps a task directly after it
// from running.
func (n *node) leavesOut(other *node) bool {
	return n.Branch != nil && n.state == Done && !slices.ContainsFunc(n.chosen, func(name string) bool {
		return name == other.Name || other.comesAfter(name)
	})
}

func (n *node) isFinal() bool { return n.state != Waiting && n.state != Running }

// isFailure says whether n failed, or was skipped because another one failed.
func (n *node) isFailure() bool { return n.state == Failed || n.caused }
