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
	// JobReload reloads some of a backfill's windows, JobReconstruct makes its
	// snapshots, JobBackfill is the backfill as a whole.
	JobReload      Job = "reload"
	JobReconstruct Job = "reconstruct"
	JobBackfill    Job = "backfill"
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
	Task       Task      `json:"task"`
	Mode       Mode      `json:"mode"`
	Trigger    string    `json:"trigger"` // "manual" or "schedule"
	Nominal    time.Time `json:"nominal,omitzero"`
	Deadline   time.Time `json:"deadline,omitzero"` // by when the run should be done
	WorkflowID string    `json:"workflow_id"`
	TemporalID string    `json:"temporal_id"` // Temporal's run id
}

// ProbeResult is what the portal and the earlier runs say.
type ProbeResult struct {
	Skip    bool    `json:"skip"`
	Why     string  `json:"why"`
	Rows    int64   `json:"rows"`    // count(*) on the portal; replay: rows to fetch
	Version Version `json:"version"` // of that count
	Spec    string  `json:"spec"`    // digest of the worker's spec
	// Columns are those of the portal's metadata that the spec does not drop.
	// Pages name them all: portals were seen to leave computed columns out of
	// whole rows that are ordered. Nil when nothing is to be fetched.
	Columns []string `json:"columns,omitempty"`

	// Boundaries says that the spec names a dataset of boundaries; of a run that mirrors.
	Boundaries bool `json:"boundaries,omitempty"`

	Empty     bool `json:"empty,omitempty"`      // the mirror has no document
	FirstLoad bool `json:"first_load,omitempty"` // no run has loaded the mirror yet: its rows are no events

	Of      string `json:"of,omitempty"`      // other jobs than mirroring: the run whose crawl the mirror was last written from (reload: and Version is that crawl's)
	Batches int    `json:"batches,omitempty"` // replay: requests to make
}

// PlanInput asks to cut the key space.
type PlanInput struct {
	Run    Run         `json:"run"`
	Crawl  int         `json:"crawl"`  // 1, or more when the one before was torn
	Before ProbeResult `json:"before"` // as the probe, or the plan before, found the portal
}

// PlanResult lists the key ranges, in key order; the last one is the rows
// without a key.
type PlanResult struct {
	Ranges []socrata.Range `json:"ranges"`
	Before ProbeResult     `json:"before"` // looked at anew for a further crawl
}

// Landed names a page in the landing; the hash checks what is read back.
type Landed struct {
	ID     string `json:"id"`
	SHA256 string `json:"sha256"`
}

// FetchInput asks for one page: the first PageSize rows of a range.
type FetchInput struct {
	Run   Run           `json:"run"`
	Part  int           `json:"part"`          // index of the range in the plan
	Nth   int           `json:"nth,omitempty"` // page of the part, 0 for the first
	Range socrata.Range `json:"range"`
	// Where limits the page to rows for which this SoQL condition holds.
	Where string `json:"where,omitempty"`
	// NotBefore refuses an answer that is of an older version, or of a copy that
	// lags behind its master, until a newer one comes: what is stored is newer.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Columns to ask for, as the probe found them.
	Columns []string `json:"columns"`
}

// FetchKeysInput asks for one batch of quarantined rows.
type FetchKeysInput struct {
	Run     Run      `json:"run"`
	Of      string   `json:"of"`             // the run whose quarantine it is
	Keys    []string `json:"keys,omitempty"` // only these; empty: all
	Batch   int      `json:"batch"`
	Columns []string `json:"columns"`
}

// RawPage is a landed page as the portal served it.
type RawPage struct {
	Landed
	Range   socrata.Range `json:"range"` // that was asked for
	Rows    int           `json:"rows"`  // those after them are the next page's
	LastKey string        `json:"last_key,omitempty"`
	More    bool          `json:"more,omitempty"` // the page was full: go on after LastKey
	Version Version       `json:"version"`
	Bytes   int64         `json:"bytes"` // on the wire
}

// RecallInput asks for the landed pages of an earlier run.
type RecallInput struct {
	Run  Run    `json:"run"`
	Of   string `json:"of"`
	From string `json:"from"` // FromClean: the raw pages; FromGate: the cleaned ones as well
}

// RecallResult lists the pages by part.
type RecallResult struct {
	Ranges []socrata.Range `json:"ranges"`
	Raw    [][]RawPage     `json:"raw"`
	Clean  [][]CleanPage   `json:"clean"`
}

// CleanInput asks to clean one raw page.
type CleanInput struct {
	Run  Run     `json:"run"`
	Part int     `json:"part"`
	Nth  int     `json:"nth,omitempty"` // page of the part, 0 for the first
	Page RawPage `json:"page"`
	// Compare holds the rows against what is stored, and lands the documents of
	// those only that differ.
	Compare bool `json:"compare,omitempty"`
	// Of makes the page one of some rows only, to be written beside the crawl of
	// this run: rows that cannot become documents, and those whose key the crawl
	// has in quarantine, are left out, because only a whole crawl can judge them.
	Of string `json:"of,omitempty"`
}

// CleanPage is a landed page of documents.
type CleanPage struct {
	Landed
	Label       string `json:"label"` // the same for every attempt; names the page's quarantined rows
	Rows        int    `json:"rows"`
	Quarantined int    `json:"quarantined,omitempty"` // of the rows
	Left        int    `json:"left,omitempty"`        // of the rows, see CleanInput.Of
	// Disorder says that the keys do not ascend in the order of bytes within
	// the range that was asked for: the portal sorts by another collation.
	Disorder bool `json:"disorder,omitempty"`

	Compared UpsertResult  `json:"compared"` // what an upsert would do, when the rows were compared
	Stored   mirror.Census `json:"stored"`   // what was stored in the page's range then
}

// GateInput gives the whole crawl, in key order.
type GateInput struct {
	Run      Run          `json:"run"`
	Task     Task         `json:"task"`
	Before   ProbeResult  `json:"before"`   // count(*), version and columns before the crawl
	Pages    []string     `json:"pages"`    // landing ids of the cleaned pages
	Compared UpsertResult `json:"compared"` // what an upsert would do, of all parts
	// Documents is how many there are in the mirror, counted while comparing;
	// -1: not counted.
	Documents int64 `json:"documents"`
	Last      bool  `json:"last"` // no further crawl will be made
}

// Version is socrata's version of an answer.
type Version = socrata.Version

// GateResult lets the run write.
type GateResult struct {
	// Again asks for another crawl, After so long: this one was torn.
	Again bool          `json:"again,omitempty"`
	After time.Duration `json:"after,omitempty"`

	Rows    int64   `json:"rows"` // rows of the crawl, quarantined ones included
	Whole   bool    `json:"whole"`
	Why     string  `json:"why,omitempty"` // why the crawl is not whole
	Ordered bool    `json:"ordered"`       // keys ascend in the order of bytes
	Version Version `json:"version"`
	// CameOrWent are columns that the portal did not have at the last crawl, or
	// has no longer.
	CameOrWent []string `json:"came_or_went,omitempty"`
	// Mapped are the columns that the spec of the last crawl mapped, when it was
	// another spec.
	Mapped []string `json:"mapped,omitempty"`
}

// UpsertInput asks to make one key range of the mirror equal to its pages.
type UpsertInput struct {
	Run   Run           `json:"run"`
	Part  int           `json:"part"`
	Range socrata.Range `json:"range"`
	Pages []CleanPage   `json:"pages"`
	// Ordered as the gate found the keys of the whole crawl.
	Ordered    bool     `json:"ordered"`
	FirstLoad  bool     `json:"first_load,omitempty"`
	Partial    bool     `json:"partial,omitempty"` // the pages are only some rows of the range
	CameOrWent []string `json:"came_or_went,omitempty"`
	Mapped     []string `json:"mapped,omitempty"`
}

// UpsertResult counts one attempt, or several parts; a run's own counts come
// from what is stored.
type UpsertResult struct {
	Inserted  int `json:"inserted"`
	Replaced  int `json:"replaced"`
	Unchanged int `json:"unchanged"`
	// What does not depend on earlier attempts:
	Missing     int `json:"missing"`     // in the mirror and not in the crawl; -1: not known of one range
	Quarantined int `json:"quarantined"` // rows that could not become documents
	Kept        int `json:"kept"`        // documents whose row is in quarantine
	Stale       int `json:"stale"`       // documents to be flagged stale, or no longer so
	// Landed pages of keys; none in the result of several parts.
	MissingKeys []mirror.PageRef `json:"missing_keys,omitempty"` // stored, and not in the crawl
	AllKeys     []mirror.PageRef `json:"all_keys,omitempty"`     // of the crawl, when its keys are not in the order of bytes
}

// Add adds the counts of another part.
func (r *UpsertResult) Add(other UpsertResult) {
	r.Inserted += other.Inserted
	r.Replaced += other.Replaced
	r.Unchanged += other.Unchanged
	r.Missing += other.Missing
	r.Quarantined += other.Quarantined
	r.Kept += other.Kept
	r.Stale += other.Stale
}

// Work says whether there is anything to write.
func (r UpsertResult) Work() bool {
	return r.Inserted != 0 || r.Replaced != 0 || r.Missing != 0 || r.Quarantined != 0 || r.Stale != 0
}

// SweepInput gives the documents that the crawl lacks.
type SweepInput struct {
	Run     Run              `json:"run"`
	Task    Task             `json:"task"`
	Whole   bool             `json:"whole"`
	Ordered bool             `json:"ordered"`
	Missing []mirror.PageRef `json:"missing,omitempty"` // landed pages of their keys
	All     []mirror.PageRef `json:"all,omitempty"`     // or of all keys of the crawl, when they are not in the order of bytes
}

// SweepResult says what is to become of them.
type SweepResult struct {
	Missing int              `json:"missing"`
	Held    int              `json:"held,omitempty"`    // over the brake: they wait for approval
	Batches int              `json:"batches,omitempty"` // to confirm and remove; none when held or when the crawl is torn
	Pages   []mirror.PageRef `json:"pages,omitempty"`   // landed pages of the missing keys
	Why     string           `json:"why,omitempty"`     // why none is removed
}

// RemoveInput asks to confirm and remove one batch of missing keys.
type RemoveInput struct {
	Run   Run              `json:"run"`
	Pages []mirror.PageRef `json:"pages"`
	Batch int              `json:"batch"`
}

// RemoveResult counts what became of missing keys.
type RemoveResult struct {
	Removed int `json:"removed"` // the portal denied them
	Present int `json:"present"` // the portal has them after all
	Lagging int `json:"lagging"` // the answer was that of an old copy: not removed
}

// Add adds another batch.
func (r *RemoveResult) Add(other RemoveResult) {
	r.Removed += other.Removed
	r.Present += other.Present
	r.Lagging += other.Lagging
}

// ResolveInput gives the pages of a replay.
type ResolveInput struct {
	Run   Run         `json:"run"`
	Of    string      `json:"of"` // the run whose quarantine it is
	Pages []CleanPage `json:"pages"`
}

// ReconcileInput gives what the mirror must equal.
type ReconcileInput struct {
	Run    Run        `json:"run"`
	Task   Task       `json:"task"`
	Of     string     `json:"of,omitempty"` // other jobs than mirroring: the run whose crawl the mirror was written from
	Gate   GateResult `json:"gate"`
	Crawls int        `json:"crawls"`
	// Written are the ranges that were written to; nil: all. The rest of the
	// documents is Unwritten, as counted when it was compared.
	Written   []socrata.Range `json:"written"`
	Unwritten mirror.Census   `json:"unwritten"`
	Swept     SweepResult     `json:"swept"`
	Removed   RemoveResult    `json:"removed"`
}

// ReconcileResult is the certificate's summary.
type ReconcileResult struct {
	Outcome     mirror.Outcome `json:"outcome"` // green, red, unproven or behind
	Why         string         `json:"why"`
	Documents   int64          `json:"documents"`
	Inserted    int64          `json:"inserted"`
	Replaced    int64          `json:"replaced"`
	Removed     int64          `json:"removed"`
	Held        int64          `json:"held,omitempty"`
	Quarantined int64          `json:"quarantined"`
	Events      int64          `json:"events"`
}

// SnapshotInput asks for the statistics of the mirror as it is.
type SnapshotInput struct {
	Run     Run            `json:"run"`
	Task    Task           `json:"task"`
	Outcome mirror.Outcome `json:"outcome"`
}

// SnapshotResult names the snapshot.
type SnapshotResult struct {
	ID      string         `json:"id"`
	Open    int64          `json:"open"`
	Outcome mirror.Outcome `json:"outcome"` // of the run that it is about
	Why     string         `json:"why"`
}

// FinishInput closes the record of a run.
type FinishInput struct {
	Run     Run            `json:"run"`
	Task    Task           `json:"task"`
	Status  mirror.Status  `json:"status"` // done, skipped, failed or cancelled
	Outcome mirror.Outcome `json:"outcome,omitempty"`
	Why     string         `json:"why,omitempty"`
	Kind    string         `json:"kind,omitempty"`    // of a failed run: the type of its error
	Refused bool           `json:"refused,omitempty"` // it could not be done as asked: whoever asked was told
	Bytes   int64          `json:"bytes,omitempty"`   // fetched from the portal
	Rows    int64          `json:"rows,omitempty"`
	Steps   []mirror.Step  `json:"steps,omitempty"`
}
