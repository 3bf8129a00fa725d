package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
)

// elsewhereAfter is how soon a step that a stopping worker let go of is tried
// again, however often it was tried before: nothing is wrong, and the stopping
// worker takes no new work.
const elsewhereAfter = 100 * time.Millisecond

// errLetGo cancels the steps of a stopping worker.
var errLetGo = errors.New("the worker is stopping; another one goes on with this step")

// letGo is how a step of a stopping worker ends unfinished.
func letGo() error { return later(WorkerStopping, errLetGo, elsewhereAfter) }

// LetGo makes a worker that is told to stop finish the steps that it is at
// within a time, and let go of the others: they are cancelled and, rather than
// missed by Temporal only when their heartbeats fail to come, tried again at
// once by another worker. The time must be shorter than the worker's stop
// timeout by what a cancelled step may need to notice, one MongoDB call.
func LetGo(within time.Duration) interceptor.WorkerInterceptor {
	return &letsGo{within: within}
}

type letsGo struct {
	interceptor.WorkerInterceptorBase
	within time.Duration
}

// InterceptActivity implements [interceptor.WorkerInterceptor].
func (l *letsGo) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	step := &lettingGo{within: l.within}
	step.Next = next
	return step
}

type lettingGo struct {
	interceptor.ActivityInboundInterceptorBase
	within time.Duration
}

// ExecuteActivity implements [interceptor.ActivityInboundInterceptor].
func (l *lettingGo) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	activity.GetLogger(ctx).Debug("step begins")
	ctx, cancel := cancelAtStop(ctx, l.within)
	defer cancel()
	result, err := l.Next.ExecuteActivity(ctx, in)
	return result, stopped(ctx, err)
}

// cancelAtStop cancels the context this long after the worker was told to stop.
func cancelAtStop(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
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
			cancel(errLetGo)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// stopped replaces the error of a step that cancelAtStop has cancelled, whatever
// it says: what a step finds wrong while everything is taken from it may not be
// so, and if it is, the next attempt finds it again.
func stopped(ctx context.Context, err error) error {
	if err == nil || !errors.Is(context.Cause(ctx), errLetGo) {
		return err
	}
	return letGo()
}

// untilStop does what waits for others, unless the worker is stopping: a page
// that the portal is slow to send must not hold it up, and nothing is lost by
// asking again from another one.
func untilStop[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	defer alive(ctx)()
	ctx, cancel := cancelAtStop(ctx, 0)
	defer cancel()
	result, err := do(ctx)
	return result, stopped(ctx, err)
}
