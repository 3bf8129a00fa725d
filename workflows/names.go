// Package workflows orchestrates runs: Mirror is a run as an operator sees it,
// Write does the writing under the one fixed workflow id of a dataset. Both are
// deterministic, do no I/O and call activities only.
package workflows

import (
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"padron/activities"
)

// Search attributes of every run. `starter setup` registers them; a worker that
// finds one missing refuses to start, because an unregistered attribute would
// make each run hang.
var (
	SearchDataset     = temporal.NewSearchAttributeKeyKeyword("PadronDataset")
	SearchOutcome     = temporal.NewSearchAttributeKeyKeyword("PadronOutcome") // green, red, unproven, behind, skipped, failed, cancelled
	SearchRowsChanged = temporal.NewSearchAttributeKeyInt64("PadronRowsChanged")
	SearchLogicalDate = temporal.NewSearchAttributeKeyTime("PadronLogicalDate") // nominal time of a scheduled run, else its start
)

// SearchAttributes lists the search attributes by name with their types.
func SearchAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		SearchDataset.GetName():     SearchDataset.GetValueType(),
		SearchOutcome.GetName():     SearchOutcome.GetValueType(),
		SearchRowsChanged.GetName(): SearchRowsChanged.GetValueType(),
		SearchLogicalDate.GetName(): SearchLogicalDate.GetValueType(),
	}
}

// QueryStatus is the name of the query that returns the tasks of a running
// Mirror or Write as []dag.Status.
const QueryStatus = "status"

// Queries and updates of a Backfill. The commands of `starter backfill` have the
// same names.
const (
	QueryBackfill = "backfill" // how far it is, as mirror.Backfill
	UpdatePause   = "pause"    // finish the windows under way, let go of the writer, and wait; the argument says why
	UpdateResume  = "resume"
)

// MirrorID is the workflow id of a run: "mirror/sf-business/manual-…". A
// schedule's runs get Temporal's suffix: "mirror/sf-business/scheduled-<time>".
func MirrorID(dataset, run string) string { return "mirror/" + dataset + "/" + run }

// WriteID is the workflow id under which, and only under which, a dataset's
// rows are written. Temporal runs at most one workflow with an id at a time.
func WriteID(dataset string) string { return "write/" + dataset }

// BackfillID is the workflow id of a backfill: "backfill/sf-business/backfill-…".
func BackfillID(dataset, backfill string) string { return "backfill/" + dataset + "/" + backfill }

// ReloadID is the name of the nth run of a backfill, counted from 1, which
// reloads some of its windows.
func ReloadID(backfill string, nth int) string { return fmt.Sprintf("%s.%d", backfill, nth) }

// BackfillOf is the backfill that a run reloads windows for; empty for any other
// run. It is the inverse of ReloadID.
func BackfillOf(run string) string {
	at := strings.LastIndexByte(run, '.')
	if !strings.HasPrefix(run, backfillPrefix) || !strings.HasSuffix(run[:max(at, 0)], "Z") {
		return ""
	}
	return run[:at]
}

// backfillPrefix begins the names of backfills.
const backfillPrefix = "backfill-"

// WindowID is the workflow id of the reloading of one window:
// "window/sf-business/backfill-….1/1990-01".
func WindowID(dataset, run string, w activities.Window) string {
	return "window/" + dataset + "/" + run + "/" + w.String()
}

// RunID is the run's name, from its workflow id; the inverse of MirrorID.
func RunID(workflowID string) string {
	return workflowID[strings.LastIndexByte(workflowID, '/')+1:]
}

// PortalQueue is the task queue of the activities that ask the portal: its rate
// limit holds over all workers together.
func PortalQueue(queue string) string { return queue + "-portal" }
