package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mirror"
	"padron/internal/socrata"
)

// Reprocess says which windows a backfill reloads that one before it did.
type Reprocess string

// What a backfill reloads.
const (
	ReprocessNone   Reprocess = "none"   // windows that none has tried
	ReprocessFailed Reprocess = "failed" // these, and windows that failed
	ReprocessAll    Reprocess = "all"    // every window
)

// Reprocesses lists the choices.
func Reprocesses() []Reprocess { return []Reprocess{ReprocessNone, ReprocessFailed, ReprocessAll} }

// Reload is a stretch of windows that one run of a backfill reloads, or the
// dates for which its last run reconstructs snapshots.
type Reload struct {
	On        string      `json:"on"` // OnLifecycle or a column
	Columns   DateColumns `json:"columns"`
	Windows   []Window    `json:"windows"`    // in the order in which they are begun
	MaxActive int         `json:"max_active"` // windows under way at once

	AsOf []Day `json:"as_of,omitempty"` // first days of months
}

// BackfillPlanInput asks what a backfill has to do.
type BackfillPlanInput struct {
	Run         Run       `json:"run"`
	On          string    `json:"on"`
	Since       Day       `json:"since"`
	Until       Day       `json:"until"`
	Every       Every     `json:"every"`
	Reprocess   Reprocess `json:"reprocess"`
	NewestFirst bool      `json:"newest_first,omitempty"`
	WorkflowID  string    `json:"workflow_id"`
	TemporalID  string    `json:"temporal_id"`
}

// BackfillPlan is what a backfill has to do.
type BackfillPlan struct {
	Spec    string      `json:"spec"` // digest of the worker's spec
	Columns DateColumns `json:"columns"`
	Total   int         `json:"total"`   // windows of the span
	Windows []Window    `json:"windows"` // to be reloaded, in the order in which they are begun
	AsOf    []Day       `json:"as_of"`   // to reconstruct snapshots for: ends of windows
}

// PlanBackfill opens a backfill's record and lists what it has to do. It is
// refused (NothingToDo) before the first load, and when a whole crawl must come
// first: after a change of the spec, or of the portal's columns.
func (a *Activities) PlanBackfill(ctx context.Context, in BackfillPlanInput) (BackfillPlan, error) {
	defer alive(ctx)()
	plan, err := a.planBackfill(ctx, in)
	return plan, classify(err)
}

func (a *Activities) planBackfill(ctx context.Context, in BackfillPlanInput) (BackfillPlan, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return BackfillPlan{}, err
	}
	plan := BackfillPlan{Spec: o.spec.Digest()}
	windows, err := Windows(in.Since, in.Until, in.Every)
	if err != nil {
		return BackfillPlan{}, refuse(NothingToDo, err.Error())
	}
	var last mirror.Run
	var before map[string]mirror.Window
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		_, err := o.mirror.BeginRun(ctx, mirror.Run{
			ID: in.Run.ID, Job: string(JobBackfill), Trigger: mirror.TriggerManual, Nominal: in.Run.Started,
			Started: in.Run.Started, Status: mirror.StatusRunning, Spec: plan.Spec,
			WorkflowID: in.WorkflowID, TemporalRunID: in.TemporalID,
		})
		if err != nil {
			return err
		}
		if last, err = orNone(o.mirror.LastCrawl(ctx)); err != nil {
			return err
		}
		before, err = o.mirror.Windows(ctx, in.On, string(in.Since), string(in.Until))
		return err
	})
	if err != nil {
		return BackfillPlan{}, err
	}
	live, _, err := a.reloadable(ctx, o, last)
	if err != nil {
		return BackfillPlan{}, err
	}
	if plan.Columns, err = ColumnsOn(in.On, o.spec, Columns(live)); err != nil {
		return BackfillPlan{}, refuse(NothingToDo, err.Error())
	}
	plan.Total = len(windows)
	// A snapshot as of a day that the mirror has not seen yet would be a guess.
	seen := DayOf(last.Crawl.Version.Served.In(o.spec.Location()))
	for _, w := range windows {
		if w.Until.Time().Day() == 1 && w.Until <= seen {
			plan.AsOf = append(plan.AsOf, w.Until)
		}
		known, ok := before[mirror.WindowID(in.On, string(w.Since), string(w.Until))]
		if !ok || in.Reprocess == ReprocessAll || in.Reprocess == ReprocessFailed && known.Status == mirror.StatusFailed {
			plan.Windows = append(plan.Windows, w)
		}
	}
	if in.NewestFirst {
		slices.Reverse(plan.Windows)
	}
	return plan, a.Database.Do(ctx, func(ctx context.Context) error {
		return o.mirror.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "probe", Value: mirror.Probe{Decision: string(JobBackfill), Why: "asked for by hand", Version: last.Crawl.Version}},
			{Key: "backfill", Value: mirror.Backfill{
				On: in.On, Since: string(in.Since), Until: string(in.Until), Every: string(in.Every), Windows: plan.Total, Todo: len(plan.Windows),
			}},
		})
	})
}

// reloadable returns the portal's metadata, and the names of its columns, or
// why rows must not be reloaded beside the newest crawl: the next run must crawl
// first.
func (a *Activities) reloadable(ctx context.Context, o *opened, last mirror.Run) (*socrata.Metadata, []string, error) {
	switch {
	case last.ID == "":
		return nil, nil, refuse(NothingToDo, "nothing was mirrored yet: `starter run` does that")
	case last.Spec != o.spec.Digest():
		return nil, nil, refuse(NothingToDo, fmt.Sprintf("the spec changed since run %s: let `starter run` go over all rows first", last.ID))
	}
	live, columns, _, err := a.checkSchema(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	if changed := difference(last.Crawl.Columns, columns); len(changed) > 0 {
		return nil, nil, refuse(NothingToDo, fmt.Sprintf("the portal's columns changed since run %s (%s): let `starter run` go over all rows first", last.ID, strings.Join(changed, ", ")))
	}
	return live, columns, nil
}

// UpsertWindowInput asks to write the cleaned pages of a window.
type UpsertWindowInput struct {
	UpsertInput
	On     string   `json:"on"`
	Window Window   `json:"window"`
	Raw    []Landed `json:"raw"` // the pages that the cleaned ones were made of
	// Version is that of the window's last page.
	Version Version `json:"version"`
}

// UpsertWindow writes the rows of a window: new ones are inserted, changed ones
// replaced, each with its event; what the window lacks is left alone. Then it
// records what became of the window and takes its pages out of the landing.
func (a *Activities) UpsertWindow(ctx context.Context, in UpsertWindowInput) (mirror.Window, error) {
	defer alive(ctx)()
	done, err := a.upsertWindow(ctx, in)
	return done, classify(err)
}

func (a *Activities) upsertWindow(ctx context.Context, in UpsertWindowInput) (mirror.Window, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return mirror.Window{}, err
	}
	id := mirror.WindowID(in.On, string(in.Window.Since), string(in.Window.Until))
	var done map[string]mirror.Window
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		done, err = o.mirror.Windows(ctx, in.On, string(in.Window.Since), string(in.Window.Until))
		return err
	})
	if err != nil {
		return mirror.Window{}, err
	}
	// An attempt before this one may have come to its end unheard: its pages are
	// gone.
	if w := done[id]; w.Run == in.Run.ID && w.Status == mirror.StatusDone {
		return w, nil
	}
	written, err := a.upsert(ctx, in.UpsertInput)
	if err != nil {
		return mirror.Window{}, err
	}
	w := mirror.Window{
		ID: id, Status: mirror.StatusDone, Run: in.Run.ID, Version: in.Version,
		Inserted: written.Inserted, Replaced: written.Replaced, Finished: time.Now().UTC(),
	}
	pages := make([]string, 0, len(in.Raw)+len(in.Pages))
	for _, p := range in.Raw {
		pages = append(pages, p.ID)
	}
	for _, p := range in.Pages {
		w.Rows += p.Rows
		w.Left += p.Left
		pages = append(pages, p.ID)
	}
	return w, a.Database.Do(ctx, func(ctx context.Context) error {
		if err := o.mirror.SetWindow(ctx, w); err != nil {
			return err
		}
		return o.landing.Delete(ctx, pages...)
	})
}

// FailedWindow is a window that could not be reloaded.
type FailedWindow struct {
	Window
	Type   string `json:"type"` // of the error
	Reason string `json:"reason"`
}

// FailWindowInput asks to record a window's failure.
type FailWindowInput struct {
	Run    Run          `json:"run"`
	On     string       `json:"on"`
	Failed FailedWindow `json:"failed"`
}

// FailWindow records that a window could not be reloaded.
func (a *Activities) FailWindow(ctx context.Context, in FailWindowInput) error {
	defer alive(ctx)()
	o, err := a.dataset(ctx, in.Run)
	if err == nil {
		err = a.Database.Do(ctx, func(ctx context.Context) error {
			return o.mirror.SetWindow(ctx, mirror.Window{
				ID:     mirror.WindowID(in.On, string(in.Failed.Since), string(in.Failed.Until)),
				Status: mirror.StatusFailed, Run: in.Run.ID, Reason: in.Failed.Reason, Finished: time.Now().UTC(),
			})
		})
	}
	return classify(err)
}

// FinishBackfillInput closes a backfill's record.
type FinishBackfillInput struct {
	Run      Run             `json:"run"`
	Status   mirror.Status   `json:"status"`
	Outcome  mirror.Outcome  `json:"outcome,omitempty"`
	Why      string          `json:"why,omitempty"`
	Backfill mirror.Backfill `json:"backfill"`
	Steps    []mirror.Step   `json:"steps,omitempty"`
	Kind     string          `json:"kind,omitempty"`    // of one that failed: the type of its error
	Refused  bool            `json:"refused,omitempty"` // it could not be done as asked
}

// RecordBackfill writes how far a backfill is, and closes its record when the
// status says that it has ended; then it says whether there is an alert to send.
func (a *Activities) RecordBackfill(ctx context.Context, in FinishBackfillInput) (AlertResult, error) {
	defer alive(ctx)()
	result, err := a.recordBackfill(ctx, in)
	return result, classify(err)
}

func (a *Activities) recordBackfill(ctx context.Context, in FinishBackfillInput) (result AlertResult, err error) {
	run := in.Run
	run.Spec = "" // a backfill that another build began must be closed all the same
	o, err := a.dataset(ctx, run)
	if err != nil {
		return AlertResult{}, err
	}
	fields := bson.D{{Key: "backfill", Value: in.Backfill}, {Key: "status", Value: in.Status}, {Key: "reason", Value: in.Why}}
	if in.Status != mirror.StatusRunning {
		now := time.Now().UTC()
		fields = append(fields,
			bson.E{Key: "outcome", Value: in.Outcome}, bson.E{Key: "finished", Value: now}, bson.E{Key: "steps", Value: in.Steps},
			bson.E{Key: "stats", Value: mirror.Stats{PeakMemoryBytes: peakMemory(), TookMS: now.Sub(run.Started).Milliseconds()}})
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		err := o.mirror.SetRun(ctx, run.ID, fields)
		if err != nil && !errors.Is(err, mirror.ErrNoRun) { // one that failed before it was begun has no record
			return err
		}
		if in.Status == mirror.StatusRunning {
			return nil
		}
		result, err = a.alert(ctx, o, FinishInput{
			Run: run, Task: Task{Job: JobBackfill}, Status: in.Status, Outcome: in.Outcome, Why: in.Why, Kind: in.Kind, Refused: in.Refused,
		})
		return err
	})
	return result, err
}
