package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
	"padron/internal/mirror"
	"padron/internal/socrata"
)

// fullCrawlAtLeast is how old the last full crawl may be for a run to be
// skipped: a portal that lost a change of version is found within a week.
const fullCrawlAtLeast = 7 * 24 * time.Hour

// settledAfter is how old a version must have been when its crawl began.
// Versions have a resolution of one second, and an edit within the same second
// leaves the version as it is; a portal's copies agree within a minute.
const settledAfter = time.Minute

// Probe opens the record of a run and decides whether the portal has anything
// new. Skipping needs proof: the portal is at the very version of the last
// green run, with as many rows, under the same spec, and the last full crawl is
// at most a week old. A skip costs one request.
//
// Before a full crawl it holds the portal's columns against the spec: a
// vanished required column ends the run here (SchemaChanged), other
// differences are warnings on the run.
func (a *Activities) Probe(ctx context.Context, in ProbeInput) (ProbeResult, error) {
	result, err := a.probe(ctx, in)
	return result, classify(err)
}

func (a *Activities) probe(ctx context.Context, in ProbeInput) (ProbeResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ProbeResult{}, err
	}
	result := ProbeResult{Spec: o.spec.Digest(), Boundaries: o.boundaries != nil}
	var green, proven mirror.Run // zero when there is none yet
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		if err = begin(ctx, o, in, &result); err != nil {
			return err
		}
		if green, err = orNone(o.mirror.LastGreen(ctx)); err != nil {
			return err
		}
		proven, err = orNone(o.mirror.NewestCertificate(ctx))
		return err
	})
	if err != nil {
		return ProbeResult{}, err
	}
	if result.Rows, result.Version, err = a.count(ctx, o); err != nil {
		return ProbeResult{}, err
	}
	result.Skip, result.Why = decide(in, result, green, proven)
	var warnings []string
	if !result.Skip {
		if _, result.Columns, warnings, err = a.checkSchema(ctx, o); err != nil {
			return ProbeResult{}, err
		}
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		return o.mirror.SetRun(ctx, in.Run.ID, bson.D{
			{Key: "probe", Value: mirror.Probe{Decision: decision(result.Skip), Why: result.Why, Version: result.Version, Rows: result.Rows, Columns: result.Columns}},
			{Key: "first_load", Value: result.FirstLoad},
			{Key: "warnings", Value: warnings},
		})
	})
	return result, err
}

// begin opens the run's record and finds out what is in the mirror.
func begin(ctx context.Context, o *opened, in ProbeInput, result *ProbeResult) error {
	done, err := orNone(o.mirror.LastDone(ctx))
	if err != nil {
		return err
	}
	result.FirstLoad = done.ID == ""
	if result.Empty, err = o.mirror.Empty(ctx); err != nil {
		return err
	}
	_, err = o.mirror.BeginRun(ctx, mirror.Run{
		ID: in.Run.ID, Job: string(in.Task.Job), Of: in.Task.Of, From: in.Task.From,
		Trigger: in.Trigger, Mode: string(in.Mode), Nominal: in.Nominal, Deadline: in.Deadline,
		Started: in.Run.Started, Status: mirror.StatusRunning, Spec: result.Spec,
		WorkflowID: in.WorkflowID, TemporalRunID: in.TemporalID,
	})
	return err
}

// count asks the portal how many rows it has.
func (a *Activities) count(ctx context.Context, o *opened) (rows int64, v Version, err error) {
	err = a.Portal.Do(ctx, func(ctx context.Context) (err error) {
		rows, v, err = o.portal.Count(ctx, "")
		return err
	})
	return rows, v, err
}

// decide says whether to skip, and why or why not.
func decide(in ProbeInput, now ProbeResult, green, proven mirror.Run) (skip bool, why string) {
	switch {
	case in.Mode == Full:
		return false, "a full crawl was asked for"
	case green.ID == "":
		return false, "there is no green run yet"
	case proven.Certificate.Outcome == mirror.OutcomeRed:
		return false, fmt.Sprintf("run %s (%s) found that the mirror is not right", proven.ID, orElse(proven.Job, mirror.JobMirror))
	case green.Spec != now.Spec:
		return false, "the spec changed since run " + green.ID
	case in.Run.Started.Sub(green.Finished) > fullCrawlAtLeast:
		return false, fmt.Sprintf("the last full crawl, %s, is more than 7 days old", green.ID)
	case now.Version.Truth.IsZero() || now.Version.OutOfDate || !now.Version.Truth.Equal(now.Version.Served):
		return false, "the portal does not say which version it serves, or lags behind its master"
	case !now.Version.Truth.Equal(green.Version.Served):
		return false, fmt.Sprintf("the portal was updated at %s, after run %s", now.Version.Truth.Format(time.RFC3339), green.ID)
	case green.Started.Sub(green.Version.Served) < settledAfter:
		return false, fmt.Sprintf("run %s read a version that was less than a minute old and may have changed since", green.ID)
	case now.Rows != green.Counts.PortalRows:
		return false, fmt.Sprintf("the portal has %s rows, run %s saw %s", humanize.Comma(now.Rows), green.ID, humanize.Comma(green.Counts.PortalRows))
	}
	return true, fmt.Sprintf("nothing new: the portal is at the version of %s that run %s mirrored", green.Version.Served.Format(time.RFC3339), green.ID)
}

// orNone makes the zero Run of there being none.
func orNone(run mirror.Run, err error) (mirror.Run, error) {
	if errors.Is(err, mirror.ErrNoRun) {
		return mirror.Run{}, nil
	}
	return run, err
}

func decision(skip bool) string {
	if skip {
		return mirror.ProbeSkip
	}
	return "full"
}

// checkSchema holds the portal's columns against the spec and returns its
// metadata and the names of the columns that are asked for.
func (a *Activities) checkSchema(ctx context.Context, o *opened) (live *socrata.Metadata, columns, warnings []string, err error) {
	err = a.Portal.Do(ctx, func(ctx context.Context) (err error) {
		live, _, err = o.portal.Metadata(ctx)
		return err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	check := o.spec.Check(Columns(live))
	if err := check.Err(); err != nil {
		return nil, nil, nil, refuse(SchemaChanged, err.Error())
	}
	for _, c := range live.Columns {
		if !o.spec.Dropped(c.FieldName) {
			columns = append(columns, c.FieldName)
		}
	}
	return live, columns, check.Warnings(), nil
}

// Columns are the live columns in the form that a spec checks.
func Columns(live *socrata.Metadata) []dataset.Column {
	columns := make([]dataset.Column, 0, len(live.Columns))
	for _, c := range live.Columns {
		columns = append(columns, dataset.Column{Name: c.FieldName, Type: c.DataTypeName})
	}
	return columns
}
