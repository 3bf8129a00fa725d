package workflows

import (
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/runs"
	"padron/workflows/dag"
)

// This file declares the graphs of all jobs: what a run does, in which order,
// and how much of it at once. Steps that are one call of their activity follow
// below the graphs; those with more to them are in crawl.go, upsert.go,
// reload.go, mirror.go and backfill_runs.go. So a new step is its activity, the
// activity's line in activities/register.go, and its task and method here.

// How many items of each mapped task one run keeps under way. Fetching waits
// for the portal, cleaning for a processor, upserting for the database: more of
// each at once gains nothing on two cores and costs memory.
const (
	fetchAtOnce   = 4
	cleanAtOnce   = 2
	compareAtOnce = 2
	upsertAtOnce  = 4
	confirmAtOnce = 1 // each makes many requests, which one step alone can hold to the limit
)

// maxCrawls is how often one run crawls a portal that moves while it is read,
// before the run goes on with a torn crawl and ends unproven.
const maxCrawls = 3

const (
	// profileDeadline bounds the description of the columns, without which a run
	// is complete: a minute for the summaries of 3,000 pages, and time for a
	// database that is away for a moment.
	profileDeadline = 5 * time.Minute
	// boundariesDeadline bounds the look for newer boundaries, without which a
	// run is complete.
	boundariesDeadline = 5 * time.Minute
	// boundariesTries is how often they are asked for in one run: there is a next
	// run, and a portal that has nothing wrong but these must not open its breaker,
	// which the crawls share.
	boundariesTries = 2
)

// proving is what both the certificate and a verification do.
const proving = "proving that the mirror equals the portal"

// tasks is the graph of a run: Mirror.
func (r *mirrorRun) tasks() []dag.Task {
	return []dag.Task{
		{Name: "probe", Doing: "asking what there is to do", Branch: r.probe},
		{
			Name: "write", After: []string{"probe"}, Run: r.write,
			Repeats: []string{"probe"}, RepeatsWhen: "when another run wrote meanwhile",
		},
		{Name: "finish", Doing: "closing the run's record", After: []string{"probe", "write"}, Rule: dag.AllDone, Run: r.finish},
		{Name: "notify", Doing: "handing over what is to be told", After: []string{"finish"}, Rule: dag.AllDone, Run: r.notify},
		{Name: "history", Doing: "starting the run that reconstructs the past", After: []string{"finish"}, Run: r.history},
	}
}

// tasks is the graph of a backfill: Backfill. Its tasks reload and
// aggregate_snapshots start runs.
func (b *backfillRun) tasks() []dag.Task {
	return []dag.Task{
		{Name: "plan", Run: b.plan},
		{Name: "reload", After: []string{"plan"}, Run: b.reload},
		{Name: "aggregate_snapshots", After: []string{"reload"}, Run: b.reconstruct},
		{Name: "record", After: []string{"aggregate_snapshots"}, Rule: dag.AllDone, Run: b.record},
		{Name: "notify", Doing: "handing over what is to be told", After: []string{"record"}, Rule: dag.AllDone, Run: b.notify},
	}
}

// tasks is the graph of a run's job within the one writer: Write.
func (w *write) tasks() []dag.Task {
	parts := func() int { return len(w.parts) }
	clean := dag.Task{Name: "clean_page", Limit: cleanAtOnce, Each: w.cleanPage}
	gate := dag.Task{Name: "gate", Doing: "checking the crawl before anything is written", Run: w.gate}
	upsert := dag.Task{Name: "upsert_page", Items: parts, Limit: upsertAtOnce, Each: w.upsertPage}
	findRemoved := dag.Task{Name: "find_removed", Doing: "looking for documents that the portal no longer has", Run: w.findRemoved}
	reconcile := dag.Task{Name: "reconcile", Doing: proving, Run: w.reconcile}
	snapshot := dag.Task{Name: "aggregate_snapshot", Doing: "counting the mirror", Run: w.aggregateSnapshot}
	profile := dag.Task{
		Name: "profile_columns", Doing: "describing the columns", After: []string{"aggregate_snapshot"}, Run: w.profileColumns,
		Activities: workflow.ActivityOptions{ScheduleToCloseTimeout: profileDeadline},
	}

	written := []dag.Task{
		after(upsert, "gate"),
		{Name: "index", Doing: "making sure that the indexes stand", After: []string{"upsert_page"}, Run: w.index},
		after(findRemoved, "index"),
	}
	proven := []dag.Task{
		{
			Name: "confirm_removed", Doing: "asking the portal for missing rows, and removing those that it denies", After: []string{"find_removed"},
			Items: func() int { return w.removals.Batches }, Limit: confirmAtOnce, Each: w.confirmRemoved,
		},
		after(reconcile, "confirm_removed"),
		after(snapshot, "reconcile"),
		profile,
	}

	switch w.in.Job.Name {
	case runs.JobMirror, "":
		clean.Per = "fetch_page"
		gate.Repeats = []string{"plan", "fetch_page", "clean_page"}
		gate.RepeatsWhen = fmt.Sprintf("when the crawl was torn, at most %d crawls", maxCrawls)
		return slices.Concat([]dag.Task{
			{Name: "plan", Run: w.plan},
			{Name: "fetch_page", After: []string{"plan"}, Items: parts, Limit: fetchAtOnce, Each: w.fetchPage},
			clean,
			after(gate, "clean_page"),
		}, written, proven, w.boundaryTasks())
	case runs.JobRerun:
		load := dag.Task{Name: "load_landed", Run: w.loadLanded}
		switch w.in.Job.From {
		case runs.FromClean:
			clean.Items = parts
			return slices.Concat([]dag.Task{load, after(clean, "load_landed"), after(gate, "clean_page")}, written, proven)
		case runs.FromGate:
			compare := dag.Task{Name: "compare_page", Items: parts, Limit: compareAtOnce, Each: w.comparePage}
			return slices.Concat([]dag.Task{load, after(compare, "load_landed"), after(gate, "compare_page")}, written, proven)
		default:
			return []dag.Task{snapshot, profile}
		}
	case runs.JobApprove:
		return slices.Concat([]dag.Task{findRemoved}, proven)
	case runs.JobRetry:
		clean.Per = "fetch_keys"
		return []dag.Task{
			{Name: "fetch_keys", Items: parts, Limit: fetchAtOnce, Each: w.fetchKeys},
			clean,
			after(upsert, "clean_page"),
			{Name: "resolve", Doing: "taking out of quarantine what became a document", After: []string{"upsert_page"}, Run: w.resolve},
			after(reconcile, "resolve"),
			after(snapshot, "reconcile"),
			profile,
		}
	case runs.JobVerify:
		return []dag.Task{{Name: "verify", Doing: proving, Run: w.reconcile}}
	case runs.JobReconstruct:
		return []dag.Task{{Name: "aggregate_snapshots", Run: w.reconstruct}}
	case runs.JobReload, runs.JobBackfill:
		reconcile.Rule, reconcile.Activities = dag.AllDone, workflow.ActivityOptions{ScheduleToCloseTimeout: finishDeadline}
		return []dag.Task{
			{Name: "count_windows", Doing: "counting the rows of the windows", Run: w.countWindows},
			{
				Name: "window", After: []string{"count_windows"},
				Items: func() int { return len(w.reload.stretches) }, Limit: w.in.Reload.MaxActive, Each: w.window,
			},
			after(reconcile, "window"),
		}
	}
	return nil
}

// boundaryTasks are there when the spec names a dataset of boundaries.
func (w *write) boundaryTasks() []dag.Task {
	if !w.in.Probe.Boundaries {
		return nil
	}
	return []dag.Task{{
		Name: "fetch_boundaries", Doing: "looking for newer boundaries", After: []string{"reconcile"}, Run: w.fetchBoundaries,
		Activities: workflow.ActivityOptions{
			ScheduleToCloseTimeout: boundariesDeadline,
			RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: boundariesTries},
		},
	}}
}

// after places a task of several jobs in the graph of one.
func after(t dag.Task, names ...string) dag.Task {
	t.After = names
	return t
}

func (w *write) index(ctx workflow.Context) error {
	return call(ctx, a.Index, "Makes sure that the indexes stand", w.in.Run, nil)
}

// findRemoved looks at the documents that the crawl lacks and decides whether
// they may be removed.
func (w *write) findRemoved(ctx workflow.Context) error {
	in := activities.FindRemovedInput{Run: w.in.Run, Job: w.in.Job, Consistent: w.gated.Consistent, Ordered: w.gated.Ordered}
	for i := range w.parts {
		in.Missing = append(in.Missing, w.parts[i].upserted.MissingKeys...)
		in.All = append(in.All, w.parts[i].upserted.AllKeys...)
	}
	return call(ctx, a.FindRemoved, "What is no longer on the portal?", in, &w.removals)
}

// confirmRemoved asks the portal for one batch of missing keys and removes those
// that it denies.
func (w *write) confirmRemoved(ctx workflow.Context, batch int) error {
	var done activities.ConfirmRemovedResult
	err := callPortal(ctx, a.ConfirmRemoved, fmt.Sprintf("Confirm and remove, batch %d of %d", batch+1, w.removals.Batches),
		activities.ConfirmRemovedInput{Run: w.in.Run, Page: w.removals.Pages[batch], Batch: batch}, &done)
	w.done.Add(done)
	return err
}

func (w *write) resolve(ctx workflow.Context) error {
	in := activities.ResolveInput{Run: w.in.Run, Of: w.in.Probe.Of}
	for i := range w.parts {
		in.Pages = append(in.Pages, w.parts[i].clean...)
	}
	return call(ctx, a.Resolve, "Takes out of quarantine what became a document", in, nil)
}

func (w *write) aggregateSnapshot(ctx workflow.Context) error {
	var taken activities.SnapshotResult
	err := call(ctx, a.AggregateSnapshot, "Counts the mirror for the dashboard",
		activities.SnapshotInput{Run: w.in.Run, Job: w.in.Job, Outcome: w.result.Outcome}, &taken)
	w.result.Snapshot = taken.ID
	if w.result.Outcome == "" {
		w.result.Outcome, w.result.Why = taken.Outcome, taken.Why
	}
	return err
}

// profileColumns describes the columns, from what was counted while the pages
// of the crawl were cleaned. The mirror is written and proven by then, so that a
// failure is shown and takes nothing from the run: the page shows the profile of
// an earlier run, as it does where there is no crawl to describe.
func (w *write) profileColumns(ctx workflow.Context) error {
	in := activities.ProfileInput{Run: w.in.Run, Snapshot: w.result.Snapshot}
	if name := w.in.Job.Name.OrMirror(); name == runs.JobMirror || name == runs.JobRerun {
		in.Pages = w.cleanPages()
	}
	var made activities.ProfileResult
	err := call(ctx, a.ProfileColumns, "Describes what every column holds", in, &made)
	if err == nil && made.Kept != "" {
		return leftOut(made.Kept)
	}
	return optional("the columns were not described", err)
}

// fetchBoundaries looks for newer outlines of the neighborhoods. As with the
// profile, a failure is shown and takes nothing from the run.
func (w *write) fetchBoundaries(ctx workflow.Context) error {
	err := callPortal(ctx, a.FetchBoundaries, "Looks for newer boundaries on the portal", w.in.Run, nil)
	return optional("the boundaries were not brought up to date", err)
}

// reconstruct makes a backfill's snapshots while nobody writes the mirror.
func (w *write) reconstruct(ctx workflow.Context) error {
	var made activities.ReconstructResult
	err := call(ctx, a.ReconstructSnapshots, "Counts the mirror as it was on past days",
		activities.ReconstructInput{Run: w.in.Run, Of: w.in.Probe.Of, AsOf: w.in.Reload.AsOf, History: w.in.Reload.History}, &made)
	w.result.Snapshots = made.Snapshots
	w.result.Outcome = made.Outcome
	w.result.Why = fmt.Sprintf("%d snapshots reconstructed from %s documents", made.Snapshots, humanize.Comma(made.Documents))
	return err
}
