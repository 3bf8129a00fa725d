package activities

import (
	"context"
	"slices"

	"padron/internal/dataset"
	"padron/internal/statistics"
)

// ProfileInput asks for the description of the mirror's columns.
type ProfileInput struct {
	Run      Run    `json:"run"`
	Snapshot string `json:"snapshot"` // id of the snapshot that it stands beside
}

// ProfileResult says what was described.
type ProfileResult struct {
	Fields int   `json:"fields"`
	Rows   int64 `json:"rows"`
}

// ProfileColumns describes what every column of the mirror holds, on the
// database server, and keeps that beside the run's snapshot.
func (a *Activities) ProfileColumns(ctx context.Context, in ProfileInput) (ProfileResult, error) {
	return step(ctx, in, a.profileColumns)
}

func (a *Activities) profileColumns(ctx context.Context, in ProfileInput) (ProfileResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ProfileResult{}, err
	}
	var made statistics.DataProfile
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		made, err = o.statistics.ProfileColumns(ctx, ProfileOf(o.spec, in.Snapshot))
		return err
	})
	return ProfileResult{Fields: len(made.Fields), Rows: made.Rows}, err
}

// ProfileOf says which fields of a dataset's documents are described, and how:
// all that are stored and are no copies of others.
func ProfileOf(spec *dataset.Spec, snapshot string) statistics.ProfileInput {
	in := statistics.ProfileInput{Snapshot: snapshot}
	for _, f := range spec.Fields {
		if f.Drop || f.Copy != "" {
			continue
		}
		in.Fields = append(in.Fields, statistics.ProfiledField{
			Path: f.Path, Type: string(f.Type), Sensitive: spec.Sensitive(f.Path),
			Date: f.Type == dataset.Date, Number: f.Type == dataset.Number, Opaque: f.Type == dataset.Point,
		})
		if in.State == "" && slices.Contains(f.Rules, dataset.RuleState) && !spec.Sensitive(f.Path) {
			in.State = f.Path
		}
	}
	return in
}
