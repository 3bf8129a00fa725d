package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/workflows/dag"
)

// deadline watches over a run: by when it should be done. A run that misses it
// is not stopped: it goes on, and says so.
type deadline struct {
	within time.Duration // 0: none
	at     time.Time
	passed bool

	stop  workflow.CancelFunc
	ended workflow.Future
}

// newDeadline counts from the start of the workflow, so that a run that no
// worker took is late as well.
func newDeadline(ctx workflow.Context, within time.Duration) deadline {
	d := deadline{within: within}
	if within > 0 {
		d.at = workflow.GetInfo(ctx).WorkflowStartTime.Add(within).UTC()
	}
	return d
}

// race starts the deadline's timer beside the run's work; passed is called when
// it fires before over.
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

// over stops the timer. When the deadline has passed, over waits until that is
// recorded, so that the end of the run is recorded after it.
func (d *deadline) over(ctx workflow.Context) {
	if d.stop == nil {
		return
	}
	d.stop()
	if err := d.ended.Get(ctx, nil); err != nil && !temporal.IsCanceledError(err) {
		workflow.GetLogger(ctx).Warn("that the deadline has passed was not recorded", "error", err)
	}
}

// overdue shows that the run is late, records it and sends a message.
func (r *mirrorRun) overdue(ctx workflow.Context) error {
	workflow.SetCurrentDetails(ctx, r.details()+"\n\n"+dag.Markdown(r.dag.Status()))
	var result activities.AlertResult
	err := call(ctx, a.Overdue, "The run is late; it goes on",
		activities.OverdueInput{Run: r.run, Job: r.job, Deadline: r.deadline.at, Within: r.deadline.within}, &result)
	if err != nil || !result.Due {
		return err
	}
	_ = tell(ctx, activities.NotifyInput{Dataset: r.run.Dataset}) // it is logged, and sent with what comes next
	return nil
}
