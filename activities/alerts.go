package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/alerts"
	"padron/internal/runs"
)

// AlertResult says whether Notify has something to send.
type AlertResult struct {
	Due bool `json:"due,omitempty"`
}

// dueNow says whether a message is due and somebody is there to get it.
func (a *Activities) dueNow(ctx context.Context, o *opened) (AlertResult, error) {
	if !a.Webhook.Configured() {
		return AlertResult{}, nil
	}
	due, err := o.alerts.Due(ctx)
	return AlertResult{Due: due}, err
}

// OverdueInput names a run whose deadline has passed.
type OverdueInput struct {
	Run      Run           `json:"run"`
	Job      JobSpec       `json:"job"`
	Deadline time.Time     `json:"deadline"`
	Within   time.Duration `json:"within"` // what the run was given
}

// Overdue records that a run was not done by its deadline. The run goes on.
func (a *Activities) Overdue(ctx context.Context, in OverdueInput) (AlertResult, error) {
	return step(ctx, in, a.overdue)
}

func (a *Activities) overdue(ctx context.Context, in OverdueInput) (result AlertResult, err error) {
	in.Run.Spec = "" // whichever build began it
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return AlertResult{}, err
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		err := o.runs.SetRun(ctx, in.Run.ID, bson.D{{Key: "deadline", Value: in.Deadline}, {Key: "deadline_passed", Value: true}})
		if err != nil && !errors.Is(err, runs.ErrNoRun) { // its first step may still be waiting
			return err
		}
		_, err = o.alerts.Raise(ctx, alerts.Alert{
			ID: alerts.ConditionDeadline, Cause: "late", Run: in.Run.ID, Job: string(in.Job.Name), Status: runs.StatusRunning,
			Reason: fmt.Sprintf("run %s was to be done within %s of its start, by %s; it goes on",
				in.Run.ID, alerts.Short(in.Within), in.Deadline.UTC().Format(time.RFC3339)),
			Next: "`starter status " + in.Run.ID + "` shows how far it is; the Temporal Web UI shows what it waits for",
		})
		if err == nil {
			result, err = a.dueNow(ctx, o)
		}
		return err
	})
	return result, err
}

// published records whether the portal stands still.
func published(ctx context.Context, o *opened, by string) error {
	last, err := o.runs.LastPublication(ctx, o.spec.Schedule.Standstill)
	if err != nil {
		return err
	}
	return o.alerts.Published(ctx, last, by)
}

// FreshnessInput asks how old the last proof of a mirror is.
type FreshnessInput struct {
	Dataset string        `json:"dataset"`
	Check   string        `json:"check"` // name of this look
	Limit   time.Duration `json:"limit"` // how old the proof may be
}

// CheckFreshness looks how long ago a run last proved that the mirror equals
// the portal, and when the portal last published, and records when either is too
// long ago. A mirror without a proof is as old as its database. First the records
// of earlier runs are brought in order, so that this happens though no run begins.
func (a *Activities) CheckFreshness(ctx context.Context, in FreshnessInput) (AlertResult, error) {
	return step(ctx, in, a.checkFreshness)
}

func (a *Activities) checkFreshness(ctx context.Context, in FreshnessInput) (result AlertResult, err error) {
	o, err := a.dataset(ctx, Run{ID: in.Check, Dataset: in.Dataset})
	if err != nil {
		return AlertResult{}, err
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		if err := a.settleRecords(ctx, o, ""); err != nil {
			return err
		}
		f, err := alerts.ReadFreshness(ctx, &o.runs.Reader, o.database.Created, in.Limit)
		if err == nil {
			err = o.alerts.Fresh(ctx, f, in.Check)
		}
		if err == nil {
			err = published(ctx, o, in.Check)
		}
		if err == nil {
			result, err = a.dueNow(ctx, o)
		}
		return err
	})
	return result, err
}
