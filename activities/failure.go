package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"padron/internal/runs"
)

// noteWithin bounds the writing down of a failure: a database that is down must
// not keep a step from being tried again.
const noteWithin = 2 * time.Second

// recorder writes down what goes wrong in an attempt of a step. It stands in the
// run's record until an attempt succeeds: Temporal forgets it when the run is
// cancelled.
type recorder struct {
	runs *runs.Store // nil until the step has opened its dataset
	run  string
}

type recorderKey struct{}

// withRecorder begins an attempt.
func withRecorder(ctx context.Context) (context.Context, *recorder) {
	r := &recorder{}
	return context.WithValue(ctx, recorderKey{}, r), r
}

// isOf tells the recorder whose step it is, once the step has opened its dataset.
func isOf(ctx context.Context, o *opened, run Run) {
	if r, ok := ctx.Value(recorderKey{}).(*recorder); ok {
		r.runs, r.run = o.runs, run.ID
	}
}

// ended writes down how the attempt went wrong, or takes back what an earlier one
// of the same activity did. It is no failure of the step that this cannot be done.
func (r *recorder) ended(ctx context.Context, err error) {
	info := activity.GetInfo(ctx)
	app, failed := errors.AsType[*temporal.ApplicationError](err)
	switch {
	case r.runs == nil || r.run == "":
		return
	case err == nil && info.Attempt == 1:
		return
	case err != nil && (!failed || app.Type() == runs.WorkerStopping):
		return // cancelled, or let go of: nothing is wrong
	}
	id := info.WorkflowExecution.RunID + "/" + info.ActivityID
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteWithin)
	defer cancel()
	if err == nil {
		err = r.runs.ClearFailure(ctx, r.run, id)
	} else {
		err = r.runs.SetFailure(ctx, r.run, runs.Failure{
			Step: info.ActivityType.Name, Attempt: int(info.Attempt), Kind: app.Type(), Text: app.Message(), At: time.Now().UTC(), Activity: id,
		})
	}
	if err != nil && !errors.Is(err, runs.ErrNoRun) {
		activity.GetLogger(ctx).Warn("the failure of a step was not recorded", "run", r.run, "error", err)
	}
}
