package activities

import "context"

// AwaitWriter waits until no workflow with this id is running, whatever became
// of it.
func (a *Activities) AwaitWriter(ctx context.Context, workflowID string) error {
	defer alive(ctx)()
	// How the other run ended is its own affair: only a wait that was cut
	// short is an error here.
	_ = a.Temporal.GetWorkflow(ctx, workflowID, "").Get(ctx, nil)
	return ctx.Err()
}
