package activities

import (
	"context"
	"fmt"
)

// AwaitWriter waits until the run whose writing holds this workflow id has
// ended, whatever became of it. The run is the parent of the writing: it ends a
// little later, once its record says what it came to.
func (a *Activities) AwaitWriter(ctx context.Context, workflowID string) error {
	_, err := untilStop(ctx, func(ctx context.Context) (any, error) { return nil, a.awaitWriter(ctx, workflowID) })
	return err
}

func (a *Activities) awaitWriter(ctx context.Context, workflowID string) error {
	writing, err := a.Temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return fmt.Errorf("describe workflow %s: %w", workflowID, err)
	}
	run := writing.WorkflowExecutionInfo.GetExecution()
	if parent := writing.WorkflowExecutionInfo.GetParentExecution(); parent != nil {
		run = parent
	}
	// How the other run ended is its own affair: only a wait that was cut
	// short is an error here.
	_ = a.Temporal.GetWorkflow(ctx, run.GetWorkflowId(), run.GetRunId()).Get(ctx, nil)
	return ctx.Err()
}
