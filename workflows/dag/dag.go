// Package dag runs a directed acyclic graph of tasks inside a Temporal
// workflow: edges, mapped tasks with a bound on how many of their items run at
// once, trigger rules, and a status to show. It is deterministic: it uses
// workflow coroutines, channels and futures only.
//
// A graph is a list of tasks, each naming the earlier ones it comes after. A
// task does its work in Run, or, when it is mapped, in Each, once for every
// item. A mapped task can follow another one item by item (Per): item 3 is
// cleaned as soon as item 3 is fetched, whatever the others do.
//
// # What a task does when those before it have ended
//
//	rule         runs when                              otherwise
//	AllSuccess   all before it are done                 skipped
//	AllDone      all before it have ended in any way    -
//	OneFailed    one before it failed (at once)         skipped
//	NoneFailed   all have ended, none failed            skipped
//
// A task that was skipped counts as ended and not as done: under AllSuccess
// the skip goes on to the tasks after it, under AllDone and NoneFailed it stops
// there. A skip whose root is a failure counts as failed for NoneFailed, so
// that a failure is never laundered by the skips that it caused.
package dag

import (
	"errors"
	"fmt"
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

// State of a task.
type State string

// The states of a task. Done, Failed and Skipped are final.
const (
	Waiting State = "waiting"
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
	Skipped State = "skipped"
)

// ErrSkip is what Run returns when there turned out to be nothing to do: the
// task ends as skipped, with no failure.
var ErrSkip = errors.New("nothing to do")

// Task is one node. Exactly one of Run and Each is set.
type Task struct {
	Name  string
	After []string // names of earlier tasks
	Rule  Rule
	Run   func(ctx workflow.Context) error

	// Each makes the task a mapped one: it is called for the items 0 to
	// Items()-1, at most Limit at once. After the first failure no further
	// item is started; those under way are waited for.
	Each  func(ctx workflow.Context, item int) error
	Limit int
	// Items is called once, when the task starts. Not used with Per.
	Items func() int
	// Per names an earlier mapped task: item i starts as soon as item i of
	// that task is done. It implies After.
	Per string
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
	before  []*node
	state   State
	caused  bool // skipped because a task before it failed
	err     error
	total   int // items; 0 until known
	done    int
	started time.Time
	ended   time.Time

	end      workflow.Future // set when the task has ended
	setEnd   workflow.Settable
	begun    workflow.Future // set when total is known, or the task ended before that
	setBegun workflow.Settable
	follow   []*node          // tasks that follow this one item by item
	ready    workflow.Channel // for a task with Per: the items it may take
}

// New checks the tasks and makes a graph of them. It returns an error that
// names the task for a missing or repeated name, an unknown or later
// predecessor, a task with both or neither of Run and Each, and a mapped task
// without a limit or a source of items.
func New(tasks ...Task) (*Graph, error) {
	g := &Graph{byName: map[string]*node{}, onChange: func(workflow.Context) {}}
	for _, t := range tasks {
		n := &node{Task: t, state: Waiting}
		if err := g.check(n); err != nil {
			return nil, fmt.Errorf("task %q: %w", t.Name, err)
		}
		for _, name := range t.After {
			n.before = append(n.before, g.byName[name])
		}
		if t.Per != "" {
			from := g.byName[t.Per]
			n.before = append(n.before, from)
			from.follow = append(from.follow, n)
		}
		g.tasks = append(g.tasks, n)
		g.byName[t.Name] = n
	}
	return g, nil
}

func (g *Graph) check(n *node) error {
	if n.Name == "" || g.byName[n.Name] != nil {
		return errors.New("a task needs a name of its own")
	}
	for _, name := range n.After {
		if g.byName[name] == nil {
			return fmt.Errorf("comes after %q, which is not an earlier task", name)
		}
	}
	if (n.Run == nil) == (n.Each == nil) {
		return errors.New("needs either Run or Each")
	}
	if n.Run != nil {
		return nil
	}
	if n.Limit < 1 {
		return errors.New("a mapped task needs a limit of at least 1")
	}
	if (n.Items == nil) == (n.Per == "") {
		return errors.New("a mapped task needs either Items or Per")
	}
	if from := g.byName[n.Per]; n.Per != "" && (from == nil || from.Each == nil) {
		return fmt.Errorf("follows %q, which is not an earlier mapped task", n.Per)
	}
	return nil
}

// OnChange sets what is called after every change of a task's state or count.
func (g *Graph) OnChange(f func(workflow.Context)) { g.onChange = f }

// Run runs the graph to its end: every task done, failed or skipped. The error
// joins those of the failed tasks, in the order of declaration, each naming its
// task. A graph runs once.
func (g *Graph) Run(ctx workflow.Context) error { return g.runAll(ctx, g.tasks) }

// Repeat runs tasks again that have ended, by their names in the order of
// declaration, and waits for them: what a later task calls from its Run when
// the work of those before it turned out to be void. Their rules hold among
// them as at first; tasks before them count as they ended.
func (g *Graph) Repeat(ctx workflow.Context, names ...string) error {
	again := make([]*node, 0, len(names))
	for _, name := range names {
		n := g.byName[name]
		if n == nil || n.ended.IsZero() {
			return fmt.Errorf("repeat %q: no such task, or it has not ended", name)
		}
		n.state, n.caused, n.err, n.total, n.done = Waiting, false, nil, 0, 0
		n.started, n.ended = time.Time{}, time.Time{}
		again = append(again, n)
	}
	return g.runAll(ctx, again)
}

func (g *Graph) runAll(ctx workflow.Context, tasks []*node) error {
	for _, n := range tasks {
		n.end, n.setEnd = workflow.NewFuture(ctx)
		n.begun, n.setBegun = workflow.NewFuture(ctx)
	}
	for _, n := range tasks {
		workflow.GoNamed(ctx, n.Name, func(ctx workflow.Context) { g.run(ctx, n) })
	}
	var failed []error
	for _, n := range tasks {
		_ = n.end.Get(ctx, nil) // carries no value and no error
		if n.err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", n.Name, n.err))
		}
	}
	return errors.Join(failed...)
}

func (g *Graph) run(ctx workflow.Context, n *node) {
	switch {
	case !n.awaitTurn(ctx):
		n.state = Skipped
	case n.Run != nil:
		g.start(ctx, n)
		if n.err = n.Run(ctx); errors.Is(n.err, ErrSkip) {
			n.state, n.err = Skipped, nil
		}
	default:
		g.runItems(ctx, n)
	}
	if n.state != Skipped {
		n.state = Done
		if n.err != nil {
			n.state = Failed
		}
	}
	n.ended = workflow.Now(ctx)
	n.setEnd.SetValue(nil)
	if !n.begun.IsReady() {
		n.setBegun.SetValue(nil)
	}
	g.onChange(ctx)
}

func (g *Graph) start(ctx workflow.Context, n *node) {
	n.state, n.started = Running, workflow.Now(ctx)
	g.onChange(ctx)
}

// awaitTurn waits until the rule can be decided and says whether n runs.
// A task that follows another item by item waits for that one to begin only.
func (n *node) awaitTurn(ctx workflow.Context) bool {
	if n.Rule == OneFailed {
		return n.awaitOneFailed(ctx)
	}
	for _, b := range n.before {
		if b.Name == n.Per {
			_ = b.begun.Get(ctx, nil) // carries no value and no error
		} else {
			_ = b.end.Get(ctx, nil)
		}
	}
	run, caused := true, false
	for _, b := range n.before {
		failed := b.state == Failed || b.caused
		caused = caused || failed
		switch n.Rule {
		case AllSuccess:
			run = run && (b.state == Done || b.Name == n.Per && b.state != Skipped)
		case NoneFailed:
			run = run && !failed
		case AllDone, OneFailed:
		}
	}
	n.caused = caused && !run
	return run
}

func (n *node) awaitOneFailed(ctx workflow.Context) bool {
	failed := false
	s := workflow.NewSelector(ctx)
	for _, b := range n.before {
		s.AddFuture(b.end, func(workflow.Future) { failed = failed || b.state == Failed || b.caused })
	}
	for range n.before {
		if s.Select(ctx); failed {
			return true
		}
	}
	return false
}

// runItems runs the items of a mapped task in Limit coroutines that take the
// next ready item from one queue, so that no slot idles while an item is ready.
func (g *Graph) runItems(ctx workflow.Context, n *node) {
	queue := n.ready
	if n.Per == "" {
		n.total = n.Items()
		queue = workflow.NewNamedBufferedChannel(ctx, n.Name, n.total)
		for i := range n.total {
			queue.Send(ctx, i)
		}
		queue.Close()
	}
	for _, f := range n.follow {
		f.total = n.total
		// As large as the task, so that handing an item over never blocks.
		f.ready = workflow.NewNamedBufferedChannel(ctx, f.Name, n.total)
	}
	n.setBegun.SetValue(nil)
	if n.Per == "" {
		g.start(ctx, n)
	}

	slots := workflow.NewWaitGroup(ctx)
	for range min(n.Limit, n.total) {
		slots.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer slots.Done()
			var i int
			for queue.Receive(ctx, &i) {
				g.runItem(ctx, n, i)
			}
		})
	}
	slots.Wait(ctx)
	for _, f := range n.follow {
		f.ready.Close()
	}
	if n.err == nil && n.done < n.total {
		// The task it follows failed half way; what that handed over is done.
		n.state, n.caused = Skipped, true
	}
}

func (g *Graph) runItem(ctx workflow.Context, n *node, i int) {
	if n.err != nil {
		return // no further item after a failure; the queue is only drained
	}
	if n.state == Waiting {
		g.start(ctx, n)
	}
	if err := n.Each(ctx, i); err != nil {
		if n.err == nil {
			n.err = err
		}
		return
	}
	n.done++
	for _, f := range n.follow {
		f.ready.Send(ctx, i)
	}
	g.onChange(ctx)
}
