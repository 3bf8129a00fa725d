package activities

import (
	"context"
	"fmt"
	"strings"
)

// SignalYield asks a writing that can be left for later, a backfill's, to let
// another run go first. Its argument is the workflow id of that run, empty when
// the backfill is to pause. Other writings take no notice.
const SignalYield = "yield"

// AwaitWriterInput asks to wait for a dataset's one writer.
type AwaitWriterInput struct {
	Writer string `json:"writer"` // its workflow id
	For    string `json:"for"`    // workflow id of the run that waits
	// Yields begins the workflow ids of runs that let this one go first; empty:
	// none does.
	Yields string `json:"yields"`
	// Hurried waits only for such a run, and not for any other.
	Hurried bool `json:"hurried,omitempty"`
}

// AwaitWriterResult says whether another run is still writing.
type AwaitWriterResult struct {
	Busy bool `json:"busy,omitempty"` // it was not waited for
}

// AwaitWriter waits until the run whose writing holds the writer's workflow id
// has ended, whatever became of it; one of a backfill is asked to let this run
// go first. The run is the parent of the writing: it ends a little later, once
// its record says what it came to. One that was terminated ends before its
// writing, which then still holds the id: so both are waited for.
func (a *Activities) AwaitWriter(ctx context.Context, in AwaitWriterInput) (AwaitWriterResult, error) {
	defer heartbeat(ctx)()
	return drainable(ctx, func(ctx context.Context) (AwaitWriterResult, error) { return a.awaitWriter(ctx, in) })
}

func (a *Activities) awaitWriter(ctx context.Context, in AwaitWriterInput) (AwaitWriterResult, error) {
	writing, err := a.Temporal.DescribeWorkflowExecution(ctx, in.Writer, "")
	if err != nil {
		return AwaitWriterResult{}, fmt.Errorf("describe workflow %s: %w", in.Writer, err)
	}
	execution := writing.WorkflowExecutionInfo.GetExecution()
	run := execution
	if parent := writing.WorkflowExecutionInfo.GetParentExecution(); parent != nil {
		run = parent
	}
	switch yields := in.Yields != "" && strings.HasPrefix(run.GetWorkflowId(), in.Yields); {
	case yields:
		// One that has ended since needs no signal.
		_ = a.Temporal.SignalWorkflow(ctx, in.Writer, execution.GetRunId(), SignalYield, in.For)
	case in.Hurried:
		return AwaitWriterResult{Busy: true}, nil
	}
	if err := a.awaitWorkflow(ctx, in.Writer, execution.GetRunId()); err != nil {
		return AwaitWriterResult{}, err
	}
	return AwaitWriterResult{}, a.awaitWorkflow(ctx, run.GetWorkflowId(), run.GetRunId())
}

// AwaitRun waits until a workflow has ended, whatever became of it.
func (a *Activities) AwaitRun(ctx context.Context, workflowID string) error {
	defer heartbeat(ctx)()
	_, err := drainable(ctx, func(ctx context.Context) (any, error) { return nil, a.awaitWorkflow(ctx, workflowID, "") })
	return err
}

func (a *Activities) awaitWorkflow(ctx context.Context, id, run string) error {
	// How the other run ended is its own affair: only a wait that was cut
	// short is an error here.
	_ = a.Temporal.GetWorkflow(ctx, id, run).Get(ctx, nil)
	return ctx.Err()
}
