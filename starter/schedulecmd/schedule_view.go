package schedulecmd

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/starter/cli"
	"padron/workflows"
)

// scheduleView is what `schedule list` says of one.
type scheduleView struct {
	ID        string      `json:"id"`
	Dataset   string      `json:"dataset"`
	Times     string      `json:"times"`
	Zone      string      `json:"time_zone"`
	TaskQueue string      `json:"task_queue"`
	Paused    bool        `json:"paused"`
	Note      string      `json:"note,omitempty"`
	Next      []time.Time `json:"next"`
	Recent    []scheduled `json:"recent"` // newest first
	Runs      int         `json:"runs"`   // started since it was made
	Missed    int         `json:"missed"` // due, and not made up for: longer ago than the catch-up
	Overlaps  int         `json:"overlaps"`
	fields    []change    // as planned fields, for show
	zone      *time.Location
}

// of reports whether a schedule's runs go to this task queue: to the dataset's
// own, or to the one that all datasets shared before.
func (v *scheduleView) of(c config.Config) bool {
	return v.TaskQueue == workflows.Queue(c.TaskQueue, v.Dataset) || v.TaskQueue == c.TaskQueue
}

// ActiveDatasets lists the datasets whose runs come by schedule on this task
// queue, by name; those of paused schedules are not among them.
func ActiveDatasets(ctx context.Context, t client.Client, c config.Config) ([]string, error) {
	all, err := listSchedules(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	var names []string
	for i := range all {
		if v := &all[i]; v.of(c) && !v.Paused && v.ID == ScheduleID(v.Dataset) {
			names = append(names, v.Dataset)
		}
	}
	return names, nil
}

// scheduled is a workflow that a schedule started.
type scheduled struct {
	Run      string    `json:"run"`
	Workflow string    `json:"workflow_id"`
	Due      time.Time `json:"due"` // jitter included
	Started  time.Time `json:"started"`
	Outcome  string    `json:"outcome"` // of a run; else how the workflow ended
}

func scheduleListCommand() *cobra.Command {
	var (
		out  cli.Output
		next int
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the schedules with their next times and what came of the last",
		Long: `Lists the schedules of all datasets: when they are due next, in the dataset's time
zone and with their jitter, and what came of the last time.`,
		Example: `  starter schedule list
  starter schedule list -o json | jq -r '.[].next[0]'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if next < 1 || next > 10 {
				return cli.Usage(fmt.Errorf("--next %d: use 1 to 10", next))
			}
			return cli.WithTemporalOfAll(cmd, func(_ config.Config, _ []*dataset.Spec, t client.Client, _ string) error {
				all, err := listSchedules(cmd.Context(), t)
				if err == nil {
					err = outcomes(cmd.Context(), t, all, 1)
				}
				if err != nil {
					return fmt.Errorf("list schedules: %w", err)
				}
				return out.Show(cmd.OutOrStdout(), all, func(w io.Writer) { printSchedules(w, all, next) })
			})
		},
	}
	cmd.Flags().IntVar(&next, "next", 2, "how many of the coming times, at most 10")
	out.Add(cmd)
	return cmd
}

func listSchedules(ctx context.Context, t client.Client) ([]scheduleView, error) {
	list, err := t.ScheduleClient().List(ctx, client.ScheduleListOptions{})
	if err != nil {
		return nil, err
	}
	all := []scheduleView{}
	for list.HasNext() {
		entry, err := list.Next()
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(entry.ID, mirrorSchedules) && !strings.HasPrefix(entry.ID, freshnessSchedules) {
			continue // the namespace may have other users
		}
		v, err := viewSchedule(ctx, t, entry.ID)
		if cli.NotFound(err) {
			continue // deleted since it was listed
		}
		if err != nil {
			return nil, err
		}
		if v.Dataset != "" {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b scheduleView) int {
		if c := strings.Compare(a.Dataset, b.Dataset); c != 0 {
			return c
		}
		return -strings.Compare(a.ID, b.ID) // the runs before the looks
	})
	return all, nil
}

// viewSchedule reads a schedule; Dataset is empty of one that is none of
// Padron's.
func viewSchedule(ctx context.Context, t client.Client, id string) (scheduleView, error) {
	d, err := t.ScheduleClient().GetHandle(ctx, id).Describe(ctx)
	if err != nil {
		return scheduleView{}, err
	}
	cron, other := timesOf(d.Schedule.Spec)
	v := scheduleView{
		ID: id, Times: strings.Trim(cron+", "+other, ", "), Zone: d.Schedule.Spec.TimeZoneName, Next: d.Info.NextActionTimes, Recent: []scheduled{},
		Runs: d.Info.NumActions, Missed: d.Info.NumActionsMissedCatchupWindow, Overlaps: d.Info.NumActionsSkippedOverlap,
	}
	if v.zone, err = time.LoadLocation(v.Zone); err != nil {
		return scheduleView{}, err
	}
	if action, ok := d.Schedule.Action.(*client.ScheduleWorkflowAction); ok {
		v.TaskQueue = action.TaskQueue
		switch prefix, name, _ := strings.Cut(id, "/"); {
		case prefix+"/" == mirrorSchedules && action.Workflow == nameOf(workflows.Mirror),
			prefix+"/" == freshnessSchedules && action.Workflow == nameOf(workflows.Freshness):
			v.Dataset = name
		}
	}
	if d.Schedule.State != nil {
		v.Paused, v.Note = d.Schedule.State.Paused, d.Schedule.State.Note
	}
	for _, a := range slices.Backward(d.Info.RecentActions) {
		if a.StartWorkflowResult != nil {
			id := a.StartWorkflowResult.WorkflowID
			v.Recent = append(v.Recent, scheduled{Run: workflows.RunID(id), Workflow: id, Due: a.ScheduleTime, Started: a.ActualTime})
		}
	}
	fields, err := fieldsOf(&d.Schedule)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v.fields = append(v.fields, change{Field: name, To: fields[name]})
	}
	return v, err
}

// outcomes finds out what came of the last n times of each schedule. Temporal
// keeps a workflow for its retention only.
func outcomes(ctx context.Context, t client.Client, all []scheduleView, n int) error {
	for i := range all {
		for j := range all[i].Recent[:min(n, len(all[i].Recent))] {
			last := &all[i].Recent[j]
			d, err := t.DescribeWorkflow(ctx, last.Workflow, "")
			switch {
			case cli.NotFound(err):
				last.Outcome = "no longer kept"
				continue
			case err != nil:
				return err
			}
			last.Outcome = strings.ToLower(d.Status.String())
			if outcome, ok := d.TypedSearchAttributes.GetKeyword(workflows.SearchOutcome); ok && outcome != "" {
				last.Outcome = outcome
			}
		}
	}
	return nil
}

// due shows a time in a schedule's zone.
const due = "Mon 2006-01-02 15:04 MST"

func (v *scheduleView) state() string {
	if v.Paused {
		return "paused"
	}
	return "active"
}

func printSchedules(w io.Writer, all []scheduleView, next int) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no schedules yet; `starter schedule apply` makes them")
		return
	}
	zone := all[0].zone // one for the whole list
	if slices.ContainsFunc(all, func(v scheduleView) bool { return v.zone.String() != zone.String() }) {
		zone = time.UTC
	}
	var rows []table.Row
	for _, s := range all {
		var times []string
		for _, at := range s.Next[:min(next, len(s.Next))] {
			if !s.Paused {
				times = append(times, at.In(zone).Format(due))
			}
		}
		last, outcome := "", ""
		if len(s.Recent) > 0 {
			last, outcome = s.Recent[0].Started.In(zone).Format(due), s.Recent[0].Outcome
		}
		rows = append(rows, table.Row{s.ID, s.state(), strings.Join(times, ", "), last, outcome, s.Runs, s.Note})
	}
	cli.Grid(w, table.Row{"schedule", "state", "next", "last", "outcome", "runs", "note"}, rows, 6)
}

func scheduleShowCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show all about the dataset's schedules",
		Example: `  starter schedule show
  starter schedule show -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cli.WithTemporal(cmd, func(_ config.Config, spec *dataset.Spec, t client.Client, _ string) error {
				var all []scheduleView
				for _, id := range []string{ScheduleID(spec.Name), freshnessID(spec.Name)} {
					v, err := viewSchedule(cmd.Context(), t, id)
					if cli.NotFound(err) {
						continue
					}
					if err != nil {
						return fmt.Errorf("read schedule %s: %w", id, err)
					}
					all = append(all, v)
				}
				if len(all) == 0 {
					return noSchedule(spec)
				}
				if err := outcomes(cmd.Context(), t, all, 10); err != nil {
					return fmt.Errorf("read what the schedules started: %w", err)
				}
				return out.Show(cmd.OutOrStdout(), all, func(w io.Writer) {
					for i := range all {
						if i > 0 {
							fmt.Fprintln(w)
						}
						all[i].print(w)
					}
				})
			})
		},
	}
	out.Add(cmd)
	return cmd
}

func (v *scheduleView) print(w io.Writer) {
	rows := [][2]string{{"schedule", v.ID}, {"state", v.state()}, {"note", v.Note}}
	for _, f := range v.fields {
		rows = append(rows, [2]string{f.Field, f.To})
	}
	rows = append(rows, [2]string{"started", fmt.Sprintf("%s times", cli.Count(v.Runs))})
	rows = append(rows, [2]string{"not made up for", cli.Unless0(int64(v.Missed), "%s times: longer ago than the catch-up")})
	rows = append(rows, [2]string{"skipped", cli.Unless0(int64(v.Overlaps), "%s times: the one before was still going")})
	for _, at := range v.Next {
		rows = append(rows, [2]string{"next", at.In(v.zone).Format(due)})
	}
	for _, r := range v.Recent {
		rows = append(rows, [2]string{"before", fmt.Sprintf("%s  %s  %s", r.Started.In(v.zone).Format(due), r.Run, r.Outcome)})
	}
	cli.Facts(w, rows)
}
