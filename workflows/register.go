package workflows

import "go.temporal.io/sdk/worker"

// Register makes a worker run the workflows.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflow(Mirror)
	r.RegisterWorkflow(Write)
	r.RegisterWorkflow(Backfill)
	r.RegisterWorkflow(Window)
	r.RegisterWorkflow(Freshness)
	r.RegisterWorkflow(Notify)
}
