package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/backfill"
	"padron/internal/runs"
)

// maxFailedInARow is after how many windows that failed one after the other no
// further one is begun: the cause then lies outside of the windows.
const maxFailedInARow = 3

// Reloaded is what became of the windows of one run of a backfill.
type Reloaded struct {
	Done     int                       `json:"done"`
	Failed   []activities.FailedWindow `json:"failed,omitempty"`
	Left     []backfill.Window         `json:"left,omitempty"`     // not begun
	Stopped  string                    `json:"stopped,omitempty"`  // why no further one is worth a try
	YieldTo  []string                  `json:"yield_to,omitempty"` // workflow ids of runs that are to go first
	Rows     int64                     `json:"rows"`
	Inserted int64                     `json:"inserted"`
	Replaced int64                     `json:"replaced"`
}

// reload is the state of the reloading of windows within a Write workflow.
type reload struct {
	windows []backfill.Window
	shares  bool // see sharedWindows
	// stretches are the windows as they are reloaded: each by itself until they
	// were counted.
	stretches []backfill.Stretch
	halves    int // parts of stretches that failed
	yielding  bool
	inARow    int       // failed ones
	newest    time.Time // version of the newest page so far
	reloaded  Reloaded
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

// early is how a backfill's run ends before its windows are done.
type early struct {
	asked       bool
	writing     workflow.ChildWorkflowFuture // nil: not writing
	stopWaiting workflow.CancelFunc          // nil: not waiting for the writer
}

// heedYield lets a backfill's run end early when the backfill is to pause: its
// writing is told so, and one that has not begun does not begin. A signal is an
// event of its own, so histories without one are replayed as they were.
func (r *mirrorRun) heedYield(ctx workflow.Context) {
	yield := workflow.GetSignalChannel(ctx, activities.SignalYield)
	workflow.GoNamed(ctx, "yield", func(ctx workflow.Context) {
		yield.Receive(ctx, nil)
		r.early.asked = true
		switch {
		case r.early.writing != nil:
			// One that was not begun, or has ended since, needs no signal.
			_ = r.early.writing.SignalChildWorkflow(ctx, activities.SignalYield, "").Get(ctx, nil)
		case r.early.stopWaiting != nil:
			r.early.stopWaiting()
		}
	})
}

// handsBack says whether the run is to end before it writes; a cancelled one ends
// as cancelled.
func (r *mirrorRun) handsBack() bool { return r.early.asked && r.root.Err() == nil }

// handBack ends a backfill's run that has not begun to write: all of its windows
// are left.
func (r *mirrorRun) handBack() error {
	r.skip("the backfill was paused before this run began to write")
	r.result.Write = &WriteResult{Reloaded: &Reloaded{Left: r.in.Reload.Windows}}
	return leftOut(r.result.Why)
}

// countWindows joins windows with few rows. When they cannot be counted, each is
// reloaded by itself.
func (w *write) countWindows(ctx workflow.Context) error {
	if !w.reload.shares {
		return nil
	}
	var stretches []backfill.Stretch
	err := callPortal(ctx, a.CountWindows, fmt.Sprintf("Counts the rows of %d windows", len(w.reload.windows)),
		activities.CountWindowsInput{Run: w.in.Run, Reload: *w.in.Reload}, &stretches)
	switch {
	case err == nil:
		w.reload.stretches = stretches
	case temporal.IsCanceledError(err):
		return err
	default:
		workflow.GetLogger(ctx).Warn("windows were not counted: each is reloaded by itself", "dataset", w.in.Run.Dataset, "error", err)
	}
	return nil
}

// window reloads one stretch of windows.
func (w *write) window(ctx workflow.Context, i int) error {
	return w.stretch(ctx, i, w.reload.stretches[i])
}

// stretch reloads windows in a child workflow of their own, whose id names them.
// When several fail together, either half is tried by itself. A window that failed
// alone is recorded, and the others go on.
func (w *write) stretch(ctx workflow.Context, part int, s backfill.Stretch) error {
	r := &w.reload
	if r.yielding || r.reloaded.Stopped != "" {
		r.reloaded.Left = append(r.reloaded.Left, s.Windows...)
		return nil
	}
	span := s.Span()
	in := WindowInput{
		Run: w.in.Run, Of: w.in.Probe.Of, Part: part, On: w.in.Reload.On, Window: span,
		Where: w.in.Reload.Columns.Where(span), Columns: w.in.Probe.Columns, NotBefore: r.newest,
	}
	if len(s.Windows) > 1 {
		in.Stretch = &s
	}
	child := childContext(ctx, WindowID(w.in.Run.Dataset, w.in.Run.ID, span), w.in.Run.Dataset,
		fmt.Sprintf("Reloads %s of %s", span, w.in.Run.Dataset))
	var done runs.Window
	err := workflow.ExecuteChildWorkflow(child, Window, in).Get(ctx, &done)
	switch {
	case err == nil:
		r.inARow = 0
		r.reloaded.Done += len(s.Windows)
		r.reloaded.Rows += int64(done.Rows)
		r.reloaded.Inserted += int64(done.Inserted)
		r.reloaded.Replaced += int64(done.Replaced)
		if done.Version.Served.After(r.newest) {
			r.newest = done.Version.Served
		}
		return nil
	case temporal.IsCanceledError(err):
		return err
	case len(s.Windows) > 1:
		for _, half := range s.Halves() {
			r.halves++
			if err := w.stretch(ctx, len(r.stretches)+r.halves-1, half); err != nil {
				return err
			}
		}
		return nil
	}
	return w.failWindow(ctx, s.Windows[0], err)
}

// failWindow records that a window failed.
func (w *write) failWindow(ctx workflow.Context, window backfill.Window, err error) error {
	r := &w.reload
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
