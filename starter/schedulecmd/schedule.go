package schedulecmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/starter/cli"
)

// The schedules of a dataset: its runs, and the looks at its freshness.
const (
	mirrorSchedules    = "mirror/"
	freshnessSchedules = "freshness/"
)

// ScheduleID is the id of the schedule of a dataset's runs, freshnessID that of
// the looks at its freshness.
func ScheduleID(dataset string) string { return mirrorSchedules + dataset }

func freshnessID(dataset string) string { return freshnessSchedules + dataset }

func scheduleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Set, look at, pause and trigger the daily runs of a dataset",
		Long: `Keeps a dataset's schedules in Temporal: mirror/<dataset> makes its runs as the
spec says, freshness/<dataset> looks every hour whether a run has lately proved
that the mirror equals the portal (` + "`starter alerts --help`" + `).

A run that is due while the one before is still going is skipped. After an outage
one run is made for all that were missed within the spec's catch_up. A scheduled
run is named by the time it was due at; what it saw is dated by the version that
the portal served. On the days when clocks change, a time between 01:00 and 03:00
may come twice or not at all; any other comes once.`,
		Example: `  starter schedule apply --dry-run           what would change
  starter schedule apply                     make it what the spec says
  starter schedule list
  starter schedule pause --note "portal is moving"
  starter schedule trigger                   run now, as a scheduled run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(scheduleApplyCommand(), scheduleListCommand(), scheduleShowCommand(),
		schedulePauseCommand("pause", "Pause the schedule of the runs", func(ctx context.Context, h client.ScheduleHandle, note string) error {
			return h.Pause(ctx, client.SchedulePauseOptions{Note: note})
		}),
		schedulePauseCommand("resume", "Resume the schedule of the runs", func(ctx context.Context, h client.ScheduleHandle, note string) error {
			return h.Unpause(ctx, client.ScheduleUnpauseOptions{Note: note})
		}),
		scheduleTriggerCommand(), scheduleDeleteCommand())
	return cmd
}

// withSchedule does something to the dataset's existing schedule.
func withSchedule(cmd *cobra.Command, do func(h client.ScheduleHandle) error) error {
	return cli.WithTemporal(cmd, func(_ config.Config, spec *dataset.Spec, t client.Client, _ string) error {
		err := do(t.ScheduleClient().GetHandle(cmd.Context(), ScheduleID(spec.Name)))
		if cli.NotFound(err) {
			return noSchedule(spec)
		}
		return err
	})
}

func noSchedule(spec *dataset.Spec) error {
	return fmt.Errorf("%s has no schedule yet: run `starter schedule apply`", spec.Name)
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
	cmd := &cobra.Command{
		Use:   "trigger",
		Short: "Start a run now, as the schedule would",
		Long: `Starts a run now, as the schedule would. A dataset that no worker serves is refused,
unless --without-worker has the run wait for one.`,
		Example: `  starter schedule trigger`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cli.WithTemporal(cmd, func(c config.Config, spec *dataset.Spec, t client.Client, namespace string) error {
				h := t.ScheduleClient().GetHandle(cmd.Context(), ScheduleID(spec.Name))
				if _, err := h.Describe(cmd.Context()); cli.NotFound(err) {
					return noSchedule(spec)
				}
				if err := cli.CheckServed(cmd, t, namespace, c, spec); err != nil {
					return err
				}
				if err := h.Trigger(cmd.Context(), client.ScheduleTriggerOptions{}); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "triggered schedule %s; `starter status` shows the run\n", h.GetID())
				return nil
			})
		},
	}
	cli.AddWithoutWorker(cmd)
	return cmd
}

func scheduleDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete",
		Short:   "Delete the dataset's schedules; runs by hand work without",
		Example: `  starter schedule delete`,
		Long: `Deletes the dataset's schedules from Temporal, with their notes. A run that goes
on is not touched, nor is the mirror; ` + "`starter schedule apply`" + ` makes them anew.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cli.WithTemporal(cmd, func(_ config.Config, spec *dataset.Spec, t client.Client, _ string) error {
				deleted := 0
				for _, id := range []string{ScheduleID(spec.Name), freshnessID(spec.Name)} {
					err := t.ScheduleClient().GetHandle(cmd.Context(), id).Delete(cmd.Context())
					if cli.NotFound(err) {
						continue
					}
					if err != nil {
						return fmt.Errorf("delete schedule %s: %w", id, err)
					}
					deleted++
					fmt.Fprintf(cmd.OutOrStdout(), "deleted schedule %s\n", id)
				}
				if deleted == 0 {
					return fmt.Errorf("%s has no schedule", spec.Name)
				}
				return nil
			})
		},
	}
}
