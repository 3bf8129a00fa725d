package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"padron/activities"
	"padron/internal/runs"
)

// TestAStepIsDrainedWhenItsTimeIsUp has a worker stop while it is at steps of
// all kinds.
func TestAStepIsDrainedWhenItsTimeIsUp(t *testing.T) {
	const within = 300 * time.Millisecond
	broken := errors.New("the connection broke")
	for name, c := range map[string]struct {
		step func(context.Context) (string, error)
		want string // type of the error, empty for none
		soon bool
	}{
		"finishes in time":         {func(context.Context) (string, error) { time.Sleep(within / 3); return "done", nil }, "", true},
		"finishes though too late": {func(context.Context) (string, error) { time.Sleep(2 * within); return "done", nil }, "", false},
		"notices that it may not go on": {func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}, runs.WorkerStopping, false},
		"fails because of that": {func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", errors.Join(broken, ctx.Err())
		}, runs.WorkerStopping, false},
		"finds something wrong because of that": {func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", temporal.NewNonRetryableApplicationError("closed", runs.GateClosed, nil)
		}, runs.WorkerStopping, false},
		"fails before, by itself": {func(context.Context) (string, error) {
			return "", temporal.NewApplicationError("gone", runs.DatabaseFailed)
		}, runs.DatabaseFailed, true},
	} {
		t.Run(name, func(t *testing.T) {
			var suite testsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{activities.Drain(within)}})
			stop := make(chan struct{})
			env.SetWorkerStopChannel(stop)
			env.RegisterActivityWithOptions(c.step, activity.RegisterOptions{Name: "step"})
			close(stop)
			began := time.Now()
			got, err := env.ExecuteActivity("step")
			took := time.Since(began)
			require.Equal(t, c.soon, took < within, "took %s", took)
			require.Less(t, took, 10*within)
			if c.want == "" {
				require.NoError(t, err)
				var done string
				require.NoError(t, got.Get(&done))
				require.Equal(t, "done", done)
				return
			}
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.Equal(t, c.want, app.Type())
			if c.want == runs.WorkerStopping {
				require.Less(t, app.NextRetryDelay(), time.Second, "another worker goes on at once")
				require.Positive(t, app.NextRetryDelay())
				require.False(t, app.NonRetryable())
			}
		})
	}
}

// TestAStepThatIsCancelledStaysCancelled must not become a retry.
func TestAStepThatIsCancelledStaysCancelled(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	ctx, cancel := context.WithCancel(t.Context())
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx, Interceptors: []interceptor.WorkerInterceptor{activities.Drain(time.Hour)}})
	env.RegisterActivityWithOptions(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, activity.RegisterOptions{Name: "step"})
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := env.ExecuteActivity("step")
	require.ErrorContains(t, err, context.Canceled.Error())
	var app *temporal.ApplicationError
	require.False(t, errors.As(err, &app) && app.Type() == runs.WorkerStopping, "%v", err)
}
