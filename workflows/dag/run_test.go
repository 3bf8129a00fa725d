package dag_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"padron/workflows/dag"
)

func TestActivityOptionsAreTheTasks(t *testing.T) {
	declared := workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, ScheduleToCloseTimeout: time.Hour, HeartbeatTimeout: time.Second,
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
	}
	got := map[string]workflow.ActivityOptions{}
	var g *dag.Graph
	note := func(name string) func(workflow.Context) error {
		return func(ctx workflow.Context) error { got[name] = workflow.GetActivityOptions(ctx); return nil }
	}
	_, err := runGraph(t, func() (graph *dag.Graph, err error) {
		g, err = dag.New(
			dag.Task{Name: "plain", Run: note("plain")},
			dag.Task{Name: "own", Activities: declared, After: []string{"plain"}, Repeats: []string{"plain"}, Run: func(ctx workflow.Context) error {
				if err := note("own")(ctx); err != nil {
					return err
				}
				return g.Repeat(ctx, "own")
			}},
			dag.Task{Name: "items", Activities: declared, Items: func() int { return 1 }, Limit: 1, Each: func(ctx workflow.Context, _ int) error {
				return note("items")(ctx)
			}},
		)
		return g, err
	})
	require.NoError(t, err)
	for _, name := range []string{"own", "items"} {
		o := got[name]
		require.Equal(t, time.Minute, o.StartToCloseTimeout)
		require.Equal(t, time.Hour, o.ScheduleToCloseTimeout)
		require.Equal(t, time.Second, o.HeartbeatTimeout)
		require.EqualValues(t, 3, o.RetryPolicy.MaximumAttempts)
	}
	require.Zero(t, got["plain"].StartToCloseTimeout, "a repeated task has its own options, not those of the one that repeats it")
	require.Nil(t, got["plain"].RetryPolicy)
}

func TestABranchChoosesOnlyWhatComesAfterIt(t *testing.T) {
	nothing := func(workflow.Context) error { return nil }
	for chosen, want := range map[string]string{"a": "", "b": "", "d": `chose "d"`, "nowhere": `chose "nowhere"`} {
		statuses, err := runGraph(t, func() (*dag.Graph, error) {
			return dag.New(
				dag.Task{Name: "pick", Branch: func(workflow.Context) ([]string, error) { return []string{chosen}, nil }},
				dag.Task{Name: "a", After: []string{"pick"}, Run: nothing},
				dag.Task{Name: "b", After: []string{"pick"}, Rule: dag.AllDone, Run: nothing},
				dag.Task{Name: "c", After: []string{"a"}, Run: nothing},
				dag.Task{Name: "d", After: []string{"c", "b"}, Rule: dag.AllDone, Run: nothing},
				dag.Task{Name: "e", After: []string{"pick", "a"}, Rule: dag.AllDone, Run: nothing},
			)
		})
		if want != "" {
			require.ErrorContains(t, err, "pick: "+want+", which does not come directly after it")
			require.Equal(t, dag.Done, statuses["b"].State, "without an answer the rule decides")
			require.Equal(t, dag.Skipped, statuses["a"].State)
			require.Equal(t, dag.Done, statuses["d"].State)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, dag.Done, statuses[chosen].State)
		require.Equal(t, statuses["a"].State, statuses["c"].State)
		require.Equal(t, dag.Done, statuses["d"].State, "the branches meet again")
		want := map[string]dag.State{"a": dag.Done, "b": dag.Skipped}
		require.Equal(t, want[chosen], statuses["e"].State, "it comes after a too, and a was chosen, or not")
		require.Equal(t, []string{chosen}, statuses["pick"].Chose)
	}
}

// cancelAfter runs a graph in a workflow that is cancelled, and returns its
// statuses and what Run returned.
func cancelAfter(t *testing.T, d time.Duration, build func() (*dag.Graph, error)) (map[string]dag.Status, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet())
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterDelayedCallback(env.CancelWorkflow, d)
	statuses := map[string]dag.Status{}
	var ran error
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		g, err := build()
		if err != nil {
			return err
		}
		ran = g.Run(ctx)
		for _, s := range g.Status() {
			statuses[s.Name] = s
		}
		return nil
	})
	require.NoError(t, env.GetWorkflowError())
	return statuses, ran
}

func sleeps(d time.Duration) func(workflow.Context) error {
	return func(ctx workflow.Context) error { return workflow.Sleep(ctx, d) }
}

func TestCancellationCleansUp(t *testing.T) {
	var letGo time.Time
	tidied := 0
	statuses, err := cancelAfter(t, time.Minute, func() (*dag.Graph, error) {
		return dag.New(
			dag.Task{Name: "quick", Run: sleeps(time.Second)},
			dag.Task{Name: "long", After: []string{"quick"}, Run: func(ctx workflow.Context) error {
				err := workflow.Sleep(ctx, time.Hour)
				free, _ := workflow.NewDisconnectedContext(ctx)
				_ = workflow.Sleep(free, time.Second)
				letGo = workflow.Now(ctx)
				return err
			}},
			dag.Task{Name: "next", After: []string{"long"}, Run: sleeps(time.Second)},
			dag.Task{Name: "running_tidy", After: []string{"quick"}, Rule: dag.AllDone, Run: sleeps(time.Hour)},
			dag.Task{Name: "tidy", After: []string{"next"}, Rule: dag.AllDone, Items: func() int { return 2 }, Limit: 1, Each: func(ctx workflow.Context, _ int) error {
				tidied++
				require.NoError(t, ctx.Err())
				return workflow.Sleep(ctx, time.Minute)
			}},
		)
	})
	require.True(t, temporal.IsCanceledError(err))
	states := map[string]dag.State{}
	for name, s := range statuses {
		states[name] = s.State
	}
	require.Equal(t, map[string]dag.State{
		"quick": dag.Done, "long": dag.Cancelled, "next": dag.Cancelled, "running_tidy": dag.Done, "tidy": dag.Done,
	}, states)
	require.Equal(t, 2, tidied)
	require.Equal(t, letGo, statuses["long"].Started.Add(statuses["long"].Took), "its work is waited for")
	require.Equal(t, time.Hour, statuses["running_tidy"].Took)
}

// TestACancellationIsNotTheFailuresFault: what fails while a cancelled workflow
// winds down did not cancel the others.
func TestACancellationIsNotTheFailuresFault(t *testing.T) {
	deaf := func(d time.Duration, err error) func(workflow.Context, int) error {
		return func(ctx workflow.Context, _ int) error {
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			if err := workflow.Sleep(ctx, d); err != nil {
				return err
			}
			return err
		}
	}
	statuses, err := cancelAfter(t, time.Minute, func() (*dag.Graph, error) {
		return dag.New(
			dag.Task{Name: "fails", Items: func() int { return 1 }, Limit: 1, Each: deaf(3*time.Minute, errTask)},
			dag.Task{Name: "half", Items: func() int { return 2 }, Limit: 1, Each: deaf(4*time.Minute, nil)},
		)
	})
	require.ErrorContains(t, err, "fails: broken")
	require.True(t, temporal.IsCanceledError(err))
	require.Equal(t, dag.Failed, statuses["fails"].State)
	require.Equal(t, dag.Cancelled, statuses["half"].State)
	require.Equal(t, 1, statuses["half"].Done)
}

// TestSlots holds the starts of a mapped task's items against the plainest of
// schedules: the next item goes to the slot that is free first. So the limit is
// kept and no slot idles while an item is ready. The second task is ready for
// an item when the first one has done it.
func TestSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := []int{rapid.IntRange(1, 5).Draw(t, "first limit"), rapid.IntRange(1, 5).Draw(t, "second limit")}
		takes := make([][]time.Duration, 2)
		n := rapid.IntRange(0, 12).Draw(t, "items")
		for task := range takes {
			for i := range n {
				takes[task] = append(takes[task], time.Duration(rapid.IntRange(1, 50).Draw(t, "minutes"))*time.Minute+time.Duration(1)<<(2*i+task))
			}
		}
		var begin time.Time
		running, starts := [2]int{}, [2]map[int]time.Duration{{}, {}}
		each := func(task int) func(workflow.Context, int) error {
			return func(ctx workflow.Context, i int) error {
				starts[task][i] = workflow.Now(ctx).Sub(begin)
				running[task]++
				require.LessOrEqual(t, running[task], limits[task])
				err := workflow.Sleep(ctx, takes[task][i])
				running[task]--
				return err
			}
		}
		_, err := runGraph(t, func() (*dag.Graph, error) {
			return dag.New(
				dag.Task{Name: "begin", Run: func(ctx workflow.Context) error { begin = workflow.Now(ctx); return nil }},
				dag.Task{Name: "first", After: []string{"begin"}, Limit: limits[0], Items: func() int { return n }, Each: each(0)},
				dag.Task{Name: "second", Per: "first", Limit: limits[1], Each: each(1)},
			)
		})
		require.NoError(t, err)

		order, ready := make([]int, n), make([]time.Duration, n)
		for i := range n {
			order[i] = i
		}
		for task := range 2 {
			want, free := map[int]time.Duration{}, make([]time.Duration, limits[task])
			for _, i := range order {
				slices.Sort(free)
				want[i] = max(free[0], ready[i])
				free[0] = want[i] + takes[task][i]
				ready[i] = free[0]
			}
			require.Equal(t, want, starts[task], "task %d", task)
			slices.SortFunc(order, func(i, j int) int { return int(ready[i] - ready[j]) })
		}
	})
}

// TestMarkdownHasRoom draws far too many tasks with far too much to say.
func TestMarkdownHasRoom(t *testing.T) {
	states := []dag.State{dag.Waiting, dag.Running, dag.Done, dag.Failed, dag.Skipped, dag.Cancelled}
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab|\n\r\t <界`")), 0, 2000, -1)
	rapid.Check(t, func(t *rapid.T) {
		tasks := make([]dag.Status, rapid.SampledFrom([]int{1, 3, 50, 5000}).Draw(t, "tasks"))
		failed := 0
		drawn := text.Draw(t, "text")
		for i := range tasks {
			s := dag.Status{Name: fmt.Sprint("task", i), State: states[(i*i+i/7)%len(states)], Error: drawn}
			if i%3 == 0 {
				s.Name, s.WaitsFor = drawn, slices.Repeat([]string{drawn}, 100)
			}
			if s.State == dag.Failed {
				failed++
			}
			tasks[i] = s
		}
		got := dag.Markdown(tasks)
		require.LessOrEqual(t, len(got), 20_000)
		counted := 0
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		for _, line := range lines {
			cells := strings.ReplaceAll(line, "\\|", "")
			require.Equal(t, 6, strings.Count(cells, "|"), "five cells in one line: %s", line)
		}
		counted = len(lines) - 2
		if last := lines[len(lines)-1]; strings.HasPrefix(last, "| … | and more |") {
			counted--
			for _, part := range strings.Split(strings.Split(last, "|")[3], ",") {
				var n int
				var state string
				_, err := fmt.Sscan(part, &n, &state)
				require.NoError(t, err)
				counted += n
			}
		}
		require.Equal(t, len(tasks), counted, "every task is shown or counted")
		if failed <= 3 {
			require.Equal(t, failed, strings.Count(got, "\n| ✗ |"), "what failed has room first")
		}
	})
}

func TestLiveStatus(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet())
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(time.Date(2026, 9, 1, 23, 50, 0, 0, time.UTC))
	var g *dag.Graph
	var shown string
	var asJSON []byte
	env.RegisterDelayedCallback(func() {
		shown = dag.Markdown(g.Status())
		var err error
		asJSON, err = json.Marshal(g.Status()[:2])
		require.NoError(t, err)
	}, 295*time.Second)
	env.ExecuteWorkflow(func(ctx workflow.Context) (err error) {
		g, err = dag.New(
			dag.Task{Name: "fetch", Doing: "fetching", Items: func() int { return 40 }, Limit: 2, Each: func(ctx workflow.Context, _ int) error {
				return workflow.Sleep(ctx, 50*time.Second)
			}},
			dag.Task{Name: "clean", Per: "fetch", Limit: 8, Each: func(ctx workflow.Context, _ int) error { return workflow.Sleep(ctx, 250*time.Second) }},
			dag.Task{Name: "broken", Run: func(workflow.Context) error { return errors.New("no\n\nway | out") }},
			dag.Task{Name: "a", Run: sleeps(time.Hour)},
			dag.Task{Name: "b", Run: sleeps(time.Hour)},
			dag.Task{Name: "gate", After: []string{"broken", "clean", "a", "b", "fetch"}, Run: sleeps(time.Hour)},
		)
		if err != nil {
			return err
		}
		return g.Run(ctx)
	})
	require.Equal(t, `| | task | state | items | took |
|---|---|---|---|---|
| ▶ | fetch | running | 10 of 40, 2.4/min, done at 2 Sep 00:06 UTC |  |
| ▶ | clean | running | 0 of 40 |  |
| ✗ | broken | failed: no way \| out |  |  |
| ▶ | a | running |  |  |
| ▶ | b | running |  |  |
| · | gate | waits for clean, a, b and 1 more |  |  |
`, shown)
	require.JSONEq(t, `[
		{"name":"fetch","doing":"fetching","state":"running","is_mapped":true,"done":10,"total":40,"rate":0.04,"eta":"2026-09-02T00:06:40Z",
		 "started":"2026-09-01T23:50:00Z"},
		{"name":"clean","state":"running","is_mapped":true,"total":40,"started":"2026-09-01T23:50:50Z"}]`, string(asJSON))
}
