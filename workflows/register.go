package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register makes a worker run the workflows.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflow(Mirror)
	r.RegisterWorkflow(Write)
	// A backfill may take days: it continues on the newest build. All others end
	// on the build that they began with.
	r.RegisterWorkflowWithOptions(Backfill, workflow.RegisterOptions{VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade})
	r.RegisterWorkflow(Window)
	r.RegisterWorkflow(Freshness)
	r.RegisterWorkflow(Notify)
}
