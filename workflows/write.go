package workflows

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
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
	fetchAtOnce  = 4
	cleanAtOnce  = 2
	upsertAtOnce = 4
)

// WriteInput is a probed run.
type WriteInput struct {
	Run   activities.Run         `json:"run"`
	Probe activities.ProbeResult `json:"probe"`
}

// WriteResult is what the writing came to.
type WriteResult struct {
	Outcome    mirror.Outcome             `json:"outcome"` // green, red or unproven
	Why        string                     `json:"why"`
	Rows       int64                      `json:"rows"`  // of the crawl
	Bytes      int64                      `json:"bytes"` // from the portal, on the wire
	Pages      int                        `json:"pages"`
	Reconciled activities.ReconcileResult `json:"reconciled"`
	Snapshot   string                     `json:"snapshot"`
	Steps      []mirror.Step              `json:"steps"`
	TemporalID string                     `json:"temporal_id"` // Temporal's run id of the writing workflow
}

// Write crawls the portal and makes the mirror equal to it. It runs under the
// dataset's one fixed workflow id, so that there is one writer; nothing is
// written to the mirror before the gate has seen the whole crawl.
func Write(ctx workflow.Context, in WriteInput) (*WriteResult, error) {
	w := &write{in: in, result: WriteResult{TemporalID: workflow.GetInfo(ctx).WorkflowExecution.RunID}}
	g, err := w.graph()
	if err != nil {
		return nil, err
	}
	if err := show(ctx, g, w.details); err != nil {
		return nil, err
	}
	if err := g.Run(ctx); err != nil {
		return nil, failure(err)
	}
	w.result.Steps = steps(g.Status())
	return &w.result, nil
}

// steps are a finished graph's tasks, for the run's record.
func steps(tasks []dag.Status) []mirror.Step {
	all := make([]mirror.Step, 0, len(tasks))
	for _, t := range tasks {
		all = append(all, mirror.Step{Name: t.Name, State: string(t.State), Items: t.Total, TookMS: t.Took.Milliseconds()})
	}
	return all
}

// write is the state of one Write workflow. Pages are kept by the part of the
// plan that they belong to; a part has more than one page only when it grew.
type write struct {
	in      WriteInput
	ranges  []socrata.Range
	raw     [][]activities.RawPage
	clean   [][]activities.CleanPage
	gated   activities.GateResult
	upserts activities.UpsertResult // of all parts
	written int                     // rows of the parts upserted so far
	result  WriteResult
}

// graph declares the run's tasks. This is the one place that says what a run
// does, in which order and how much of it at once.
func (w *write) graph() (*dag.Graph, error) {
	parts := func() int { return len(w.ranges) }
	return dag.New(
		dag.Task{Name: "plan", Run: w.plan},
		dag.Task{Name: "fetch_page", After: []string{"plan"}, Items: parts, Limit: fetchAtOnce, Each: w.fetchPage},
		dag.Task{Name: "clean_page", Per: "fetch_page", Limit: cleanAtOnce, Each: w.cleanPage},
		dag.Task{Name: "gate", After: []string{"clean_page"}, Run: w.gate},
		dag.Task{Name: "upsert_page", After: []string{"gate"}, Items: parts, Limit: upsertAtOnce, Each: w.upsertPage},
		dag.Task{Name: "index", After: []string{"upsert_page"}, Run: w.index},
		dag.Task{Name: "reconcile", After: []string{"index"}, Run: w.reconcile},
		dag.Task{Name: "aggregate_snapshot", After: []string{"reconcile"}, Run: w.aggregateSnapshot},
	)
}

func (w *write) plan(ctx workflow.Context) error {
	var planned activities.PlanResult
	err := call(ctx, a.Plan, "Cuts "+humanize.Comma(w.in.Probe.Rows)+" rows into key ranges",
		activities.PlanInput{Run: w.in.Run, Rows: w.in.Probe.Rows}, &planned)
	w.ranges = planned.Ranges
	w.raw = make([][]activities.RawPage, len(w.ranges))
	w.clean = make([][]activities.CleanPage, len(w.ranges))
	return err
}

// fetchPage fetches a part: one page, and further ones while they come full.
func (w *write) fetchPage(ctx workflow.Context, part int) error {
	rest := w.ranges[part]
	for {
		var page activities.RawPage
		err := callPortal(ctx, a.FetchPage, w.label("Fetch", part, rest),
			activities.FetchInput{Run: w.in.Run, Part: part, Range: rest, Columns: w.in.Probe.Columns}, &page)
		if err != nil {
			return err
		}
		w.raw[part] = append(w.raw[part], page)
		w.result.Bytes += page.Bytes
		w.result.Rows += int64(page.Rows)
		w.result.Pages++
		if !page.More {
			return nil
		}
		rest.After = page.LastKey
	}
}

func (w *write) cleanPage(ctx workflow.Context, part int) error {
	for nth, raw := range w.raw[part] {
		var cleaned activities.CleanPage
		err := call(ctx, a.CleanPage, fmt.Sprintf("%s: %s rows", w.label("Clean", part, w.ranges[part]), humanize.Comma(int64(raw.Rows))),
			activities.CleanInput{Run: w.in.Run, Part: part, Nth: nth, Page: raw}, &cleaned)
		if err != nil {
			return err
		}
		w.clean[part] = append(w.clean[part], cleaned)
	}
	return nil
}

func (w *write) gate(ctx workflow.Context) error {
	in := activities.GateInput{Run: w.in.Run, Probe: w.in.Probe.Version, Rows: w.in.Probe.Rows}
	for _, pages := range w.clean {
		for _, p := range pages {
			in.Pages = append(in.Pages, p.ID)
		}
	}
	return call(ctx, a.Gate, "May this crawl of "+humanize.Comma(w.result.Rows)+" rows be written?", in, &w.gated)
}

func (w *write) upsertPage(ctx workflow.Context, part int) error {
	var done activities.UpsertResult
	err := call(ctx, a.UpsertPage, w.label("Upsert", part, w.ranges[part]),
		activities.UpsertInput{Run: w.in.Run, Part: part, Range: w.ranges[part], Pages: w.clean[part], Ordered: w.gated.Ordered}, &done)
	w.upserts.Missing += done.Missing
	w.upserts.Quarantined += done.Quarantined
	w.upserts.Kept += done.Kept
	w.written += done.Inserted + done.Replaced + done.Unchanged
	return err
}

func (w *write) index(ctx workflow.Context) error {
	return call(ctx, a.Index, "Makes sure that the indexes stand", w.in.Run, nil)
}

func (w *write) reconcile(ctx workflow.Context) error {
	err := call(ctx, a.Reconcile, "Does the mirror equal the portal?",
		activities.ReconcileInput{
			Run: w.in.Run, Gate: w.gated,
			Missing: w.upserts.Missing, Quarantined: w.upserts.Quarantined, Kept: w.upserts.Kept,
		}, &w.result.Reconciled)
	w.result.Outcome, w.result.Why = w.result.Reconciled.Outcome, w.result.Reconciled.Why
	return err
}

func (w *write) aggregateSnapshot(ctx workflow.Context) error {
	var taken activities.SnapshotResult
	err := call(ctx, a.AggregateSnapshot, "Counts the mirror for the dashboard",
		activities.SnapshotInput{Run: w.in.Run, Version: w.gated.Version, Outcome: w.result.Outcome}, &taken)
	w.result.Snapshot = taken.ID
	return err
}

// label names a part the way people count: "Fetch 3 of 8 (0123, 0456]".
func (w *write) label(verb string, part int, r socrata.Range) string {
	return fmt.Sprintf("%s %d of %d %s", verb, part+1, len(w.ranges), r)
}

// details heads the live status in the Web UI.
func (w *write) details() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**Write %s for run %s**\n\n", w.in.Run.Dataset, w.in.Run.ID)
	fmt.Fprintf(&b, "%s rows on the portal, %s fetched, %s written or found equal.",
		humanize.Comma(w.in.Probe.Rows), humanize.Comma(w.result.Rows), humanize.Comma(int64(w.written)))
	if w.result.Outcome != "" {
		fmt.Fprintf(&b, "\n\nCertificate: **%s**, %s", w.result.Outcome, w.result.Why)
	}
	return b.String()
}
