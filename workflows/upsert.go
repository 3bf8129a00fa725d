package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// unwritten reports whether the gate found nothing to write in a part. A retry has
// no gate.
func (w *write) unwritten(i int) bool {
	if w.in.Job.Name == runs.JobRetry {
		return false
	}
	_, found := slices.BinarySearch(w.gated.Write, i)
	return !found
}

// upsertPage writes a part, unless there is nothing to write.
func (w *write) upsertPage(ctx workflow.Context, i int) error {
	p := &w.parts[i]
	if w.unwritten(i) {
		for _, page := range p.clean {
			p.upserted.Unchanged += page.Rows
		}
		return nil
	}
	return call(ctx, a.UpsertPage, w.label("Upsert", i, p.Range), activities.UpsertInput{
		Run: w.in.Run, Part: i, Range: p.Range, Pages: p.clean, Ordered: w.gated.Ordered,
		FirstLoad: w.in.Probe.FirstLoad, Repair: w.in.Job.Deep, CameOrWent: w.gated.CameOrWent, Mapped: w.gated.Mapped,
	}, &p.upserted)
}

// reconcile makes the certificate. What is stored in parts without a change was
// counted when they were compared; all else is counted now.
func (w *write) reconcile(ctx workflow.Context) error {
	in := activities.ReconcileInput{
		Run: w.in.Run, Job: w.in.Job, Of: w.in.Probe.Of, Unwritten: w.gated.Unwritten, Removals: w.removals, Removed: w.done,
	}
	if in.Unwritten != nil {
		in.Written = []socrata.Range{} // none, and not all
		for _, i := range w.gated.Write {
			if !w.parts[i].NullKeys {
				in.Written = append(in.Written, w.parts[i].Range)
			}
		}
	}
	err := callPortal(ctx, a.Reconcile, "Does the mirror equal the portal?", in, &w.result.Reconciled)
	w.result.Outcome, w.result.Why = w.result.Reconciled.Outcome, w.result.Reconciled.Why
	return err
}
