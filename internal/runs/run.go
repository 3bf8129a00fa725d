package runs

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"padron/internal/certificate"
	"padron/internal/landing"
	"padron/internal/socrata"
)

// Status of a run.
type Status string

// The values of a run's fields.
const (
	StatusRunning   Status = "running"
	StatusDone      Status = "done"
	StatusFailed    Status = "failed"
	StatusSkipped   Status = "skipped"
	StatusCancelled Status = "cancelled"

	// StatusProven is that of a window which needed no reloading: the mirror was
	// proven to equal the portal.
	StatusProven Status = "proven"

	TriggerManual   = "manual"
	TriggerSchedule = "schedule"
	TriggerBackfill = "backfill" // by a backfill, to reload some of its windows
	TriggerHistory  = "history"  // by the first green run, to reconstruct the spec's history

	ModeAuto = "auto" // the probe decides
	ModeFull = "full"

	// ProbeSkip is the decision of a probe that proved that there is nothing
	// new.
	ProbeSkip = "skip"
)

// Run is the record of one run, in the collection runs. It is the truth about
// the run, as Temporal keeps its history for a while only.
type Run struct {
	ID          string    `bson:"_id" json:"id"`
	Dataset     string    `bson:"dataset" json:"dataset"`
	Trigger     string    `bson:"trigger" json:"trigger"`                              // TriggerManual or TriggerSchedule
	Mode        string    `bson:"mode" json:"mode"`                                    // ModeAuto or ModeFull
	Job         Job       `bson:"job,omitempty" json:"job,omitempty"`                  // what the run does; empty: JobMirror
	Of          string    `bson:"of,omitempty" json:"of,omitempty"`                    // run that an approval or a rerun is about
	From        string    `bson:"from,omitempty" json:"from,omitempty"`                // step that a rerun begins with
	LogicalDate time.Time `bson:"logical_date,omitempty" json:"logical_date,omitzero"` // when a scheduled run was due; of others their start
	Started     time.Time `bson:"started" json:"started"`
	// Redated is the time that the run was dated by a clock that was ahead, before
	// Started was set right: what it wrote is dated so.
	Redated       time.Time           `bson:"redated,omitempty" json:"redated,omitzero"`
	Finished      time.Time           `bson:"finished,omitempty" json:"finished,omitzero"`
	Updated       time.Time           `bson:"updated" json:"updated"` // when the record was written last
	Status        Status              `bson:"status" json:"status"`
	Outcome       certificate.Outcome `bson:"outcome,omitempty" json:"outcome,omitempty"`
	Reason        string              `bson:"reason,omitempty" json:"reason,omitempty"` // of a status or outcome that is not the good one
	Spec          string              `bson:"spec" json:"spec"`                         // digest of spec and rules
	WorkflowID    string              `bson:"workflow_id" json:"workflow_id"`
	TemporalRunID string              `bson:"temporal_run_id" json:"temporal_run_id"`

	Probe       Probe               `bson:"probe,omitempty" json:"probe,omitzero"`
	Version     socrata.Version     `bson:"version,omitempty" json:"version,omitzero"` // served version of the crawl
	Ranges      []Range             `bson:"ranges,omitempty" json:"ranges,omitempty"`  // the plan, in key order
	Progress    Progress            `bson:"progress,omitempty" json:"progress,omitempty"`
	Profile     certificate.Profile `bson:"profile,omitempty" json:"profile,omitzero"`
	Counts      Counts              `bson:"counts,omitempty" json:"counts,omitzero"`
	Gate        certificate.Verdict `bson:"gate,omitempty" json:"gate,omitzero"`
	Certificate certificate.Verdict `bson:"certificate,omitempty" json:"certificate,omitzero"`
	Snapshot    string              `bson:"snapshot,omitempty" json:"snapshot,omitempty"` // id
	Warnings    []string            `bson:"warnings,omitempty" json:"warnings,omitempty"` // such as a vanished optional column
	Stats       Stats               `bson:"stats,omitempty" json:"stats,omitzero"`
	LastFailure Failure             `bson:"last_failure,omitempty" json:"last_failure,omitzero"` // of a step that has not succeeded since
	Steps       []Step              `bson:"steps,omitempty" json:"steps,omitempty"`              // of the writing, in order

	Deadline       time.Time `bson:"deadline,omitempty" json:"deadline,omitzero"`                // by when the run should be done
	DeadlinePassed bool      `bson:"deadline_passed,omitempty" json:"deadline_passed,omitempty"` // it was not done by then

	FirstLoad   bool              `bson:"first_load,omitempty" json:"first_load,omitempty"`     // the mirror was empty: its rows have no change event
	Crawls      int               `bson:"crawls,omitempty" json:"crawls,omitempty"`             // how often the portal was crawled; more than once when torn
	Crawl       certificate.Crawl `bson:"crawl,omitempty" json:"crawl,omitzero"`                // what the gate saw
	Cleaned     time.Time         `bson:"cleaned,omitempty" json:"cleaned,omitzero"`            // start of the crawl that cleaned every row: this one, or one before
	Writes      bool              `bson:"writes,omitempty" json:"writes,omitempty"`             // it has begun to write rows
	Held        Held              `bson:"held,omitempty" json:"held,omitzero"`                  // removals that wait for approval
	ChangePages map[string]int    `bson:"change_pages,omitempty" json:"change_pages,omitempty"` // pages of change events by part, at least those written

	Backfill Backfill `bson:"backfill,omitempty" json:"backfill,omitzero"` // of a backfill as a whole
}

// Backfill is what a backfill is to do, and how far it is.
type Backfill struct {
	On      string `bson:"on" json:"on"`       // "lifecycle", or a date column of the portal
	Since   string `bson:"since" json:"since"` // days of the half-open span
	Until   string `bson:"until" json:"until"`
	Every   string `bson:"every" json:"every"`
	Windows int    `bson:"windows" json:"windows"` // of the span
	Todo    int    `bson:"todo" json:"todo"`       // of these, to be reloaded or proven
	Done    int    `bson:"done" json:"done"`       // reloaded so far, in runs that have ended
	Proven  int    `bson:"proven" json:"proven"`   // not reloaded, as the mirror was proven to equal the portal
	Failed  int    `bson:"failed" json:"failed"`
	Runs    int    `bson:"runs" json:"runs"`                         // runs that reload, so far; the last may be under way
	Paused  string `bson:"paused,omitempty" json:"paused,omitempty"` // why, while it is

	Rows      int64 `bson:"rows" json:"rows"` // of the windows done; a row counts in each of its windows
	Inserted  int64 `bson:"inserted" json:"inserted"`
	Replaced  int64 `bson:"replaced" json:"replaced"`
	Snapshots int   `bson:"snapshots" json:"snapshots"` // reconstructed
}

// Failure is how an attempt of a step went wrong.
type Failure struct {
	Step     string    `bson:"step" json:"step"`
	Attempt  int       `bson:"attempt" json:"attempt"` // counted from 1
	Kind     string    `bson:"kind" json:"kind"`       // see the types of failures
	Text     string    `bson:"text" json:"text"`
	At       time.Time `bson:"at" json:"at"`
	Activity string    `bson:"activity" json:"-"` // which of the step's activities, for ClearFailure
}

// String says what failed, when and why.
func (f *Failure) String() string {
	return fmt.Sprintf("attempt %d of %s failed at %s: %s (%s)", f.Attempt, f.Step, f.At.UTC().Format(time.RFC3339), f.Text, f.Kind)
}

// Held are removals over the limit.
type Held struct {
	Rows  int64         `bson:"rows" json:"rows"`
	Pages []landing.Ref `bson:"pages" json:"pages"` // of keys
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

// Range is one key range of a run's plan and what was fetched for it.
type Range struct {
	socrata.Range `bson:",inline"`
	Rows          int64 `bson:"rows,omitempty" json:"rows,omitempty"`
}

// Progress is how far a running run is: rows done by step ("fetch", "clean",
// "upsert") and by part of the plan ("0", "1", …). A number is set and never
// added to, so that a repeated attempt counts once.
type Progress map[string]map[string]int64

// Rows is how many rows a step has done, over all parts.
func (p Progress) Rows(step string) int64 {
	var rows int64
	for _, n := range p[step] {
		rows += n
	}
	return rows
}

// Counts of a run, in rows. Inserted, Replaced and Documents come from what is
// stored (mirror.Totals), not from summed attempts.
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
	// Altered says that a retry or reload changed documents of the crawl, at
	// least in untracked fields, which are not counted.
	Altered bool `bson:"altered,omitempty" json:"altered,omitempty"`
}

// Stats says what a run took.
type Stats struct {
	TookMS          int64   `bson:"took_ms,omitempty" json:"took_ms,omitempty"`
	RowsPerSecond   float64 `bson:"rows_per_second,omitempty" json:"rows_per_second,omitempty"`
	PeakMemoryBytes int64   `bson:"peak_memory_bytes,omitempty" json:"peak_memory_bytes,omitempty"` // of the worker process
	PortalBytes     int64   `bson:"portal_bytes,omitempty" json:"portal_bytes,omitempty"`           // on the wire
}

// Seen is when what the run's crawl saw was published, as far as the portal says;
// else when the run began.
func (r *Run) Seen() time.Time {
	if t := r.Crawl.Version.Time(); !t.IsZero() {
		return t
	}
	return r.Started
}

// Mirrors reports whether the run writes a complete crawl: it mirrors, or it is
// a rerun that writes rows. Only such a run compares the mirror with the portal
// row by row.
func (r *Run) Mirrors() bool {
	switch r.Job {
	case "", JobMirror:
		return true
	case JobRerun:
		return r.From == FromClean || r.From == FromGate
	default:
		return false
	}
}

// SharedKeys says how many rows of the run's crawl have a key that another row
// has, and what to do; empty when none has. key is the dataset's key column.
func (r *Run) SharedKeys(key string) string {
	n := r.Crawl.SharedKeys
	if n == 0 {
		return ""
	}
	rows := "rows have"
	if n == 1 {
		rows = "row has"
	}
	return fmt.Sprintf("%s is not unique: %s %s the %s of another row and can be no document (`starter quarantine list --run %s`); "+
		"tell the publisher, or name a column in the spec whose values are unique", key, humanize.Comma(n), rows, key, r.ID)
}
