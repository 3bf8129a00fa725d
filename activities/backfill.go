package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/alerts"
	"padron/internal/backfill"
	"padron/internal/certificate"
	"padron/internal/crawl"
	"padron/internal/dataset"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// Reload is a stretch of windows that one run of a backfill reloads, or the
// dates for which its last run reconstructs snapshots, or the history of the spec.
type Reload struct {
	On        string               `json:"on"` // OnLifecycle or a column
	Columns   backfill.DateColumns `json:"columns"`
	Windows   []backfill.Window    `json:"windows"` // in the order in which they are begun
	Every     backfill.Every       `json:"every,omitempty"`
	MaxActive int                  `json:"max_active"` // stretches of windows under way at once

	AsOf []backfill.Day `json:"as_of,omitempty"` // first days of months

	History bool `json:"history,omitempty"` // the dates of the spec's history
}

// BackfillPlanInput asks what a backfill has to do.
type BackfillPlanInput struct {
	Run         Run             `json:"run"`
	On          string          `json:"on"`
	Since       backfill.Day    `json:"since"`
	Until       backfill.Day    `json:"until"`
	Every       backfill.Every  `json:"every"`
	Reload      backfill.Reload `json:"reload"`
	NewestFirst bool            `json:"newest_first,omitempty"`
	WorkflowID  string          `json:"workflow_id"`
	TemporalID  string          `json:"temporal_id"`
}

// BackfillPlan is what a backfill has to do.
type BackfillPlan struct {
	Spec    string               `json:"spec"` // digest of the worker's spec
	Columns backfill.DateColumns `json:"columns"`
	Total   int                  `json:"total"`   // windows of the span
	Windows []backfill.Window    `json:"windows"` // to be reloaded, in the order in which they are begun
	AsOf    []backfill.Day       `json:"as_of"`   // to reconstruct snapshots for: ends of windows
}

// PlanBackfill opens a backfill's record and lists what it has to do. It is
// refused (NothingToDo) before the first load, and when a whole crawl must come
// first: after a change of the spec, or of the portal's columns.
func (a *Activities) PlanBackfill(ctx context.Context, in BackfillPlanInput) (BackfillPlan, error) {
	return step(ctx, in, a.planBackfill)
}

func (a *Activities) planBackfill(ctx context.Context, in BackfillPlanInput) (BackfillPlan, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return BackfillPlan{}, err
	}
	plan := BackfillPlan{Spec: o.spec.Digest()}
	windows, err := backfill.Windows(in.Since, in.Until, in.Every)
	if err != nil {
		return BackfillPlan{}, refuse(runs.NothingToDo, told(err))
	}
	var last runs.Run
	var seen time.Time
	var before map[string]runs.Window
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		// Before anything is recorded: what makes no sense is no failed backfill.
		if err := o.runs.Reloadable(ctx, plan.Spec); err != nil {
			return err
		}
		if err := a.settleRecords(ctx, o, in.Run.ID); err != nil {
			return err
		}
		_, err := o.runs.BeginRun(ctx, runs.Run{
			ID: in.Run.ID, Job: runs.JobBackfill, Trigger: runs.TriggerManual, LogicalDate: in.Run.Started,
			Started: in.Run.Started, Status: runs.StatusRunning, Spec: plan.Spec,
			WorkflowID: in.WorkflowID, TemporalRunID: in.TemporalID,
		})
		if err != nil {
			return err
		}
		if last, err = runs.OrNone(o.runs.LastCrawl(ctx)); err != nil {
			return err
		}
		if seen, err = seenAt(ctx, o, &last); err != nil {
			return err
		}
		before, err = o.runs.Windows(ctx, in.On, string(in.Since), string(in.Until))
		return err
	})
	if err != nil {
		return BackfillPlan{}, err
	}
	live, _, err := a.reloadable(ctx, o, last)
	if err != nil {
		return BackfillPlan{}, err
	}
	if plan.Columns, err = backfill.ColumnsOn(in.On, o.spec, live); err != nil {
		return BackfillPlan{}, refuse(runs.NothingToDo, told(err))
	}
	plan.Total = len(windows)
	plan.AsOf = backfill.AsOf(windows, backfill.DayOf(seen.In(o.spec.Location())))
	for _, w := range backfill.Plan(windows, in.On, before, cmp.Or(in.Reload, backfill.ReloadNeeded)) {
		if w.Reload {
			plan.Windows = append(plan.Windows, w.Window)
		}
	}
	if in.NewestFirst {
		slices.Reverse(plan.Windows)
	}
	return plan, a.Database.Do(ctx, func(ctx context.Context) error {
		return o.runs.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "probe", Value: runs.Probe{Decision: string(runs.JobBackfill), Why: "asked for by hand", Version: last.Crawl.Version}},
			{Key: "backfill", Value: runs.Backfill{
				On: in.On, Since: string(in.Since), Until: string(in.Until), Every: string(in.Every), Windows: plan.Total, Todo: len(plan.Windows),
			}},
		})
	})
}

// ProveWindowsInput asks whether the windows of a backfill need reloading at all.
type ProveWindowsInput struct {
	Run   Run            `json:"run"`
	On    string         `json:"on"`
	Since backfill.Day   `json:"since"`
	Until backfill.Day   `json:"until"`
	Every backfill.Every `json:"every"`
}

// ProvenWindows says whether the mirror proves the windows.
type ProvenWindows struct {
	Proven  bool   `json:"proven"`
	Why     string `json:"why"`
	Windows int    `json:"windows,omitempty"` // that this backfill recorded as proven
}

// ProveWindows asks what a probe asks before it skips a run: is the mirror proven
// to equal the portal as it is now? Then to reload a window cannot change
// anything, and all windows that were not reloaded yet, failed ones included, are
// recorded as proven.
func (a *Activities) ProveWindows(ctx context.Context, in ProveWindowsInput) (ProvenWindows, error) {
	return step(ctx, in, a.proveWindows)
}

func (a *Activities) proveWindows(ctx context.Context, in ProveWindowsInput) (ProvenWindows, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ProvenWindows{}, err
	}
	question, _, err := a.ask(ctx, o, in.Run)
	if err != nil {
		return ProvenWindows{}, err
	}
	question.Started = time.Now() // the backfill may have begun days ago
	result := ProvenWindows{}
	if result.Proven, result.Why = question.Skip(); !result.Proven {
		return result, nil
	}
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		if result.Windows, err = recordProven(ctx, o, in, question.Green); err != nil {
			return err
		}
		return o.runs.SetRun(ctx, in.Run.ID, bson.D{{Key: "backfill.proven", Value: result.Windows}, {Key: "backfill.failed", Value: 0}})
	})
	return result, err
}

// recordProven records the windows that are neither reloaded nor proven yet as
// proven, and returns how many the run has recorded so.
func recordProven(ctx context.Context, o *opened, in ProveWindowsInput, by certificate.Proof) (int, error) {
	windows, err := backfill.Windows(in.Since, in.Until, in.Every)
	if err != nil {
		return 0, refuse(runs.NothingToDo, told(err))
	}
	before, err := o.runs.Windows(ctx, in.On, string(in.Since), string(in.Until))
	if err != nil {
		return 0, err
	}
	var proven []runs.Window
	already := 0 // by an attempt before this one
	for _, w := range windows {
		switch stored := before[w.ID(in.On)]; {
		case stored.Status == runs.StatusProven && stored.Run == in.Run.ID:
			already++
		case !stored.Settled():
			proven = append(proven, runs.Window{
				ID: w.ID(in.On), Status: runs.StatusProven, Run: in.Run.ID, Version: by.Version, Proof: by.Run, Finished: time.Now().UTC(),
			})
		}
	}
	return already + len(proven), o.runs.SetWindows(ctx, proven...)
}

// reloadable returns the portal's columns, and the names of those asked for, or
// why rows must not be reloaded beside the newest crawl: the next run must crawl
// first.
func (a *Activities) reloadable(ctx context.Context, o *opened, last runs.Run) ([]dataset.Column, []string, error) {
	switch {
	case last.ID == "":
		return nil, nil, refuse(runs.NothingToDo, "nothing was mirrored yet: `starter run` does that")
	case last.Spec != o.spec.Digest():
		return nil, nil, refuse(runs.NothingToDo, fmt.Sprintf("the spec changed since run %s: let `starter run` go over all rows first", last.ID))
	}
	metadata, err := a.metadata(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	live, columns, _, err := a.checkSchema(ctx, o, metadata)
	if err != nil {
		return nil, nil, err
	}
	if changed := difference(last.Crawl.Columns, columns); len(changed) > 0 {
		return nil, nil, refuse(runs.NothingToDo, fmt.Sprintf("the portal's columns changed since run %s (%s): let `starter run` go over all rows first", last.ID, strings.Join(changed, ", ")))
	}
	return live, columns, nil
}

// CountWindowsInput asks how to reload windows.
type CountWindowsInput struct {
	Run    Run    `json:"run"`
	Reload Reload `json:"reload"`
}

// CountWindows has the portal count the rows of the windows, and joins those that
// follow each other and have few rows into stretches of at most a page, which are
// reloaded together. Windows that cannot be counted so are stretches of their own.
func (a *Activities) CountWindows(ctx context.Context, in CountWindowsInput) ([]backfill.Stretch, error) {
	return step(ctx, in, func(ctx context.Context, in CountWindowsInput) (stretches []backfill.Stretch, err error) {
		o, err := a.dataset(ctx, in.Run)
		if err != nil {
			return nil, err
		}
		var rows []int64
		err = a.Portal.Do(ctx, func(ctx context.Context) (err error) {
			rows, err = backfill.CountEach(ctx, o.portal, in.Reload.Columns, in.Reload.Windows, in.Reload.Every)
			return err
		})
		switch {
		case err != nil:
			return nil, fmt.Errorf("count the rows of %d windows: %w", len(in.Reload.Windows), err)
		case rows == nil:
			return backfill.Alone(in.Reload.Windows), nil
		}
		return backfill.Stretches(in.Reload.Windows, rows, a.PageSize), nil
	})
}

// UpsertWindowInput asks to write the cleaned pages of a window, or of a stretch of
// them.
type UpsertWindowInput struct {
	UpsertInput
	On     string          `json:"on"`
	Window backfill.Window `json:"window"` // from the first day of a stretch to its last
	// Stretch are the windows, where they are more than one, and their rows.
	Stretch *backfill.Stretch `json:"stretch,omitempty"`
	Raw     []crawl.Landed    `json:"raw"` // the pages that the cleaned ones were made of
	// Version is that of the window's last page.
	Version socrata.Version `json:"version"`
}

// windows are those that the pages belong to, as their records name them.
func (in *UpsertWindowInput) windows() []runs.Window {
	if in.Stretch == nil {
		return []runs.Window{{ID: in.Window.ID(in.On)}}
	}
	all := make([]runs.Window, len(in.Stretch.Windows))
	for i, w := range in.Stretch.Windows {
		all[i] = runs.Window{ID: w.ID(in.On), Rows: int(in.Stretch.Rows[i]), Stretch: in.Window.String()}
	}
	return all
}

// UpsertWindow writes the rows of a window: new ones are inserted, changed ones
// replaced, each with its event; what the window lacks is left alone. Then it
// records what became of the window, or of all windows of a stretch in one write,
// and takes their pages out of the landing. What it returns is the sum of them.
func (a *Activities) UpsertWindow(ctx context.Context, in UpsertWindowInput) (runs.Window, error) {
	return step(ctx, in, a.upsertWindow)
}

func (a *Activities) upsertWindow(ctx context.Context, in UpsertWindowInput) (runs.Window, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return runs.Window{}, err
	}
	var stored map[string]runs.Window
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		stored, err = o.runs.Windows(ctx, in.On, string(in.Window.Since), string(in.Window.Until))
		return err
	})
	if err != nil {
		return runs.Window{}, err
	}
	windows := in.windows()
	// An attempt before this one may have come to its end unheard: its pages are
	// gone.
	if done, ok := doneBy(in.Run.ID, windows, stored); ok {
		return done, nil
	}
	written, err := a.upsert(ctx, in.UpsertInput)
	if err != nil {
		return runs.Window{}, err
	}
	sum := runs.Window{
		Status: runs.StatusDone, Run: in.Run.ID, Version: in.Version,
		Inserted: written.Inserted, Replaced: written.Replaced, Finished: time.Now().UTC(),
	}
	pages, rows := make([]string, 0, len(in.Raw)+len(in.Pages)), 0
	for _, p := range in.Raw {
		pages = append(pages, p.ID)
	}
	for _, p := range in.Pages {
		rows += p.Rows
		sum.Left += p.Left
		pages = append(pages, p.ID)
	}
	for i, w := range windows {
		if in.Stretch == nil {
			w.Rows = rows
		}
		sum.ID, sum.Rows, sum.Stretch = w.ID, w.Rows, w.Stretch
		windows[i] = sum
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		if err := o.runs.SetWindows(ctx, windows...); err != nil {
			return err
		}
		return o.zone.Delete(ctx, pages...)
	})
	return sumOf(windows), err
}

// doneBy is the sum of windows that a run has recorded as done; false when one of
// them is not.
func doneBy(run string, windows []runs.Window, stored map[string]runs.Window) (runs.Window, bool) {
	done := make([]runs.Window, len(windows))
	for i, w := range windows {
		if done[i] = stored[w.ID]; done[i].Run != run || done[i].Status != runs.StatusDone {
			return runs.Window{}, false
		}
	}
	return sumOf(done), true
}

// sumOf is what a stretch of windows came to: a row counts in each of its windows.
func sumOf(windows []runs.Window) runs.Window {
	sum := windows[0]
	for _, w := range windows[1:] {
		sum.Rows += w.Rows
	}
	return sum
}

// FailedWindow is a window that could not be reloaded.
type FailedWindow struct {
	backfill.Window
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
	_, err := step(ctx, in, func(ctx context.Context, in FailWindowInput) (any, error) {
		o, err := a.dataset(ctx, in.Run)
		if err != nil {
			return nil, err
		}
		return nil, a.Database.Do(ctx, func(ctx context.Context) error {
			return o.runs.SetWindows(ctx, runs.Window{
				ID: in.Failed.ID(in.On), Status: runs.StatusFailed, Run: in.Run.ID, Reason: in.Failed.Reason, Finished: time.Now().UTC(),
			})
		})
	})
	return err
}

// FinishBackfillInput closes a backfill's record.
type FinishBackfillInput struct {
	Run      Run                 `json:"run"`
	Status   runs.Status         `json:"status"`
	Outcome  certificate.Outcome `json:"outcome,omitempty"`
	Why      string              `json:"why,omitempty"`
	Backfill runs.Backfill       `json:"backfill"`
	Steps    []runs.Step         `json:"steps,omitempty"`
	Kind     string              `json:"kind,omitempty"`    // of one that failed: the type of its error
	Refused  bool                `json:"refused,omitempty"` // it could not be done as asked
}

// RecordBackfill writes how far a backfill is, and closes its record when the
// status says that it has ended; then it says whether there is an alert to send.
func (a *Activities) RecordBackfill(ctx context.Context, in FinishBackfillInput) (AlertResult, error) {
	return step(ctx, in, a.recordBackfill)
}

func (a *Activities) recordBackfill(ctx context.Context, in FinishBackfillInput) (result AlertResult, err error) {
	run := in.Run
	run.Spec = "" // a backfill that another build began must be closed all the same
	o, err := a.dataset(ctx, run)
	if err != nil {
		return AlertResult{}, err
	}
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		in.Why, err = why(ctx, o, run, in.Status, in.Why)
		return err
	})
	if err != nil {
		return AlertResult{}, err
	}
	fields := bson.D{{Key: "backfill", Value: in.Backfill}, {Key: "status", Value: in.Status}, {Key: "reason", Value: in.Why}}
	if in.Status != runs.StatusRunning {
		now := time.Now().UTC()
		fields = append(fields,
			bson.E{Key: "outcome", Value: in.Outcome}, bson.E{Key: "finished", Value: now}, bson.E{Key: "steps", Value: in.Steps},
			bson.E{Key: "stats", Value: runs.Stats{PeakMemoryBytes: peakMemory(), TookMS: now.Sub(run.Started).Milliseconds()}})
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		err := o.runs.SetRun(ctx, run.ID, fields)
		if err != nil && !errors.Is(err, runs.ErrNoRun) { // one that failed before it was begun has no record
			return err
		}
		if in.Status == runs.StatusRunning {
			return nil
		}
		due, err := o.alerts.RunEnded(ctx, &o.runs.Reader, alerts.Ending{
			Run: run.ID, Job: runs.JobBackfill, Status: in.Status, Outcome: in.Outcome, Why: in.Why, Kind: in.Kind, Refused: in.Refused,
		})
		result.Due = due && a.Webhook.Configured()
		return err
	})
	return result, err
}
