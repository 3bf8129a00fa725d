package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/activities"
	"padron/internal/mirror"
	"padron/workflows"
)

func statusCommand() *cobra.Command {
	var (
		out   output
		limit int
	)
	cmd := &cobra.Command{
		Use:   "status [RUN]",
		Short: "Show the newest runs, or one run",
		Long: `Lists the newest runs, or shows all about one: what it found and wrote, how long
each step took, and every check of its gate and its certificate.

A run that is done has an outcome; ` + "`starter verify --help`" + ` explains them. One that
failed before its gate opened has touched nothing; what a later failure left
undone, the next run does.`,
		Example: `  starter status
  starter status manual-2026-11-23T16:11:58.123Z
  starter status -n 100 -o json | jq '.[] | select(.outcome != "green")'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			return withMirror(cmd, func(m *mirror.Mirror) error {
				if len(args) == 1 {
					return showRun(cmd, m, args[0], out)
				}
				runs, err := m.Runs(cmd.Context(), limit, time.Time{})
				if err != nil {
					return err
				}
				wrong, err := readTrouble(cmd, m)
				if err != nil {
					return err
				}
				return out.show(cmd.OutOrStdout(), runs, func(w io.Writer) {
					printRuns(w, runs)
					wrong.print(w)
				})
			})
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "how many runs")
	out.add(cmd)
	return cmd
}

// readRun reads a run's record; the error of an unknown one says where to look.
func readRun(ctx context.Context, m *mirror.Mirror, id string) (mirror.Run, error) {
	run, err := m.Run(ctx, id)
	if errors.Is(err, mirror.ErrNoRun) {
		err = fmt.Errorf("there is no run %q; `starter status` lists them", id)
	}
	return run, err
}

func showRun(cmd *cobra.Command, m *mirror.Mirror, id string, out output) error {
	run, err := readRun(cmd.Context(), m, id)
	if err != nil {
		return err
	}
	return out.show(cmd.OutOrStdout(), run, func(w io.Writer) { printRun(w, run) })
}

func printRuns(w io.Writer, runs []mirror.Run) {
	if len(runs) == 0 {
		fmt.Fprintln(w, "no runs yet; `starter run --wait` makes the first")
		return
	}
	var rows []table.Row
	for _, r := range runs {
		row := table.Row{r.ID, moment(r.Started), runTook(r), r.Status, r.Outcome, "", "", "", ""}
		if r.Counts != (mirror.Counts{}) {
			row[5], row[6], row[7] = count(r.Counts.Documents), count(r.Counts.Inserted), count(r.Counts.Replaced)
		}
		if r.Outcome != mirror.OutcomeGreen {
			row[8] = shorten(r.Reason)
		}
		rows = append(rows, row)
	}
	grid(w, table.Row{"run", "started", "took", "status", "outcome", "documents", "new", "changed", "why"}, rows, 3, 6, 7, 8)
}

// widestReason keeps a listing's line to what a terminal shows.
const widestReason = 60

func shorten(s string) string {
	if r := []rune(s); len(r) > widestReason {
		return string(r[:widestReason-1]) + "…"
	}
	return s
}

func runTook(r mirror.Run) string {
	if r.Finished.IsZero() {
		return took(time.Since(r.Started)) + "…"
	}
	return took(r.Finished.Sub(r.Started))
}

func printRun(w io.Writer, r mirror.Run) {
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
	} else if r.Status == mirror.StatusRunning {
		what, n := doing(r)
		rows = append(rows, [2]string{"progress", fmt.Sprintf("%s, %s of %s rows", what, count(n), count(r.Probe.Rows))})
	}
	rows = append(append(rows, checks("gate", r.Gate)...), checks("certificate", r.Certificate)...)
	rows = append(rows, [2]string{"snapshot", r.Snapshot}, [2]string{"steps", stepTimes(r.Steps)})
	for _, warning := range r.Warnings {
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
