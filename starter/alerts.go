package main

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

	"padron/activities"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mirror"
	"padron/internal/webhook"
)

func alertsCommand() *cobra.Command {
	var (
		out  output
		past bool
	)
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "List what is wrong and since when; try the webhook",
		Long: `Lists the conditions that are not as they should be:

  failed           a run failed
  schema_changed   the portal's columns do not fit the spec
  not_green        a certificate is red or unproven
  held_removals    more rows vanished than one run may remove
  deadline_passed  a run was not done in time (deadline in the spec, run --deadline)
  stale            no run has lately proved that the mirror equals the portal
                   (freshness in the spec; looked at by schedule freshness/<dataset>)
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
			return withMirror(cmd, func(m *mirror.Mirror) error {
				alerts, err := m.Alerts(cmd.Context())
				if err != nil {
					return err
				}
				if !past {
					alerts = slices.DeleteFunc(alerts, func(a mirror.Alert) bool { return !a.Open })
				}
				return out.show(cmd.OutOrStdout(), alerts, func(w io.Writer) { printAlerts(w, alerts) })
			})
		},
	}
	cmd.Flags().BoolVar(&past, "past", false, "also those that are over")
	out.add(cmd)
	cmd.AddCommand(alertsTestCommand())
	return cmd
}

func printAlerts(w io.Writer, alerts []mirror.Alert) {
	if len(alerts) == 0 {
		fmt.Fprintln(w, "nothing is wrong")
		return
	}
	for i, a := range alerts {
		if i > 0 {
			fmt.Fprintln(w)
		}
		state, told := "open", "no"
		if !a.Open {
			state = "over since " + moment(a.Changed)
		}
		switch {
		case !a.Due() && !a.SentAt.IsZero():
			told = moment(a.SentAt)
		case !a.Due():
			told = "not needed"
		}
		facts(w, [][2]string{
			{"condition", string(a.ID)},
			{"state", state},
			{"since", fmt.Sprintf("%s, found by %s runs or looks", moment(a.Since), count(a.Times))},
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
	var out output
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
			c, err := settings(cmd)
			if err != nil {
				return err
			}
			spec, err := openSpec(c)
			if err != nil {
				return err
			}
			sender, err := webhook.New(c.WebhookURL, c.WebhookSecret)
			if err != nil {
				return usage(err)
			}
			if !sender.Configured() {
				return usage(errors.New("PADRON_WEBHOOK_URL is not set: it says where messages are sent"))
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
			return out.show(cmd.OutOrStdout(), result, func(w io.Writer) {
				signed := "signed"
				if !result.Signed {
					signed = "not signed: PADRON_WEBHOOK_SECRET is not set"
				}
				facts(w, [][2]string{
					{"receiver", result.Host},
					{"message", result.ID + ", " + signed},
					{"answer", strings.TrimSpace(fmt.Sprintf("%d %s", result.Status, result.Answer))},
					{"took", took(answer.Took)},
				})
			})
		},
	}
	out.add(cmd)
	return cmd
}

// trouble is what `status` says below the runs.
type trouble struct {
	alerts []mirror.Alert
	fresh  activities.Freshness
}

func readTrouble(cmd *cobra.Command, m *mirror.Mirror) (trouble, error) {
	c, err := settings(cmd)
	if err != nil {
		return trouble{}, err
	}
	spec, err := openSpec(c)
	if err != nil {
		return trouble{}, err
	}
	var t trouble
	if t.fresh, err = activities.LookAtFreshness(cmd.Context(), m, spec.Schedule.Freshness); err != nil {
		return trouble{}, err
	}
	t.alerts, err = m.Alerts(cmd.Context())
	return t, err
}

func (t trouble) print(w io.Writer) {
	var wrong []string
	for _, a := range t.alerts {
		if a.Open && a.ID != mirror.ConditionStale { // the freshness is looked at anew
			wrong = append(wrong, fmt.Sprintf("%s since %s", a.ID, moment(a.Since)))
		}
	}
	if t.fresh.Stale() {
		wrong = append(wrong, "stale: "+t.fresh.Says())
	}
	if len(wrong) > 0 {
		fmt.Fprintf(w, "\nwrong: %s; `starter alerts` says more\n", strings.Join(wrong, "; "))
	}
}

// deadlineOf says by when a run should be done, and whether it was.
func deadlineOf(r mirror.Run) string {
	switch {
	case r.Deadline.IsZero():
		return ""
	case r.DeadlinePassed && r.Finished.IsZero():
		return moment(r.Deadline) + ", passed: the run is late and goes on"
	case r.DeadlinePassed:
		return moment(r.Deadline) + ", passed: the run was late"
	}
	return moment(r.Deadline)
}

// lateness says what a spec calls late.
func lateness(s dataset.Schedule) string {
	late := "a mirror whose last proof is older than " + s.Freshness.String()
	if s.Deadline > 0 {
		late += ", a run that takes longer than " + s.Deadline.String()
	}
	return late
}

// examineFreshness fails when the mirror is stale. One that was never loaded is
// new.
func examineFreshness(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	m, disconnect, err := openMirror(ctx, c, spec, mirror.ReadOnly())
	if errors.Is(err, mirror.ErrNoMirror) {
		return "nothing is mirrored yet; `starter run --wait` does that", nil
	}
	if err != nil {
		return "", err
	}
	defer disconnect()
	f, err := activities.LookAtFreshness(ctx, m, spec.Schedule.Freshness)
	if err == nil && f.Stale() {
		err = fmt.Errorf("%s; `starter run --wait` makes a run, `starter schedule list` shows the schedule", f.Says())
	}
	return f.Says(), err
}

// examineWebhook says what is wrong, and who is told.
func examineWebhook(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	where := "PADRON_WEBHOOK_URL is not set here: nobody is told"
	if sender, err := webhook.New(c.WebhookURL, c.WebhookSecret); err != nil {
		return "", err
	} else if sender.Configured() {
		where = "told to " + sender.Host() + "; `starter alerts test` tries it"
	}
	m, disconnect, err := openMirror(ctx, c, spec, mirror.ReadOnly())
	if errors.Is(err, mirror.ErrNoMirror) {
		return where, nil
	}
	if err != nil {
		return "", err
	}
	defer disconnect()
	alerts, err := m.Alerts(ctx)
	if err != nil {
		return "", err
	}
	var open []string
	for _, a := range alerts {
		if a.Open {
			open = append(open, string(a.ID))
		}
	}
	if len(open) > 0 {
		return fmt.Sprintf("open: %s; `starter alerts` says what to do; %s", strings.Join(open, ", "), where), nil
	}
	return "none open; " + where, nil
}

// differs says whether a schedule that is there is not what the spec says.
func differs(ctx context.Context, t client.Client, c config.Config, spec *dataset.Spec) bool {
	did, err := applySchedules(ctx, t, c, []*dataset.Spec{spec}, true)
	return err == nil && slices.ContainsFunc(did, func(a applied) bool { return a.Did != "nothing" })
}
