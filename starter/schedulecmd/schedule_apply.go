package schedulecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/runs"
	"padron/starter/cli"
	"padron/workflows"
)

const (
	// freshnessEvery is how often the freshness is looked at, and freshnessJitter
	// keeps the looks at many datasets apart.
	freshnessEvery  = time.Hour
	freshnessJitter = 5 * time.Minute
	// freshnessCatchUp is how late a look may be: the next one says the same.
	freshnessCatchUp = 10 * time.Minute
)

// planned are the schedules that the spec asks for. A missed run is caught up
// only within the spec's window, and overlapping ones are skipped, so that an
// outage ends in one run and not in many.
func planned(c config.Config, spec *dataset.Spec) []client.ScheduleOptions {
	attributes := temporal.NewSearchAttributes(workflows.SearchDataset.ValueSet(spec.Name))
	crons := dataset.CronParts(spec.Schedule.Cron)
	for i := range crons { // Temporal keeps what the expression matches and its comment
		crons[i] += " # " + spec.Schedule.Cron
	}
	return []client.ScheduleOptions{{
		ID: ScheduleID(spec.Name),
		Spec: client.ScheduleSpec{
			CronExpressions: crons,
			Jitter:          spec.Schedule.Jitter,
			TimeZoneName:    spec.TimeZone,
		},
		Action: &client.ScheduleWorkflowAction{
			ID:                    workflows.MirrorID(spec.Name, "scheduled"), // Temporal appends the time it is due at
			Workflow:              workflows.Mirror,
			Args:                  []any{workflows.MirrorInput{Dataset: spec.Name, Mode: runs.ModeAuto, Deadline: spec.Schedule.Deadline}},
			TaskQueue:             workflows.Queue(c.TaskQueue, spec.Name),
			StaticSummary:         "Mirror " + spec.Name + ", by schedule",
			TypedSearchAttributes: attributes,
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: spec.Schedule.CatchUp,
	}, {
		ID: freshnessID(spec.Name),
		Spec: client.ScheduleSpec{
			Intervals:    []client.ScheduleIntervalSpec{{Every: freshnessEvery}},
			Jitter:       freshnessJitter,
			TimeZoneName: spec.TimeZone,
		},
		Action: &client.ScheduleWorkflowAction{
			ID:                    workflows.FreshnessID(spec.Name, "check"),
			Workflow:              workflows.Freshness,
			Args:                  []any{workflows.FreshnessInput{Dataset: spec.Name, Limit: spec.Schedule.Freshness}},
			TaskQueue:             workflows.Queue(c.TaskQueue, spec.Name),
			StaticSummary:         "Is the mirror of " + spec.Name + " fresh?",
			TypedSearchAttributes: attributes,
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: freshnessCatchUp,
	}}
}

// Applied is what apply did, or would do, to one schedule.
type Applied struct {
	ID      string   `json:"id"`
	Did     string   `json:"did"` // created, updated, deleted or nothing
	Changes []change `json:"changes,omitempty"`
	Paused  bool     `json:"paused,omitempty"`
	Note    string   `json:"note,omitempty"` // of a paused one
}

func scheduleApplyCommand() *cobra.Command {
	var (
		all, dryRun, prune bool
		out                cli.Output
	)
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make Temporal's schedules what the spec says",
		Long: `Creates the dataset's schedules in Temporal, or changes them where they are not
what the spec says, and prints what it changed. A paused schedule stays paused,
with its note. Applying again changes nothing.

A dataset that no worker serves is refused, unless --without-worker has its runs
wait for one. With --all it does so for every dataset that PADRON_DATASET names.
--prune deletes the schedules of datasets that are none of these and that no worker
serves; only those of this task queue, and only with this flag.`,
		Example: `  starter schedule apply --dry-run
  starter schedule apply
  starter schedule apply --all --prune --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if prune && !all {
				return cli.Usage(errors.New("--prune goes with --all: schedules are deleted when no known dataset has their name"))
			}
			return cli.WithTemporalOfAll(cmd, func(c config.Config, specs []*dataset.Spec, t client.Client, namespace string) error {
				if !all && len(specs) > 1 {
					return cli.Usage(fmt.Errorf("PADRON_DATASET names %d datasets: choose one with --dataset, or all with --all", len(specs)))
				}
				if err := cli.CheckSearchAttributes(cmd.Context(), t, namespace); err != nil {
					return err
				}
				for _, spec := range specs {
					if dryRun {
						break
					}
					if err := cli.CheckServed(cmd, t, namespace, c, spec); err != nil {
						return err
					}
				}
				did, err := ApplySchedules(cmd.Context(), t, c, specs, dryRun)
				if err == nil && prune {
					var pruned []Applied
					pruned, err = pruneSchedules(cmd.Context(), t, namespace, c, specs, dryRun)
					did = append(did, pruned...)
				}
				if err != nil {
					return fmt.Errorf("apply schedules: %w", err)
				}
				return out.Show(cmd.OutOrStdout(), did, func(w io.Writer) { printApplied(w, did, dryRun) })
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all datasets that PADRON_DATASET names")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would change, and change nothing")
	cmd.Flags().BoolVar(&prune, "prune", false, "with --all: delete the schedules of datasets that are neither named nor served")
	cli.AddWithoutWorker(cmd)
	out.Add(cmd)
	return cmd
}

// ApplySchedules makes the schedules of the datasets in Temporal those that their
// specs want, and says what it did, or with dryRun would do.
func ApplySchedules(ctx context.Context, t client.Client, c config.Config, specs []*dataset.Spec, dryRun bool) ([]Applied, error) {
	did := []Applied{}
	for _, spec := range specs {
		for _, o := range planned(c, spec) {
			a, err := applySchedule(ctx, t, o, dryRun)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", o.ID, err)
			}
			did = append(did, a)
		}
	}
	return did, nil
}

// applySchedule creates a schedule or changes what is not as planned. Its state,
// paused or not, stays.
func applySchedule(ctx context.Context, t client.Client, o client.ScheduleOptions, dryRun bool) (Applied, error) {
	did := Applied{ID: o.ID, Did: "nothing"}
	should := &client.Schedule{
		Spec: &o.Spec, Action: o.Action,
		Policy: &client.SchedulePolicies{Overlap: o.Overlap, CatchupWindow: o.CatchupWindow, PauseOnFailure: o.PauseOnFailure},
	}
	compare := func(is *client.Schedule) (err error) {
		if did.Changes, err = differences(is, should); len(did.Changes) > 0 {
			did.Did = "updated"
		}
		if is.State != nil && is.State.Paused {
			did.Paused, did.Note = true, is.State.Note
		}
		return err
	}
	h := t.ScheduleClient().GetHandle(ctx, o.ID)
	d, err := h.Describe(ctx)
	switch {
	case cli.NotFound(err):
		did.Did = "created"
		if did.Changes, err = differences(&client.Schedule{Spec: &client.ScheduleSpec{}}, should); err != nil || dryRun {
			return did, err
		}
		_, err = t.ScheduleClient().Create(ctx, o)
		return did, err
	case err != nil:
		return did, err
	}
	if err := compare(&d.Schedule); err != nil || dryRun || did.Did == "nothing" {
		return did, err
	}
	err = h.Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			if err := compare(&s); err != nil { // it may be another one by now
				return nil, err
			}
			s.Spec, s.Action, s.Policy = should.Spec, should.Action, should.Policy
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
	return did, err
}

// pruneSchedules deletes the schedules of this task queue whose dataset is neither
// among the specs nor served by a worker, which may be one with other settings.
func pruneSchedules(
	ctx context.Context, t client.Client, namespace string, c config.Config, specs []*dataset.Spec, dryRun bool,
) ([]Applied, error) {
	all, err := listSchedules(ctx, t)
	if err != nil {
		return nil, err
	}
	var did []Applied
	for _, s := range all {
		if !s.of(c) || slices.ContainsFunc(specs, func(spec *dataset.Spec) bool { return spec.Name == s.Dataset }) {
			continue
		}
		switch served, err := cli.Served(ctx, t, namespace, c.TaskQueue, s.Dataset); {
		case err != nil:
			return nil, err
		case served:
			continue
		}
		if !dryRun {
			if err := t.ScheduleClient().GetHandle(ctx, s.ID).Delete(ctx); err != nil && !cli.NotFound(err) {
				return nil, fmt.Errorf("%s: %w", s.ID, err)
			}
		}
		did = append(did, Applied{ID: s.ID, Did: "deleted"})
	}
	return did, nil
}

func printApplied(w io.Writer, all []Applied, dryRun bool) {
	for _, a := range all {
		did := a.Did
		if dryRun {
			did = "would be " + did
		}
		state := ""
		if a.Paused {
			state = strings.TrimSuffix(", which stays paused: "+a.Note, ": ")
		}
		if a.Did == "nothing" {
			fmt.Fprintf(w, "schedule %s: nothing to change%s\n", a.ID, state)
			continue
		}
		fmt.Fprintf(w, "schedule %s %s%s\n", a.ID, did, state)
		for _, c := range a.Changes {
			if a.Did == "created" {
				fmt.Fprintf(w, "  %s: %s\n", c.Field, c.To)
			} else {
				fmt.Fprintf(w, "  %s: %s → %s\n", c.Field, c.From, c.To)
			}
		}
	}
}
