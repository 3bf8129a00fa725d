package runcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"padron/internal/mongodb"
	"padron/internal/runs"
	"padron/starter/cli"
	"padron/workflows"
)

const (
	// pollEvery is how often the run's record is read for the progress bar.
	pollEvery = 250 * time.Millisecond
	// troubleEvery is how often Temporal is asked what keeps the run waiting:
	// steps that fail are tried again after a second at first, after a minute
	// at last.
	troubleEvery = 5 * time.Second
)

// steps are what a row goes through, in order, as the record names them.
var steps = []struct{ name, doing string }{{"fetch", "fetching"}, {"clean", "cleaning"}, {"upsert", "writing"}}

// showProgress follows a run's record until ctx ends: a bar on a terminal, a
// line for each step elsewhere. A run that cannot get on says why, so that
// nobody watches a bar stand still.
func (s *session) showProgress(ctx context.Context, w io.Writer, id string) {
	var view progressView = &progressLines{w: w}
	if cli.IsTerminal(w) {
		view = &progressBar{w: w}
	}
	defer view.end()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	asked, told := time.Now(), ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if time.Since(asked) >= troubleEvery {
			asked = time.Now()
			if why := s.trouble(ctx, id); why != "" && why != told {
				told = why
				view.end()
				fmt.Fprintln(w, "trying again:", why)
			}
		}
		run, err := s.Record(ctx, id)
		if errors.Is(err, runs.ErrNoRun) || errors.Is(err, mongodb.ErrNoMirror) || ctx.Err() != nil {
			continue // not begun yet, or over
		}
		if err != nil {
			view.end()
			fmt.Fprintln(w, "progress cannot be shown:", err)
			return
		}
		if run.Probe.Decision == "full" {
			view.update(run)
		}
	}
}

// trouble is the last failure of a step that is about to be tried again, of the
// run or of whoever is writing the dataset; empty when all goes well.
func (s *session) trouble(ctx context.Context, id string) string {
	for _, workflow := range []string{workflows.MirrorID(s.Spec.Name, id), workflows.WriteID(s.Spec.Name)} {
		d, err := s.Temporal.DescribeWorkflowExecution(ctx, workflow, "")
		if err != nil {
			continue // not begun yet, or Temporal is away: waiting for the result tells
		}
		v := liveView{Pending: pendingViews(d)}
		if p, ok := v.trouble(); ok {
			return p.String()
		}
	}
	return ""
}

type progressView interface {
	update(run runs.Run)
	end()
}

// doing says which step is the furthest begun, and how many rows it has done.
func doing(run runs.Run) (what string, rows int64) {
	what = "planning"
	for _, step := range steps {
		if n := run.Progress.Rows(step.name); n > 0 {
			what, rows = step.doing, n
		}
	}
	if rows >= run.Probe.Rows && what == steps[len(steps)-1].doing {
		what = "counting"
	}
	return what, rows
}

// progressBar counts a row once for each step that it has been through.
type progressBar struct {
	w   io.Writer
	bar *progressbar.ProgressBar
}

func (b *progressBar) update(run runs.Run) {
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(run.Probe.Rows*int64(len(steps)),
			progressbar.OptionSetWriter(b.w), progressbar.OptionSetWidth(40), progressbar.OptionSetPredictTime(true),
			progressbar.OptionShowElapsedTimeOnFinish(), progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true))
	}
	what, rows := doing(run)
	b.bar.Describe(fmt.Sprintf("%-9s %9s of %s rows", what, cli.Count(rows), cli.Count(run.Probe.Rows)))
	var done int64
	for _, step := range steps {
		done += run.Progress.Rows(step.name)
	}
	_ = b.bar.Set64(min(done, b.bar.GetMax64())) // a bar that cannot be drawn is no failure
}

func (b *progressBar) end() {
	if b.bar != nil {
		_ = b.bar.Clear()
		b.bar = nil
	}
}

// progressLines writes one line when a step begins.
type progressLines struct {
	w    io.Writer
	last string
}

func (l *progressLines) update(run runs.Run) {
	if what, _ := doing(run); what != l.last {
		l.last = what
		fmt.Fprintf(l.w, "%s %s rows\n", what, cli.Count(run.Probe.Rows))
	}
}

func (*progressLines) end() {}
