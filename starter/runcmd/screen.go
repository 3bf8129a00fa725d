package runcmd

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"padron/internal/runs"
	"padron/starter/cli"
	"padron/workflows"
	"padron/workflows/dag"
)

const (
	// widestError keeps the error of a step to what can be read at a glance.
	widestError = 160
	// leastWidth and leastHeight are what a terminal has that does not tell.
	leastWidth, leastHeight = 80, 24
)

// watchScreen draws a run over what it drew before.
type watchScreen struct {
	w     io.Writer
	lines int // drawn, the cursor is below them
}

func (s *watchScreen) show(e watchEvent, record runs.Run) {
	width, height := terminalSize(s.w)
	lines := screenLines(e, record, time.Now())
	if len(lines) > height-1 {
		lines = append(lines[:height-2], "…")
	}
	var b strings.Builder
	s.home(&b)
	for _, line := range lines {
		// A line that wraps would be two, and the next picture one too low.
		b.WriteString(text.Trim(line, width-1) + text.EscapeReset + "\n")
	}
	s.lines = len(lines)
	fmt.Fprint(s.w, b.String())
}

// home goes back to the first line that was drawn and clears from there.
func (s *watchScreen) home(b *strings.Builder) {
	if s.lines > 0 {
		fmt.Fprintf(b, "\x1b[%dA", s.lines)
	}
	b.WriteString("\r\x1b[J")
}

// end clears the picture: what the run came to is printed in its place.
func (s *watchScreen) end() {
	var b strings.Builder
	s.home(&b)
	s.lines = 0
	fmt.Fprint(s.w, b.String())
}

func terminalSize(w io.Writer) (width, height int) {
	if f, ok := w.(*os.File); ok {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return leastWidth, leastHeight
}

// look is a state's mark, as in the Web UI, and its colour.
func look(state dag.State) (mark string, colors text.Colors) {
	switch state {
	case dag.Running:
		return "▶", text.Colors{text.Bold}
	case dag.Done:
		return "✓", text.Colors{text.FgGreen}
	case dag.Failed:
		return "✗", text.Colors{text.FgRed}
	case dag.Skipped, dag.Cancelled:
		return "–", text.Colors{text.Faint}
	default:
		return "·", text.Colors{text.Faint}
	}
}

// screenLines is a picture of a running run.
func screenLines(e watchEvent, record runs.Run, now time.Time) []string {
	v := e.Live
	head := "run " + e.Run + " of " + e.Dataset
	if !record.Started.IsZero() {
		head += ", running for " + clock(now.Sub(record.Started))
	}
	lines := []string{text.Bold.Sprint(head)}
	if record.Probe.Why != "" {
		lines = append(lines, "probe: "+record.Probe.Why)
	}
	lines = append(lines, v.Doing+v.paceText(), "")
	inWrite := false
	for _, t := range v.Tasks {
		if t.Workflow == workflows.InWrite {
			inWrite = true
		}
	}
	// The tasks of the writing stand where it is in the run.
	for _, t := range v.Tasks {
		if t.Workflow != workflows.InMirror {
			continue
		}
		lines = append(lines, v.taskLine(t, "", now))
		if !t.isWrite() || !inWrite {
			continue
		}
		for _, inner := range v.Tasks {
			if inner.Workflow == workflows.InWrite {
				lines = append(lines, v.taskLine(inner, "  ", now))
			}
		}
	}
	if v.Source == sourceRecord {
		lines = append(lines, "the run does not answer at the moment: this is what its record says")
	}
	trouble := troubleLines(v.Pending, now)
	if v.WaitsFor != "" && len(trouble) == 0 {
		trouble = []string{"waits for " + v.WaitsFor}
	}
	if len(trouble) > 0 {
		lines = append(lines, "")
	}
	for _, line := range trouble {
		lines = append(lines, text.FgYellow.Sprint(line))
	}
	return append(lines, "", text.Faint.Sprint("Ctrl-C leaves the run alone; `starter cancel "+e.Run+"` ends it"))
}

// taskLine is one task: its mark, name, state, how much is done and how long
// it took, or what it waits for.
func (v *liveView) taskLine(t taskView, indent string, now time.Time) string {
	took := ""
	switch {
	case t.State == dag.Running && !t.Started.IsZero():
		took = clock(now.Sub(t.Started))
	case t.TookMS > 0:
		took = clock(time.Duration(t.TookMS) * time.Millisecond)
	}
	note := ""
	switch {
	case t.Error != "":
		note = cli.Plain(t.Error)
	case len(t.WaitsFor) > 0:
		note = "for " + strings.Join(t.WaitsFor, " and ")
	case t.State == dag.Running:
		note = v.rowsOfTask(t.Name)
	}
	mark, colors := look(t.State)
	line := fmt.Sprintf("%s%s %-*s %-8s %11s %8s  %s", indent, mark, 20-len(indent), t.Name, t.State, t.items(), took, note)
	return colors.Sprint(strings.TrimRight(line, " "))
}

// rowsOfTask is how many rows a running task has done.
func (v *liveView) rowsOfTask(name string) string {
	n, ok := map[string]int64{"fetch_page": v.Rows.Fetched, "clean_page": v.Rows.Cleaned, "upsert_page": v.Rows.Written}[name]
	if !ok || n == 0 {
		return ""
	}
	return cli.Count(n) + " rows"
}

// paceText says how fast the rows go and how long reading and writing them
// takes still.
func (v *liveView) paceText() string {
	if v.Rows.PerSecond == 0 {
		return ""
	}
	pace := fmt.Sprintf(", %s rows/s", cli.Count(int64(v.Rows.PerSecond)))
	if v.Rows.ETA > 0 {
		pace += ", all rows in about " + clock(time.Duration(v.Rows.ETA*float64(time.Second)))
	}
	return pace
}

// troubleLines are the steps that failed and are tried again: alike ones in
// one line, with the soonest next try.
func troubleLines(pending []pendingView, now time.Time) []string {
	var lines []string
	seen := map[string]bool{}
	for _, p := range pending {
		if p.Error == "" || seen[p.Step+p.State+p.ErrorType] {
			continue
		}
		seen[p.Step+p.State+p.ErrorType] = true
		alike := 0
		next := p.NextTry
		for _, q := range pending {
			if q.Step == p.Step && q.State == p.State && q.ErrorType == p.ErrorType {
				alike++
				if q.NextTry.Before(next) {
					next = q.NextTry
				}
			}
		}
		state := p.State
		if p.State == pendingRetry || p.State == pendingWaiting {
			state = fmt.Sprintf("%s, next try in %s", p.State, clock(max(next.Sub(now), 0)))
		}
		if alike > 1 {
			state = fmt.Sprintf("%d times %s", alike, state)
		}
		lines = append(lines, fmt.Sprintf("%s: %s, attempt %d, tried since %s; last failure: %s",
			p.Step, state, p.Attempt, cli.Clock(p.triedSince()), cli.Cut(p.failure(), widestError)))
	}
	return lines
}

// clock is a duration that counts on: in tenths of a second while short, in
// whole seconds later.
func clock(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
