package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/mirror"
)

// maxFailedInARow is after how many failed windows, none in between having
// succeeded, no further one is begun: what fails them all is not theirs.
const maxFailedInARow = 3

// Reloaded is what became of the windows of one run of a backfill.
type Reloaded struct {
	Done     int                       `json:"done"`
	Failed   []activities.FailedWindow `json:"failed,omitempty"`
	Left     []activities.Window       `json:"left,omitempty"`     // not begun
	Stopped  string                    `json:"stopped,omitempty"`  // why no further one is worth a try
	YieldTo  []string                  `json:"yield_to,omitempty"` // workflow ids of runs that are to go first
	Rows     int64                     `json:"rows"`
	Inserted int64                     `json:"inserted"`
	Replaced int64                     `json:"replaced"`
}

// reload is the state of the reloading of windows within a Write workflow.
type reload struct {
	windows  []activities.Window
	yielding bool
	inARow   int       // failed ones
	newest   time.Time // version of the newest page so far
	reloaded Reloaded
}

// heedYield lets the reloading end early when another run wants to write, or
// when the backfill is to pause: windows under way are finished, no further one
// is begun.
func (w *write) heedYield(ctx workflow.Context) {
	w.reload.newest = w.in.Probe.Version.Served
	w.result.Reloaded = &w.reload.reloaded
	yield := workflow.GetSignalChannel(ctx, activities.SignalYield)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var to string
			yield.Receive(ctx, &to)
			w.reload.yielding = true
			if to != "" && !slices.Contains(w.reload.reloaded.YieldTo, to) {
				w.reload.reloaded.YieldTo = append(w.reload.reloaded.YieldTo, to)
			}
		}
	})
}

// window reloads one window in a child workflow of its own, named after it. That
// a window failed does not fail the others.
func (w *write) window(ctx workflow.Context, i int) error {
	r := &w.reload
	window := r.windows[i]
	if r.yielding || r.reloaded.Stopped != "" {
		r.reloaded.Left = append(r.reloaded.Left, window)
		return nil
	}
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            WindowID(w.in.Run.Dataset, w.in.Run.ID, window),
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
		WaitForCancellation:   true,
		StaticSummary:         "Reloads " + window.String() + " of " + w.in.Run.Dataset,
		TypedSearchAttributes: temporal.NewSearchAttributes(SearchDataset.ValueSet(w.in.Run.Dataset)),
	})
	var done mirror.Window
	err := workflow.ExecuteChildWorkflow(child, Window, WindowInput{
		Run: w.in.Run, Of: w.in.Probe.Of, Part: i, On: w.in.Reload.On, Window: window,
		Where: w.in.Reload.Columns.Where(window), Columns: w.in.Probe.Columns, NotBefore: r.newest,
	}).Get(ctx, &done)
	switch {
	case err == nil:
		r.inARow = 0
		r.reloaded.Done++
		r.reloaded.Rows += int64(done.Rows)
		r.reloaded.Inserted += int64(done.Inserted)
		r.reloaded.Replaced += int64(done.Replaced)
		if done.Version.Served.After(r.newest) {
			r.newest = done.Version.Served
		}
		return nil
	case temporal.IsCanceledError(err):
		return err
	}
	failed := activities.FailedWindow{Window: window, Reason: reason(err)}
	if app := root(err); app != nil {
		failed.Type = app.Type()
	}
	r.reloaded.Failed = append(r.reloaded.Failed, failed)
	if r.inARow++; r.inARow >= maxFailedInARow {
		r.reloaded.Stopped = fmt.Sprintf("%d windows failed one after the other, the last one %s: %s", r.inARow, window, failed.Reason)
	}
	return call(ctx, a.FailWindow, "Records that window "+window.String()+" failed",
		activities.FailWindowInput{Run: w.in.Run, On: w.in.Reload.On, Failed: failed}, nil)
}

// details says how far the reloading is.
func (r *reload) details(of string) string {
	var b strings.Builder
	done := r.reloaded.Done + len(r.reloaded.Failed)
	fmt.Fprintf(&b, "Reloads windows for %s: %s of %s done, %s rows.", of,
		humanize.Comma(int64(done)), humanize.Comma(int64(len(r.windows))), humanize.Comma(r.reloaded.Rows))
	if n := len(r.reloaded.Failed); n > 0 {
		last := r.reloaded.Failed[n-1]
		fmt.Fprintf(&b, " **%d failed**, the last one %s: %s.", n, last.Window, last.Reason)
	}
	switch {
	case r.reloaded.Stopped != "":
		fmt.Fprintf(&b, "\n\nNo further window is begun: %s.", r.reloaded.Stopped)
	case len(r.reloaded.YieldTo) > 0:
		fmt.Fprintf(&b, "\n\nLets `%s` go first; the backfill goes on after it.", strings.Join(r.reloaded.YieldTo, "`, `"))
	case r.yielding:
		b.WriteString("\n\nNo further window is begun: the backfill pauses.")
	}
	return b.String()
}

// WindowInput asks to reload one window.
type WindowInput struct {
	Run       activities.Run    `json:"run"`
	Of        string            `json:"of"` // the run whose crawl the mirror was written from
	Part      int               `json:"part"`
	On        string            `json:"on"`
	Window    activities.Window `json:"window"`
	Where     string            `json:"where"` // SoQL condition of its rows
	Columns   []string          `json:"columns"`
	NotBefore time.Time         `json:"not_before"` // version of what is stored
}

// Window reloads the rows that belong to one window of a backfill:
//
//	fetch_page, as long as pages come full ─▶ clean_page ─▶ upsert
//
// It runs as a child of Write, which is the one writer. Rows that a window lacks
// are left alone: nothing is removed.
func Window(ctx workflow.Context, in WindowInput) (*mirror.Window, error) {
	upsert := activities.UpsertWindowInput{
		UpsertInput: activities.UpsertInput{Run: in.Run, Part: in.Part, Partial: true},
		On:          in.On, Window: in.Window,
	}
	fetch := activities.FetchInput{Run: in.Run, Part: in.Part, Where: in.Where, Columns: in.Columns, NotBefore: in.NotBefore}
	for more := true; more; {
		var raw activities.RawPage
		if err := callPortal(ctx, a.FetchPage, "Fetch "+in.Window.String()+" "+fetch.Range.String(), fetch, &raw); err != nil {
			return nil, failure(err)
		}
		var cleaned activities.CleanPage
		err := call(ctx, a.CleanPage, fmt.Sprintf("Clean %s: %s rows", in.Window, humanize.Comma(int64(raw.Rows))),
			activities.CleanInput{Run: in.Run, Part: in.Part, Nth: fetch.Nth, Page: raw, Of: in.Of}, &cleaned)
		if err != nil {
			return nil, failure(err)
		}
		upsert.Raw, upsert.Pages, upsert.Version = append(upsert.Raw, raw.Landed), append(upsert.Pages, cleaned), raw.Version
		fetch.Nth, fetch.Range.After, more = fetch.Nth+1, raw.LastKey, raw.More
	}
	var done mirror.Window
	if err := call(ctx, a.UpsertWindow, "Upsert "+in.Window.String(), upsert, &done); err != nil {
		return nil, failure(err)
	}
	return &done, nil
}
