package activities

import (
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
)

// Register makes a worker run the activities, under the names of their tasks.
// Every worker knows all names; which ones it is given depends on its queue.
func Register(r worker.ActivityRegistry, a *Activities) {
	for name, f := range map[string]any{
		"probe":              a.Probe,
		"prepare":            a.Prepare,
		"plan":               a.Plan,
		"load_landed":        a.LoadLanded,
		"fetch_page":         a.FetchPage,
		"fetch_keys":         a.FetchKeys,
		"clean_page":         a.CleanPage,
		"compare_page":       a.ComparePage,
		"gate":               a.Gate,
		"upsert_page":        a.UpsertPage,
		"index":              a.Index,
		"find_removed":       a.FindRemoved,
		"confirm_removed":    a.ConfirmRemoved,
		"resolve":            a.Resolve,
		"reconcile":          a.Reconcile,
		"aggregate_snapshot": a.AggregateSnapshot,
		"profile_columns":    a.ProfileColumns,
		"fetch_boundaries":   a.FetchBoundaries,
		"finish":             a.Finish,
		"overdue":            a.Overdue,
		"check_freshness":    a.CheckFreshness,
		"notify":             a.Notify,
		"await_writer":       a.AwaitWriter,

		"plan_backfill":       a.PlanBackfill,
		"prove_windows":       a.ProveWindows,
		"count_windows":       a.CountWindows,
		"upsert_window":       a.UpsertWindow,
		"fail_window":         a.FailWindow,
		"aggregate_snapshots": a.ReconstructSnapshots,
		"record_backfill":     a.RecordBackfill,
		"await_run":           a.AwaitRun,
	} {
		r.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
}
