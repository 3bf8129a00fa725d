package dag

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Run runs the graph to its end. The error joins those of the failed tasks, in
// the order of declaration, each naming its task, and a CanceledError if the
// workflow was cancelled. A graph runs once.
func (g *Graph) Run(ctx workflow.Context) error {
	return (&scope{g: g, ctx: ctx, tasks: g.tasks}).run(ctx)
}

// Repeat runs the tasks again that a task declares in Repeats, and waits for
// them: what that task calls from its Run when their work turned out to be
// void. Their rules hold among them as at first; tasks before them count as
// they ended. Repeat refuses, with an error, what is not declared, and tasks
// that have not ended.
func (g *Graph) Repeat(ctx workflow.Context, task string) error {
	by := g.byName[task]
	if by == nil || len(by.Repeats) == 0 || by.state != Running {
		return fmt.Errorf("repeat for %q: no such task is running, or it declares nothing to repeat", task)
	}
	s := &scope{g: g, ctx: ctx}
	for _, n := range g.tasks {
		if !slices.Contains(by.Repeats, n.Name) {
			continue
		}
		if !n.isFinal() {
			return fmt.Errorf("repeat for %q: %s has not ended", task, n.Name)
		}
		*n = node{Task: n.Task, before: n.before, per: n.per, state: Waiting}
		s.tasks = append(s.tasks, n)
	}
	return s.run(ctx)
}

// scope is the tasks that run together: all of a graph, or those that Repeat
// runs again.
type scope struct {
	g     *Graph
	ctx   workflow.Context // of the caller; tells when it is cancelled
	tasks []*node
}

func (s *scope) run(ctx workflow.Context) error {
	all := workflow.NewWaitGroup(ctx)
	all.Add(len(s.tasks))
	for _, n := range s.tasks {
		workflow.GoNamed(ctx, n.Name, func(ctx workflow.Context) {
			defer all.Done()
			s.runTask(ctx, n)
		})
	}
	all.Wait(ctx)
	var errs []error
	cancelled := false
	for _, n := range s.tasks {
		if n.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", n.Name, n.err))
		}
		cancelled = cancelled || n.state == Cancelled
	}
	if cancelled {
		errs = append(errs, temporal.NewCanceledError())
	}
	return errors.Join(errs...)
}

// verdict is what the rules say of a task that waits.
type verdict struct {
	state  State // Running, or how it ends without having run
	caused bool
	why    string
}

// decide applies the rules of the package documentation to a waiting task. It
// returns false while they leave the matter open.
func (s *scope) decide(n *node) (verdict, bool) {
	if s.ctx.Err() != nil && n.Rule != AllDone {
		return verdict{Cancelled, false, "before it began"}, true
	}
	var open, failed, cancelled, skipped *node // the first of each
	for _, b := range n.before {
		switch {
		case b == n.per && b.begun:
		case !b.isFinal():
			open = cmp.Or(open, b)
		case b.leavesOut(n):
			return verdict{Skipped, false, "left out by " + b.Name}, true
		case b.isFailure():
			failed = cmp.Or(failed, b)
		case b.state == Cancelled:
			cancelled = cmp.Or(cancelled, b)
		case b.state == Skipped:
			skipped = cmp.Or(skipped, b)
		}
	}
	after := func(b *node) string { return b.Name + " " + string(b.state) }
	switch {
	case open != nil:
		return verdict{}, false
	case n.Rule == AllDone:
		return verdict{state: Running}, true
	case failed != nil:
		return verdict{Skipped, true, after(failed)}, true
	case cancelled != nil:
		return verdict{Cancelled, false, after(cancelled)}, true
	case skipped != nil:
		return verdict{Skipped, false, after(skipped)}, true
	}
	return verdict{state: Running}, true
}

// runTask takes a task from waiting to its end.
func (s *scope) runTask(ctx workflow.Context, n *node) {
	if n.Rule == AllDone {
		ctx, _ = workflow.NewDisconnectedContext(ctx)
	}
	ctx = workflow.WithActivityOptions(ctx, n.Activities)
	var v verdict
	// Await fails only when the context is cancelled, and then v is decided.
	_ = workflow.Await(ctx, func() (decided bool) { v, decided = s.decide(n); return decided })
	if v.state == Running {
		n.finish(s.work(ctx, n))
	} else {
		n.state, n.caused, n.why = v.state, v.caused, v.why
	}
	n.ended = workflow.Now(ctx)
	s.g.onChange(ctx)
}

// work does what the task is there for.
func (s *scope) work(ctx workflow.Context, n *node) error {
	if n.Each != nil {
		return s.runItems(ctx, n)
	}
	s.start(ctx, n)
	if n.Run != nil {
		return n.Run(ctx)
	}
	names, err := n.Branch(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if b := s.g.byName[name]; b == nil || !slices.Contains(b.before, n) {
			return fmt.Errorf("chose %q, which does not come directly after it", name)
		}
	}
	n.chosen = names
	return nil
}

func (s *scope) start(ctx workflow.Context, n *node) {
	n.state, n.started = Running, workflow.Now(ctx)
	s.g.onChange(ctx)
}

// finish gives a task that ran its state, from what its work returned.
func (n *node) finish(err error) {
	skipped, cancelled := errors.Is(err, ErrSkip), temporal.IsCanceledError(err)
	if !skipped && !cancelled {
		n.err = cmp.Or(n.err, err) // that of an item came first
	}
	switch {
	case n.err != nil:
		n.state = Failed
	case cancelled:
		n.state, n.why = Cancelled, "while it ran"
	case skipped:
		n.state, n.why = Skipped, err.Error()
	case n.per != nil && n.per.isFailure():
		n.state, n.caused, n.why = Skipped, true, n.per.Name+" "+string(n.per.state)
	case n.per != nil && n.per.state == Cancelled:
		n.state, n.why = Cancelled, n.per.Name+" cancelled"
	default:
		n.state = Done
	}
}

// countItems finds out how many items a mapped task has.
func (n *node) countItems() {
	if n.begun = true; n.per != nil {
		n.total = n.per.total
	} else {
		n.total = n.Items()
	}
}

// ready is how many items may have been started by now.
func (n *node) ready() int {
	if n.per == nil {
		return n.total
	}
	return len(n.per.finished)
}

// next takes the next of the items that are ready.
func (n *node) next() int {
	n.taken++
	if n.per == nil {
		return n.taken - 1
	}
	return n.per.finished[n.taken-1]
}

// runItems runs the items of a mapped task in Limit coroutines, its slots. Each
// takes the next item as soon as it is free, so that no slot idles while an
// item is ready.
func (s *scope) runItems(ctx workflow.Context, n *node) error {
	n.countItems()
	if n.per == nil {
		s.start(ctx, n)
	}
	var cancelled error
	over := func() bool { return n.err != nil || cancelled != nil || ctx.Err() != nil }
	supplied := func() bool { return n.per == nil || n.per.isFinal() }

	slots := workflow.NewWaitGroup(ctx)
	for range min(n.Limit, n.total) {
		slots.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer slots.Done()
			for {
				_ = workflow.Await(ctx, func() bool { return over() || n.taken < n.ready() || supplied() })
				if over() || n.taken == n.ready() {
					return
				}
				if err := s.runItem(ctx, n, n.next()); err != nil {
					cancelled = err
				}
			}
		})
	}
	slots.Wait(ctx)
	if cancelled == nil && len(n.finished) < n.total {
		return ctx.Err()
	}
	return cancelled
}

// runItem returns an error only for a cancelled item.
func (s *scope) runItem(ctx workflow.Context, n *node, item int) error {
	if n.state == Waiting {
		s.start(ctx, n)
	}
	err := n.Each(ctx, item)
	switch {
	case temporal.IsCanceledError(err):
		return err
	case err != nil && !errors.Is(err, ErrSkip):
		n.err = cmp.Or(n.err, err)
	default:
		n.finished, n.progress = append(n.finished, item), workflow.Now(ctx)
	}
	s.g.onChange(ctx)
	return nil
}
