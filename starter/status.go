package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/activities"
	"padron/internal/dataset"
	"padron/internal/mirror"
	"padron/workflows"
)

// statusQuery is what `status` was asked for.
type statusQuery struct {
	limit   int
	since   string
	outcome string
	out     output
}

func statusCommand() *cobra.Command {
	var q statusQuery
	cmd := &cobra.Command{
		Use:   "status [RUN]",
		Short: "Show the newest runs, or all about one",
		Long: `Lists the newest runs, or shows all about one: what it found and wrote, how long
each step took, and every check of its gate and its certificate. Of a run that is
running it says what it does, what it waits for, and which steps failed so far and
when they are tried again; ` + "`starter watch`" + ` follows it.

A run that is done has an outcome; ` + "`starter verify --help`" + ` explains them. One that
failed before its gate opened has touched nothing; what a later failure left
undone, the next run does.

--since takes a day in the dataset's time zone (2026-11-20), a moment
(2026-11-20T06:00:00Z) or how long ago (7d, 12h).`,
		Example: `  starter status
  starter status manual-2026-11-23T16:11:58.123Z
  starter status --outcome red --since 30d
  starter status -n 100 -o json | jq '.[] | select(.held.rows > 0).id'`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeFirst(completeRuns),
		RunE:              q.run,
	}
	cmd.Flags().IntVarP(&q.limit, "limit", "n", 20, "how many runs")
	cmd.Flags().StringVar(&q.since, "since", "", "only runs that started since this `time`")
	cmd.Flags().StringVar(&q.outcome, "outcome", "", "only runs that ended so: "+oneOf(mirror.Endings()))
	completeFlag(cmd, "outcome", completeWords(mirror.Endings()...))
	q.out.add(cmd)
	return cmd
}

// runView is a run as `status` shows it.
type runView struct {
	mirror.Run
	Live *liveView `json:"live,omitempty"` // while it runs
}

func (q *statusQuery) run(cmd *cobra.Command, args []string) error {
	if err := checkLimit(q.limit); err != nil {
		return err
	}
	if q.outcome != "" && !slices.Contains(mirror.Endings(), mirror.Ending(q.outcome)) {
		return usage(fmt.Errorf("--outcome %q: use %s", q.outcome, oneOf(mirror.Endings())))
	}
	if len(args) == 1 && (q.since != "" || q.outcome != "") {
		return usage(errors.New("--since and --outcome choose among runs: leave them out to see one run"))
	}
	spec, err := specArgument(cmd, nil)
	if err != nil {
		return err
	}
	since, err := parseMoment("--since", q.since, spec.Location(), false)
	if err != nil {
		return err
	}
	return withMirror(cmd, func(m *mirror.Mirror) error {
		runs := make([]mirror.Run, 1)
		if len(args) == 1 {
			runs[0], err = readRun(cmd.Context(), m, args[0])
		} else {
			runs, err = m.RunsSince(cmd.Context(), mirror.Ending(q.outcome), since, q.limit)
		}
		if err != nil {
			return err
		}
		views := make([]runView, len(runs))
		for i, run := range runs {
			views[i].Run = run
		}
		lookAtRunning(cmd, m, spec, views)
		if len(args) == 1 {
			return q.out.show(cmd.OutOrStdout(), views[0], func(w io.Writer) { printRun(w, views[0].Run, views[0].Live) })
		}
		wrong, err := readTrouble(cmd, m)
		if err != nil {
			return err
		}
		return q.out.show(cmd.OutOrStdout(), views, func(w io.Writer) {
			q.printRuns(w, views)
			if q.outcome == "" && q.since == "" {
				wrong.print(w)
			}
		})
	})
}

// lookAtRunning adds to runs that are running what they do. Where Temporal does
// not answer, the records alone must do.
func lookAtRunning(cmd *cobra.Command, m *mirror.Mirror, spec *dataset.Spec, runs []runView) {
	var s *start
	for i := range runs {
		if runs[i].Status != mirror.StatusRunning {
			continue
		}
		if s == nil {
			c, err := settings(cmd)
			if err != nil {
				return // read before, so this is not reached
			}
			s = &start{config: c, spec: spec, mirror: m}
			if s.temporal, s.namespace, err = dialTemporal(cmd.Context(), c); err == nil {
				defer s.temporal.Close()
			}
		}
		v := liveView{At: time.Now().UTC(), Source: sourceRecord, Doing: doingText(runs[i].Run), WaitsFor: noTemporal, Rows: rowsOf(runs[i].Run)}
		if s.temporal != nil {
			v = newLooker(s, runs[i].ID).look(cmd.Context(), runs[i].Run)
		}
		runs[i].Live = &v
	}
}

// readRun reads a run's record; the error of an unknown one says where to look.
func readRun(ctx context.Context, m *mirror.Mirror, id string) (mirror.Run, error) {
	run, err := m.Run(ctx, id)
	if errors.Is(err, mirror.ErrNoRun) {
		err = fmt.Errorf("there is no run %q; `starter status` lists them", id)
	}
	return run, err
}

func (q *statusQuery) printRuns(w io.Writer, runs []runView) {
	if len(runs) == 0 && (q.since != "" || q.outcome != "") {
		fmt.Fprintln(w, "no such runs; `starter status` lists the newest of all")
		return
	}
	if len(runs) == 0 {
		fmt.Fprintln(w, "no runs yet; `starter run --wait` makes the first")
		return
	}
	var rows []table.Row
	for _, r := range runs {
		row := table.Row{r.ID, moment(r.Started), runTook(r.Run), r.Status, r.Outcome, "", "", "", ""}
		if r.Counts != (mirror.Counts{}) {
			row[5], row[6], row[7] = count(r.Counts.Documents), count(r.Counts.Inserted), count(r.Counts.Replaced)
		}
		switch {
		case r.Live != nil:
			row[8] = r.Live.summary()
		case r.Outcome != mirror.OutcomeGreen:
			row[8] = shorten(r.Reason)
		}
		rows = append(rows, row)
	}
	grid(w, table.Row{"run", "started", "took", "status", "outcome", "documents", "new", "changed", "why"}, rows, 3, 6, 7, 8)
}

// widestReason keeps a listing's line to what a terminal shows.
const widestReason = 60

func shorten(s string) string { return shortenTo(s, widestReason) }

func shortenTo(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return s
}

func runTook(r mirror.Run) string {
	if r.Finished.IsZero() {
		return took(time.Since(r.Started)) + "…"
	}
	return took(r.Finished.Sub(r.Started))
}

// printRun prints all about a run; live is what it does while it is running.
func printRun(w io.Writer, r mirror.Run, live *liveView) {
	rows := [][2]string{
		{"run", r.ID},
		{"status", strings.TrimSpace(string(r.Status) + " " + string(r.Outcome))},
		{"why", r.Reason},
		{"job", jobTitle(activities.Job(r.Job), r.Of, r.From)},
		{"started", strings.TrimSuffix(fmt.Sprintf("%s %s (%s)", moment(r.Started), startedBy(r.Trigger), r.Mode), " ()")},
		{"took", runTook(r)},
		{"deadline", deadlineOf(r)},
		{"probe", strings.TrimPrefix(r.Probe.Decision+": "+r.Probe.Why, ": ")},
		{"portal version", moment(r.Version.Served)},
		{"crawls", crawls(r)},
	}
	if r.Counts != (mirror.Counts{}) {
		rows = append(rows, counted(r)...)
	}
	if live != nil {
		rows = append(rows, [2]string{"doing", live.Doing}, [2]string{"waits for", live.WaitsFor})
		for _, p := range live.Pending {
			rows = append(rows, [2]string{"step", p.String()})
		}
		rows = append(rows, [2]string{"live", "`starter watch " + r.ID + "` follows it, `starter cancel " + r.ID + "` ends it"})
	}
	rows = append(append(rows, checks("gate", r.Gate)...), checks("certificate", r.Certificate)...)
	rows = append(rows, [2]string{"snapshot", r.Snapshot}, [2]string{"steps", stepTimes(r.Steps)})
	for _, warning := range warnings(&r) {
		rows = append(rows, [2]string{"warning", warning})
	}
	rows = append(rows, [2]string{"workflow", r.WorkflowID})
	facts(w, rows)
}

func startedBy(trigger string) string {
	if trigger == mirror.TriggerSchedule {
		return "by schedule"
	}
	return "by hand"
}

// jobTitle says what a run does: "approve manual-…", "rerun manual-… from
// gate", "verify"; empty for one that mirrors.
func jobTitle(job activities.Job, of, from string) string {
	if job == workflows.JobMirror {
		return ""
	}
	title := strings.TrimSpace(string(job) + " " + of)
	if from != "" {
		title += " from " + from
	}
	return title
}

// crawls says how often the portal was crawled where once was not enough, and
// what is wrong with the last crawl.
func crawls(r mirror.Run) string {
	switch {
	case r.Crawl.Why != "":
		return fmt.Sprintf("%d, and the last is not whole: %s", r.Crawls, r.Crawl.Why)
	case r.Crawls > 1:
		return fmt.Sprintf("%d: the portal changed under the first", r.Crawls)
	default:
		return ""
	}
}

// counted is what a run found and did to the mirror.
func counted(r mirror.Run) [][2]string {
	c := r.Counts
	written := fmt.Sprintf("%s new, %s changed, %s unchanged", count(c.Inserted), count(c.Replaced), count(c.Unchanged))
	if c.Returned > 0 {
		written += fmt.Sprintf("; of the changed ones %s returned", count(c.Returned))
	}
	if r.Job == string(workflows.JobVerify) {
		written = "" // nothing is
	}
	return [][2]string{
		{"rows", fmt.Sprintf("%s on the portal, %s documents", count(c.PortalRows), count(c.Documents))},
		{"written", written},
		{"removed", unless0(c.Removed, "%s that the portal no longer has")},
		{"held", unless0(r.Held.Rows, "%s removals, over the dataset's brake; `starter approve "+r.ID+"` makes them")},
		{"missing", unless0(c.Missing, "%s in the mirror, no longer on the portal")},
		{"events", unless0(c.Events, "%s; `starter changes --since DAY` lists them")},
		{"quarantine", quarantineCount(c)},
	}
}

// unless0 puts a count into a text; empty for none.
func unless0(n int64, text string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(text, count(n))
}

func quarantineCount(c mirror.Counts) string {
	if c.Kept == 0 {
		return count(c.Quarantined)
	}
	return fmt.Sprintf("%s, of these %s with a stale document", count(c.Quarantined), count(c.Kept))
}

func checks(of string, v mirror.Verdict) [][2]string {
	var rows [][2]string
	for _, c := range v.Checks {
		mark := "ok"
		if !c.OK {
			mark = "NOT OK"
		}
		rows = append(rows, [2]string{of + " " + c.Name, mark + ": " + c.Detail})
	}
	return rows
}
