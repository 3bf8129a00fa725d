package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mirror"
)

// Prepare opens the record of a run whose job is not to mirror, and finds out
// whether the job can be done. What cannot is refused with the reason
// (NothingToDo).
func (a *Activities) Prepare(ctx context.Context, in ProbeInput) (ProbeResult, error) {
	defer alive(ctx)()
	result, err := a.prepare(ctx, in)
	return result, classify(err)
}

func (a *Activities) prepare(ctx context.Context, in ProbeInput) (ProbeResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ProbeResult{}, err
	}
	result := ProbeResult{Spec: o.spec.Digest()}
	var last mirror.Run
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		if err = begin(ctx, o, in, &result); err != nil {
			return err
		}
		last, err = orNone(o.mirror.LastCrawl(ctx))
		return err
	})
	if err != nil {
		return ProbeResult{}, err
	}
	result.Of = last.ID
	if last.ID == "" && in.Task.Job != JobRerun {
		return ProbeResult{}, refuse(NothingToDo, "nothing was mirrored yet: `starter run` does that")
	}
	var warnings []string
	switch in.Task.Job {
	case JobApprove:
		err = a.prepareApproval(ctx, o, in.Task, last)
	case JobRerun:
		err = a.prepareRerun(ctx, o, in.Task, &result)
	case JobReplay:
		var keys [][]string
		if keys, err = a.quarantined(ctx, o, last.ID, in.Task.Keys); err != nil {
			break
		}
		for _, k := range keys {
			result.Rows += int64(len(k))
		}
		if result.Batches = len(keys); result.Batches == 0 {
			result.Skip, result.Why = true, "no row that was asked for is in quarantine"
			break
		}
		_, result.Columns, warnings, err = a.checkSchema(ctx, o)
	case JobReload:
		result.Version = last.Crawl.Version
		_, result.Columns, err = a.reloadable(ctx, o, last)
	case JobMirror, JobVerify, JobReconstruct, JobBackfill:
	}
	if err != nil {
		return ProbeResult{}, err
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		return o.mirror.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "probe", Value: mirror.Probe{Decision: string(in.Task.Job), Why: orElse(result.Why, map[bool]string{true: "part of a backfill", false: "asked for by hand"}[in.Trigger == mirror.TriggerBackfill]), Rows: result.Rows}},
			{Key: "first_load", Value: result.FirstLoad && in.Task.Job == JobRerun},
			{Key: "warnings", Value: warnings},
		})
	})
	return result, err
}

func (a *Activities) prepareApproval(ctx context.Context, o *opened, task Task, last mirror.Run) error {
	asked := last
	err := a.Database.Do(ctx, func(ctx context.Context) (err error) {
		asked, err = o.mirror.Run(ctx, task.Of)
		return err
	})
	switch {
	case errors.Is(err, mirror.ErrNoRun):
		return refuse(NothingToDo, fmt.Sprintf("there is no run %q: `starter status` lists them", task.Of))
	case err != nil:
		return err
	case asked.Held.Rows == 0:
		return refuse(NothingToDo, fmt.Sprintf("run %s holds no removals", task.Of))
	case asked.ID != last.ID && last.Held.Rows > 0:
		return refuse(NothingToDo, fmt.Sprintf("run %s came after %s and holds %d removals: approve that one", last.ID, task.Of, last.Held.Rows))
	case asked.ID != last.ID:
		return refuse(NothingToDo, fmt.Sprintf("run %s came after %s and holds no removals", last.ID, task.Of))
	}
	return nil
}

func (a *Activities) prepareRerun(ctx context.Context, o *opened, task Task, result *ProbeResult) error {
	return a.Database.Do(ctx, func(ctx context.Context) error {
		of, err := o.mirror.Run(ctx, task.Of)
		if errors.Is(err, mirror.ErrNoRun) {
			return refuse(NothingToDo, fmt.Sprintf("there is no run %q: `starter status` lists them", task.Of))
		}
		if err != nil {
			return err
		}
		after, err := wroteAfter(ctx, o, of)
		switch {
		case err != nil:
			return err
		case after != "":
			return refuse(NothingToDo, fmt.Sprintf("run %s came after %s and wrote the mirror: an older crawl would undo that", after, task.Of))
		case task.From != FromClean && task.From != FromGate && task.From != FromSnapshot:
			return refuse(NothingToDo, fmt.Sprintf("a rerun starts from %s, %s or %s, not from %q", FromClean, FromGate, FromSnapshot, task.From))
		case task.From == FromSnapshot && of.Status != mirror.StatusDone:
			return refuse(NothingToDo, fmt.Sprintf("run %s did not come to its end: use --from %s", task.Of, FromGate))
		}
		result.Rows, result.Version, result.Columns = of.Probe.Rows, of.Probe.Version, of.Probe.Columns
		return nil
	})
}

// rerunsBack is how many runs back a rerun may go.
const rerunsBack = 100

// wroteAfter is the newest run after another one that wrote rows from the
// portal into the mirror, or may have; empty when there is none. A crawl that
// failed or that the gate refused wrote nothing.
func wroteAfter(ctx context.Context, o *opened, of mirror.Run) (string, error) {
	last, err := orNone(o.mirror.LastCrawl(ctx))
	if err != nil {
		return "", err
	}
	repeats := Job(last.Job) == JobRerun && last.Of == of.ID
	if last.Started.After(of.Started) && !repeats {
		return last.ID, nil
	}
	runs, err := o.mirror.Runs(ctx, rerunsBack, time.Time{})
	if err != nil {
		return "", err
	}
	for _, run := range runs {
		if run.ID == of.ID {
			return "", nil
		}
		job := Job(run.Job)
		if (job == JobReplay || job == JobReload) && run.Status != mirror.StatusSkipped && (run.Certificate.Outcome == "" || run.Counts.Altered) {
			return run.ID, nil
		}
	}
	return "", refuse(NothingToDo, fmt.Sprintf("run %s is more than %d runs old: start a new one", of.ID, rerunsBack))
}
