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
	OneFailed
	NoneFailed
)

func (r Rule) String() string {
	return [...]string{"all_success", "all_done", "one_failed", "none_failed"}[r]
}

// Policy says what a failure means for the rest of the graph; see the package
// documentation.
type Policy int

// The failure policies.
const (
	FinishRest Policy = iota // finish what can be finished
	FailFast                 // cancel what runs, start only all_done and one_failed
)

// State of a task.
type State string

// The states of a task. All but Waiting and Running are final.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Done      State = "done"
	Reused    State = "reused" // counts as done earlier
	Failed    State = "failed"
	Skipped   State = "skipped"
	Cancelled State = "cancelled"
)

// ErrSkip is what Run returns when there turned out to be nothing to do: the
// task ends as skipped, with no failure. It may be wrapped in the reason.
var ErrSkip = errors.New("nothing to do")

// DeadlineExceeded is the type of the application error with which a task fails
// whose Timeout has passed.
const DeadlineExceeded = "DeadlineExceeded"

// nameRunes are the characters of a task's name: it is a node in Mermaid too.
const nameRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// Task is one node. Exactly one of Run, Branch and Each is set.
type Task struct {
	Name  string   // of letters, digits, _ and -
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
	// Items is called once, when the task starts or is reused. Not used with Per.
	Items func() int
	// Per names an earlier mapped task: item i starts as soon as item i of
	// that task is done. It implies After.
	Per string

	// Timeout is the deadline of the whole task with all of its items, counted
	// from its start; 0 is none.
	Timeout time.Duration
	// Activities are the options in the task's context for the activities that
	// it calls: the timeout of one attempt, the deadline over all attempts, the
	// heartbeat, retries. What is zero is left to the caller of the activity.
	Activities workflow.ActivityOptions
	// Recall brings back what the task made in an earlier run; it is called in
	// the place of its work when the task is reused. It may be nil.
	Recall func(ctx workflow.Context) error
}

// Graph is a checked list of tasks, for one run.
type Graph struct {
	tasks    []*node
	byName   map[string]*node
	policy   Policy
	onChange func(workflow.Context)
}

// node is a task and what has become of it.
type node struct {
	Task
	before []*node
	per    *node // the task that it follows item by item
	reuse  bool  // before the task that the run starts from

	state    State
	caused   bool   // skipped or cancelled, with a failure at the root
	why      string // skipped or cancelled: for which reason
	err      error
	begun    bool  // mapped: total is known
	total    int   // mapped: items in all
	taken    int   // items that were started
	finished []int // items that are done, in the order of their ends
	chosen   []string
	started  time.Time
	deadline time.Time
	late     bool      // the deadline passed
	progress time.Time // of the last item's end
	ended    time.Time
	cancel   workflow.CancelFunc
}

// New checks the tasks and makes a graph of them. It returns an error that
// names the task for a bad or repeated name, an unknown or later predecessor, a
// task with none or several of Run, Branch and Each, a negative timeout, and a
// mapped task without a limit or a source of items.
func New(tasks ...Task) (*Graph, error) {
	g := &Graph{byName: map[string]*node{}, onChange: func(workflow.Context) {}}
	for _, t := range tasks {
		n := &node{Task: t, state: Waiting, per: g.byName[t.Per]}
		if err := g.check(n); err != nil {
			return nil, fmt.Errorf("task %q: %w", t.Name, err)
		}
		for _, name := range t.After {
			n.before = append(n.before, g.byName[name])
		}
		if n.per != nil {
			n.before = append(n.before, n.per)
		}
		g.tasks = append(g.tasks, n)
		g.byName[t.Name] = n
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
	for _, name := range n.After {
		if g.byName[name] == nil {
			return fmt.Errorf("comes after %q, which is not an earlier task", name)
		}
	}
	run, branch, mapped := n.Run != nil, n.Branch != nil, n.Each != nil
	switch {
	case !run && !branch && !mapped, run && branch, run && mapped, branch && mapped:
		return errors.New("needs one of Run, Branch and Each")
	case n.Timeout < 0:
		return fmt.Errorf("has the timeout %s, which is negative", n.Timeout)
	case !mapped && (n.Limit != 0 || n.Items != nil || n.Per != ""):
		return errors.New("has Items, Per or a Limit, which only a task with Each can have")
	case mapped && n.Limit < 1:
		return errors.New("a mapped task needs a limit of at least 1")
	case mapped && (n.Items == nil) == (n.Per == ""):
		return errors.New("a mapped task needs either Items or Per")
	case n.Per != "" && (n.per == nil || n.per.Each == nil):
		return fmt.Errorf("follows %q, which is not an earlier mapped task", n.Per)
	case n.Per != "" && n.Rule != AllSuccess && n.Rule != NoneFailed:
		return fmt.Errorf("follows %q item by item, which the rule %s cannot; use After", n.Per, n.Rule)
	}
	return nil
}

// OnChange sets what is called after every change of a task's state or count.
func (g *Graph) OnChange(f func(workflow.Context)) { g.onChange = f }

// OnFailure sets the failure policy; FinishRest unless set.
func (g *Graph) OnFailure(p Policy) { g.policy = p }

// From makes a run start at a task. It and those that come after it, directly
// or not, run by their rules. All others are reused: they count as done
// earlier, whether the named task depends on them or has nothing to do with
// them, and instead of their work only their Recall is called, after those of
// the tasks before them; should one fail, the table for all_success holds. A
// reused mapped task hands all of its items to the one that follows it; a
// reused branch leaves nothing out.
//
// It is called before Run, and returns an error for an unknown name.
func (g *Graph) From(name string) error {
	from := g.byName[name]
	if from == nil {
		names := make([]string, 0, len(g.tasks))
		for _, n := range g.tasks {
			names = append(names, n.Name)
		}
		return fmt.Errorf("cannot start from %q: no such task; there are %s", name, strings.Join(names, ", "))
	}
	for _, n := range g.tasks {
		n.reuse = n != from && !slices.ContainsFunc(n.before, func(b *node) bool { return !b.reuse })
	}
	return nil
}

func (n *node) isFinal() bool { return n.state != Waiting && n.state != Running }

// isFailure says whether n failed or ended as it did because another one failed.
func (n *node) isFailure() bool { return n.state == Failed || n.caused }

// rule is the one that n goes by.
func (n *node) rule() Rule {
	if n.reuse {
		return AllSuccess
	}
	return n.Rule
}

// isExempt says whether n goes on after a failure under FailFast.
func (n *node) isExempt() bool { return n.rule() == AllDone || n.rule() == OneFailed }
