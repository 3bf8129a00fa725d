package dag_test

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"padron/workflows/dag"
)

// A load of four pages that ends in a failure: there is no room to write.
func ExampleGraph_Run() {
	takes := func(d time.Duration) func(workflow.Context) error {
		return func(ctx workflow.Context) error { return workflow.Sleep(ctx, d) }
	}
	page := func(d time.Duration) func(workflow.Context, int) error {
		return func(ctx workflow.Context, _ int) error { return workflow.Sleep(ctx, d) }
	}
	load := func(ctx workflow.Context) error {
		g, err := dag.New(
			dag.Task{Name: "plan", Run: takes(time.Second)},
			dag.Task{Name: "fetch", After: []string{"plan"}, Items: func() int { return 4 }, Limit: 2, Each: page(10 * time.Second)},
			dag.Task{Name: "clean", Per: "fetch", Limit: 1, Each: page(2 * time.Second)},
			dag.Task{Name: "gate", After: []string{"clean"}, Branch: func(workflow.Context) ([]string, error) {
				return []string{"write"}, nil // the pages are fit to be written
			}},
			dag.Task{Name: "write", After: []string{"gate"}, Run: func(workflow.Context) error { return errors.New("no space is left") }},
			dag.Task{Name: "refuse", After: []string{"gate"}, Run: takes(time.Second)},
			dag.Task{Name: "certify", After: []string{"write"}, Run: takes(time.Second)},
			dag.Task{Name: "tidy", After: []string{"certify", "refuse"}, Rule: dag.AllDone, Run: takes(time.Second)},
		)
		if err != nil {
			return err
		}
		err = g.Run(ctx)
		fmt.Print(dag.Markdown(g.Status()), err, "\n")
		return err
	}

	var suite testsuite.WorkflowTestSuite // a workflow without a server, in no time
	suite.SetLogger(quiet())
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(time.Date(2026, 9, 1, 6, 0, 0, 0, time.UTC))
	env.ExecuteWorkflow(load)
	// Output:
	// | | task | state | items | took |
	// |---|---|---|---|---|
	// | ✓ | plan | done |  | 1s |
	// | ✓ | fetch | done | 4 of 4, 12.0/min | 20s |
	// | ✓ | clean | done | 4 of 4, 17.1/min | 14s |
	// | ✓ | gate | done: chose write |  |  |
	// | ✗ | write | failed: no space is left |  |  |
	// | – | refuse | skipped: left out by gate |  |  |
	// | – | certify | skipped: write failed |  |  |
	// | ✓ | tidy | done |  | 1s |
	// write: no space is left
}

func ExampleGraph_Mermaid() {
	run := func(workflow.Context) error { return nil }
	each := func(workflow.Context, int) error { return nil }
	g, err := dag.New(
		dag.Task{Name: "look", Branch: func(workflow.Context) ([]string, error) { return nil, nil }},
		dag.Task{Name: "plan", After: []string{"look"}, Run: run},
		dag.Task{
			Name: "fetch", After: []string{"plan"}, Limit: 4, Items: func() int { return 8 }, Each: each,
			Activities: workflow.ActivityOptions{
				StartToCloseTimeout: 5 * time.Minute, ScheduleToCloseTimeout: 2 * time.Hour, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
			},
		},
		dag.Task{Name: "clean", Per: "fetch", Limit: 2, Each: each},
		dag.Task{Name: "gate", After: []string{"clean"}, Run: run, Repeats: []string{"plan", "fetch", "clean"}, RepeatsWhen: "when the data moved"},
		dag.Task{Name: "write", After: []string{"gate"}, Run: run},
		dag.Task{Name: "report", Rule: dag.AllDone, After: []string{"look", "write"}, Run: run},
	)
	if err != nil {
		panic(err)
	}
	fmt.Print(g.Mermaid(""))
	// Output:
	//     look{"look"}
	//     plan["plan"]
	//     look -- if chosen --> plan
	//     fetch@{ shape: procs, label: "fetch<br/>at most 4 at once<br/>one attempt 5m<br/>all attempts 2h<br/>at most 3 attempts" }
	//     plan --> fetch
	//     clean@{ shape: procs, label: "clean<br/>at most 2 at once" }
	//     fetch -. item by item .-> clean
	//     gate["gate"]
	//     clean --> gate
	//     gate -. "again when the data moved" .-> plan
	//     write["write"]
	//     gate --> write
	//     report["report"]
	//     look -- if chosen, all_done --> report
	//     write -- all_done --> report
}
