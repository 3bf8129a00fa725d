package runcmd

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"padron/internal/alerts"
	"padron/internal/certificate"
	"padron/internal/dataset"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/starter/cli"
)

// statusQuery is what `status` was asked for.
type statusQuery struct {
	limit   int
	since   string
	outcome string
	out     cli.Output
}

func statusCommand() *cobra.Command {
	var q statusQuery
	cmd := &cobra.Command{
		Use:   "status [RUN]",
		Short: "Show the newest runs, or all about one",
		Long: `Lists the newest records, or shows all about one: what it found and wrote, how long
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
		ValidArgsFunction: cli.CompleteFirst(cli.CompleteRuns),
		RunE:              q.run,
	}
	cmd.Flags().IntVarP(&q.limit, "limit", "n", 20, "how many runs")
	cmd.Flags().StringVar(&q.since, "since", "", "only runs that started since this `time`")
	cmd.Flags().StringVar(&q.outcome, "outcome", "", "only runs that ended so: "+cli.OneOf(runs.Endings()))
	cli.CompleteFlag(cmd, "outcome", cli.CompleteWords(runs.Endings()...))
	q.out.Add(cmd)
	return cmd
}

// runView is a run as `status` shows it.
type runView struct {
	runs.Run
	Live *liveView `json:"live,omitempty"` // while it runs
}

func (q *statusQuery) run(cmd *cobra.Command, args []string) error {
	if err := cli.CheckLimit(q.limit); err != nil {
		return err
	}
	if q.outcome != "" && !slices.Contains(runs.Endings(), runs.Ending(q.outcome)) {
		return cli.Usage(fmt.Errorf("--outcome %q: use %s", q.outcome, cli.OneOf(runs.Endings())))
	}
	if len(args) == 1 && (q.since != "" || q.outcome != "") {
		return cli.Usage(errors.New("--since and --outcome choose among runs: leave them out to see one run"))
	}
	spec, err := cli.SpecArgument(cmd, nil)
	if err != nil {
		return err
	}
	since, err := cli.ParseMoment("--since", q.since, spec.Location(), false)
	if err != nil {
		return err
	}
	return cli.WithMirror(cmd, func(reader *query.Reader) error {
		records := make([]runs.Run, 1)
		if len(args) == 1 {
			records[0], err = cli.ReadRun(cmd.Context(), reader, args[0])
		} else {
			records, err = reader.Runs.RunsSince(cmd.Context(), runs.Ending(q.outcome), since, q.limit)
		}
		if err != nil {
			return err
		}
		views := make([]runView, len(records))
		for i, run := range records {
			views[i].Run = run
		}
		lookAtRunning(cmd, reader, spec, views)
		if len(args) == 1 {
			return q.out.Show(cmd.OutOrStdout(), views[0], func(w io.Writer) { printRun(w, views[0].Run, views[0].Live) })
		}
		wrong, err := readTrouble(cmd, reader)
		if err != nil {
			return err
		}
		return q.out.Show(cmd.OutOrStdout(), views, func(w io.Writer) {
			q.printRuns(w, views)
			if q.outcome == "" && q.since == "" {
				wrong.print(w)
			}
		})
	})
}

// lookAtRunning adds to runs that are running what they do. Where Temporal does
// not answer, the records alone must do.
func lookAtRunning(cmd *cobra.Command, reader *query.Reader, spec *dataset.Spec, records []runView) {
	var (
		s    *session
		away error // why Temporal was not reached
	)
	for i := range records {
		if records[i].Status != runs.StatusRunning {
			continue
		}
		if s == nil {
			c, err := cli.Settings(cmd)
			if err != nil {
				return // read before, so this is not reached
			}
			s = &session{&cli.Connection{Config: c, Spec: spec, Reader: reader}}
			if s.Temporal, s.Namespace, away = cli.DialTemporal(cmd.Context(), c); away == nil {
				defer s.Temporal.Close()
			}
		}
		v := liveView{At: time.Now().UTC(), Source: sourceRecord, Doing: doingText(records[i].Run), Rows: rowsOf(records[i].Run)}
		if away != nil {
			v.WaitsFor = noTemporal(away)
		} else {
			v = newLooker(s, records[i].ID).look(cmd.Context(), records[i].Run)
		}
		records[i].Live = &v
	}
}

func (q *statusQuery) printRuns(w io.Writer, records []runView) {
	if len(records) == 0 && (q.since != "" || q.outcome != "") {
		fmt.Fprintln(w, "no such runs; `starter status` lists the newest of all")
		return
	}
	if len(records) == 0 {
		fmt.Fprintln(w, "no runs yet; `starter run --wait` makes the first")
		return
	}
	var rows []table.Row
	for _, r := range records {
		row := table.Row{r.ID, cli.Moment(r.Started), cli.RunTook(r.Run), r.Status, r.Outcome, "", "", "", ""}
		if r.Counts != (runs.Counts{}) {
			row[5], row[6], row[7] = cli.Count(r.Counts.Documents), cli.Count(r.Counts.Inserted), cli.Count(r.Counts.Replaced)
		}
		switch {
		case r.Live != nil:
			row[8] = r.Live.summary()
		case r.Outcome != certificate.Green:
			row[8] = cli.Shorten(w, r.Reason)
		}
		rows = append(rows, row)
	}
	cli.Grid(w, table.Row{"run", "started", "took", "status", "outcome", "documents", "new", "changed", "why"}, rows, 3, 6, 7, 8)
}

// printRun prints all about a run; live is what it does while it is running.
func printRun(w io.Writer, r runs.Run, live *liveView) {
	rows := [][2]string{
		{"run", r.ID},
		{"status", strings.TrimSpace(string(r.Status) + " " + string(r.Outcome))},
		{"why", r.Reason},
		{"last failure", lastFailure(r)},
		{"job", jobTitle(runs.Job(r.Job), r.Of, r.From)},
		{"started", strings.TrimSuffix(fmt.Sprintf("%s %s (%s)", cli.Moment(r.Started), startedBy(r.Trigger), r.Mode), " ()")},
		{"took", cli.RunTook(r)},
		{"deadline", deadlineOf(r)},
		{"probe", strings.TrimPrefix(r.Probe.Decision+": "+r.Probe.Why, ": ")},
		{"portal version", cli.Moment(r.Version.Time())},
		{"crawls", crawls(r)},
	}
	if r.Counts != (runs.Counts{}) {
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
	rows = append(rows, [2]string{"snapshots", cli.Unless0(int64(r.Backfill.Snapshots), "%s reconstructed; `starter snapshots list` lists them")})
	rows = append(rows, [2]string{"snapshot", r.Snapshot}, [2]string{"steps", stepTimes(r.Steps)})
	for _, warning := range warnings(&r) {
		rows = append(rows, [2]string{"warning", warning})
	}
	rows = append(rows, [2]string{"workflow", r.WorkflowID})
	cli.Facts(w, rows)
}

// lastFailure is the failure of a step that has not succeeded since; empty where
// the reason tells of it.
func lastFailure(r runs.Run) string {
	if r.LastFailure.Step == "" || r.Status == runs.StatusCancelled || r.Status == runs.StatusFailed {
		return ""
	}
	return r.LastFailure.String()
}

func startedBy(trigger string) string {
	switch trigger {
	case runs.TriggerSchedule:
		return "by schedule"
	case runs.TriggerBackfill:
		return "by a backfill"
	case runs.TriggerHistory:
		return "by a green run, as the spec asks for its history"
	}
	return "by hand"
}

// jobTitle says what a run does: "approve manual-…", "rerun manual-… from
// gate", "verify"; empty for one that mirrors.
func jobTitle(job runs.Job, of, from string) string {
	if job == runs.JobMirror {
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
func crawls(r runs.Run) string {
	switch {
	case r.Crawl.Why != "":
		return fmt.Sprintf("%d, and the last is not consistent: %s", r.Crawls, r.Crawl.Why)
	case r.Crawls > 1:
		return fmt.Sprintf("%d: the portal changed under the first", r.Crawls)
	default:
		return ""
	}
}

// counted is what a run found and did to the mirror.
func counted(r runs.Run) [][2]string {
	c := r.Counts
	written := fmt.Sprintf("%s new, %s changed, %s unchanged", cli.Count(c.Inserted), cli.Count(c.Replaced), cli.Count(c.Unchanged))
	if c.Returned > 0 {
		written += fmt.Sprintf("; of the changed ones %s returned", cli.Count(c.Returned))
	}
	if r.Job == runs.JobVerify {
		written = "" // nothing is
	}
	return [][2]string{
		{"rows", fmt.Sprintf("%s on the portal, %s documents", cli.Count(c.PortalRows), cli.Count(c.Documents))},
		{"written", written},
		{"removed", cli.Unless0(c.Removed, "%s that the portal no longer has")},
		{"held", cli.Unless0(r.Held.Rows, "%s removals, over the dataset's max_removals; `starter approve "+r.ID+"` makes them")},
		{"missing", cli.Unless0(c.Missing, "%s in the mirror, no longer on the portal")},
		{"events", cli.Unless0(c.Events, "%s; `starter changes --since DAY` lists them")},
		{"quarantine", quarantineCount(c)},
	}
}

func quarantineCount(c runs.Counts) string {
	if c.Kept == 0 {
		return cli.Count(c.Quarantined)
	}
	return fmt.Sprintf("%s, of these %s with a stale document", cli.Count(c.Quarantined), cli.Count(c.Kept))
}

func checks(of string, v certificate.Verdict) [][2]string {
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

// trouble is what `status` says below the runs.
type trouble struct {
	known []alerts.Alert
	fresh alerts.Freshness
}

func readTrouble(cmd *cobra.Command, reader *query.Reader) (trouble, error) {
	c, err := cli.Settings(cmd)
	if err != nil {
		return trouble{}, err
	}
	spec, err := cli.OpenSpec(c)
	if err != nil {
		return trouble{}, err
	}
	var t trouble
	if t.fresh, err = alerts.ReadFreshness(cmd.Context(), reader.Runs, reader.Created, spec.Schedule.Freshness); err != nil {
		return trouble{}, err
	}
	t.known, err = reader.Alerts.All(cmd.Context())
	return t, err
}

func (t trouble) print(w io.Writer) {
	var wrong []string
	for _, a := range t.known {
		if a.Open && a.ID != alerts.ConditionStale { // the freshness is looked at anew
			wrong = append(wrong, fmt.Sprintf("%s since %s", a.ID, cli.Moment(a.Since)))
		}
	}
	if t.fresh.Stale() {
		wrong = append(wrong, "stale: "+t.fresh.String())
	}
	if len(wrong) > 0 {
		fmt.Fprintf(w, "\nwrong: %s; `starter alerts` says more\n", strings.Join(wrong, "; "))
	}
}

// deadlineOf says by when a run should be done, and whether it was.
func deadlineOf(r runs.Run) string {
	switch {
	case r.Deadline.IsZero():
		return ""
	case r.DeadlinePassed && r.Finished.IsZero():
		return cli.Moment(r.Deadline) + ", passed: the run is late and goes on"
	case r.DeadlinePassed:
		return cli.Moment(r.Deadline) + ", passed: the run was late"
	}
	return cli.Moment(r.Deadline)
}
