package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"padron/activities"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mirror"
)

// finding is the result of one of doctor's checks.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // what was found, or what is wrong and what to do
}

func doctorCommand() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check every connection and setting, and say what to do",
		Long: `Checks the settings, the dataset and its portal, MongoDB, Temporal and its search
attributes, the worker, the schedule, the mirror's freshness and the alerts, and says of each what was found or what
to do. It changes nothing. Fails if a check fails.`,
		Example: `  starter doctor
  starter doctor -o json | jq '.[] | select(.ok | not)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := examine(cmd)
			err := out.show(cmd.OutOrStdout(), findings, func(w io.Writer) {
				for _, f := range findings {
					mark := "ok    "
					if !f.OK {
						mark = "FAILED"
					}
					fmt.Fprintf(w, "%s  %-10s  %s\n", mark, f.Name, f.Detail)
				}
			})
			if err != nil {
				return err
			}
			failed := 0
			for _, f := range findings {
				if !f.OK {
					failed++
				}
			}
			if failed > 0 {
				return fmt.Errorf("%d of %d checks failed", failed, len(findings))
			}
			return nil
		},
	}
	out.add(cmd)
	return cmd
}

// examine makes every check that can be made: one that fails does not keep
// those that do not depend on it from being made.
func examine(cmd *cobra.Command) []finding {
	ctx := cmd.Context()
	var all []finding
	note := func(name, detail string, err error) bool {
		if err != nil {
			detail = oneLine(err)
		}
		all = append(all, finding{Name: name, OK: err == nil, Detail: detail})
		return err == nil
	}
	c, err := settings(cmd)
	if !note("settings", "read and in order", err) {
		return all
	}
	spec, err := openSpec(c)
	if note("dataset", c.Dataset, err) {
		detail, err := examinePortal(ctx, c, spec)
		note("portal", detail, err)
		detail, err = examineDatabase(ctx, c, spec)
		note("mongodb", detail, err)
		if err == nil {
			detail, err = examineFreshness(ctx, c, spec)
			note("freshness", detail, err)
		}
		detail, err = examineWebhook(ctx, c, spec)
		note("alerts", detail, err)
	}
	t, namespace, err := dialTemporal(ctx, c)
	if note("temporal", "answers, namespace "+namespace, err) {
		defer t.Close()
		note("search", "the search attributes are registered", checkSearchAttributes(ctx, t, namespace))
		note("worker", "polls "+c.TaskQueue, awaitWorker(ctx, t, namespace, c.TaskQueue))
		detail, err := examineSchedule(ctx, t, c, spec)
		note("schedule", detail, err)
	}
	return all
}

func examinePortal(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	portal, err := openPortal(c, spec)
	if err != nil {
		return "", err
	}
	live, version, err := metadata(ctx, portal)
	if err != nil {
		return "", err
	}
	check := spec.Check(activities.Columns(live))
	detail := fmt.Sprintf("%s, version of %s, %d columns", live.Name, moment(version.Served), len(live.Columns))
	for _, warning := range check.Warnings() {
		detail += "; " + warning
	}
	return detail, check.Err()
}

func examineDatabase(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	m, disconnect, err := openMirror(ctx, c, spec, mirror.ReadOnly())
	if errors.Is(err, mirror.ErrNoMirror) {
		return fmt.Sprintf("%s, database %s_%s is not created yet", mirror.Address(c.MongoURI), c.MongoDatabase, spec.Name), nil
	}
	if err != nil {
		return "", err
	}
	defer disconnect()
	n, err := m.Count(ctx)
	return fmt.Sprintf("%s, database %s, %s documents", mirror.Address(c.MongoURI), m.Database().Name(), count(n)), err
}

func examineSchedule(ctx context.Context, t client.Client, c config.Config, spec *dataset.Spec) (string, error) {
	if spec == nil {
		return "not looked at without a dataset", nil
	}
	d, err := t.ScheduleClient().GetHandle(ctx, scheduleID(spec.Name)).Describe(ctx)
	switch {
	case notFound(err):
		return "none; `starter schedule apply` makes one", nil // runs by hand work without
	case err != nil:
		return "", err
	case differs(ctx, t, c, spec):
		return "", errors.New("it is not what the spec says: `starter schedule apply --dry-run` shows the differences, without --dry-run it mends them")
	case d.Schedule.State != nil && d.Schedule.State.Paused:
		return "paused: " + d.Schedule.State.Note, nil
	case len(d.Info.NextActionTimes) == 0:
		return "active, with no time to come", nil
	}
	return "next run " + moment(d.Info.NextActionTimes[0]), nil
}
