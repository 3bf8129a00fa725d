// Package workflows orchestrates runs: Mirror is a run as an operator sees it,
// Write does the writing under the one fixed workflow id of a dataset. Both are
// deterministic, do no I/O and call activities only.
package workflows

import (
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
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

// MirrorID is the workflow id of a run: "mirror/sf-business/manual-…". A
// schedule's runs get Temporal's suffix: "mirror/sf-business/scheduled-<time>".
func MirrorID(dataset, run string) string { return "mirror/" + dataset + "/" + run }

// WriteID is the workflow id under which, and only under which, a dataset's
// rows are written. Temporal runs at most one workflow with an id at a time.
func WriteID(dataset string) string { return "write/" + dataset }

// RunID is the run's name, from its workflow id; the inverse of MirrorID.
func RunID(workflowID string) string {
	return workflowID[strings.LastIndexByte(workflowID, '/')+1:]
}

// PortalQueue is the task queue of the activities that ask the portal: its rate
// limit holds over all workers together.
func PortalQueue(queue string) string { return queue + "-portal" }
