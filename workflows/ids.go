package workflows

import (
	"fmt"
	"strings"

	"padron/internal/backfill"
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
// run. It undoes ReloadID.
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
func WindowID(dataset, run string, w backfill.Window) string {
	return "window/" + dataset + "/" + run + "/" + w.String()
}

// RunID is the run's name, from its workflow id. It undoes MirrorID.
func RunID(workflowID string) string {
	return workflowID[strings.LastIndexByte(workflowID, '/')+1:]
}

// Queue is the task queue of a dataset: "padron/sf-business". Each dataset has its
// own, so that a worker is offered only what it can do, whatever others there are.
// taskQueue is PADRON_TASK_QUEUE.
func Queue(taskQueue, dataset string) string { return taskQueue + "/" + dataset }

// PortalQueue is the task queue of the activities that ask the portal, beside a
// queue of workflows: its rate limit holds over all workers of the dataset
// together. No dataset's name ends so (see the rules of a spec's name).
func PortalQueue(queue string) string { return queue + "-portal" }
