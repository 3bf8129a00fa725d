package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"

	"padron/internal/runs"
)

// retryElsewhereAfter is how soon a step that a stopping worker let go of is tried
// again, however often it was tried before: nothing is wrong, and the stopping
// worker takes no new work.
const retryElsewhereAfter = 100 * time.Millisecond

// errDraining cancels the steps of a stopping worker.
var errDraining = errors.New("the worker is stopping; another one goes on with this step")

// drained is how a step of a stopping worker ends unfinished.
func drained() error { return later(runs.WorkerStopping, errDraining, retryElsewhereAfter) }

// Drain makes a worker that is told to stop finish the steps that it is at
// within a time, and let go of the others: they are cancelled and, rather than
// missed by Temporal only when their heartbeats fail to come, tried again at
// once by another worker. The time must be shorter than the worker's stop
// timeout by what a cancelled step may need to notice, one MongoDB call.
func Drain(within time.Duration) interceptor.WorkerInterceptor {
	return &drain{within: within}
}

type drain struct {
	interceptor.WorkerInterceptorBase
	within time.Duration
}

// InterceptActivity implements [interceptor.WorkerInterceptor].
func (l *drain) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	step := &drainedActivity{within: l.within}
	step.Next = next
	return step
}

type drainedActivity struct {
	interceptor.ActivityInboundInterceptorBase
	within time.Duration
}

// ExecuteActivity implements [interceptor.ActivityInboundInterceptor].
func (l *drainedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	activity.GetLogger(ctx).Debug("step begins")
	ctx, cancel := cancelOnDrain(ctx, l.within)
	defer cancel()
	ctx, recorder := withRecorder(ctx)
	result, err := l.Next.ExecuteActivity(ctx, in)
	err = stopped(ctx, err)
	recorder.ended(ctx, err)
	return result, err
}

// cancelOnDrain cancels the context this long after the worker was told to stop.
func cancelOnDrain(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopping := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-stopping:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(after):
			cancel(errDraining)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// stopped replaces the error of a step that cancelOnDrain has cancelled, whatever
// it says: what a step finds wrong while everything is taken from it may not be
// so, and if it is, the next attempt finds it again.
func stopped(ctx context.Context, err error) error {
	if err == nil || !errors.Is(context.Cause(ctx), errDraining) {
		return err
	}
	return drained()
}

// drainable does what waits for others, unless the worker is stopping: a page
// that the portal is slow to send must not hold it up, and nothing is lost by
// asking again from another one.
func drainable[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	ctx, cancel := cancelOnDrain(ctx, 0)
	defer cancel()
	result, err := do(ctx)
	return result, stopped(ctx, err)
}
