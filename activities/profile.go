package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"padron/internal/crawl"
	"padron/internal/profile"
	"padron/internal/runs"
	"padron/internal/statistics"
)

// ProfileInput asks for the description of the columns.
type ProfileInput struct {
	Run      Run      `json:"run"`
	Snapshot string   `json:"snapshot"`        // id of the snapshot that it stands beside
	Pages    []string `json:"pages,omitempty"` // landing ids of the crawl's cleaned pages; none: the job has no crawl of all rows
}

// ProfileResult says what was described.
type ProfileResult struct {
	Fields int    `json:"fields"`
	Rows   int64  `json:"rows"`
	Kept   string `json:"kept,omitempty"` // why nothing was described, and what is shown instead
}

// ProfileColumns describes what every column of the crawl holds, from what was
// counted while its pages were cleaned, and keeps that beside the run's snapshot.
// No row is read. Where nothing changed since the last description, and where
// there is nothing to make one of, the last one is kept.
func (a *Activities) ProfileColumns(ctx context.Context, in ProfileInput) (ProfileResult, error) {
	return step(ctx, in, a.profileColumns)
}

func (a *Activities) profileColumns(ctx context.Context, in ProfileInput) (result ProfileResult, err error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ProfileResult{}, err
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		last, err := o.statistics.LastProfile(ctx)
		if err != nil && !errors.Is(err, statistics.ErrNoSnapshot) {
			return err
		}
		columns, why, err := describe(ctx, o, &in, &last.Columns)
		switch {
		case err != nil:
			return err
		case why == "":
		case last.Snapshot == "":
			result.Kept = why + "; there is no earlier description of the columns"
			return nil
		default:
			result.Kept = fmt.Sprintf("%s; what run %s found is shown", why, last.Run)
			columns = &last.Columns
			columns.Fit(profile.Of(o.spec))
		}
		result.Fields, result.Rows = len(columns.Fields), columns.Rows
		return o.statistics.StoreProfile(ctx, in.Snapshot, columns)
	})
	return result, err
}

// describe describes the columns of the run's crawl, or says why that is not to
// be done.
func describe(
	ctx context.Context, o *opened, in *ProfileInput, last *statistics.Columns,
) (made *statistics.Columns, why string, err error) {
	if len(in.Pages) == 0 {
		return nil, "this job reads some rows only, or none", nil
	}
	began := time.Now()
	of, err := runs.OrNone(o.runs.Run(ctx, in.Run.ID))
	if err != nil {
		return nil, "", err
	}
	made = &statistics.Columns{
		Run: in.Run.ID, Version: of.Crawl.Version, Spec: in.Run.Spec, Sketch: profile.Version, Digest: of.Crawl.Digest.String(),
	}
	if made.Same(last) && last.Run != made.Run { // of the same run: the attempt before was cut off
		return nil, "no document changed", nil
	}
	made.Description, err = o.pages.Describe(ctx, in.Pages)
	if errors.Is(err, crawl.ErrUndescribed) {
		return nil, err.Error(), nil
	}
	made.Made = time.Now().UTC().Truncate(time.Millisecond)
	made.TookMS = time.Since(began).Milliseconds()
	return made, "", err
}
