package workflows

import (
	"go.temporal.io/sdk/workflow"

	"padron/internal/runs"
	"padron/workflows/dag"
)

// QueryStatus is the name of the query that returns the tasks of a running
// Mirror, Write or Backfill as []dag.Status.
const QueryStatus = "status"

// show puts a graph's live status into the Web UI and answers the status query.
func show(ctx workflow.Context, g *dag.Graph, head func() string) error {
	render := func(ctx workflow.Context) {
		workflow.SetCurrentDetails(ctx, head()+"\n\n"+dag.Markdown(g.Status()))
	}
	g.OnChange(render)
	render(ctx)
	return workflow.SetQueryHandler(ctx, QueryStatus, func() ([]dag.Status, error) { return g.Status(), nil })
}

// steps are a finished graph's tasks, for the run's record.
func steps(tasks []dag.Status) []runs.Step {
	all := make([]runs.Step, 0, len(tasks))
	for _, t := range tasks {
		all = append(all, runs.Step{Name: t.Name, State: string(t.State), Items: t.Total, TookMS: t.Took.Milliseconds(), Why: t.Why})
	}
	return all
}
