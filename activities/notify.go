package activities

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"padron/internal/mirror"
	"padron/internal/webhook"
)

// NotifyInput says of which dataset messages are to be sent.
type NotifyInput struct {
	Dataset string `json:"dataset"`
	// Unrecorded is a run whose end could not be recorded, and so none of what
	// is wrong with it.
	Unrecorded *Unrecorded `json:"unrecorded,omitempty"`
}

// Unrecorded is a failed run that Finish could not close.
type Unrecorded struct {
	Run  Run    `json:"run"`
	Task Task   `json:"task"`
	Kind string `json:"kind"`
	Why  string `json:"why"`
}

// Notify sends every message that is due, in the order in which things
// happened, and records of each that it was taken. An attempt that is made
// again sends only what is not recorded: a message goes out twice if, and only
// if, its receiver's answer or the record of it was lost; then it has the same
// webhook-id.
//
// A run that could not be recorded is recorded here, or, when the database still
// does not answer, told of without: nobody is told of its end then.
func (a *Activities) Notify(ctx context.Context, in NotifyInput) error {
	defer alive(ctx)()
	return classify(a.notify(ctx, in))
}

func (a *Activities) notify(ctx context.Context, in NotifyInput) error {
	if !a.Webhook.Configured() {
		return nil
	}
	var lost *mirror.Alert
	if u := in.Unrecorded; u != nil {
		e := ending{in: FinishInput{Run: u.Run, Task: u.Task, Status: mirror.StatusFailed, Kind: u.Kind, Why: u.Why}}
		e.judge()
		lost = &e.found[0]
	}
	o, err := a.dataset(ctx, Run{Dataset: in.Dataset})
	var alerts []mirror.Alert
	if err == nil {
		err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
			if lost != nil {
				if _, err = o.mirror.Raise(ctx, *lost); err != nil {
					return err
				}
			}
			alerts, err = o.mirror.Alerts(ctx)
			return err
		})
	}
	switch {
	case err != nil && lost != nil && ctx.Err() == nil:
		a.Log.Warn("an alert could not be recorded", "dataset", in.Dataset, "run", lost.Run, "error", err)
		lost.Open, lost.Since = true, in.Unrecorded.Run.Started
		lost.Changed, lost.Message = lost.Since, mirror.UnrecordedMessage(in.Dataset, *lost)
		return a.send(ctx, message(in.Dataset, time.UTC, *lost))
	case err != nil:
		return err
	}
	for _, alert := range alerts {
		if !alert.Due() {
			continue
		}
		if err := a.send(ctx, message(in.Dataset, o.spec.Location(), alert)); err != nil {
			return err
		}
		err := a.Database.Do(ctx, func(ctx context.Context) error { return o.mirror.Sent(ctx, alert.ID, alert.Message) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *Activities) send(ctx context.Context, m webhook.Message) error {
	err := a.Receiver.Do(ctx, func(ctx context.Context) error {
		_, err := a.Webhook.Send(ctx, m)
		return err
	})
	if err == nil {
		a.Log.Info("sent a message", "dataset", m.Padron.Dataset, "kind", m.Padron.Kind, "run", m.Padron.Run, "id", m.Padron.ID)
	}
	return err
}

const (
	// recovered is the kind of the message about the end of a condition.
	recovered = "recovered"
	// maxReason bounds a reason in a message, in characters; `starter status`
	// shows the whole of it.
	maxReason = 1000
)

// message says an alert to people and to programs, with times in the dataset's
// zone.
func message(dataset string, zone *time.Location, a mirror.Alert) webhook.Message {
	reason := a.Reason
	if r := []rune(reason); len(r) > maxReason {
		reason = string(r[:maxReason-1]) + "…"
	}
	d := webhook.Details{
		ID: a.Message, Kind: string(a.ID), Condition: string(a.ID), Dataset: dataset,
		Run: a.Run, Job: a.Job, Status: string(a.Status), Outcome: string(a.Outcome),
		Reason: reason, Next: a.Next, Since: a.Since, At: a.Changed,
	}
	if a.Counts != (mirror.Counts{}) {
		d.Counts = a.Counts
	}
	var b strings.Builder
	title := title(a)
	if !a.Open {
		d.Kind = recovered
		title = "recovered: " + title
	}
	fmt.Fprintf(&b, "*%s: %s*\n%s", webhook.Escape(dataset), webhook.Escape(title), webhook.Escape(reason))
	if !a.Open {
		fmt.Fprintf(&b, "\nIt was so since %s.", a.Since.In(zone).Format("2006-01-02 15:04 MST"))
	}
	if a.Next != "" {
		fmt.Fprintf(&b, "\nWhat to do: %s", webhook.Escape(a.Next))
	}
	if a.Counts != (mirror.Counts{}) {
		fmt.Fprintf(&b, "\n%s rows on the portal, %s documents: %s new, %s changed, %s removed.",
			humanize.Comma(a.Counts.PortalRows), humanize.Comma(a.Counts.Documents),
			humanize.Comma(a.Counts.Inserted), humanize.Comma(a.Counts.Replaced), humanize.Comma(a.Counts.Removed))
	}
	return webhook.Message{Text: b.String(), Padron: d}
}

// title is a condition in a few words.
func title(a mirror.Alert) string {
	switch a.ID {
	case mirror.ConditionFailed:
		return "a run failed"
	case mirror.ConditionSchema:
		return "the portal's columns do not fit the spec"
	case mirror.ConditionNotGreen:
		return "the mirror is not proven to equal the portal"
	case mirror.ConditionHeld:
		return "removals are held"
	case mirror.ConditionDeadline:
		return "a run is late"
	case mirror.ConditionStale:
		return "the mirror is stale"
	case mirror.ConditionBackfill:
		return "a backfill is not complete"
	}
	return string(a.ID)
}
