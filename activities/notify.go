package activities

import (
	"context"
	"time"

	"padron/internal/alerts"
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
	Run  Run     `json:"run"`
	Job  JobSpec `json:"job"`
	Kind string  `json:"kind"`
	Why  string  `json:"why"`
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
	_, err := step(ctx, in, func(ctx context.Context, in NotifyInput) (any, error) { return nil, a.notify(ctx, in) })
	return err
}

func (a *Activities) notify(ctx context.Context, in NotifyInput) error {
	if !a.Webhook.Configured() {
		return nil
	}
	var lost *alerts.Alert
	if u := in.Unrecorded; u != nil {
		ended := FinishInput{Run: u.Run, Job: u.Job, Kind: u.Kind, Why: u.Why}
		alert := ended.ending().Unrecorded()
		lost = &alert
	}
	o, err := a.dataset(ctx, Run{Dataset: in.Dataset})
	var known []alerts.Alert
	if err == nil {
		err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
			if lost != nil {
				if _, err = o.alerts.Raise(ctx, *lost); err != nil {
					return err
				}
			}
			known, err = o.alerts.All(ctx)
			return err
		})
	}
	switch {
	case err != nil && lost != nil && ctx.Err() == nil:
		a.Log.Warn("an alert could not be recorded", "dataset", in.Dataset, "run", lost.Run, "error", err)
		lost.Open, lost.Since = true, in.Unrecorded.Run.Started
		lost.Changed, lost.Message = lost.Since, alerts.UnrecordedMessage(in.Dataset, *lost)
		return a.send(ctx, alerts.Message(in.Dataset, time.UTC, *lost))
	case err != nil:
		return err
	}
	for _, alert := range known {
		if !alert.Due() {
			continue
		}
		if err := a.send(ctx, alerts.Message(in.Dataset, o.spec.Location(), alert)); err != nil {
			return err
		}
		err := a.Database.Do(ctx, func(ctx context.Context) error { return o.alerts.Sent(ctx, alert.ID, alert.Message) })
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
