package runs

import "cmp"

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
	// JobRetry fetches the quarantined rows anew.
	JobRetry Job = "retry"
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

// OrMirror is the job, or JobMirror for the empty one.
func (j Job) OrMirror() Job { return cmp.Or(j, JobMirror) }
