package dag_test

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"padron/workflows/dag"
)

// A load of four pages that ends in a failure: the write misses its deadline.
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
			dag.Task{Name: "write", After: []string{"gate"}, Timeout: time.Minute, Run: takes(time.Hour)},
			dag.Task{Name: "refuse", After: []string{"gate"}, Run: takes(time.Second)},
			dag.Task{Name: "certify", After: []string{"write"}, Run: takes(time.Second)},
			dag.Task{Name: "alarm", After: []string{"write"}, Rule: dag.OneFailed, Run: takes(time.Second)},
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
	// | ✗ | write | failed: write did not end within its deadline of 1m, deadline 06:01 passed |  | 1m0s |
	// | – | refuse | skipped: left out by gate |  |  |
	// | – | certify | skipped: write failed |  |  |
	// | ✓ | alarm | done |  | 1s |
	// | ✓ | tidy | done |  | 1s |
	// write: write did not end within its deadline of 1m (type: DeadlineExceeded, retryable: false)
}

func ExampleGraph_Mermaid() {
	run := func(workflow.Context) error { return nil }
	each := func(workflow.Context, int) error { return nil }
	g, err := dag.New(
		dag.Task{Name: "plan", Run: run},
		dag.Task{
			Name: "fetch", After: []string{"plan"}, Limit: 4, Items: func() int { return 8 }, Each: each, Timeout: 2 * time.Hour,
			Activities: workflow.ActivityOptions{StartToCloseTimeout: 5 * time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3}},
		},
		dag.Task{Name: "clean", Per: "fetch", Limit: 2, Each: each},
		dag.Task{Name: "gate", After: []string{"clean"}, Branch: func(workflow.Context) ([]string, error) { return nil, nil }},
		dag.Task{Name: "write", After: []string{"gate"}, Run: run},
		dag.Task{Name: "report", Rule: dag.AllDone, After: []string{"write"}, Run: run},
	)
	if err != nil {
		panic(err)
	}
	fmt.Print(g.Mermaid())
	fmt.Println("---")
	fmt.Print(g.Mermaid(
		dag.Status{Name: "plan", State: dag.Done},
		dag.Status{Name: "fetch", State: dag.Running, IsMapped: true, Done: 3, Total: 8},
		dag.Status{Name: "clean", State: dag.Running, IsMapped: true, Done: 2, Total: 8},
		dag.Status{Name: "gate", State: dag.Waiting},
	))
	// Output:
	//     plan[plan]
	//     fetch@{ shape: procs, label: "fetch<br/>at most 4 at once<br/>deadline 2h<br/>one attempt 5m<br/>at most 3 attempts" }
	//     plan --> fetch
	//     clean@{ shape: procs, label: "clean<br/>at most 2 at once" }
	//     fetch -. item by item .-> clean
	//     gate{"gate"}
	//     clean --> gate
	//     write[write]
	//     gate -- if chosen --> write
	//     report[report]
	//     write -- all_done --> report
	// ---
	//     plan[plan]
	//     fetch@{ shape: procs, label: "fetch<br/>at most 4 at once<br/>deadline 2h<br/>one attempt 5m<br/>at most 3 attempts<br/>3 of 8" }
	//     plan --> fetch
	//     clean@{ shape: procs, label: "clean<br/>at most 2 at once<br/>2 of 8" }
	//     fetch -. item by item .-> clean
	//     gate{"gate"}
	//     clean --> gate
	//     write[write]
	//     gate -- if chosen --> write
	//     report[report]
	//     write -- all_done --> report
	//     classDef running fill:#ddf4ff,stroke:#0969da
	//     class fetch,clean running
	//     classDef waiting fill:#f6f8fa,stroke:#8c959f
	//     class gate waiting
	//     classDef done fill:#dafbe1,stroke:#1a7f37
	//     class plan done
}
