package activities

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/backfill"
	"padron/internal/certificate"
	"padron/internal/runs"
)

// historyIsDue says whether the spec's history is to be reconstructed after a run:
// one that mirrored and is green, or found that a green one still holds. It is
// made once; one that failed, or was made for another span, is made again, and one
// that was cancelled is not.
func historyIsDue(ctx context.Context, o *opened, id string) (bool, error) {
	want := o.spec.History
	if want.Since == "" {
		return false, nil
	}
	run, err := runs.OrNone(o.runs.Run(ctx, id))
	proves := run.Status == runs.StatusDone && run.Outcome == certificate.Green ||
		run.Status == runs.StatusSkipped && run.Probe.Decision == runs.ProbeSkip
	if err != nil || run.Job.OrMirror() != runs.JobMirror || !proves {
		return false, err
	}
	last, err := runs.OrNone(o.runs.LastHistory(ctx))
	made := last.Backfill.Since == want.Since && last.Backfill.Every == want.Every
	switch {
	case err != nil:
		return false, err
	case last.Status == runs.StatusRunning, last.Status == runs.StatusCancelled:
		return false, nil
	}
	return last.Status != runs.StatusDone || !made, nil
}

// history lists the dates of the spec's history, up to the mirror's own day, and
// records its windows as proven. The one writer calls it, so that nobody writes
// meanwhile. A mirror that does not stand as a green run left it is refused: the
// next green run makes up for it.
func (a *Activities) history(ctx context.Context, o *opened, run Run, seen time.Time) ([]backfill.Day, error) {
	want := o.spec.History
	today := backfill.DayOf(seen.In(o.spec.Location()))
	first := today.Time()
	span := runs.Backfill{
		On: backfill.OnLifecycle, Since: want.Since, Until: string(backfill.DayOf(first.AddDate(0, 0, 1-first.Day()))), Every: want.Every,
	}
	windows, err := backfill.Windows(backfill.Day(span.Since), backfill.Day(span.Until), backfill.Every(span.Every))
	if err != nil {
		return nil, refuse(runs.NothingToDo, "history of the spec: "+told(err))
	}
	question, err := o.runs.Question(ctx)
	if err != nil {
		return nil, err
	}
	question.Spec = o.spec.Digest()
	if stands, why := question.Stands(); !stands {
		return nil, refuse(runs.NothingToDo, "the history waits for the next green run: "+why)
	}
	span.Proven, err = recordProven(ctx, o, ProveWindowsInput{
		Run: run, On: span.On, Since: backfill.Day(span.Since), Until: backfill.Day(span.Until), Every: backfill.Every(span.Every),
	}, question.Green)
	if err != nil {
		return nil, err
	}
	days := backfill.AsOf(windows, today)
	span.Windows, span.Todo, span.Snapshots = len(windows), span.Proven, len(days)
	return days, o.runs.SetRun(ctx, run.ID, bson.D{{Key: "backfill", Value: span}})
}
