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
		"plan":               a.Plan,
		"fetch_page":         a.FetchPage,
		"clean_page":         a.CleanPage,
		"gate":               a.Gate,
		"upsert_page":        a.UpsertPage,
		"index":              a.Index,
		"reconcile":          a.Reconcile,
		"aggregate_snapshot": a.AggregateSnapshot,
		"finish":             a.Finish,
		"await_writer":       a.AwaitWriter,
	} {
		r.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name})
	}
}
