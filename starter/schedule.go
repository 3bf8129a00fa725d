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
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"padron/activities"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/workflows"
)

// scheduleID is the id of a dataset's schedule.
func scheduleID(dataset string) string { return "mirror/" + dataset }

func scheduleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Set, pause and trigger the daily runs of a dataset",
		Example: `  starter schedule apply                     as the spec says
  starter schedule pause --note "portal is moving"
  starter schedule trigger                   run now, as a scheduled run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(scheduleApplyCommand(), scheduleListCommand(),
		schedulePauseCommand("pause", "Pause the schedule", func(ctx context.Context, h client.ScheduleHandle, note string) error {
			return h.Pause(ctx, client.SchedulePauseOptions{Note: note})
		}),
		schedulePauseCommand("resume", "Resume the schedule", func(ctx context.Context, h client.ScheduleHandle, note string) error {
			return h.Unpause(ctx, client.ScheduleUnpauseOptions{Note: note})
		}),
		scheduleTriggerCommand())
	return cmd
}

// withTemporal connects to Temporal for a command about a dataset.
func withTemporal(cmd *cobra.Command, do func(c config.Config, spec *dataset.Spec, t client.Client, namespace string) error) error {
	c, err := settings(cmd)
	if err != nil {
		return err
	}
	spec, err := openSpec(c)
	if err != nil {
		return err
	}
	t, namespace, err := dialTemporal(cmd.Context(), c)
	if err != nil {
		return err
	}
	defer t.Close()
	return do(c, spec, t, namespace)
}

// withSchedule does something to the dataset's existing schedule.
func withSchedule(cmd *cobra.Command, do func(h client.ScheduleHandle) error) error {
	return withTemporal(cmd, func(_ config.Config, spec *dataset.Spec, t client.Client, _ string) error {
		err := do(t.ScheduleClient().GetHandle(cmd.Context(), scheduleID(spec.Name)))
		if notFound(err) {
			return fmt.Errorf("%s has no schedule yet: run `starter schedule apply`", spec.Name)
		}
		return err
	})
}

func notFound(err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing)
}

// planned is the schedule that the spec asks for. A missed run is caught up
// only within the spec's window, and overlapping ones are skipped, so that an
// outage ends in one run and not in many.
func planned(c config.Config, spec *dataset.Spec) client.ScheduleOptions {
	return client.ScheduleOptions{
		ID: scheduleID(spec.Name),
		Spec: client.ScheduleSpec{
			CronExpressions: []string{spec.Schedule.Cron},
			Jitter:          spec.Schedule.Jitter,
			TimeZoneName:    spec.TimeZone,
		},
		Action: &client.ScheduleWorkflowAction{
			ID:                    workflows.MirrorID(spec.Name, "scheduled"), // Temporal appends the nominal time
			Workflow:              workflows.Mirror,
			Args:                  []any{workflows.MirrorInput{Dataset: spec.Name, Mode: activities.Auto}},
			TaskQueue:             c.TaskQueue,
			StaticSummary:         "Mirror " + spec.Name + ", by schedule",
			TypedSearchAttributes: temporal.NewSearchAttributes(workflows.SearchDataset.ValueSet(spec.Name)),
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: spec.Schedule.CatchUp,
	}
}

func scheduleApplyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "apply",
		Short:   "Make Temporal's schedule what the spec says",
		Example: `  starter schedule apply`,
		Long: `Creates the dataset's schedule in Temporal, or updates it after the spec was
changed. A paused schedule stays paused.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withTemporal(cmd, func(c config.Config, spec *dataset.Spec, t client.Client, namespace string) error {
				if err := checkSearchAttributes(cmd.Context(), t, namespace); err != nil {
					return err
				}
				done, err := applySchedule(cmd.Context(), t, planned(c, spec))
				if err != nil {
					return fmt.Errorf("apply schedule: %w", err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s schedule %s: %q in %s, up to %s later\n",
					done, scheduleID(spec.Name), spec.Schedule.Cron, spec.TimeZone, spec.Schedule.Jitter)
				return nil
			})
		},
	}
}

// applySchedule creates or updates; a paused schedule stays paused.
func applySchedule(ctx context.Context, t client.Client, o client.ScheduleOptions) (done string, err error) {
	_, err = t.ScheduleClient().Create(ctx, o)
	if err == nil {
		return "created", nil
	}
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return "", err
	}
	err = t.ScheduleClient().GetHandle(ctx, o.ID).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			s.Spec, s.Action = &o.Spec, o.Action
			s.Policy = &client.SchedulePolicies{Overlap: o.Overlap, CatchupWindow: o.CatchupWindow}
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
	return "updated", err
}

// scheduleView is one line of `schedule list`.
type scheduleView struct {
	ID     string      `json:"id"`
	Paused bool        `json:"paused"`
	Note   string      `json:"note,omitempty"`
	Next   []time.Time `json:"next"`
	Recent int         `json:"recent"`
}

func scheduleListCommand() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the schedules with their next times",
		Example: `  starter schedule list
  starter schedule list -o json | jq -r '.[].next[0]'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withTemporal(cmd, func(_ config.Config, spec *dataset.Spec, t client.Client, _ string) error {
				all, err := listSchedules(cmd.Context(), t)
				if err != nil {
					return fmt.Errorf("list schedules: %w", err)
				}
				return out.show(cmd.OutOrStdout(), all, func(w io.Writer) { printSchedules(w, all, spec.Location()) })
			})
		},
	}
	out.add(cmd)
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
		if !strings.HasPrefix(entry.ID, scheduleID("")) {
			continue // the namespace may have other users
		}
		d, err := t.ScheduleClient().GetHandle(ctx, entry.ID).Describe(ctx)
		if notFound(err) {
			continue // deleted since it was listed
		}
		if err != nil {
			return nil, err
		}
		v := scheduleView{ID: entry.ID, Next: d.Info.NextActionTimes, Recent: d.Info.NumActions}
		if d.Schedule.State != nil {
			v.Paused, v.Note = d.Schedule.State.Paused, d.Schedule.State.Note
		}
		all = append(all, v)
	}
	return all, nil
}

func printSchedules(w io.Writer, all []scheduleView, zone *time.Location) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no schedules yet; `starter schedule apply` makes one")
		return
	}
	var rows []table.Row
	for _, s := range all {
		state, next := "active", ""
		if s.Paused {
			state = "paused"
		}
		if len(s.Next) > 0 && !s.Paused {
			next = s.Next[0].In(zone).Format("Mon 2006-01-02 15:04 MST")
		}
		rows = append(rows, table.Row{s.ID, state, next, s.Recent, s.Note})
	}
	grid(w, table.Row{"schedule", "state", "next run", "runs", "note"}, rows, 4)
}

func schedulePauseCommand(use, short string, do func(context.Context, client.ScheduleHandle, string) error) *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use:     use,
		Short:   short,
		Example: `  starter schedule ` + use + ` --note "portal is moving"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSchedule(cmd, func(h client.ScheduleHandle) error {
				err := do(cmd.Context(), h, note)
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "%sd schedule %s\n", use, h.GetID())
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&note, "note", "", "why, for whoever looks later")
	return cmd
}

func scheduleTriggerCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "trigger",
		Short:   "Start a run now, as the schedule would",
		Example: `  starter schedule trigger`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSchedule(cmd, func(h client.ScheduleHandle) error {
				err := h.Trigger(cmd.Context(), client.ScheduleTriggerOptions{})
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "triggered schedule %s; `starter status` shows the run\n", h.GetID())
				}
				return err
			})
		},
	}
}
