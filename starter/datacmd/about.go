package datacmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"padron/internal/certificate"
	"padron/internal/dataset"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/internal/statistics"
)

// aboutSuffix is added to the name of an exported file for the file that says
// what it is.
const aboutSuffix = ".about.json"

// about says what an exported file is, for readers who have the file only.
type about struct {
	Dataset     string   `json:"dataset"`
	Title       string   `json:"title"`
	Source      string   `json:"source"` // address on the portal
	License     string   `json:"license"`
	Attribution string   `json:"attribution"`
	Spec        string   `json:"spec"` // digest of the spec and rules of this program
	Collection  string   `json:"collection"`
	Format      string   `json:"format"`
	Columns     []string `json:"columns,omitempty"` // none: whole documents
	Since       string   `json:"since,omitempty"`   // of changes: from this moment on
	Sensitive   bool     `json:"sensitive"`         // values that may concern a private person are in it
	Rows        int64    `json:"rows"`
	SHA256      string   `json:"sha256,omitempty"` // of the file, in hex; it cannot be in the file itself

	Began time.Time `json:"began"` // of the reading
	Ended time.Time `json:"ended"`
	// UnderWay says that a run was under way meanwhile: then rows may be of more
	// than one state of the portal.
	UnderWay bool `json:"run_under_way"`

	// Of the newest certificate; null when there is none yet.
	Certificate *aboutCertificate `json:"certificate"`
	Snapshot    string            `json:"snapshot,omitempty"` // the newest observed one
}

// aboutCertificate is what the mirror's newest certificate says.
type aboutCertificate struct {
	Run     string              `json:"run"`
	Outcome certificate.Outcome `json:"outcome"`
	Detail  string              `json:"detail,omitempty"` // in words
	At      time.Time           `json:"at"`
	Version time.Time           `json:"version,omitzero"` // state of the portal that it is about
}

// describe begins what an export says of itself, before it reads rows.
func (q *exportQuery) describe(spec *dataset.Spec, columns []string) about {
	a := about{
		Dataset: spec.Name, Title: spec.Title, Source: spec.Portal.BaseURL("") + "/d/" + spec.Portal.ID,
		License: spec.License, Attribution: spec.Attribution, Spec: spec.Digest(),
		Collection: q.collection, Format: q.out.Format, Columns: columns, Sensitive: q.sensitive, Began: now(),
	}
	if !q.from.IsZero() {
		a.Since = q.from.UTC().Format(time.RFC3339)
	}
	return a
}

// finish adds what is known once all rows are read.
func (a *about) finish(ctx context.Context, reader *query.Reader, rows int64) error {
	a.Rows, a.Ended = rows, now()
	run, err := reader.Runs.NewestCertificate(ctx)
	switch {
	case errors.Is(err, runs.ErrNoRun):
	case err != nil:
		return err
	default:
		a.Certificate = &aboutCertificate{Run: run.ID, Outcome: run.Certificate.Outcome, Detail: run.Reason, At: run.Finished.UTC(), Version: run.Version.Time().UTC()}
	}
	snapshot, err := reader.Statistics.Snapshot(ctx, "latest")
	if err != nil && !errors.Is(err, statistics.ErrNoSnapshot) {
		return err
	}
	a.Snapshot = snapshot.ID
	records, err := reader.Runs.Runs(ctx, runsLookedAt, time.Time{})
	a.UnderWay = slices.ContainsFunc(records, func(r runs.Run) bool {
		return r.Status == runs.StatusRunning || r.Status != runs.StatusSkipped && r.Finished.After(a.Began)
	})
	return err
}

// runsLookedAt is how many runs, newest first, are looked at for one that was
// under way: a backfill that lasts days may have some after it.
const runsLookedAt = 100

func (a *about) json() ([]byte, error) {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describe the export: %w", err)
	}
	return append(text, '\n'), nil
}

// now is the time to the millisecond, as records keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
