package workflows

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/backfill"
	"padron/internal/certificate"
	"padron/internal/runs"
	"padron/workflows/dag"
)

// WriteInput is a probed run.
type WriteInput struct {
	Run   activities.Run         `json:"run"`
	Job   activities.JobSpec     `json:"job"`
	Probe activities.ProbeResult `json:"probe"`
	// Reload are the windows to reload, of a backfill's run.
	Reload *activities.Reload `json:"reload,omitempty"`
}

// WriteResult is what the writing came to.
type WriteResult struct {
	Outcome    certificate.Outcome        `json:"outcome"` // green, red, unproven or behind
	Why        string                     `json:"why"`
	Rows       int64                      `json:"rows"`  // of the crawl
	Bytes      int64                      `json:"bytes"` // from the portal, on the wire
	Pages      int                        `json:"pages"`
	Crawls     int                        `json:"crawls"` // 1, or more when the portal moved
	Reconciled activities.ReconcileResult `json:"reconciled"`
	Snapshot   string                     `json:"snapshot,omitempty"`
	Steps      []runs.Step                `json:"steps"`
	TemporalID string                     `json:"temporal_id"`         // Temporal's run id of the writing workflow
	Reloaded   *Reloaded                  `json:"reloaded,omitempty"`  // of a backfill's windows
	Snapshots  int                        `json:"snapshots,omitempty"` // reconstructed
}

// Write does a run's job. It runs under the dataset's one fixed workflow id, so
// that there is one writer; nothing is written to the mirror before the gate
// has seen the whole crawl.
func Write(ctx workflow.Context, in WriteInput) (*WriteResult, error) {
	refuseOlder(ctx)
	w, err := newWrite(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := w.dag.Run(forRows(ctx, max(in.Probe.Rows, in.Probe.Documents))); err != nil {
		if ctx.Err() != nil { // a step may fail rather than stop when it is cancelled
			return nil, temporal.NewCanceledError()
		}
		return nil, failure(err)
	}
	w.result.Steps = steps(w.dag.Status())
	return &w.result, nil
}

// write is the state of one Write workflow.
type write struct {
	in       WriteInput
	dag      *dag.Graph
	before   activities.ProbeResult // what the portal said before the crawl
	pass     bool                   // rows that come as before are passed over
	parts    []part
	gated    activities.GateResult
	removals activities.FindRemovedResult
	done     activities.ConfirmRemovedResult // of all batches
	reload   reload
	result   WriteResult
}

func newWrite(ctx workflow.Context, in WriteInput) (*write, error) {
	w := &write{in: in, before: in.Probe, result: WriteResult{TemporalID: workflow.GetInfo(ctx).WorkflowExecution.RunID}}
	switch in.Job.Name {
	case runs.JobRetry:
		w.parts = make([]part, in.Probe.Batches)
	case runs.JobReload:
		w.reload.windows, w.reload.stretches = in.Reload.Windows, backfill.Alone(in.Reload.Windows)
		w.reload.shares = workflow.GetVersion(ctx, sharedWindows, workflow.DefaultVersion, 1) >= 1
		w.heedYield(ctx)
	default:
	}
	var err error
	if w.dag, err = dag.New(w.tasks()...); err != nil {
		return nil, err
	}
	return w, show(ctx, w.dag, w.details)
}

// details heads the live status in the Web UI.
func (w *write) details() string {
	var b strings.Builder
	if w.result.Outcome != "" { // the first thing to be seen
		fmt.Fprintf(&b, "**%s**: %s\n\n", strings.ToUpper(string(w.result.Outcome)), w.result.Why)
	}
	fmt.Fprintf(&b, "**Write %s for run %s**\n\n", w.in.Run.Dataset, w.in.Run.ID)
	switch w.in.Job.Name {
	case runs.JobMirror, "":
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
	case runs.JobRerun:
		fmt.Fprintf(&b, "Repeats run %s from %s.", w.in.Job.Of, w.in.Job.From)
	case runs.JobApprove:
		fmt.Fprintf(&b, "Removes what run %s holds, as far as the portal still denies it.", w.in.Job.Of)
	case runs.JobRetry:
		fmt.Fprintf(&b, "Fetches %s quarantined rows anew.", humanize.Comma(w.in.Probe.Rows))
	case runs.JobVerify:
		b.WriteString("Makes a certificate and changes nothing.")
	case runs.JobReconstruct:
		if w.in.Reload.History {
			fmt.Fprintf(&b, "Reconstructs the history that the spec asks for, after run %s, from the lifecycle dates of the rows.", w.in.Job.Of)
			break
		}
		fmt.Fprintf(&b, "Reconstructs %s snapshots for %s from the lifecycle dates of the rows.",
			humanize.Comma(int64(len(w.in.Reload.AsOf))), w.in.Job.Of)
	case runs.JobReload, runs.JobBackfill:
		b.WriteString(w.reload.details(w.in.Job.Of))
	}
	if w.removals.Held > 0 {
		fmt.Fprintf(&b, "\n\n**%s removals are held**: `starter approve %s` removes them.", humanize.Comma(int64(w.removals.Held)), w.in.Run.ID)
	}
	return b.String()
}
