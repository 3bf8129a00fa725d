package workflows

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/runs"
)

// Queries and updates of a Backfill. The commands of `starter backfill` have the
// same names.
const (
	QueryBackfill = "backfill" // how far it is, as runs.Backfill
	UpdatePause   = "pause"    // finish the windows under way, let go of the writer, and wait; the argument says why
	UpdateResume  = "resume"
)

// pauseAgain is how soon a pausing backfill without quietBackfill asks the writing
// of its run again to end early: it may not have begun when it was asked first.
const pauseAgain = 5 * time.Second

// pause lets the windows under way finish and begins no further one. It returns
// when the backfill has let go of the writer.
func (b *backfillRun) pause(ctx workflow.Context, why string) error {
	b.state.Paused = true
	b.state.Record.Paused = cmp.Or(why, "paused by hand")
	if err := b.endRun(ctx); err != nil {
		return err
	}
	return b.noteOnceBegun(ctx, func() bool { return b.state.Paused })
}

// endRun has the run that is under way end early, and waits until it has, or
// until the backfill is resumed.
func (b *backfillRun) endRun(ctx workflow.Context) error {
	over := func() bool { return !b.state.Paused || !b.reloading }
	if b.quiet {
		if b.reloading && !b.asked {
			b.asked = true
			// The run heeds it whether it writes yet or not. One that has ended since needs no signal.
			_ = b.under.SignalChildWorkflow(ctx, activities.SignalYield, "").Get(ctx, nil)
		}
		return workflow.Await(ctx, over)
	}
	for !over() {
		_ = workflow.SignalExternalWorkflow(ctx, WriteID(b.in.Dataset), "", activities.SignalYield, "").Get(ctx, nil)
		if _, err := workflow.AwaitWithTimeout(ctx, pauseAgain, over); err != nil {
			return err
		}
	}
	return nil
}

// noteOnceBegun writes the record when there is one, if what is to be written
// still holds then.
func (b *backfillRun) noteOnceBegun(ctx workflow.Context, holds func() bool) error {
	err := workflow.Await(ctx, func() bool { return b.state.Planned || b.status != "" })
	if err != nil || b.status != "" || !holds() {
		return err
	}
	return b.note(ctx, runs.StatusRunning)
}

// resume goes on where pause left off.
func (b *backfillRun) resume(ctx workflow.Context) error {
	b.state.Paused, b.state.Record.Paused = false, ""
	return b.noteOnceBegun(ctx, func() bool { return !b.state.Paused })
}
