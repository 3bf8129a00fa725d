package workflows

import "go.temporal.io/sdk/workflow"

// versionChange is the change id of the gate below. Temporal lists it as the
// search attribute TemporalChangeVersion = "padron-2" of each execution.
const versionChange = "padron"

// The versions of the workflows that cannot go on with each other's executions.
//
//   - Before 2 there was no gate: those executions carry no version.
//   - 2 names the removal steps find_removed and confirm_removed, and that of a
//     rerun load_landed; the probe is a branch of the graph of Mirror.
//
// A change that old executions can live with is no new version here: it takes a
// change id of its own, and keeps the old way for them.
const version2 workflow.Version = 2

// quietBackfill is the change id of backfills that wait without timers: a run is
// asked once to end early, and a long history is left before the server asks for
// it. A backfill without it asks again every pauseAgain, until it continues as new.
const quietBackfill = "quiet-backfill"

// provenWindows is the change id of backfills that ask, before each of their runs,
// whether the mirror proves the windows that are left.
const provenWindows = "proven-windows"

// sharedWindows is the change id of a backfill's writing that reloads windows with
// few rows together. One without it reloads each by itself.
const sharedWindows = "shared-windows"

// olderVersion is what an operator reads, in the Web UI and in the worker's log,
// of an execution that an older version began.
const olderVersion = "padron: this run was begun by a release before workflow version 2 and cannot go on in this one: " +
	"let a worker of that release end it, or terminate it (see Upgrading in docs/operations.md)"

// refuseOlder keeps a workflow from going on with an execution that an older
// version began. It panics, which fails the workflow task and not the workflow:
// Temporal offers the task again, so that a worker of the old version takes it
// up. It costs an execution two events: a marker and a search attribute.
func refuseOlder(ctx workflow.Context) {
	if workflow.GetVersion(ctx, versionChange, workflow.DefaultVersion, version2) < version2 {
		panic(olderVersion)
	}
}
