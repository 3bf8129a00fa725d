package workflows

import (
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/certificate"
	"padron/internal/runs"
	"padron/workflows/dag"
)

// windowsPerRun bounds the windows that one run of a backfill reloads, for the
// sake of the length of its histories: some 10 events for each that is large
// enough to be fetched by itself.
const windowsPerRun = 500

// mostEvents is the length of history at which a backfill continues as new, in
// events, half of what Temporal's server suggests by default. A run takes some 30.
const mostEvents = 2000

// plan lists the windows, once: a further execution has them.
func (b *backfillRun) plan(ctx workflow.Context) error {
	if b.state.Planned {
		return nil
	}
	info := workflow.GetInfo(ctx)
	var plan activities.BackfillPlan
	err := callPortal(ctx, a.PlanBackfill, fmt.Sprintf("Windows from %s to %s, by %s", b.in.Since, b.in.Until, b.in.Every),
		activities.BackfillPlanInput{
			Run: b.state.Run, On: b.in.On, Since: b.in.Since, Until: b.in.Until, Every: b.in.Every, Reload: b.in.Reload,
			NewestFirst: b.in.NewestFirst, WorkflowID: info.WorkflowExecution.ID, TemporalID: info.WorkflowExecution.RunID,
		}, &plan)
	if err != nil {
		return b.remember(err)
	}
	s := &b.state
	s.Planned, s.Columns, s.Left, s.AsOf, s.Run.Spec = true, plan.Columns, plan.Windows, plan.AsOf, plan.Spec
	s.Record = runs.Backfill{
		On: b.in.On, Since: string(b.in.Since), Until: string(b.in.Until), Every: string(b.in.Every),
		Windows: plan.Total, Todo: len(plan.Windows), Paused: s.Record.Paused,
	}
	return nil
}

// reload starts one run after the other until no window is left.
func (b *backfillRun) reload(ctx workflow.Context) error {
	s := &b.state
	for len(s.Left) > 0 {
		if err := workflow.Await(ctx, func() bool { return !s.Paused || b.quiet && b.long(ctx) }); err != nil {
			return b.remember(err)
		}
		if ctx.Err() == nil && b.long(ctx) {
			b.in.State, b.goesOn = s, true
			return leftOut(goesOn)
		}
		switch proven, err := b.prove(ctx); {
		case err != nil:
			return b.remember(err)
		case proven:
			return nil
		}
		reloaded, err := b.reloadSome(ctx)
		if err != nil {
			return b.remember(err)
		}
		if reloaded.Stopped != "" {
			return b.remember(temporal.NewNonRetryableApplicationError(fmt.Sprintf(
				"%s; %d windows were not tried. When the reason is gone, the same command takes up the rest",
				reloaded.Stopped, len(s.Left)), ErrStopped, nil))
		}
		for _, id := range reloaded.YieldTo {
			if err := call(ctx, a.AwaitRun, "Lets "+RunID(id)+" go first", id, nil); err != nil {
				return b.remember(err)
			}
		}
	}
	return nil
}

// prove asks whether the mirror proves the windows that are left, and those that
// failed: then none of them is reloaded.
func (b *backfillRun) prove(ctx workflow.Context) (bool, error) {
	if !b.proves {
		return false, nil
	}
	s := &b.state
	var proven activities.ProvenWindows
	err := callPortal(ctx, a.ProveWindows, "Does the mirror prove the windows that are left?", activities.ProveWindowsInput{
		Run: s.Run, On: b.in.On, Since: b.in.Since, Until: b.in.Until, Every: b.in.Every,
	}, &proven)
	if err != nil || !proven.Proven {
		return false, err
	}
	s.Left, s.Failed, s.Record.Failed, s.Record.Proven = nil, nil, 0, proven.Windows
	s.Outcome = certificate.Green
	s.Why = fmt.Sprintf("%s windows are proven and were not reloaded: %s; --reload always reloads them",
		humanize.Comma(int64(proven.Windows)), proven.Why)
	return true, nil
}

// long says whether it is time to continue as new, and nothing is lost by it: no
// run is under way, and no pause or resume waits for its answer.
func (b *backfillRun) long(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return b.runs > 0 && !b.reloading && workflow.AllHandlersFinished(ctx) &&
		(info.GetContinueAsNewSuggested() || b.quiet && info.GetCurrentHistoryLength() >= mostEvents)
}

// run starts one of the backfill's runs, and waits for it.
func (b *backfillRun) run(ctx workflow.Context, job runs.Job, reload *activities.Reload, summary string) (MirrorResult, error) {
	b.state.Record.Runs++
	b.runs++
	id := MirrorID(b.in.Dataset, ReloadID(b.state.Run.ID, b.state.Record.Runs))
	b.under, b.asked = workflow.ExecuteChildWorkflow(childContext(ctx, id, b.in.Dataset, summary), Mirror, MirrorInput{
		Dataset: b.in.Dataset, Job: job, Of: b.state.Run.ID, Reload: reload,
	}), false
	var result MirrorResult
	err := b.under.Get(ctx, &result)
	return result, err
}

// reloadSome reloads the next windows.
func (b *backfillRun) reloadSome(ctx workflow.Context) (*Reloaded, error) {
	s := &b.state
	windows := s.Left[:min(windowsPerRun, len(s.Left))]
	b.reloading = true
	result, err := b.run(ctx, runs.JobReload,
		&activities.Reload{On: b.in.On, Columns: s.Columns, Windows: windows, Every: b.in.Every, MaxActive: b.in.MaxActive},
		fmt.Sprintf("Reloads %s windows of %s, from %s on", humanize.Comma(int64(len(windows))), b.in.Dataset, windows[0]))
	b.reloading = false
	if err != nil {
		return nil, err
	}
	if result.Write == nil || result.Write.Reloaded == nil {
		return nil, temporal.NewNonRetryableApplicationError("run "+result.Run+" reloaded nothing: "+result.Why, ErrStopped, nil)
	}
	done := result.Write.Reloaded
	s.Left = append(done.Left, s.Left[len(windows):]...)
	s.Failed = append(s.Failed, done.Failed...)
	s.Record.Done += done.Done
	s.Record.Failed += len(done.Failed)
	s.Record.Rows += done.Rows
	s.Record.Inserted += done.Inserted
	s.Record.Replaced += done.Replaced
	// Of two that are equally bad the later one counts: the portal moves on.
	if outcome := certificate.Outcome(result.Outcome); severity(outcome) >= severity(s.Outcome) {
		s.Outcome, s.Why = outcome, result.Why
	}
	return done, b.note(ctx, runs.StatusRunning)
}

// severity orders the outcomes of a backfill's runs, the worst last.
func severity(o certificate.Outcome) int {
	return slices.Index([]certificate.Outcome{"", certificate.Green, certificate.Behind, certificate.Unproven, certificate.Red}, o)
}

// reconstruct makes the snapshots as of the windows' ends, from the mirror as it
// is now: a run of its own, so that nobody writes meanwhile.
func (b *backfillRun) reconstruct(ctx workflow.Context) error {
	s := &b.state
	if len(s.AsOf) == 0 {
		return dag.ErrSkip
	}
	result, err := b.run(ctx, runs.JobReconstruct, &activities.Reload{AsOf: s.AsOf},
		fmt.Sprintf("Reconstructs %d snapshots of %s", len(s.AsOf), b.in.Dataset))
	if err == nil && result.Write != nil {
		s.Record.Snapshots = result.Write.Snapshots
	}
	return b.remember(err)
}
