package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"padron/internal/mirror"
)

// pollEvery is how often the run's record is read for the progress bar.
const pollEvery = 250 * time.Millisecond

// steps are what a row goes through, in order, as the record names them.
var steps = []struct{ name, doing string }{{"fetch", "fetching"}, {"clean", "cleaning"}, {"upsert", "writing"}}

// showProgress follows a run's record until ctx ends: a bar on a terminal, a
// line for each step elsewhere.
func (s *start) showProgress(ctx context.Context, w io.Writer, id string) {
	var view progressView = &progressLines{w: w}
	if isTerminal(w) {
		view = &progressBar{w: w}
	}
	defer view.end()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		run, err := s.mirror.Run(ctx, id)
		if errors.Is(err, mirror.ErrNoRun) || ctx.Err() != nil {
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

type progressView interface {
	update(run mirror.Run)
	end()
}

// doing says which step is the furthest begun, and how many rows it has done.
func doing(run mirror.Run) (what string, rows int64) {
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

func (b *progressBar) update(run mirror.Run) {
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(run.Probe.Rows*int64(len(steps)),
			progressbar.OptionSetWriter(b.w), progressbar.OptionSetWidth(40), progressbar.OptionSetPredictTime(true),
			progressbar.OptionShowElapsedTimeOnFinish(), progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true))
	}
	what, rows := doing(run)
	b.bar.Describe(fmt.Sprintf("%-9s %9s of %s rows", what, count(rows), count(run.Probe.Rows)))
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

func (l *progressLines) update(run mirror.Run) {
	if what, _ := doing(run); what != l.last {
		l.last = what
		fmt.Fprintf(l.w, "%s %s rows\n", what, count(run.Probe.Rows))
	}
}

func (*progressLines) end() {}
