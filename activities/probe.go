package activities

import (
	"cmp"
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/runs"
	"padron/internal/socrata"
)

// ProbeInput says which run asks and how it was started.
type ProbeInput struct {
	Run         Run       `json:"run"`
	Job         JobSpec   `json:"job"`
	Mode        string    `json:"mode"`    // runs.ModeAuto or ModeFull
	Trigger     string    `json:"trigger"` // runs.TriggerManual, TriggerSchedule or TriggerBackfill
	LogicalDate time.Time `json:"logical_date,omitzero"`
	Deadline    time.Time `json:"deadline,omitzero"` // by when the run should be done
	WorkflowID  string    `json:"workflow_id"`
	TemporalID  string    `json:"temporal_id"` // Temporal's run id
}

// ProbeResult is what the portal and the earlier runs say.
type ProbeResult struct {
	Skip bool   `json:"skip"`
	Why  string `json:"why"`
	Rows int64  `json:"rows"` // count(*) on the portal; retry: rows to fetch
	// Documents is how many rows the crawl had that the mirror was last written
	// from; not told of a run that mirrors.
	Documents int64           `json:"documents,omitempty"`
	Version   socrata.Version `json:"version"` // of that count
	Spec      string          `json:"spec"`    // digest of the worker's spec
	// Columns are those of the portal's metadata that the spec does not drop.
	// Pages name them all: portals were seen to leave computed columns out of
	// whole rows that are ordered. Nil when nothing is to be fetched.
	Columns []string `json:"columns,omitempty"`

	// Boundaries says that the spec names a dataset of boundaries; of a run that mirrors.
	Boundaries bool `json:"boundaries,omitempty"`

	Empty     bool `json:"empty,omitempty"`      // the mirror has no document
	FirstLoad bool `json:"first_load,omitempty"` // no run has loaded the mirror yet: its rows are no events

	Of      string `json:"of,omitempty"`      // other jobs than mirroring: the run whose crawl the mirror was last written from (reload: and Version is that crawl's)
	Batches int    `json:"batches,omitempty"` // retry: requests to make
}

// Probe opens the record of a run and decides whether the portal has anything
// new (certificate.Question). A skip costs one request.
//
// Before a full crawl it holds the portal's columns against the spec: a
// vanished required column ends the run here (SchemaChanged), other
// differences are warnings on the run.
func (a *Activities) Probe(ctx context.Context, in ProbeInput) (ProbeResult, error) {
	return step(ctx, in, a.probe)
}

func (a *Activities) probe(ctx context.Context, in ProbeInput) (ProbeResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ProbeResult{}, err
	}
	result := ProbeResult{Spec: o.spec.Digest(), Boundaries: o.outlines != nil}
	err = a.Database.Do(ctx, func(ctx context.Context) error { return a.begin(ctx, o, in, &result) })
	if err != nil {
		return ProbeResult{}, err
	}
	question, metadata, err := a.ask(ctx, o, in.Run)
	if err != nil {
		return ProbeResult{}, err
	}
	result.Rows, result.Version, question.Full = question.Rows, question.Version, in.Mode == runs.ModeFull
	result.Skip, result.Why = question.Skip()
	var warnings []string
	if !result.Skip {
		if metadata == nil {
			if metadata, err = a.metadata(ctx, o); err != nil {
				return ProbeResult{}, err
			}
			result.Version.Updated = metadata.RowsUpdatedAt
		}
		if _, result.Columns, warnings, err = a.checkSchema(ctx, o, metadata); err != nil {
			return ProbeResult{}, err
		}
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		return o.runs.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "probe", Value: runs.Probe{
				Decision: runs.Decision(result.Skip), Why: result.Why, Version: result.Version, Rows: result.Rows, Columns: result.Columns,
			}},
			{Key: "first_load", Value: result.FirstLoad},
			{Key: "warnings", Value: warnings},
		})
	})
	return result, err
}

// begin brings the records of earlier runs in order, opens the run's own and finds out what is in the mirror.
func (a *Activities) begin(ctx context.Context, o *opened, in ProbeInput, result *ProbeResult) error {
	if err := a.settleRecords(ctx, o, in.Run.ID); err != nil {
		return err
	}
	done, err := runs.OrNone(o.runs.LastDone(ctx))
	if err != nil {
		return err
	}
	result.FirstLoad = done.ID == ""
	if result.Empty, err = o.mirror.Empty(ctx); err != nil {
		return err
	}
	_, err = o.runs.BeginRun(ctx, runs.Run{
		ID: in.Run.ID, Job: in.Job.Name, Of: in.Job.Of, From: in.Job.From,
		Trigger: in.Trigger, Mode: in.Mode, LogicalDate: in.LogicalDate, Deadline: in.Deadline,
		Started: in.Run.Started, Status: runs.StatusRunning, Spec: result.Spec,
		WorkflowID: in.WorkflowID, TemporalRunID: in.TemporalID,
	})
	return err
}

// Prepare opens the record of a run whose job is not to mirror, and finds out
// whether the job can be done. What cannot is refused with the reason
// (NothingToDo).
func (a *Activities) Prepare(ctx context.Context, in ProbeInput) (ProbeResult, error) {
	return step(ctx, in, a.prepare)
}

func (a *Activities) prepare(ctx context.Context, in ProbeInput) (ProbeResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ProbeResult{}, err
	}
	result := ProbeResult{Spec: o.spec.Digest()}
	var last runs.Run
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		// Before anything is recorded: a job that makes no sense is no failed run.
		if err = possible(ctx, o, in); err != nil {
			return err
		}
		if err = a.begin(ctx, o, in, &result); err != nil {
			return err
		}
		last, err = runs.OrNone(o.runs.LastCrawl(ctx))
		return err
	})
	if err != nil {
		return ProbeResult{}, err
	}
	result.Of, result.Documents = last.ID, last.Crawl.Rows
	var warnings []string
	switch in.Job.Name {
	case runs.JobRerun:
		err = a.prepareRerun(ctx, o, in.Job, &result)
	case runs.JobRetry:
		warnings, err = a.prepareRetry(ctx, o, in.Job, &result)
	case runs.JobReload:
		result.Version = last.Crawl.Version
		_, result.Columns, err = a.reloadable(ctx, o, last)
	case runs.JobMirror, runs.JobApprove, runs.JobVerify, runs.JobReconstruct, runs.JobBackfill:
	}
	if err != nil {
		return ProbeResult{}, err
	}
	why := "asked for by hand"
	if in.Trigger == runs.TriggerBackfill {
		why = "part of a backfill"
	}
	if in.Trigger == runs.TriggerHistory {
		why = "the history that the spec asks for, after green run " + in.Job.Of
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		return o.runs.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "probe", Value: runs.Probe{Decision: string(in.Job.Name), Why: cmp.Or(result.Why, why), Rows: result.Rows}},
			{Key: "first_load", Value: result.FirstLoad && in.Job.Name == runs.JobRerun},
			{Key: "warnings", Value: warnings},
		})
	})
	return result, err
}

// possible is an error for a job that cannot be done, as far as the records and the
// landing tell.
func possible(ctx context.Context, o *opened, in ProbeInput) error {
	if err := o.runs.Possible(ctx, in.Job.Name, in.Job.Of, in.Job.From); err != nil {
		return err
	}
	if in.Job.Name == runs.JobRerun && in.Job.From != runs.FromSnapshot {
		of, err := o.runs.Run(ctx, in.Job.Of)
		if err == nil {
			_, err = o.pages.Load(ctx, of, in.Job.From)
		}
		return err
	}
	return nil
}

// prepareRerun takes what the probe of the run that is repeated found.
func (a *Activities) prepareRerun(ctx context.Context, o *opened, job JobSpec, result *ProbeResult) error {
	return a.Database.Do(ctx, func(ctx context.Context) error {
		of, err := o.runs.Run(ctx, job.Of)
		result.Rows, result.Version, result.Columns = of.Probe.Rows, of.Probe.Version, of.Probe.Columns
		return err
	})
}

// prepareRetry counts the quarantined rows that are to be fetched anew.
func (a *Activities) prepareRetry(ctx context.Context, o *opened, job JobSpec, result *ProbeResult) (warnings []string, err error) {
	batches, err := a.quarantined(ctx, o, result.Of, job.Keys)
	if err != nil {
		return nil, err
	}
	for _, keys := range batches {
		result.Rows += int64(len(keys))
	}
	if result.Batches = len(batches); result.Batches == 0 {
		result.Skip, result.Why = true, "no row that was asked for is in quarantine"
		return nil, nil
	}
	metadata, err := a.metadata(ctx, o)
	if err != nil {
		return nil, err
	}
	_, result.Columns, warnings, err = a.checkSchema(ctx, o, metadata)
	return warnings, err
}
