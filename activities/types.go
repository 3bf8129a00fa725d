package activities

import (
	"time"

	"padron/internal/mirror"
	"padron/internal/socrata"
)

// Mode of a run.
type Mode string

// The modes of a run.
const (
	// Auto lets the probe decide between skipping and a full crawl.
	Auto Mode = "auto"
	// Full crawls whatever the probe finds.
	Full Mode = "full"
)

// Job is what a run does. All jobs go through the dataset's one writer.
type Job string

// The jobs of a run.
const (
	// JobMirror crawls the portal and makes the mirror equal to it; the empty
	// job is this one.
	JobMirror Job = "mirror"
	// JobApprove asks the portal again for the removals that a run holds, and
	// removes what is still denied.
	JobApprove Job = "approve"
	// JobRerun repeats the newest crawl's steps from its landed pages.
	JobRerun Job = "rerun"
	// JobReplay fetches the quarantined rows anew.
	JobReplay Job = "replay"
	// JobVerify makes a certificate and changes nothing.
	JobVerify Job = "verify"
)

// The steps that a rerun can start from.
const (
	FromClean    = "clean"
	FromGate     = "gate"
	FromSnapshot = "aggregate_snapshot"
)

// Task says what a run is to do, and about what.
type Task struct {
	Job  Job      `json:"job,omitempty"`
	Of   string   `json:"of,omitempty"`   // approve, rerun: the run that it is about
	From string   `json:"from,omitempty"` // rerun: FromClean, FromGate or FromSnapshot
	Keys []string `json:"keys,omitempty"` // replay: only these; empty: all
	Deep bool     `json:"deep,omitempty"` // verify: hash every document anew
}

// Run identifies a run in every activity's input.
type Run struct {
	ID      string `json:"id"`      // "manual-2026-11-23T16:11:58.123Z"
	Dataset string `json:"dataset"` // a spec's name
	// Spec is the digest of the spec that the run's first activity used. An
	// activity on a worker with another spec refuses (WrongBuild). Empty until
	// the probe has answered.
	Spec string `json:"spec,omitempty"`
	// Started is the run's time: first_seen and changed_at of what it writes.
	Started time.Time `json:"started"`
}

// ProbeInput says which run asks and how it was started.
type ProbeInput struct {
	Run        Run       `json:"run"`
	Mode       Mode      `json:"mode"`
	Trigger    string    `json:"trigger"` // "manual" or "schedule"
	Nominal    time.Time `json:"nominal,omitzero"`
	WorkflowID string    `json:"workflow_id"`
	TemporalID string    `json:"temporal_id"` // Temporal's run id
}

// ProbeResult is what the portal and the last green run say.
type ProbeResult struct {
	Skip    bool            `json:"skip"`
	Why     string          `json:"why"`
	Rows    int64           `json:"rows"` // count(*) on the portal
	Version socrata.Version `json:"version"`
	Spec    string          `json:"spec"` // digest of the worker's spec
	// Columns are those of the portal's metadata. Pages name them all: portals
	// were seen to leave computed columns out of whole rows that are ordered.
	// Nil when nothing is to be fetched.
	Columns []string `json:"columns,omitempty"`
}

// PlanInput asks to cut the key space.
type PlanInput struct {
	Run  Run   `json:"run"`
	Rows int64 `json:"rows"`
}

// PlanResult lists the key ranges, in key order; the last one is the rows
// without a key.
type PlanResult struct {
	Ranges []socrata.Range `json:"ranges"`
}

// Landed names a page in the landing; the hash checks what is read back.
type Landed struct {
	ID     string `json:"id"`
	SHA256 string `json:"sha256"`
}

// FetchInput asks for one page: the first PageSize rows of a range.
type FetchInput struct {
	Run   Run           `json:"run"`
	Part  int           `json:"part"` // index of the range in the plan
	Range socrata.Range `json:"range"`
	// Columns to ask for, as the probe found them.
	Columns []string `json:"columns"`
}

// RawPage is a landed page as the portal served it.
type RawPage struct {
	Landed
	Rows    int             `json:"rows"`
	LastKey string          `json:"last_key,omitempty"`
	More    bool            `json:"more,omitempty"` // the page was full: go on after LastKey
	Version socrata.Version `json:"version"`
	Bytes   int64           `json:"bytes"` // on the wire
}

// CleanInput asks to clean one raw page.
type CleanInput struct {
	Run  Run     `json:"run"`
	Part int     `json:"part"`
	Nth  int     `json:"nth,omitempty"` // page of the part, 0 for the first
	Page RawPage `json:"page"`
}

// CleanPage is a landed page of documents.
type CleanPage struct {
	Landed
	Label string `json:"label"` // the same for every attempt; names the page's quarantined rows
	Rows  int    `json:"rows"`
}

// GateInput gives the whole crawl, in key order.
type GateInput struct {
	Run   Run      `json:"run"`
	Probe Version  `json:"probe"`
	Rows  int64    `json:"rows"`  // count(*) before the crawl
	Pages []string `json:"pages"` // landing ids of the cleaned pages
}

// Version is socrata's version of an answer.
type Version = socrata.Version

// GateResult lets the run write.
type GateResult struct {
	Rows    int64   `json:"rows"` // rows of the crawl, quarantined ones included
	Whole   bool    `json:"whole"`
	Why     string  `json:"why,omitempty"` // why the crawl is not whole
	Ordered bool    `json:"ordered"`       // keys ascend in the order of bytes
	Version Version `json:"version"`
}

// UpsertInput asks to make one key range of the mirror equal to its pages.
type UpsertInput struct {
	Run   Run           `json:"run"`
	Part  int           `json:"part"`
	Range socrata.Range `json:"range"`
	Pages []CleanPage   `json:"pages"`
	// Ordered as the gate found the keys of the whole crawl.
	Ordered bool `json:"ordered"`
}

// UpsertResult counts one attempt; a run's own counts come from what is stored.
type UpsertResult struct {
	Inserted  int `json:"inserted"`
	Replaced  int `json:"replaced"`
	Unchanged int `json:"unchanged"`
	// What does not depend on earlier attempts:
	Missing     int `json:"missing"`     // in the mirror and not in the crawl; -1: not known of one range
	Quarantined int `json:"quarantined"` // rows that could not become documents
	Kept        int `json:"kept"`        // documents whose row is in quarantine
}

// ReconcileInput gives what the mirror must equal.
type ReconcileInput struct {
	Run         Run        `json:"run"`
	Gate        GateResult `json:"gate"`
	Missing     int        `json:"missing"`
	Quarantined int        `json:"quarantined"`
	Kept        int        `json:"kept"`
}

// ReconcileResult is the certificate's summary.
type ReconcileResult struct {
	Outcome     mirror.Outcome `json:"outcome"` // green, red or unproven
	Why         string         `json:"why"`
	Documents   int64          `json:"documents"`
	Inserted    int64          `json:"inserted"`
	Replaced    int64          `json:"replaced"`
	Quarantined int64          `json:"quarantined"`
}

// SnapshotInput asks for the statistics of the mirror as it is.
type SnapshotInput struct {
	Run     Run            `json:"run"`
	Version Version        `json:"version"`
	Outcome mirror.Outcome `json:"outcome"`
}

// SnapshotResult names the snapshot.
type SnapshotResult struct {
	ID   string `json:"id"`
	Open int64  `json:"open"`
}

// FinishInput closes the record of a run.
type FinishInput struct {
	Run     Run            `json:"run"`
	Status  mirror.Status  `json:"status"` // done, skipped, failed or cancelled
	Outcome mirror.Outcome `json:"outcome,omitempty"`
	Why     string         `json:"why,omitempty"`
	Bytes   int64          `json:"bytes,omitempty"` // fetched from the portal
	Rows    int64          `json:"rows,omitempty"`
	Steps   []mirror.Step  `json:"steps,omitempty"`
}
