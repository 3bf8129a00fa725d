package activities

import (
	"context"
	"slices"

	"padron/internal/certificate"
	"padron/internal/dataset"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// count asks the portal how many rows it has.
func (a *Activities) count(ctx context.Context, o *opened) (rows int64, v socrata.Version, err error) {
	err = a.Portal.Do(ctx, func(ctx context.Context) (err error) {
		rows, v, err = o.portal.Count(ctx, "")
		return err
	})
	return rows, v, err
}

// ask finds out what a proof that the mirror equals the portal takes. The metadata
// are there when they were needed for it.
func (a *Activities) ask(ctx context.Context, o *opened, run Run) (q certificate.Question, metadata *socrata.Metadata, err error) {
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		q, err = o.runs.Question(ctx)
		return err
	})
	if err != nil {
		return q, nil, err
	}
	q.Spec, q.Started = o.spec.Digest(), run.Started
	if q.Rows, q.Version, err = a.count(ctx, o); err != nil {
		return q, nil, err
	}
	// The metadata show what the answers do not say themselves.
	if stated := (&certificate.Versions{First: q.Version}).Stated(); !stated {
		if metadata, err = a.metadata(ctx, o); err != nil {
			return q, nil, err
		}
		q.Version.Updated = metadata.RowsUpdatedAt
	}
	return q, metadata, nil
}

// metadata asks the portal for the dataset's metadata.
func (a *Activities) metadata(ctx context.Context, o *opened) (live *socrata.Metadata, err error) {
	err = a.Portal.Do(ctx, func(ctx context.Context) (err error) {
		live, _, err = o.portal.Metadata(ctx)
		return err
	})
	return live, err
}

// checkSchema holds the columns of the portal's metadata against the spec and
// returns them, and the names of those that are asked for.
func (a *Activities) checkSchema(ctx context.Context, o *opened, metadata *socrata.Metadata) (live []dataset.Column, columns, warnings []string, err error) {
	err = a.Portal.Do(ctx, func(ctx context.Context) (err error) {
		live, err = Columns(ctx, o.portal, o.spec, metadata)
		return err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	check := o.spec.Check(live)
	if err := check.Err(); err != nil {
		return nil, nil, nil, refuse(runs.SchemaChanged, told(err))
	}
	for _, c := range live {
		if !c.ListedOnly && o.spec.Requested(c.Name) {
			columns = append(columns, c.Name)
		}
	}
	return live, columns, check.Warnings(), nil
}

// Columns are the live columns in the form that a spec checks. The portal is asked
// which of them, those apart that the spec drops, it has.
func Columns(ctx context.Context, portal *socrata.Client, spec *dataset.Spec, live *socrata.Metadata) ([]dataset.Column, error) {
	var wanted []string
	for _, c := range live.Columns {
		if !spec.Dropped(c.FieldName) {
			wanted = append(wanted, c.FieldName)
		}
	}
	unknown, err := portal.UnknownColumns(ctx, wanted)
	if err != nil {
		return nil, err
	}
	columns := make([]dataset.Column, 0, len(live.Columns))
	for _, c := range live.Columns {
		columns = append(columns, dataset.Column{Name: c.FieldName, Type: c.DataTypeName, ListedOnly: slices.Contains(unknown, c.FieldName)})
	}
	return columns, nil
}
