package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/workflows/dag"
)

// deadline watches over a run: by when it should be done. A run that is not goes
// on, and says so.
type deadline struct {
	within time.Duration // 0: none
	at     time.Time
	passed bool

	stop  workflow.CancelFunc
	ended workflow.Future
}

// newDeadline counts from the start of the workflow, so that a run nobody came
// to work on is late as well.
func newDeadline(ctx workflow.Context, within time.Duration) deadline {
	d := deadline{within: within}
	if within > 0 {
		d.at = workflow.GetInfo(ctx).WorkflowStartTime.Add(within).UTC()
	}
	return d
}

// race lets the run's deadline race its work; passed is called when the
// deadline wins.
func (d *deadline) race(ctx workflow.Context, passed func(workflow.Context) error) {
	if d.within <= 0 {
		return
	}
	ctx, d.stop = workflow.WithCancel(ctx)
	ended, end := workflow.NewFuture(ctx)
	d.ended = ended
	workflow.GoNamed(ctx, "deadline", func(ctx workflow.Context) {
		err := wait(ctx, max(d.at.Sub(workflow.Now(ctx)), 0), "The run should be done within "+d.within.String())
		if err == nil {
			d.passed = true
			err = passed(ctx)
		}
		end.Set(nil, err)
	})
}

// over ends the race. What the deadline has begun to record is waited for, so
// that the end of the run is recorded after it.
func (d *deadline) over(ctx workflow.Context) {
	if d.stop == nil {
		return
	}
	d.stop()
	if err := d.ended.Get(ctx, nil); err != nil && !temporal.IsCanceledError(err) {
		workflow.GetLogger(ctx).Warn("that the deadline has passed was not recorded", "error", err)
	}
}

// overdue shows that the run is late, records it and has it told.
func (r *mirrorRun) overdue(ctx workflow.Context) error {
	workflow.SetCurrentDetails(ctx, r.details()+"\n\n"+dag.Markdown(r.graphStatus()))
	var result activities.AlertResult
	err := call(ctx, a.Overdue, "The run is late; it goes on",
		activities.OverdueInput{Run: r.run, Task: r.task, Deadline: r.deadline.at, Within: r.deadline.within}, &result)
	if err != nil || !result.Due {
		return err
	}
	tell(ctx, activities.NotifyInput{Dataset: r.run.Dataset})
	return nil
}
