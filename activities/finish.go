package activities

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/alerts"
	"padron/internal/certificate"
	"padron/internal/crawl"
	"padron/internal/runs"
)

// FinishInput closes the record of a run.
type FinishInput struct {
	Run     Run                 `json:"run"`
	Job     JobSpec             `json:"job"`
	Status  runs.Status         `json:"status"` // done, skipped, failed or cancelled
	Outcome certificate.Outcome `json:"outcome,omitempty"`
	Why     string              `json:"why,omitempty"`
	Kind    string              `json:"kind,omitempty"`    // of a failed run: the type of its error
	Refused bool                `json:"refused,omitempty"` // it could not be done as asked: whoever asked was told
	Bytes   int64               `json:"bytes,omitempty"`   // fetched from the portal
	Rows    int64               `json:"rows,omitempty"`
	Steps   []runs.Step         `json:"steps,omitempty"`
}

// ending is the end of the run, for its alerts.
func (in *FinishInput) ending() alerts.Ending {
	return alerts.Ending{
		Run: in.Run.ID, Job: in.Job.Name, From: in.Job.From, Status: in.Status, Outcome: in.Outcome, Why: in.Why, Kind: in.Kind, Refused: in.Refused,
	}
}

// tidyWithin bounds the cleaning up after a run.
const tidyWithin = 5 * time.Minute

// FinishResult says what follows the end of a run.
type FinishResult struct {
	AlertResult
	// History says that the spec's history is to be reconstructed now.
	History bool `json:"history,omitempty"`
}

// Finish closes the record of a run, however it ended, brings the alerts up to
// date, and says whether there is something to send. Only then it cleans up,
// which can fail without failing the run: cleaned pages go at once, raw pages
// stay for the newest crawls.
func (a *Activities) Finish(ctx context.Context, in FinishInput) (FinishResult, error) {
	return step(ctx, in, a.finish)
}

func (a *Activities) finish(ctx context.Context, in FinishInput) (result FinishResult, err error) {
	run := in.Run
	run.Spec = "" // a run that another build began must be closed all the same
	o, err := a.dataset(ctx, run)
	if err != nil {
		return FinishResult{}, err
	}
	now := time.Now().UTC()
	stats := runs.Stats{PeakMemoryBytes: peakMemory(), PortalBytes: in.Bytes, TookMS: now.Sub(run.Started).Milliseconds()}
	if in.Rows > 0 {
		stats.RowsPerSecond = float64(in.Rows) / now.Sub(run.Started).Seconds()
	}
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		if in.Why, err = why(ctx, o, run, in.Status, in.Why); err != nil {
			return err
		}
		err = o.runs.SetRun(ctx, run.ID, bson.D{
			{Key: "status", Value: in.Status},
			{Key: "outcome", Value: in.Outcome},
			{Key: "reason", Value: in.Why},
			{Key: "finished", Value: now},
			{Key: "stats", Value: stats},
			{Key: "steps", Value: in.Steps},
		})
		if err != nil && !errors.Is(err, runs.ErrNoRun) { // one that failed before it was begun has no record
			return err
		}
		if in.Status == runs.StatusDone || in.Status == runs.StatusSkipped {
			if err := published(ctx, o, run.ID); err != nil {
				return err
			}
		}
		due, err := o.alerts.RunEnded(ctx, &o.runs.Reader, in.ending())
		if err != nil {
			return err
		}
		result.Due = due && a.Webhook.Configured()
		result.History, err = historyIsDue(ctx, o, run.ID)
		return err
	})
	if err == nil && in.Status != runs.StatusSkipped {
		a.tidy(ctx, o, in)
	}
	return result, err
}

// cancelledReason is what workflows give as the reason of a cancelled run.
const cancelledReason = "cancelled"

// why is the reason of a run's end: to that of a cancelled one belongs what it was
// waiting for.
func why(ctx context.Context, o *opened, run Run, status runs.Status, reason string) (string, error) {
	if status != runs.StatusCancelled || reason != cancelledReason { // or was added by the try before
		return reason, nil
	}
	record, err := runs.OrNone(o.runs.Run(ctx, run.ID))
	if err == nil && record.LastFailure.Step != "" {
		reason += "; " + record.LastFailure.String()
	}
	return reason, err
}

// tidy prunes once the run's end is recorded. What could not be removed is a
// warning on the run; the next run's end tries again.
func (a *Activities) tidy(ctx context.Context, o *opened, in FinishInput) {
	within, cancel := context.WithTimeout(ctx, tidyWithin)
	defer cancel()
	err := a.Database.Do(within, func(ctx context.Context) error { return a.prune(ctx, o, in) })
	if err == nil {
		return
	}
	a.Log.Warn("cleaning up after a run failed", "run", in.Run.ID, "error", err)
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		return o.runs.Warn(ctx, in.Run.ID, "cleaning up after the run failed, and is tried again by the next: "+told(err))
	})
	if err != nil && !errors.Is(err, runs.ErrNoRun) {
		a.Log.Warn("a warning was not recorded", "run", in.Run.ID, "error", err)
	}
}

// prune removes what no later step reads, of this run and of those before.
func (a *Activities) prune(ctx context.Context, o *opened, in FinishInput) error {
	last, err := runs.OrNone(o.runs.LastCrawl(ctx))
	if err != nil {
		return err
	}
	kept, err := o.pages.Prune(ctx, crawl.PruneInput{
		Run: in.Run.ID, IsCrawl: in.Job.Name.OrMirror() == runs.JobMirror, Failed: in.Status != runs.StatusDone,
		Last: last.ID, Holds: last.Held.Rows > 0, Keep: a.KeepCrawls,
		UnderWay: func(ctx context.Context, id string) (bool, error) {
			run, err := runs.OrNone(o.runs.Run(ctx, id))
			return run.Status == runs.StatusRunning, err
		},
	})
	if err != nil {
		return err
	}
	_, err = o.quarantine.Prune(ctx, kept...)
	return err
}
