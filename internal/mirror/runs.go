package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"padron/internal/socrata"
)

// Status of a run.
type Status string

// Outcome of a run that crawled: what its certificate says.
type Outcome string

// The values of a run's fields.
const (
	StatusRunning   Status = "running"
	StatusDone      Status = "done"
	StatusFailed    Status = "failed"
	StatusSkipped   Status = "skipped"
	StatusCancelled Status = "cancelled"

	OutcomeGreen    Outcome = "green"    // the mirror equals the portal
	OutcomeRed      Outcome = "red"      // it does not
	OutcomeUnproven Outcome = "unproven" // the portal moved or lags
	OutcomeBehind   Outcome = "behind"   // the mirror equals a crawl that the portal has moved on from

	TriggerManual   = "manual"
	TriggerSchedule = "schedule"
	TriggerBackfill = "backfill" // by a backfill, to reload some of its windows

	ModeAuto = "auto" // the probe decides
	ModeFull = "full"

	// ProbeSkip is the decision of a probe that proved that there is nothing new.
	ProbeSkip = "skip"

	// Jobs that bring a crawl into the mirror.
	JobMirror = "mirror"
	JobRerun  = "rerun"
)

// Run is the record of one run, in the collection runs: the truth about it,
// as Temporal keeps its history for a while only.
type Run struct {
	ID            string    `bson:"_id" json:"id"`
	Dataset       string    `bson:"dataset" json:"dataset"`
	Trigger       string    `bson:"trigger" json:"trigger"`               // TriggerManual or TriggerSchedule
	Mode          string    `bson:"mode" json:"mode"`                     // ModeAuto or ModeFull
	Job           string    `bson:"job,omitempty" json:"job,omitempty"`   // what the run does; empty: JobMirror
	Of            string    `bson:"of,omitempty" json:"of,omitempty"`     // run that an approval or a rerun is about
	From          string    `bson:"from,omitempty" json:"from,omitempty"` // step that a rerun begins with
	Nominal       time.Time `bson:"nominal,omitempty" json:"nominal,omitzero"`
	Started       time.Time `bson:"started" json:"started"`
	Finished      time.Time `bson:"finished,omitempty" json:"finished,omitzero"`
	Updated       time.Time `bson:"updated" json:"updated"` // when the record was written last
	Status        Status    `bson:"status" json:"status"`
	Outcome       Outcome   `bson:"outcome,omitempty" json:"outcome,omitempty"`
	Reason        string    `bson:"reason,omitempty" json:"reason,omitempty"` // of a status or outcome that is not the good one
	Spec          string    `bson:"spec" json:"spec"`                         // digest of spec and rules
	WorkflowID    string    `bson:"workflow_id" json:"workflow_id"`
	TemporalRunID string    `bson:"temporal_run_id" json:"temporal_run_id"`

	Probe       Probe           `bson:"probe,omitempty" json:"probe,omitzero"`
	Version     socrata.Version `bson:"version,omitempty" json:"version,omitzero"` // served version of the crawl
	Ranges      []RunRange      `bson:"ranges,omitempty" json:"ranges,omitempty"`  // the plan, in key order
	Progress    RunProgress     `bson:"progress,omitempty" json:"progress,omitempty"`
	Profile     Profile         `bson:"profile,omitempty" json:"profile,omitzero"`
	Counts      Counts          `bson:"counts,omitempty" json:"counts,omitzero"`
	Gate        Verdict         `bson:"gate,omitempty" json:"gate,omitzero"`
	Certificate Verdict         `bson:"certificate,omitempty" json:"certificate,omitzero"`
	Snapshot    string          `bson:"snapshot,omitempty" json:"snapshot,omitempty"` // id
	Warnings    []string        `bson:"warnings,omitempty" json:"warnings,omitempty"` // such as a vanished optional column
	Stats       Stats           `bson:"stats,omitempty" json:"stats,omitzero"`
	Steps       []Step          `bson:"steps,omitempty" json:"steps,omitempty"` // of the writing, in order

	Deadline       time.Time `bson:"deadline,omitempty" json:"deadline,omitzero"`                // by when the run should be done
	DeadlinePassed bool      `bson:"deadline_passed,omitempty" json:"deadline_passed,omitempty"` // it was not done by then

	FirstLoad   bool           `bson:"first_load,omitempty" json:"first_load,omitempty"`     // the mirror was empty: its rows have no change event
	Crawls      int            `bson:"crawls,omitempty" json:"crawls,omitempty"`             // how often the portal was crawled; more than once when torn
	Crawl       Crawl          `bson:"crawl,omitempty" json:"crawl,omitzero"`                // what the gate saw
	Held        Held           `bson:"held,omitempty" json:"held,omitzero"`                  // removals that wait for approval
	ChangePages map[string]int `bson:"change_pages,omitempty" json:"change_pages,omitempty"` // pages of change events by part, at least those written

	Backfill Backfill `bson:"backfill,omitempty" json:"backfill,omitzero"` // of a backfill as a whole
}

// Backfill is what a backfill is to do, and how far it is.
type Backfill struct {
	On      string `bson:"on" json:"on"`       // "lifecycle", or a date column of the portal
	Since   string `bson:"since" json:"since"` // days of the half-open span
	Until   string `bson:"until" json:"until"`
	Every   string `bson:"every" json:"every"`
	Windows int    `bson:"windows" json:"windows"` // of the span
	Todo    int    `bson:"todo" json:"todo"`       // of these, to be reloaded
	Done    int    `bson:"done" json:"done"`       // reloaded so far, in runs that have ended
	Failed  int    `bson:"failed" json:"failed"`
	Runs    int    `bson:"runs" json:"runs"`                         // runs that reload, so far; the last may be under way
	Paused  string `bson:"paused,omitempty" json:"paused,omitempty"` // why, while it is

	Rows      int64 `bson:"rows" json:"rows"` // of the windows done; a row counts in each of its windows
	Inserted  int64 `bson:"inserted" json:"inserted"`
	Replaced  int64 `bson:"replaced" json:"replaced"`
	Snapshots int   `bson:"snapshots" json:"snapshots"` // reconstructed
}

// Crawl is what a crawl came to: what the certificate holds the mirror
// against, and what a rerun starts from.
type Crawl struct {
	Rows        int64           `bson:"rows" json:"rows"`
	Clean       int64           `bson:"clean" json:"clean"`
	Quarantined int64           `bson:"quarantined" json:"quarantined"`
	Digest      Digest          `bson:"digest" json:"digest"` // of the clean records
	Version     socrata.Version `bson:"version" json:"version"`
	Whole       bool            `bson:"whole" json:"whole"`                         // all pages and counts are of one version
	Why         string          `bson:"why,omitempty" json:"why,omitempty"`         // it is not whole
	Columns     []string        `bson:"columns,omitempty" json:"columns,omitempty"` // of the portal's metadata
	Facts       Facts           `bson:"facts,omitempty" json:"facts,omitzero"`      // what the portal itself counts
}

// Judged says whether a gate has seen the crawl.
func (c *Crawl) Judged() bool { return c.Whole || c.Why != "" }

// Facts are what the portal itself counts after a crawl.
type Facts struct {
	Rows     int64   `bson:"rows" json:"rows"`
	Distinct int64   `bson:"distinct" json:"distinct"` // keys
	Groups   []Group `bson:"groups,omitempty" json:"groups,omitempty"`
}

// Group is the number of rows for each value of a column.
type Group struct {
	Column string       `bson:"column" json:"column"`
	Values []GroupValue `bson:"values" json:"values"`
}

// GroupValue is the number of rows with one value of a column.
type GroupValue struct {
	Value string `bson:"value" json:"value"`
	Null  bool   `bson:"null,omitempty" json:"null,omitempty"` // rows without a value
	Rows  int64  `bson:"rows" json:"rows"`
}

// Held are removals over the brake.
type Held struct {
	Rows  int64     `bson:"rows" json:"rows"`
	Pages []PageRef `bson:"pages" json:"pages"` // of keys
}

// Step is what became of one step of a run.
type Step struct {
	Name   string `bson:"name" json:"name"`
	State  string `bson:"state" json:"state"`                     // done, failed or skipped
	Items  int    `bson:"items,omitempty" json:"items,omitempty"` // of a step that is done in parts
	TookMS int64  `bson:"took_ms" json:"took_ms"`
	Why    string `bson:"why,omitempty" json:"why,omitempty"` // it was skipped
}

// Probe is what a run decided before reading rows, and why.
type Probe struct {
	Decision string          `bson:"decision" json:"decision"` // ProbeSkip or "full"
	Why      string          `bson:"why" json:"why"`
	Version  socrata.Version `bson:"version,omitempty" json:"version,omitzero"`
	Rows     int64           `bson:"rows" json:"rows"`                           // the portal's count
	Columns  []string        `bson:"columns,omitempty" json:"columns,omitempty"` // of the portal, as far as they are asked for
}

// RunRange is one key range of a run's plan and what was fetched for it.
type RunRange struct {
	socrata.Range `bson:",inline"`
	Rows          int64 `bson:"rows,omitempty" json:"rows,omitempty"`
}

// RunProgress is how far a running run is: rows done by step ("fetch", "clean",
// "upsert") and by part of the plan ("0", "1", …). A number is set and never
// added to, so that a repeated attempt counts once.
type RunProgress map[string]map[string]int64

// Rows is how many rows a step has done, over all parts.
func (p RunProgress) Rows(step string) int64 {
	var rows int64
	for _, n := range p[step] {
		rows += n
	}
	return rows
}

// Profile is what a crawl's rows looked like, to hold the next crawl against.
type Profile struct {
	Rows    int64          `bson:"rows" json:"rows"`
	Missing map[string]int `bson:"missing,omitempty" json:"missing,omitempty"` // rows without a value, by source column
	Flags   map[string]int `bson:"flags,omitempty" json:"flags,omitempty"`     // rows by quality flag
	Unknown map[string]int `bson:"unknown,omitempty" json:"unknown,omitempty"` // rows with a value in a column that the spec does not know
}

// Counts of a run, in rows. Inserted, Replaced and Documents come from what is
// stored (Census), not from summed attempts.
type Counts struct {
	PortalRows  int64 `bson:"portal_rows" json:"portal_rows"` // the portal's count at the crawl's version
	Fetched     int64 `bson:"fetched" json:"fetched"`
	Cleaned     int64 `bson:"cleaned" json:"cleaned"`
	Inserted    int64 `bson:"inserted" json:"inserted"`
	Replaced    int64 `bson:"replaced" json:"replaced"`
	Unchanged   int64 `bson:"unchanged" json:"unchanged"`
	Missing     int64 `bson:"missing" json:"missing"`         // stored, and not in the crawl
	Quarantined int64 `bson:"quarantined" json:"quarantined"` // records
	Kept        int64 `bson:"kept" json:"kept"`               // documents whose row is quarantined
	Removed     int64 `bson:"removed" json:"removed"`         // that the portal denies
	Returned    int64 `bson:"returned" json:"returned"`       // among those replaced, from removed
	Held        int64 `bson:"held" json:"held"`               // removals that wait for approval
	Events      int64 `bson:"events" json:"events"`           // change events
	Documents   int64 `bson:"documents" json:"documents"`     // in businesses, after the run
	// Altered says that a replay or reload left other documents than the crawl had,
	// if only in silent fields, which are not counted.
	Altered bool `bson:"altered,omitempty" json:"altered,omitempty"`
}

// Verdict is a list of checks and what they come to.
type Verdict struct {
	Outcome Outcome `bson:"outcome,omitempty" json:"outcome,omitempty"`
	Checks  []Check `bson:"checks,omitempty" json:"checks,omitempty"`
}

// Holds says that no check failed.
func (v *Verdict) Holds() bool {
	return !slices.ContainsFunc(v.Checks, func(c Check) bool { return !c.OK })
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `bson:"name" json:"name"`
	OK     bool   `bson:"ok" json:"ok"`
	Detail string `bson:"detail" json:"detail"` // the numbers compared
}

// Stats says what a run took.
type Stats struct {
	TookMS          int64   `bson:"took_ms,omitempty" json:"took_ms,omitempty"`
	RowsPerSecond   float64 `bson:"rows_per_second,omitempty" json:"rows_per_second,omitempty"`
	PeakMemoryBytes int64   `bson:"peak_memory_bytes,omitempty" json:"peak_memory_bytes,omitempty"` // of the worker process
	PortalBytes     int64   `bson:"portal_bytes,omitempty" json:"portal_bytes,omitempty"`           // on the wire
}

// BeginRun records that a run started. A record that exists stays as it is, so
// that a retry changes nothing; the stored record is returned. Status defaults
// to running, Started and Dataset to now and to the mirror's.
func (m *Mirror) BeginRun(ctx context.Context, run Run) (Run, error) {
	if run.ID == "" {
		return Run{}, errors.New("begin run: no id")
	}
	if stored, err := m.Run(ctx, run.ID); !errors.Is(err, ErrNoRun) {
		return stored, err
	}
	if run.Status == "" {
		run.Status = StatusRunning
	}
	if run.Started.IsZero() {
		run.Started = time.Now()
	}
	run.Started, run.Dataset, run.Updated = run.Started.UTC(), m.dataset, time.Now().UTC()
	var lists []runList
	for _, list := range runLists() {
		if list.has(&run) {
			lists = append(lists, list)
		}
	}
	if err := m.list(ctx, &run, lists); err != nil {
		return Run{}, fmt.Errorf("begin run %s: %w", run.ID, err)
	}
	call, cancel := m.call(ctx)
	_, err := m.db.Collection(RunRecords).InsertOne(call, run)
	cancel()
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return Run{}, fmt.Errorf("begin run %s: %w", run.ID, err)
	}
	return m.Run(ctx, run.ID)
}

// SetRun sets fields of a run's record, named as in its bson tags, nested ones
// with dots; and its time of writing. ErrNoRun when there is no record.
func (m *Mirror) SetRun(ctx context.Context, id string, fields bson.D) error {
	if err := m.listBefore(ctx, id, fields); err != nil {
		return err
	}
	set := append(bson.D{{Key: "updated", Value: time.Now().UTC()}}, fields...)
	call, cancel := m.call(ctx)
	defer cancel()
	res, err := m.db.Collection(RunRecords).UpdateOne(call, byID(id), bson.D{{Key: "$set", Value: set}})
	if err != nil {
		return fmt.Errorf("record run %s: %w", id, err)
	}
	if res.MatchedCount == 0 {
		return fmt.Errorf("%w: %s", ErrNoRun, id)
	}
	return nil
}

// Run reads the record of a run; ErrNoRun when there is none.
func (m *Mirror) Run(ctx context.Context, id string) (Run, error) {
	call, cancel := m.call(ctx)
	defer cancel()
	var run Run
	err := m.db.Collection(RunRecords).FindOne(call, byID(id)).Decode(&run)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Run{}, fmt.Errorf("%w: %s", ErrNoRun, id)
	}
	if err != nil {
		return Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	return run, nil
}

// Runs lists runs that started before the time given (zero: all), newest
// first, at most limit.
func (m *Mirror) Runs(ctx context.Context, limit int, before time.Time) ([]Run, error) {
	below := string(allRuns) + "0"
	if !before.IsZero() {
		below = allRuns.entry(before, "")
	}
	runs := []Run{}
	for len(runs) < limit {
		listed, last, err := m.listed(ctx, allRuns, below, limit-len(runs))
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		if last == "" {
			break
		}
		runs, below = append(runs, listed...), last
	}
	return runs, nil
}

// Mirrors reports whether the run brings a whole crawl into the mirror: one
// that mirrors, or a rerun that writes rows. Only of these it is known that
// the mirror was compared with the portal row by row.
func (r *Run) Mirrors() bool {
	switch r.Job {
	case "", JobMirror:
		return true
	case JobRerun:
		return r.From == "clean" || r.From == "gate"
	default:
		return false
	}
}

// LastGreen is the newest run that mirrored and whose certificate is green;
// ErrNoRun when there is none.
func (m *Mirror) LastGreen(ctx context.Context) (Run, error) { return m.newest(ctx, greenRuns) }

// LastDone is the newest run that mirrored to the end, whatever its
// certificate says; ErrNoRun when there is none.
func (m *Mirror) LastDone(ctx context.Context) (Run, error) { return m.newest(ctx, doneRuns) }

// NewestCertificate is the newest run of any job that ended with a
// certificate; ErrNoRun when there is none.
func (m *Mirror) NewestCertificate(ctx context.Context) (Run, error) {
	return m.newest(ctx, certifiedRuns)
}

// LastCrawl is the newest run, ended or not, whose crawl the gate let through:
// what the mirror was last written from. ErrNoRun when there is none.
func (m *Mirror) LastCrawl(ctx context.Context) (Run, error) { return m.newest(ctx, crawledRuns) }

// LastProof is the newest run that proved that the mirror equals the portal: a
// certificate that is green, or a probe that found the portal as the last green
// run left it. ErrNoRun when there is none.
func (m *Mirror) LastProof(ctx context.Context) (Run, error) {
	var proof Run
	for _, list := range []runList{certifiedRuns, greenRuns, skippedRuns} {
		run, err := m.newest(ctx, list)
		switch {
		case errors.Is(err, ErrNoRun):
		case err != nil:
			return Run{}, err
		case list == certifiedRuns && run.Certificate.Outcome != OutcomeGreen:
		case run.Started.After(proof.Started):
			proof = run
		}
	}
	if proof.ID == "" {
		return Run{}, fmt.Errorf("%w: none has proved the mirror yet", ErrNoRun)
	}
	return proof, nil
}

// newest is the newest run of a list.
func (m *Mirror) newest(ctx context.Context, list runList) (Run, error) {
	for below := string(list) + "0"; ; {
		runs, last, err := m.listed(ctx, list, below, 1)
		if err != nil {
			return Run{}, fmt.Errorf("read newest of %s runs: %w", list, err)
		}
		if len(runs) > 0 {
			return runs[0], nil
		}
		if last == "" {
			return Run{}, fmt.Errorf("%w: there are no %s ones", ErrNoRun, list)
		}
		below = last
	}
}
