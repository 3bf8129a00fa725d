package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/mirror"
	"padron/internal/socrata"
	"padron/workflows/dag"
)

// How many items of each mapped task one run keeps under way. Fetching waits
// for the portal, cleaning for a processor, upserting for the database: more of
// each at once gains nothing on two cores and costs memory.
const (
	fetchAtOnce   = 4
	cleanAtOnce   = 2
	compareAtOnce = 2
	upsertAtOnce  = 4
	removeAtOnce  = 2
)

// maxCrawls is how often one run crawls a portal that moves while it is read,
// before the run goes on with a torn crawl and ends unproven.
const maxCrawls = 3

// WriteInput is a probed run.
type WriteInput struct {
	Run   activities.Run         `json:"run"`
	Task  activities.Task        `json:"task"`
	Probe activities.ProbeResult `json:"probe"`
	// Reload are the windows to reload, of a backfill's run.
	Reload *activities.Reload `json:"reload,omitempty"`
}

// WriteResult is what the writing came to.
type WriteResult struct {
	Outcome    mirror.Outcome             `json:"outcome"` // green, red, unproven or behind
	Why        string                     `json:"why"`
	Rows       int64                      `json:"rows"`  // of the crawl
	Bytes      int64                      `json:"bytes"` // from the portal, on the wire
	Pages      int                        `json:"pages"`
	Crawls     int                        `json:"crawls"` // 1, or more when the portal moved
	Reconciled activities.ReconcileResult `json:"reconciled"`
	Snapshot   string                     `json:"snapshot,omitempty"`
	Steps      []mirror.Step              `json:"steps"`
	TemporalID string                     `json:"temporal_id"`         // Temporal's run id of the writing workflow
	Reloaded   *Reloaded                  `json:"reloaded,omitempty"`  // of a backfill's windows
	Snapshots  int                        `json:"snapshots,omitempty"` // reconstructed
}

// Write does a run's job. It runs under the dataset's one fixed workflow id, so
// that there is one writer; nothing is written to the mirror before the gate
// has seen the whole crawl.
func Write(ctx workflow.Context, in WriteInput) (*WriteResult, error) {
	w := &write{in: in, before: in.Probe, result: WriteResult{TemporalID: workflow.GetInfo(ctx).WorkflowExecution.RunID}}
	var err error
	if w.dag, err = w.graph(); err != nil {
		return nil, err
	}
	if err := show(ctx, w.dag, w.details); err != nil {
		return nil, err
	}
	if in.Task.Job == activities.JobReload {
		w.heedYield(ctx)
	}
	if err := w.dag.Run(ctx); err != nil {
		return nil, failure(err)
	}
	w.result.Steps = steps(w.dag.Status())
	return &w.result, nil
}

// steps are a finished graph's tasks, for the run's record.
func steps(tasks []dag.Status) []mirror.Step {
	all := make([]mirror.Step, 0, len(tasks))
	for _, t := range tasks {
		all = append(all, mirror.Step{Name: t.Name, State: string(t.State), Items: t.Total, TookMS: t.Took.Milliseconds(), Why: t.Why})
	}
	return all
}

// write is the state of one Write workflow.
type write struct {
	in     WriteInput
	dag    *dag.Graph
	before activities.ProbeResult // what the portal said before the crawl
	parts  []part
	gated  activities.GateResult
	swept  activities.SweepResult
	done   activities.RemoveResult // of all batches
	reload reload
	result WriteResult
}

// part is one key range of the plan and what became of it. It has more than one
// page only when it grew.
type part struct {
	socrata.Range
	raw      []activities.RawPage
	clean    []activities.CleanPage
	compared activities.UpsertResult // what an upsert would do
	stored   mirror.Census           // in the range, when it was compared
	upserted activities.UpsertResult
}

func (w *write) graph() (*dag.Graph, error) { return dag.New(w.tasks()...) }

// tasks declares the tasks of the run's job. This is the one place that says
// what a run does, in which order and how much of it at once.
func (w *write) tasks() []dag.Task {
	parts := func() int { return len(w.parts) }
	clean := dag.Task{Name: "clean_page", Limit: cleanAtOnce, Each: w.cleanPage}
	fetched := []dag.Task{
		{Name: "plan", Run: w.plan},
		{Name: "fetch_page", After: []string{"plan"}, Items: parts, Limit: fetchAtOnce, Each: w.fetchPage},
		per("fetch_page", clean),
	}
	written := []dag.Task{
		{Name: "gate", After: []string{"clean_page"}, Run: w.gate},
		{Name: "upsert_page", After: []string{"gate"}, Items: parts, Limit: upsertAtOnce, Each: w.upsertPage},
		{Name: "index", After: []string{"upsert_page"}, Run: w.index},
		{Name: "sweep", After: []string{"index"}, Run: w.sweep},
	}
	profile := dag.Task{
		Name: "profile_columns", After: []string{"aggregate_snapshot"}, Run: w.profileColumns,
		Activities: workflow.ActivityOptions{ScheduleToCloseTimeout: profileDeadline},
	}
	proven := []dag.Task{
		{Name: "remove", After: []string{"sweep"}, Items: func() int { return w.swept.Batches }, Limit: removeAtOnce, Each: w.remove},
		{Name: "reconcile", After: []string{"remove"}, Run: w.reconcile},
		{Name: "aggregate_snapshot", After: []string{"reconcile"}, Run: w.aggregateSnapshot},
		profile,
	}
	var tasks []dag.Task
	switch w.in.Task.Job {
	case activities.JobMirror, "":
		tasks = join(fetched, written, proven)
		if w.in.Probe.Boundaries {
			tasks = append(tasks, dag.Task{
				Name: "fetch_boundaries", After: []string{"reconcile"}, Run: w.fetchBoundaries,
				Activities: workflow.ActivityOptions{
					ScheduleToCloseTimeout: boundariesDeadline,
					RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: boundariesTries},
				},
			})
		}
	case activities.JobRerun:
		recall := dag.Task{Name: "recall", Run: w.recall}
		switch w.in.Task.From {
		case activities.FromClean:
			clean.After, clean.Items = []string{"recall"}, parts
			tasks = join([]dag.Task{recall, clean}, written, proven)
		case activities.FromGate:
			compare := dag.Task{Name: "compare_page", After: []string{"recall"}, Items: parts, Limit: compareAtOnce, Each: w.comparePage}
			written[0].After = []string{"compare_page"}
			tasks = join([]dag.Task{recall, compare}, written, proven)
		default:
			tasks = []dag.Task{{Name: "aggregate_snapshot", Run: w.aggregateSnapshot}, profile}
		}
	case activities.JobApprove:
		tasks = join([]dag.Task{{Name: "sweep", Run: w.sweep}}, proven)
	case activities.JobReplay:
		tasks = []dag.Task{
			{Name: "fetch_keys", Items: func() int { return w.in.Probe.Batches }, Limit: fetchAtOnce, Each: w.fetchKeys},
			per("fetch_keys", clean),
			{Name: "upsert_page", After: []string{"clean_page"}, Items: parts, Limit: upsertAtOnce, Each: w.upsertPage},
			{Name: "resolve", After: []string{"upsert_page"}, Run: w.resolve},
			{Name: "reconcile", After: []string{"resolve"}, Run: w.reconcile},
			{Name: "aggregate_snapshot", After: []string{"reconcile"}, Run: w.aggregateSnapshot},
			profile,
		}
		w.parts = make([]part, w.in.Probe.Batches)
	case activities.JobVerify:
		tasks = []dag.Task{{Name: "verify", Run: w.reconcile}}
	case activities.JobReconstruct:
		tasks = []dag.Task{{Name: "aggregate_snapshots", Run: w.reconstruct}}
	case activities.JobReload, activities.JobBackfill:
		w.reload.windows = w.in.Reload.Windows
		tasks = []dag.Task{
			{Name: "window", Items: func() int { return len(w.reload.windows) }, Limit: w.in.Reload.MaxActive, Each: w.window},
			{Name: "reconcile", After: []string{"window"}, Rule: dag.AllDone, Run: w.reconcile, Activities: workflow.ActivityOptions{ScheduleToCloseTimeout: finishDeadline}},
		}
	}
	return tasks
}

// per makes a mapped task follow another one item by item.
func per(name string, t dag.Task) dag.Task {
	t.Per = name
	return t
}

func join(lists ...[]dag.Task) []dag.Task {
	var all []dag.Task
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func (w *write) plan(ctx workflow.Context) error {
	w.result.Crawls++
	w.result.Rows, w.result.Bytes, w.result.Pages = 0, 0, 0
	var planned activities.PlanResult
	err := callPortal(ctx, a.Plan, "Cuts "+humanize.Comma(w.before.Rows)+" rows into key ranges",
		activities.PlanInput{Run: w.in.Run, Crawl: w.result.Crawls, Before: w.before}, &planned)
	w.before = planned.Before
	w.setParts(planned.Ranges)
	return err
}

func (w *write) setParts(ranges []socrata.Range) {
	w.parts = make([]part, len(ranges))
	for i, r := range ranges {
		w.parts[i].Range = r
	}
}

// fetchPage fetches a part: one page, and further ones while they come full.
func (w *write) fetchPage(ctx workflow.Context, i int) error {
	p := &w.parts[i]
	rest := p.Range
	for {
		var page activities.RawPage
		err := callPortal(ctx, a.FetchPage, w.label("Fetch", i, rest),
			activities.FetchInput{Run: w.in.Run, Part: i, Nth: len(p.raw), Range: rest, Columns: w.before.Columns}, &page)
		if err != nil {
			return err
		}
		w.fetched(p, page)
		if !page.More {
			return nil
		}
		rest.After = page.LastKey
	}
}

func (w *write) fetched(p *part, page activities.RawPage) {
	p.raw = append(p.raw, page)
	w.result.Bytes += page.Bytes
	w.result.Rows += int64(page.Rows)
	w.result.Pages++
}

// fetchKeys fetches one batch of the quarantined rows.
func (w *write) fetchKeys(ctx workflow.Context, i int) error {
	var page activities.RawPage
	err := callPortal(ctx, a.FetchKeys, fmt.Sprintf("Fetch quarantined rows, batch %d of %d", i+1, w.in.Probe.Batches),
		activities.FetchKeysInput{Run: w.in.Run, Of: w.in.Probe.Of, Keys: w.in.Task.Keys, Batch: i, Columns: w.in.Probe.Columns}, &page)
	if err == nil {
		w.fetched(&w.parts[i], page)
	}
	return err
}

// recall finds the landed pages of the run that is repeated.
func (w *write) recall(ctx workflow.Context) error {
	var recalled activities.RecallResult
	err := call(ctx, a.Recall, "Finds the landed pages of run "+w.in.Task.Of,
		activities.RecallInput{Run: w.in.Run, Of: w.in.Task.Of, From: w.in.Task.From}, &recalled)
	if err != nil {
		return err
	}
	w.result.Crawls = 1
	w.setParts(recalled.Ranges)
	for i := range w.parts {
		for _, page := range recalled.Raw[i] {
			page.Bytes = 0 // nothing was fetched for this run
			w.fetched(&w.parts[i], page)
		}
		w.parts[i].clean = recalled.Clean[i]
	}
	return nil
}

func (w *write) cleanPage(ctx workflow.Context, i int) error {
	p := &w.parts[i]
	for nth, raw := range p.raw {
		var cleaned activities.CleanPage
		err := call(ctx, a.CleanPage, fmt.Sprintf("%s: %s rows", w.label("Clean", i, raw.Range), humanize.Comma(int64(raw.Rows))),
			activities.CleanInput{Run: w.in.Run, Part: i, Nth: nth, Page: raw, Compare: w.compares()}, &cleaned)
		if err != nil {
			return err
		}
		p.clean = append(p.clean, cleaned)
		p.compared.Add(cleaned.Compared)
		p.stored.Add(cleaned.Stored)
	}
	return nil
}

// compares says whether rows are held against what is stored while they are
// cleaned: an empty mirror has nothing to compare with, and of a replay only
// some rows are there.
func (w *write) compares() bool {
	return !w.in.Probe.Empty && w.in.Task.Job != activities.JobReplay && w.in.Task.Job != activities.JobReload
}

// comparePage compares cleaned pages of an earlier run.
func (w *write) comparePage(ctx workflow.Context, i int) error {
	p := &w.parts[i]
	return call(ctx, a.ComparePage, w.label("Compare", i, p.Range), w.upsertInput(i, p.ordered()), &p.compared)
}

func (p *part) ordered() bool {
	for _, page := range p.clean {
		if page.Disorder {
			return false
		}
	}
	return true
}

// gate decides on the crawl, and has it made again when the portal moved.
func (w *write) gate(ctx workflow.Context) error {
	for {
		in := activities.GateInput{Run: w.in.Run, Task: w.in.Task, Before: w.before, Last: w.result.Crawls >= maxCrawls}
		counted := w.in.Task.From != activities.FromGate // comparing counted what is stored, unless none is
		for i := range w.parts {
			p := &w.parts[i]
			for _, page := range p.clean {
				in.Pages = append(in.Pages, page.ID)
			}
			in.Compared.Add(p.compared)
			in.Documents += p.stored.Documents
			counted = counted && p.ordered()
		}
		if !counted {
			in.Documents = -1
		}
		var gated activities.GateResult // a fresh one: decoding leaves fields that are absent as they are
		err := callPortal(ctx, a.Gate, "May this crawl of "+humanize.Comma(w.result.Rows)+" rows be written?", in, &gated)
		if w.gated = gated; err != nil || !gated.Again {
			return err
		}
		if err := wait(ctx, w.gated.After, fmt.Sprintf("Crawl %d was torn; waits before the next", w.result.Crawls)); err != nil {
			return err
		}
		if err := w.dag.Repeat(ctx, "plan", "fetch_page", "clean_page"); err != nil {
			return err
		}
	}
}

func wait(ctx workflow.Context, d time.Duration, summary string) error {
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: summary}).Get(ctx, nil)
}

func (w *write) upsertInput(i int, ordered bool) activities.UpsertInput {
	return activities.UpsertInput{
		Run: w.in.Run, Part: i, Range: w.parts[i].Range, Pages: w.parts[i].clean, Ordered: ordered,
		FirstLoad: w.in.Probe.FirstLoad, CameOrWent: w.gated.CameOrWent, Mapped: w.gated.Mapped,
	}
}

// unwritten says that a part was compared and there is nothing to write.
func (w *write) unwritten(p *part) bool {
	return w.in.Task.Job != activities.JobReplay && w.gated.Ordered && !p.compared.Work()
}

// upsertPage writes a part, unless there is nothing to write.
func (w *write) upsertPage(ctx workflow.Context, i int) error {
	p := &w.parts[i]
	if w.unwritten(p) {
		p.upserted = p.compared
		return nil
	}
	ordered := w.gated.Ordered && w.in.Task.Job != activities.JobReplay
	return call(ctx, a.UpsertPage, w.label("Upsert", i, p.Range), w.upsertInput(i, ordered), &p.upserted)
}

func (w *write) index(ctx workflow.Context) error {
	return call(ctx, a.Index, "Makes sure that the indexes stand", w.in.Run, nil)
}

// sweep looks at the documents that the crawl lacks and decides whether they
// may be removed.
func (w *write) sweep(ctx workflow.Context) error {
	in := activities.SweepInput{Run: w.in.Run, Task: w.in.Task, Whole: w.gated.Whole, Ordered: w.gated.Ordered}
	for i := range w.parts {
		in.Missing = append(in.Missing, w.parts[i].upserted.MissingKeys...)
		in.All = append(in.All, w.parts[i].upserted.AllKeys...)
	}
	return call(ctx, a.Sweep, "What is no longer on the portal?", in, &w.swept)
}

// remove asks the portal for one batch of missing keys and removes those that
// it denies.
func (w *write) remove(ctx workflow.Context, batch int) error {
	var done activities.RemoveResult
	err := callPortal(ctx, a.Remove, fmt.Sprintf("Confirm and remove, batch %d of %d", batch+1, w.swept.Batches),
		activities.RemoveInput{Run: w.in.Run, Pages: w.swept.Pages, Batch: batch}, &done)
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

func (w *write) reconcile(ctx workflow.Context) error {
	in := activities.ReconcileInput{
		Run: w.in.Run, Task: w.in.Task, Of: w.in.Probe.Of, Gate: w.gated, Crawls: w.result.Crawls,
		Swept: w.swept, Removed: w.done,
	}
	counted := w.in.Task.From != activities.FromGate && w.gated.Ordered && w.compares()
	for i := range w.parts {
		p := &w.parts[i]
		switch {
		case !counted || p.NullKeys:
		case w.unwritten(p):
			in.Unwritten.Add(p.stored)
		default:
			in.Written = append(in.Written, p.Range)
		}
	}
	if counted && in.Written == nil {
		in.Written = []socrata.Range{} // none, and not all
	}
	err := callPortal(ctx, a.Reconcile, "Does the mirror equal the portal?", in, &w.result.Reconciled)
	w.result.Outcome, w.result.Why = w.result.Reconciled.Outcome, w.result.Reconciled.Why
	return err
}

func (w *write) aggregateSnapshot(ctx workflow.Context) error {
	var taken activities.SnapshotResult
	err := call(ctx, a.AggregateSnapshot, "Counts the mirror for the dashboard",
		activities.SnapshotInput{Run: w.in.Run, Task: w.in.Task, Outcome: w.result.Outcome}, &taken)
	w.result.Snapshot = taken.ID
	if w.result.Outcome == "" {
		w.result.Outcome, w.result.Why = taken.Outcome, taken.Why
	}
	return err
}

// profileColumns describes the columns. The mirror is written and proven by
// then, so that a failure is shown and takes nothing from the run: the task ends
// as skipped, with the reason, and the page shows the profile of an earlier run.
func (w *write) profileColumns(ctx workflow.Context) error {
	var made activities.ProfileResult
	err := call(ctx, a.ProfileColumns, "Describes what every column holds",
		activities.ProfileInput{Run: w.in.Run, Snapshot: w.result.Snapshot}, &made)
	if err == nil || temporal.IsCanceledError(err) {
		return err
	}
	return leftOut("the columns were not described: " + reason(err))
}

// fetchBoundaries looks for newer outlines of the neighborhoods. As with the
// profile, a failure is shown and takes nothing from the run.
func (w *write) fetchBoundaries(ctx workflow.Context) error {
	err := callPortal(ctx, a.FetchBoundaries, "Looks for newer boundaries on the portal", w.in.Run, nil)
	if err == nil || temporal.IsCanceledError(err) {
		return err
	}
	return leftOut("the boundaries were not brought up to date: " + reason(err))
}

// leftOut is a failure that does not count as one: a task that returns it ends
// as skipped, for that reason.
type leftOut string

func (l leftOut) Error() string        { return string(l) }
func (l leftOut) Is(target error) bool { return target == dag.ErrSkip }

// reconstruct makes a backfill's snapshots while nobody writes the mirror.
func (w *write) reconstruct(ctx workflow.Context) error {
	var made activities.ReconstructResult
	err := call(ctx, a.ReconstructSnapshots, "Counts the mirror as it was on past days",
		activities.ReconstructInput{Run: w.in.Run, Of: w.in.Probe.Of, AsOf: w.in.Reload.AsOf}, &made)
	w.result.Snapshots = made.Snapshots
	w.result.Outcome, w.result.Why = made.Outcome, fmt.Sprintf("%d snapshots reconstructed from %s documents", made.Snapshots, humanize.Comma(made.Documents))
	return err
}

// label names a part the way people count: "Fetch 3 of 8 (0123, 0456]".
func (w *write) label(verb string, i int, r socrata.Range) string {
	return fmt.Sprintf("%s %d of %d %s", verb, i+1, len(w.parts), r)
}

// details heads the live status in the Web UI.
func (w *write) details() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**Write %s for run %s**\n\n", w.in.Run.Dataset, w.in.Run.ID)
	switch w.in.Task.Job {
	case activities.JobMirror, "":
		fmt.Fprintf(&b, "%s rows on the portal, %s fetched", humanize.Comma(w.before.Rows), humanize.Comma(w.result.Rows))
		if w.result.Crawls > 1 {
			fmt.Fprintf(&b, " in crawl %d of at most %d, the portal moved during the one before", w.result.Crawls, maxCrawls)
		}
		written := 0
		for i := range w.parts {
			u := w.parts[i].upserted
			written += u.Inserted + u.Replaced + u.Unchanged
		}
		fmt.Fprintf(&b, "; %s written or found equal.", humanize.Comma(int64(written)))
	case activities.JobRerun:
		fmt.Fprintf(&b, "Repeats run %s from %s.", w.in.Task.Of, w.in.Task.From)
	case activities.JobApprove:
		fmt.Fprintf(&b, "Removes what run %s holds, as far as the portal still denies it.", w.in.Task.Of)
	case activities.JobReplay:
		fmt.Fprintf(&b, "Fetches %s quarantined rows anew.", humanize.Comma(w.in.Probe.Rows))
	case activities.JobVerify:
		b.WriteString("Makes a certificate and changes nothing.")
	case activities.JobReconstruct:
		fmt.Fprintf(&b, "Reconstructs %s snapshots for %s from the lifecycle dates of the rows.", humanize.Comma(int64(len(w.in.Reload.AsOf))), w.in.Task.Of)
	case activities.JobReload, activities.JobBackfill:
		b.WriteString(w.reload.details(w.in.Task.Of))
	}
	if w.swept.Held > 0 {
		fmt.Fprintf(&b, "\n\n**%s removals are held**: `starter approve %s` removes them.", humanize.Comma(int64(w.swept.Held)), w.in.Run.ID)
	}
	if w.result.Outcome != "" {
		fmt.Fprintf(&b, "\n\nCertificate: **%s**, %s", w.result.Outcome, w.result.Why)
	}
	return b.String()
}
