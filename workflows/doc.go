// Package workflows orchestrates runs. Mirror is a run as an operator sees it;
// Write does the writing, as its child, under the one fixed workflow id of a
// dataset; Backfill reloads the past through such runs, one Window at a time;
// Freshness looks for a proof that is missing; Notify sends messages.
//
// It owns the order of the steps, what may run at once, timeouts, and what a
// failure means for the rest of a run. The graphs of all jobs are declared in
// jobs.go, and `starter dag` draws them from there. The package is
// deterministic, does no I/O, and never judges data: it calls activities, and
// what they answer decides.
//
// The two programs and tests import it, and nothing else does.
package workflows
