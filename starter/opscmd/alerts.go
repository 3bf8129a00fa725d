package opscmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.temporal.io/sdk/client"

	"padron/internal/alerts"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/internal/webhook"
	"padron/starter/cli"
	"padron/starter/schedulecmd"
)

func alertsCommand() *cobra.Command {
	var (
		out  cli.Output
		past bool
	)
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "List what is wrong and since when; try the webhook",
		Long: `Lists the conditions that are not as they should be:

  failed           a run failed
  schema_changed   the portal's columns do not fit the spec
  not_green        a certificate is red or unproven
  damaged          a deep check found what another hand changed
  held_removals    more rows vanished than one run may remove
  deadline_passed  a run was not done in time (deadline in the spec, run --deadline)
  stale            no run has lately proved that the mirror equals the portal
                   (freshness in the spec; looked at by schedule freshness/<dataset>)
  standstill       the portal has published nothing for long (standstill in the spec)
  backfill_failed  a backfill failed, or some of its windows did

When one comes up, or its reason becomes another, the worker sends one message to
PADRON_WEBHOOK_URL; when it is over, another one. The messages are JSON that Slack
and its like show, with the same for programs under "padron". With
PADRON_WEBHOOK_SECRET they are signed the way of Standard Webhooks: the header
webhook-signature is "v1," and the Base64 of the HMAC-SHA256 of
"<webhook-id>.<webhook-timestamp>.<body>". A message that is sent again has the
same webhook-id.

A mirror that nobody runs at all is noticed by its freshness; that no worker runs,
only by those who watch the workers (/readyz).`,
		Example: `  starter alerts
  starter alerts --past -o json
  starter alerts test                send a test message with the settings given here`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cli.WithMirror(cmd, func(reader *query.Reader) error {
				known, err := reader.Alerts.All(cmd.Context())
				if err != nil {
					return err
				}
				if !past {
					known = slices.DeleteFunc(known, func(a alerts.Alert) bool { return !a.Open })
				}
				return out.Show(cmd.OutOrStdout(), known, func(w io.Writer) { printAlerts(w, known) })
			})
		},
	}
	cmd.Flags().BoolVar(&past, "past", false, "also those that are over")
	out.Add(cmd)
	cmd.AddCommand(alertsTestCommand())
	return cmd
}

func printAlerts(w io.Writer, known []alerts.Alert) {
	if len(known) == 0 {
		fmt.Fprintln(w, "nothing is wrong")
		return
	}
	for i, a := range known {
		if i > 0 {
			fmt.Fprintln(w)
		}
		state, told := "open", "no"
		if !a.Open {
			state = "over since " + cli.Moment(a.Changed)
		}
		switch {
		case !a.Due() && !a.SentAt.IsZero():
			told = cli.Moment(a.SentAt)
		case !a.Due():
			told = "not needed"
		}
		cli.Facts(w, [][2]string{
			{"condition", string(a.ID)},
			{"state", state},
			{"since", fmt.Sprintf("%s, found by %s runs or looks", cli.Moment(a.Since), cli.Count(a.Times))},
			{"reason", a.Reason},
			{"run", a.Run},
			{"message sent", told},
			{"what to do", a.Next},
		})
	}
}

// tested is what `alerts test` found out.
type tested struct {
	Host   string `json:"host"`
	ID     string `json:"id"`
	Signed bool   `json:"signed"`
	Status int    `json:"status"`
	Answer string `json:"answer"`
	TookMS int64  `json:"took_ms"`
}

func alertsTestCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Send a test message and say what the receiver answered",
		Long: `Sends a message of the kind "test" to PADRON_WEBHOOK_URL, signed if there is a
PADRON_WEBHOOK_SECRET, and prints what the receiver answered. It uses the settings
that the starter is given: give the worker the same. Fails if the message is not
taken.`,
		Example: `  PADRON_WEBHOOK_URL=https://hooks.slack.com/services/… starter alerts test`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cli.Settings(cmd)
			if err != nil {
				return err
			}
			spec, err := cli.OpenSpec(c)
			if err != nil {
				return err
			}
			sender, err := webhook.New(c.WebhookURL, c.WebhookSecret)
			if err != nil {
				return cli.Usage(err)
			}
			if !sender.Configured() {
				return cli.Usage(errors.New("PADRON_WEBHOOK_URL is not set: it says where messages are sent"))
			}
			const reason = "This is a test: nothing is wrong."
			m := webhook.Message{
				Text: fmt.Sprintf("*%s: test*\n%s", webhook.Escape(spec.Name), reason),
				Padron: webhook.Details{
					ID: "msg_test_" + bson.NewObjectID().Hex(), Kind: "test", Dataset: spec.Name, Reason: reason, At: time.Now().UTC(),
				},
			}
			answer, err := sender.Send(cmd.Context(), m)
			if err != nil {
				return fmt.Errorf("the test message was not taken: %w; check PADRON_WEBHOOK_URL", err)
			}
			result := tested{
				Host: sender.Host(), ID: m.Padron.ID, Signed: c.WebhookSecret != "",
				Status: answer.Status, Answer: answer.Body, TookMS: answer.Took.Milliseconds(),
			}
			return out.Show(cmd.OutOrStdout(), result, func(w io.Writer) {
				signed := "signed"
				if !result.Signed {
					signed = "not signed: PADRON_WEBHOOK_SECRET is not set"
				}
				cli.Facts(w, [][2]string{
					{"receiver", result.Host},
					{"message", result.ID + ", " + signed},
					{"answer", strings.TrimSpace(fmt.Sprintf("%d %s", result.Status, result.Answer))},
					{"took", cli.Took(answer.Took)},
				})
			})
		},
	}
	out.Add(cmd)
	return cmd
}

// examineFreshness fails when the mirror is stale. One that was never loaded is
// new.
func examineFreshness(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	return ofMirror(ctx, c, spec, "nothing is mirrored yet; `starter run --wait` does that", func(reader *query.Reader) (string, error) {
		f, err := alerts.ReadFreshness(ctx, reader.Runs, reader.Created, spec.Schedule.Freshness)
		if err == nil && f.Stale() {
			err = fmt.Errorf("%s; `starter run --wait` makes a run, `starter schedule list` shows the schedule", f.String())
		}
		return f.String(), err
	})
}

// examineDeepCheck fails while what the newest deep check found still stands.
func examineDeepCheck(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	return ofMirror(ctx, c, spec, "nothing is mirrored yet", func(reader *query.Reader) (string, error) {
		run, err := runs.OrNone(reader.Runs.LastDeep(ctx))
		if err != nil {
			return "", err
		}
		looked, sound := run.Certificate.Deep()
		switch {
		case !looked:
			return "none was made yet; `starter verify --deep` looks for what another hand changed", nil
		case !sound:
			return "", fmt.Errorf("run %s found what another hand has changed: `starter run --repair --wait` mends it, `starter status %s` lists the keys", run.ID, run.ID)
		}
		return "run " + run.ID + " looked at every document and change, and found nothing", nil
	})
}

// examineWebhook says what is wrong, and who is told.
func examineWebhook(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	where := "PADRON_WEBHOOK_URL is not set here: nobody is told"
	if sender, err := webhook.New(c.WebhookURL, c.WebhookSecret); err != nil {
		return "", err
	} else if sender.Configured() {
		where = "told to " + sender.Host() + "; `starter alerts test` tries it"
	}
	return ofMirror(ctx, c, spec, where, func(reader *query.Reader) (string, error) {
		known, err := reader.Alerts.All(ctx)
		if err != nil {
			return "", err
		}
		var open []string
		for _, a := range known {
			if a.Open {
				open = append(open, string(a.ID))
			}
		}
		if len(open) > 0 {
			return fmt.Sprintf("open: %s; `starter alerts` says what to do; %s", strings.Join(open, ", "), where), nil
		}
		return "none open; " + where, nil
	})
}

// differs says whether a schedule that is there is not what the spec says.
func differs(ctx context.Context, t client.Client, c config.Config, spec *dataset.Spec) bool {
	did, err := schedulecmd.ApplySchedules(ctx, t, c, []*dataset.Spec{spec}, true)
	return err == nil && slices.ContainsFunc(did, func(a schedulecmd.Applied) bool { return a.Did != "nothing" })
}
