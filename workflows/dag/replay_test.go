package dag_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"padron/internal/testenv"
	"padron/workflows/dag"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// loadInput says what becomes of a load.
type loadInput struct {
	Fails, Hangs, Repeats bool
}

// loadWorkflow is a graph with one of everything, whose work is activities;
// fetchLimit is what a later version of it may have changed.
func loadWorkflow(fetchLimit int) func(ctx workflow.Context, in loadInput) ([]dag.Status, error) {
	return func(ctx workflow.Context, in loadInput) ([]dag.Status, error) {
		work := func(ctx workflow.Context, what string) error {
			return workflow.ExecuteActivity(ctx, "work", what).Get(ctx, nil)
		}
		run := func(what string) func(workflow.Context) error {
			return func(ctx workflow.Context) error { return work(ctx, what) }
		}
		each := func(what string) func(workflow.Context, int) error {
			return func(ctx workflow.Context, i int) error {
				if in.Fails && what == "clean" && i == 3 {
					return errTask
				}
				return work(ctx, fmt.Sprint(what, i))
			}
		}
		quick := workflow.ActivityOptions{StartToCloseTimeout: time.Minute, WaitForCancellation: true}
		var g *dag.Graph
		tasks := []dag.Task{
			{Name: "plan", Run: run("plan")},
			{Name: "fetch", After: []string{"plan"}, Items: func() int { return 6 }, Limit: fetchLimit, Each: each("fetch")},
			{Name: "clean", Per: "fetch", Limit: 2, Each: each("clean")},
			{Name: "check", After: []string{"clean"}, Repeats: []string{"plan", "fetch", "clean"}, Run: func(ctx workflow.Context) error {
				if in.Repeats {
					return g.Repeat(ctx, "check")
				}
				return nil
			}},
			{Name: "gate", After: []string{"check"}, Branch: func(ctx workflow.Context) ([]string, error) { return []string{"write"}, work(ctx, "gate") }},
			{Name: "write", After: []string{"gate"}, Run: func(ctx workflow.Context) error {
				if in.Hangs {
					return workflow.Sleep(ctx, time.Hour)
				}
				return work(ctx, "write")
			}},
			{Name: "refuse", After: []string{"gate"}, Run: run("refuse")},
			{Name: "tidy", After: []string{"write", "refuse"}, Rule: dag.AllDone, Run: run("tidy")},
		}
		for i := range tasks {
			tasks[i].Activities = quick
		}
		var err error
		if g, err = dag.New(tasks...); err != nil {
			return nil, err
		}
		err = workflow.SetQueryHandler(ctx, "running", func() (names []string, err error) {
			for _, s := range g.Status() {
				if s.State == dag.Running {
					names = append(names, s.Name)
				}
			}
			return names, nil
		})
		if err != nil {
			return nil, err
		}
		if err := g.Run(ctx); temporal.IsCanceledError(err) {
			return nil, err
		}
		return g.Status(), nil // what failed is in there
	}
}

// TestHistoriesReplay runs graphs on a real Temporal server, and then again
// from the histories that it kept: a worker that takes over a run must come to
// the same commands in the same order.
func TestHistoriesReplay(t *testing.T) {
	address := testenv.Temporal(t)
	ctx := t.Context()
	c, err := client.DialContext(ctx, client.Options{HostPort: address, Logger: quiet()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	queue := fmt.Sprint("dag-replay-", time.Now().UnixNano())
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(loadWorkflow(3), workflow.RegisterOptions{Name: "load"})
	w.RegisterActivityWithOptions(func(context.Context, string) error { return nil }, activity.RegisterOptions{Name: "work"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)

	for name, test := range map[string]struct {
		in      loadInput
		cancels bool
		want    map[string]dag.State // of some
	}{
		"to its end": {want: map[string]dag.State{
			"clean": dag.Done, "write": dag.Done, "refuse": dag.Skipped, "tidy": dag.Done,
		}},
		"with a failed item": {in: loadInput{Fails: true}, want: map[string]dag.State{"clean": dag.Failed, "gate": dag.Skipped, "tidy": dag.Done}},
		"repeating":          {in: loadInput{Repeats: true}, want: map[string]dag.State{"plan": dag.Done, "clean": dag.Done, "check": dag.Done, "tidy": dag.Done}},
		"cancelled":          {in: loadInput{Hangs: true}, cancels: true},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: queue}, "load", test.in)
			require.NoError(t, err)
			if test.cancels {
				require.Eventually(t, func() bool {
					value, err := c.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), "running")
					if err != nil {
						return false
					}
					var running []string
					return value.Get(&running) == nil && slices.Contains(running, "write")
				}, time.Minute, 100*time.Millisecond)
				require.NoError(t, c.CancelWorkflow(ctx, run.GetID(), run.GetRunID()))
			}
			var statuses []dag.Status
			err = run.Get(ctx, &statuses)
			require.Equal(t, test.cancels, temporal.IsCanceledError(err), "%v", err)
			got := map[string]dag.State{}
			for _, s := range statuses {
				if _, ok := test.want[s.Name]; ok {
					got[s.Name] = s.State
				}
			}
			if !test.cancels {
				require.NoError(t, err)
				require.Equal(t, test.want, got)
			}

			history := &historypb.History{}
			events := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for events.HasNext() {
				event, err := events.Next()
				require.NoError(t, err)
				history.Events = append(history.Events, event)
			}
			t.Logf("%d events", len(history.Events))
			replay := func(fetchLimit int) error {
				replayer := worker.NewWorkflowReplayer()
				replayer.RegisterWorkflowWithOptions(loadWorkflow(fetchLimit), workflow.RegisterOptions{Name: "load"})
				return replayer.ReplayWorkflowHistory(quiet(), history)
			}
			require.NoError(t, replay(3))
			require.ErrorContains(t, replay(1), "TMPRL1100", "a changed graph is found out")
		})
	}
}
