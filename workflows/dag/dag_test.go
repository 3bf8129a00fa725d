package dag_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"padron/workflows/dag"
)

// runGraph runs a graph in the SDK's test environment and returns its statuses.
func runGraph(t require.TestingT, build func() (*dag.Graph, error)) (map[string]dag.Status, error) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet())
	env := suite.NewTestWorkflowEnvironment()
	statuses := map[string]dag.Status{}
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		g, err := build()
		if err != nil {
			return err
		}
		err = g.Run(ctx)
		for _, s := range g.Status() {
			statuses[s.Name] = s
		}
		return err
	})
	require.True(t, env.IsWorkflowCompleted())
	return statuses, env.GetWorkflowError()
}

func quiet() sdklog.Logger { return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

var errTask = errors.New("broken")

func TestItemsFollowEachOtherWithoutABarrier(t *testing.T) {
	const items = 6
	var order []string
	running, most := 0, 0
	statuses, err := runGraph(t, func() (*dag.Graph, error) {
		return dag.New(
			dag.Task{Name: "plan", Run: func(workflow.Context) error { return nil }},
			dag.Task{
				Name: "fetch", After: []string{"plan"}, Limit: 2, Items: func() int { return items },
				Each: func(ctx workflow.Context, i int) error {
					running++
					most = max(most, running)
					err := workflow.Sleep(ctx, time.Duration(1+i%2)*time.Minute)
					running--
					order = append(order, fmt.Sprint("fetch ", i))
					return err
				},
			},
			dag.Task{
				Name: "clean", Per: "fetch", Limit: 1,
				Each: func(ctx workflow.Context, i int) error {
					order = append(order, fmt.Sprint("clean ", i))
					return workflow.Sleep(ctx, time.Second)
				},
			},
			dag.Task{Name: "gate", After: []string{"clean"}, Run: func(workflow.Context) error {
				order = append(order, "gate")
				return nil
			}},
		)
	})
	require.NoError(t, err)
	require.Equal(t, 2, most, "the bound is used and kept")
	require.Equal(t, "fetch 0", order[0])
	require.Equal(t, "clean 0", order[1], "the first item is cleaned while others are fetched")
	require.Equal(t, "gate", order[len(order)-1])
	require.Len(t, order, 2*items+1)
	require.Equal(t, items, statuses["clean"].Done)
}

func TestAFailureInTheMiddleOfAChain(t *testing.T) {
	cleaned := 0
	statuses, err := runGraph(t, func() (*dag.Graph, error) {
		return dag.New(
			dag.Task{Name: "fetch", Limit: 1, Items: func() int { return 5 }, Each: func(_ workflow.Context, i int) error {
				if i == 2 {
					return errTask
				}
				return nil
			}},
			dag.Task{Name: "clean", Per: "fetch", Limit: 3, Each: func(workflow.Context, int) error { cleaned++; return nil }},
			dag.Task{Name: "gate", After: []string{"clean"}, Run: func(workflow.Context) error { return nil }},
			dag.Task{Name: "report", Rule: dag.AllDone, After: []string{"fetch", "gate"}, Run: func(workflow.Context) error { return nil }},
			dag.Task{Name: "celebrate", After: []string{"gate"}, Run: func(workflow.Context) error { return nil }},
		)
	})
	require.ErrorContains(t, err, "fetch: broken")
	require.Equal(t, 2, cleaned, "no item after the failure")
	require.Equal(t, dag.Failed, statuses["fetch"].State)
	require.Equal(t, dag.Skipped, statuses["clean"].State)
	require.Equal(t, dag.Skipped, statuses["gate"].State)
	require.Equal(t, dag.Done, statuses["report"].State)
	require.Equal(t, dag.Skipped, statuses["celebrate"].State)
}

func TestDeclarationsThatCannotRun(t *testing.T) {
	run := func(workflow.Context) error { return nil }
	each := func(workflow.Context, int) error { return nil }
	for want, tasks := range map[string][]dag.Task{
		`task "": a task needs a name of letters`:     {{Run: run}},
		`task "a": a task needs a name of its own`:    {{Name: "a", Run: run}, {Name: "a", Run: run}},
		`task "a": comes after "b"`:                   {{Name: "a", Run: run, After: []string{"b"}}, {Name: "b", Run: run}},
		`task "a": needs one of Run, Branch and Each`: {{Name: "a"}},
		`task "a b": a task needs a name of letters`:  {{Name: "a b", Run: run}},
		`task "end": a task needs a name of letters`:  {{Name: "end", Run: run}},
		`task "b": needs one of Run, Branch and Each`: {{Name: "b", Run: run, Each: each, Limit: 1, Items: func() int { return 1 }}},
		`task "a": has Items, Per or a Limit`:         {{Name: "a", Run: run, Limit: 2}},
		`task "c": follows "a" item by item, which the ru`: {
			{Name: "a", Each: each, Limit: 1, Items: func() int { return 1 }},
			{Name: "c", Each: each, Limit: 1, Per: "a", Rule: dag.AllDone},
		},
		`task "a": a mapped task needs a limit`:            {{Name: "a", Each: each, Items: func() int { return 1 }}},
		`task "a": a mapped task needs either Items or`:    {{Name: "a", Each: each, Limit: 1}},
		`task "b": follows "a", which is not an earlier m`: {{Name: "a", Run: run}, {Name: "b", Each: each, Limit: 1, Per: "a"}},
		`task "b": repeats "a", which does not come befor`: {{Name: "a", Run: run}, {Name: "b", Run: run, Repeats: []string{"a"}}},
		`task "b": repeats "b", which does not come befor`: {{Name: "a", Run: run}, {Name: "b", After: []string{"a"}, Run: run, Repeats: []string{"b"}}},
		`task "c": repeats "a" and not "b", which comes a`: {
			{Name: "a", Run: run}, {Name: "b", After: []string{"a"}, Run: run}, {Name: "c", After: []string{"b"}, Run: run, Repeats: []string{"a"}},
		},
		`task "b": repeats "a" and not "c", which comes a`: {
			{Name: "a", Each: each, Limit: 1, Items: func() int { return 1 }},
			{Name: "b", After: []string{"a"}, Run: run, Repeats: []string{"a"}},
			{Name: "c", Per: "a", Each: each, Limit: 1},
		},
		`task "b": has Repeats, which only a task with Ru`: {
			{Name: "a", Run: run},
			{Name: "b", After: []string{"a"}, Each: each, Limit: 1, Items: func() int { return 1 }, Repeats: []string{"a"}},
		},
	} {
		_, err := dag.New(tasks...)
		require.ErrorContains(t, err, want)
	}
}

// TestRepeat has a later task find the work of those before it void, twice.
func TestRepeat(t *testing.T) {
	var order []string
	var g *dag.Graph
	note := func(name string) func(workflow.Context) error {
		return func(workflow.Context) error { order = append(order, name); return nil }
	}
	items, tries := 0, 0
	failing := false
	build := func() (graph *dag.Graph, err error) {
		g, err = dag.New(
			dag.Task{Name: "plan", Run: func(workflow.Context) error { items++; order = append(order, "plan"); return nil }},
			dag.Task{Name: "fetch", After: []string{"plan"}, Limit: 2, Items: func() int { return items }, Each: func(workflow.Context, int) error {
				order = append(order, "fetch")
				if failing && items == 2 {
					return errTask
				}
				return nil
			}},
			dag.Task{Name: "clean", Per: "fetch", Limit: 1, Each: func(ctx workflow.Context, _ int) error { return note("clean")(ctx) }},
			dag.Task{Name: "gate", After: []string{"clean"}, Repeats: []string{"plan", "fetch", "clean"}, Run: func(ctx workflow.Context) error {
				for _, other := range []string{"clean", "write", "nobody"} {
					require.ErrorContains(t, g.Repeat(ctx, other), "no such task is running, or it declares nothing to repeat")
				}
				for tries = range 2 {
					if err := g.Repeat(ctx, "gate"); err != nil {
						return err
					}
				}
				return nil
			}},
			dag.Task{Name: "write", After: []string{"gate"}, Run: note("write")},
		)
		return g, err
	}
	statuses, err := runGraph(t, build)
	require.NoError(t, err)
	require.Equal(t, []string{
		"plan", "fetch", "clean",
		"plan", "fetch", "fetch", "clean", "clean",
		"plan", "fetch", "fetch", "fetch", "clean", "clean", "clean", "write",
	}, order)
	require.Equal(t, 3, statuses["clean"].Total)
	require.Equal(t, dag.Done, statuses["write"].State)

	items, failing = 0, true
	statuses, err = runGraph(t, build)
	require.ErrorContains(t, err, "gate: fetch: broken")
	require.Equal(t, 0, tries, "the first repetition failed")
	require.Equal(t, dag.Failed, statuses["gate"].State)
	require.Equal(t, dag.Skipped, statuses["write"].State)
}
