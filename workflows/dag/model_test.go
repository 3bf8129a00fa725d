package dag_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"padron/workflows/dag"
)

// outcome of a task's work, or of one item.
type outcome int

const (
	succeeds outcome = iota
	fails
	skips
	cancels // as a child workflow does that somebody else cancelled
)

// unit is a piece of work: a single task's, or that of one item.
type unit struct {
	out   outcome
	takes time.Duration
	deaf  bool // does not heed a cancellation
}

func (u unit) do(ctx workflow.Context) error {
	if u.deaf {
		ctx, _ = workflow.NewDisconnectedContext(ctx)
	}
	if err := workflow.Sleep(ctx, u.takes); err != nil {
		return err
	}
	return map[outcome]error{fails: errTask, skips: dag.ErrSkip, cancels: temporal.NewCanceledError()}[u.out]
}

// drawn is a generated task.
type drawn struct {
	rule      dag.Rule
	after     []int
	per       int    // the task that it follows item by item, -1 for none
	mapped    bool   // then units are its items
	branch    bool   // then it chooses
	chooses   []int  // tasks after it
	misspells bool   // chooses a task that is not there
	units     []unit // in the order of the items
	limit     int
}

// trial is a generated graph and what happens to it.
type trial struct {
	tasks     []drawn
	cancelled time.Duration // after which the workflow is cancelled, 0 for never
}

func name(i int) string { return fmt.Sprint("t", i) }

// drawTrial generates a trial. No two things in it end at the same time: every
// duration is some minutes and a power of two of nanoseconds of its own.
func drawTrial(t *rapid.T) trial {
	own := time.Duration(1)
	minutes := func(most int, label string) time.Duration {
		d := time.Duration(rapid.IntRange(1, most).Draw(t, label))*time.Minute + own
		own *= 2
		return d
	}
	oneIn := func(n int, label string) bool { return rapid.IntRange(1, n).Draw(t, label) == n }
	newUnit := func() unit {
		out := rapid.SampledFrom([]outcome{succeeds, succeeds, succeeds, succeeds, succeeds, fails, skips, cancels}).Draw(t, "outcome")
		return unit{out: out, takes: minutes(5, "takes"), deaf: oneIn(6, "deaf")}
	}
	n := rapid.IntRange(1, 7).Draw(t, "tasks")
	var tr trial
	for i := range n {
		d := drawn{per: -1, rule: rapid.SampledFrom([]dag.Rule{dag.AllSuccess, dag.AllDone}).Draw(t, "rule"), limit: rapid.IntRange(1, 3).Draw(t, "limit")}
		var mapped []int
		for j, b := range tr.tasks {
			if b.mapped {
				mapped = append(mapped, j)
			}
			if !oneIn(3, "edge") {
				continue
			}
			d.after = append(d.after, j)
			if b.branch && rapid.Bool().Draw(t, "chosen") {
				tr.tasks[j].chooses = append(tr.tasks[j].chooses, i)
			}
		}
		items := 1
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			d.branch, d.misspells = true, oneIn(8, "misspells")
		case 1, 2:
			d.mapped, items = true, rapid.IntRange(0, 3).Draw(t, "items")
			if mapped != nil && rapid.Bool().Draw(t, "follows") {
				d.per = rapid.SampledFrom(mapped).Draw(t, "per")
				d.rule = dag.AllSuccess
				items = len(tr.tasks[d.per].units)
			}
		}
		for range items {
			d.units = append(d.units, newUnit())
		}
		tr.tasks = append(tr.tasks, d)
	}
	if oneIn(3, "is cancelled") {
		tr.cancelled = minutes(12, "cancelled")
	}
	return tr
}

// observed is what happened in a trial.
type observed struct {
	states    map[string]dag.State
	done      map[string]int           // items
	starts    map[string]time.Duration // of each unit that was started
	cancelled bool                     // the run ended with a CanceledError
	failed    bool                     // the run's error names a failed task
}

// run runs the trial on the package itself.
func (tr trial) run(t require.TestingT) observed {
	o := observed{states: map[string]dag.State{}, done: map[string]int{}, starts: map[string]time.Duration{}}
	var begin time.Time
	note := func(ctx workflow.Context, task, nth int) {
		o.starts[fmt.Sprintf("%s #%d", name(task), nth)] = workflow.Now(ctx).Sub(begin)
	}
	var tasks []dag.Task
	for i, d := range tr.tasks {
		task := dag.Task{Name: name(i), Rule: d.rule}
		for _, j := range d.after {
			task.After = append(task.After, name(j))
		}
		work := func(ctx workflow.Context, nth int) error { note(ctx, i, nth); return d.units[nth].do(ctx) }
		switch {
		case d.mapped:
			task.Limit, task.Each = d.limit, work
			if d.per >= 0 {
				task.Per = name(d.per)
			} else {
				task.Items = func() int { return len(d.units) }
			}
		case d.branch:
			task.Branch = func(ctx workflow.Context) ([]string, error) {
				err := work(ctx, 0)
				var names []string
				for _, j := range d.chooses {
					names = append(names, name(j))
				}
				if d.misspells {
					names = append(names, "misspelt")
				}
				return names, err
			}
		default:
			task.Run = func(ctx workflow.Context) error { return work(ctx, 0) }
		}
		tasks = append(tasks, task)
	}

	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet())
	env := suite.NewTestWorkflowEnvironment()
	if tr.cancelled > 0 {
		env.RegisterDelayedCallback(env.CancelWorkflow, tr.cancelled)
	}
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		begin = workflow.Now(ctx)
		g, err := dag.New(tasks...)
		if err != nil {
			return err
		}
		err = g.Run(ctx)
		for _, s := range g.Status() {
			o.states[s.Name], o.done[s.Name] = s.State, s.Done
			o.failed = o.failed || s.Error != ""
		}
		o.cancelled = temporal.IsCanceledError(err)
		if (err != nil) != (o.cancelled || o.failed) {
			return fmt.Errorf("an error for no reason, or none for one: %w", err)
		}
		return nil
	})
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	return o
}

// The model: a simulation, event by event, that works from the tables and
// sentences of the package documentation.

// row of the table of rules: how a task before ended. A higher one decides.
type row int

const (
	rowDone row = iota
	rowSkipped
	rowCancelled
	rowFailed
)

// star marks a state in the table that has a failure as its root.
const star = "*"

// table is the one of the package documentation.
var table = map[row]map[dag.Rule]dag.State{
	rowDone:      {dag.AllSuccess: dag.Running, dag.AllDone: dag.Running},
	rowSkipped:   {dag.AllSuccess: dag.Skipped, dag.AllDone: dag.Running},
	rowCancelled: {dag.AllSuccess: dag.Cancelled, dag.AllDone: dag.Running},
	rowFailed:    {dag.AllSuccess: dag.Skipped + star, dag.AllDone: dag.Running},
}

// rows says in which row a final state is.
var rows = map[dag.State]row{
	dag.Done: rowDone, dag.Skipped: rowSkipped, dag.Cancelled: rowCancelled, dag.Failed: rowFailed, dag.Skipped + star: rowFailed,
}

// modelled is a task in the model.
type modelled struct {
	drawn
	end      dag.State // with its star; empty until the end
	begun    bool
	running  map[int]time.Duration // units under way, by the time of their end
	finished []int
	handed   int // items that were started
	failed   bool
	hit      bool // its context is cancelled
	gaveUp   bool // a unit ended as cancelled
	skipped  bool
	answered bool
}

type model struct {
	trial
	tasks     []*modelled
	now       time.Duration
	cancelled bool // the workflow is
	seen      observed
}

func (tr trial) model() observed {
	m := &model{trial: tr, seen: observed{states: map[string]dag.State{}, done: map[string]int{}, starts: map[string]time.Duration{}}}
	for _, d := range tr.tasks {
		m.tasks = append(m.tasks, &modelled{drawn: d, running: map[int]time.Duration{}})
	}
	for m.settle(); m.advance(); m.settle() {
	}
	for i, x := range m.tasks {
		n := name(i)
		m.seen.states[n], m.seen.done[n] = dag.State(trimStar(x.end)), len(x.finished)
		m.seen.failed = m.seen.failed || x.end == dag.Failed
		m.seen.cancelled = m.seen.cancelled || x.end == dag.Cancelled
	}
	return m.seen
}

func trimStar(s dag.State) string {
	if s[len(s)-1:] == star {
		s = s[:len(s)-1]
	}
	return string(s)
}

func (x *modelled) before() []int {
	if x.per >= 0 {
		return append(slices.Clone(x.after), x.per)
	}
	return x.after
}

// settle does all that is due now.
func (m *model) settle() {
	for changed := true; changed; {
		changed = false
		for i, x := range m.tasks {
			switch {
			case x.end != "":
			case !x.begun:
				changed = m.turn(i, x) || changed
			default:
				changed = m.feed(i, x) || m.conclude(x) || changed
			}
		}
	}
}

// reaches says whether a task lies on the way to another one, or is it.
func (m *model) reaches(from, to int) bool {
	return from == to || slices.ContainsFunc(m.tasks[to].before(), func(j int) bool { return m.reaches(from, j) })
}

// over says that no further item is started.
func (x *modelled) over() bool { return x.failed || x.hit || x.gaveUp }

// turn says whether something became of a waiting task.
func (m *model) turn(i int, x *modelled) bool {
	worst, open := rowDone, false
	for _, j := range x.before() {
		b := m.tasks[j]
		switch {
		case j == x.per && b.begun:
		case b.end == "":
			open = true
		case b.answered && !slices.ContainsFunc(b.chooses, func(chosen int) bool { return m.reaches(chosen, i) }):
			x.end = dag.Skipped
		default:
			worst = max(worst, rows[b.end])
		}
	}
	switch {
	case m.cancelled && x.rule != dag.AllDone:
		x.end = dag.Cancelled
	case x.end != "": // left out
	case open:
		return false
	default:
		if x.end = table[worst][x.rule]; x.end == dag.Running {
			x.end = ""
			x.begun = true
			if !x.mapped {
				m.start(i, x, 0)
			}
		}
	}
	return true
}

func (m *model) start(i int, x *modelled, nth int) {
	m.seen.starts[fmt.Sprintf("%s #%d", name(i), nth)] = m.now
	x.running[nth] = m.now + x.units[nth].takes
}

// total is how many items a mapped task has: those of the one it follows, if
// that has any.
func (m *model) total(x *modelled) int {
	if x.per >= 0 && !m.tasks[x.per].begun {
		return 0
	}
	return len(x.units)
}

// supply are the items that a mapped task may take, and whether more can come.
func (m *model) supply(x *modelled) (items []int, more bool) {
	if x.per >= 0 {
		return m.tasks[x.per].finished, m.tasks[x.per].end == ""
	}
	for i := range x.units {
		items = append(items, i)
	}
	return items, false
}

// feed starts items in free slots.
func (m *model) feed(i int, x *modelled) bool {
	items, _ := m.supply(x)
	fed := false
	for x.mapped && !x.over() && len(x.running) < x.limit && x.handed < len(items) {
		m.start(i, x, items[x.handed])
		x.handed++
		fed = true
	}
	return fed
}

// conclude ends a task that has nothing more to do.
func (m *model) conclude(x *modelled) bool {
	items, more := m.supply(x)
	working := x.mapped && !x.over() && (more || x.handed < len(items))
	if len(x.running) > 0 || working {
		return false
	}
	cut := x.hit && x.mapped && len(x.finished) < m.total(x)
	switch {
	case x.failed:
		x.end = dag.Failed
	case x.gaveUp || cut:
		x.end = dag.Cancelled
	case x.skipped:
		x.end = dag.Skipped
	case x.per >= 0 && rows[m.tasks[x.per].end] == rowFailed, x.per >= 0 && rows[m.tasks[x.per].end] == rowCancelled:
		x.end = table[rows[m.tasks[x.per].end]][dag.AllSuccess]
	default:
		x.end = dag.Done
		x.answered = x.branch
	}
	return true
}

// advance goes to the next event and lets it happen.
func (m *model) advance() bool {
	var happen func()
	at := time.Duration(1<<63 - 1)
	offer := func(when time.Duration, what func()) {
		if when < at {
			at, happen = when, what
		}
	}
	if m.trial.cancelled > 0 && !m.cancelled {
		offer(m.trial.cancelled, m.cancelAll)
	}
	for _, x := range m.tasks {
		if x.end != "" {
			continue
		}
		for _, nth := range slices.Sorted(maps.Keys(x.running)) {
			offer(x.running[nth], func() { m.endUnit(x, nth) })
		}
	}
	if happen == nil || !slices.ContainsFunc(m.tasks, func(x *modelled) bool { return x.end == "" }) {
		return false
	}
	m.now = at
	happen()
	return true
}

func (m *model) endUnit(x *modelled, nth int) {
	delete(x.running, nth)
	u := x.units[nth]
	switch {
	case u.out == fails, u.out == succeeds && x.misspells:
		x.failed = true
	case u.out == cancels:
		x.gaveUp = true
	case x.mapped:
		x.finished = append(x.finished, nth)
	case u.out == skips:
		x.skipped = true
	}
}

func (m *model) cancelAll() {
	m.cancelled = true
	for _, y := range m.tasks {
		if y.rule != dag.AllDone {
			m.hit(y)
		}
	}
}

// hit cancels a task's context.
func (m *model) hit(x *modelled) {
	if !x.begun || x.end != "" || x.hit {
		return
	}
	x.hit = true
	for nth := range x.running {
		if !x.units[nth].deaf {
			delete(x.running, nth)
			x.gaveUp = true
		}
	}
}

// TestRunsAsTheModelDoes draws any graph, of single and mapped tasks, branches,
// both rules, cancelled at any time, with any outcome of every task and item, and compares all final
// states, what the run returns, and when everything was started.
func TestRunsAsTheModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := drawTrial(t)
		require.Equal(t, tr.model(), tr.run(t), "%+v", tr)
	})
}
