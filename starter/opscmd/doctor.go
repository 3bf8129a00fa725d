package opscmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"padron/activities"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mongodb"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/starter/cli"
	"padron/starter/schedulecmd"
)

// finding is the result of one of doctor's checks.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // what was found, or what is wrong and what to do
}

func doctorCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check every connection and setting, and say what to do",
		Long: `Checks the settings; of each dataset its portal, what can prove its version and when
it last published, MongoDB, the mirror's freshness, what its deep checks found and
whether its key is unique, and the alerts; Temporal and its search attributes, who
serves the datasets, and their schedules. Says of each what was found or what to do.
It changes nothing. Fails if a check fails.`,
		Example: `  starter doctor
  starter doctor -o json | jq '.[] | select(.ok | not)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := examine(cmd)
			err := out.Show(cmd.OutOrStdout(), findings, func(w io.Writer) {
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
	out.Add(cmd)
	return cmd
}

// examine makes every check that can be made: one that fails does not keep
// those that do not depend on it from being made.
func examine(cmd *cobra.Command) []finding {
	ctx := cmd.Context()
	var all []finding
	note := func(name, detail string, err error) bool {
		if err != nil {
			detail = cli.OneLine(err)
		}
		all = append(all, finding{Name: name, OK: err == nil, Detail: detail})
		return err == nil
	}
	c, err := cli.Settings(cmd)
	if !note("settings", "read and in order", err) {
		return all
	}
	specs, err := c.Specs()
	note("dataset", c.Dataset, cli.Usage(err))
	noteOf := func(spec *dataset.Spec, name, detail string, err error) bool {
		if len(specs) > 1 && err != nil {
			err = fmt.Errorf("%s: %w", spec.Name, err)
		} else if len(specs) > 1 {
			detail = spec.Name + ": " + detail
		}
		return note(name, detail, err)
	}
	for _, spec := range specs {
		detail, err := examinePortal(ctx, c, spec)
		if noteOf(spec, "portal", detail, err) {
			proof, err := readProof(ctx, c, spec)
			if err == nil && proof.Never {
				err = errors.New(proof.Detail)
			}
			if noteOf(spec, "proof", proof.Detail, err) || proof.Never {
				published := runs.Published(proof.Published, spec.Schedule.Standstill)
				if err = nil; published.StandsStill() {
					err = errors.New(published.String() + ": ask the publisher, or raise schedule.standstill in the spec")
				}
				noteOf(spec, "published", published.String(), err)
			}
		}
		detail, err = examineDatabase(ctx, c, spec)
		if noteOf(spec, "mongodb", detail, err) {
			detail, err = examineFreshness(ctx, c, spec)
			noteOf(spec, "freshness", detail, err)
			detail, err = examineDeepCheck(ctx, c, spec)
			noteOf(spec, "deep check", detail, err)
			detail, err = examineKey(ctx, c, spec)
			noteOf(spec, "key", detail, err)
		}
		detail, err = examineWebhook(ctx, c, spec)
		noteOf(spec, "alerts", detail, err)
	}
	t, namespace, err := cli.DialTemporal(ctx, c)
	if note("temporal", "answers, namespace "+namespace, err) {
		defer t.Close()
		note("search", "the search attributes are registered", cli.CheckSearchAttributes(ctx, t, namespace))
		detail, err := examineServed(ctx, t, namespace, c, specs)
		note("served", detail, err)
		for _, spec := range specs {
			detail, err := examineSchedule(ctx, t, c, spec)
			noteOf(spec, "schedule", detail, err)
		}
	}
	return all
}

// examineServed looks whether workers serve the datasets, and those that have
// active schedules on the same task queue: the runs of one that nobody serves
// wait without a word.
func examineServed(ctx context.Context, t client.Client, namespace string, c config.Config, specs []*dataset.Spec) (string, error) {
	if len(specs) == 0 {
		return "not looked at without a dataset", nil
	}
	for _, spec := range specs { // a worker may have just started
		if err := cli.AwaitWorker(ctx, t, namespace, c.TaskQueue, spec.Name); err != nil {
			return "", err
		}
	}
	all, err := listWorkers(ctx, t, namespace, c, specs)
	if err != nil {
		return "", err
	}
	var details []string
	for _, d := range all.Datasets {
		if len(d.Lacking) > 0 {
			return "", fmt.Errorf("no worker serves %s, which has an active schedule: start one with `worker`, its PADRON_DATASET naming it,"+
				" or pause the schedule", d.Dataset)
		}
		details = append(details, d.Dataset+" by "+strings.Join(d.Workers, ", "))
	}
	return strings.Join(details, "; "), nil
}

func examinePortal(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	portal, err := cli.OpenPortal(c, spec)
	if err != nil {
		return "", err
	}
	live, version, err := cli.Metadata(ctx, portal)
	if err != nil {
		return "", err
	}
	columns, err := activities.Columns(ctx, portal, spec, live)
	if err != nil {
		return "", err
	}
	check := spec.Check(columns)
	detail := fmt.Sprintf("%s, %d columns", live.Name, len(live.Columns))
	if at := version.Time(); !at.IsZero() {
		detail = fmt.Sprintf("%s, version of %s, %d columns", live.Name, cli.Moment(at), len(live.Columns))
	}
	for _, warning := range check.Warnings() {
		detail += "; " + warning
	}
	return detail, check.Err()
}

// readProof asks the portal what it says of its version.
func readProof(ctx context.Context, c config.Config, spec *dataset.Spec) (cli.Proof, error) {
	portal, err := cli.OpenPortal(c, spec)
	if err != nil {
		return cli.Proof{}, err
	}
	live, _, err := cli.Metadata(ctx, portal)
	if err != nil {
		return cli.Proof{}, err
	}
	proof, _, err := cli.ReadProof(ctx, portal, live.RowsUpdatedAt)
	return proof, err
}

// ofMirror gives look the dataset's mirror to read. Before there is one, the
// check has nothing to find: then it says none.
func ofMirror(
	ctx context.Context, c config.Config, spec *dataset.Spec, none string, look func(*query.Reader) (string, error),
) (string, error) {
	reader, disconnect, err := cli.OpenReader(ctx, c, spec)
	if errors.Is(err, mongodb.ErrNoMirror) {
		return none, nil
	}
	if err != nil {
		return "", err
	}
	defer disconnect()
	return look(reader)
}

func examineDatabase(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	none := fmt.Sprintf("%s, database %s_%s is not created yet", mongodb.Address(c.MongoURI), c.MongoDatabase, spec.Name)
	return ofMirror(ctx, c, spec, none, func(m *query.Reader) (string, error) {
		n, err := m.Count(ctx)
		return fmt.Sprintf("%s, database %s, %s documents", mongodb.Address(c.MongoURI), m.DatabaseName(), cli.Count(n)), err
	})
}

// examineKey fails while rows of the newest crawl share a key.
func examineKey(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	return ofMirror(ctx, c, spec, "nothing is mirrored yet", func(reader *query.Reader) (string, error) {
		run, err := runs.OrNone(reader.Runs.LastCrawl(ctx))
		if err != nil {
			return "", err
		}
		if shared := run.SharedKeys(spec.Key); shared != "" {
			return "", errors.New(shared)
		}
		return spec.Key + " was unique in the last crawl", nil
	})
}

func examineSchedule(ctx context.Context, t client.Client, c config.Config, spec *dataset.Spec) (string, error) {
	d, err := t.ScheduleClient().GetHandle(ctx, schedulecmd.ScheduleID(spec.Name)).Describe(ctx)
	switch {
	case cli.NotFound(err):
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
	return "next run " + cli.Moment(d.Info.NextActionTimes[0]), nil
}
