// Package dag runs a directed acyclic graph of tasks inside a Temporal
// workflow: edges, mapped tasks with a bound on how many of their items run at
// once, trigger rules, branches, deadlines, and a status to show. It is
// deterministic: it uses workflow coroutines, conditions and timers only.
//
// A graph is a list of tasks, each naming the earlier ones it comes after. A
// task does its work in Run, in Branch, or, when it is mapped, in Each, once
// for every item. A mapped task can follow another one item by item (Per): item
// 3 is cleaned as soon as item 3 is fetched, whatever the others do.
//
// # How a task ends
//
//	done       its work returned no error; an item also when it returned ErrSkip
//	reused     it lies before the task that the run started from, see Graph.From
//	failed     its work returned an error, or its deadline passed
//	skipped    its rule, or a branch, says that it does not run, or it returned ErrSkip
//	cancelled  its work was cancelled, or it was before it could begin
//
// A skip or a cancellation that has a failure as its root is marked, here with
// a star, so that a failure is never laundered by what it caused.
//
// # When a task runs
//
// Each row is how a task before it ended. With several before it, the lowest
// row that applies to any of them decides. All rules wait until every task
// before has ended, except that one_failed runs at the first failure.
//
//	ended as                         all_success  all_done  one_failed  none_failed
//	done, reused                     runs         runs      skipped     runs
//	skipped                          skipped      runs      skipped     runs
//	cancelled                        cancelled    runs      cancelled   cancelled
//	failed, skipped*, cancelled*     skipped*     runs      runs        skipped*
//
// A branch names those of the tasks directly after it that are to run. The
// others are skipped as soon as it has answered, whatever their rule; that skip
// is an ordinary one, without a star. For those that it named, and when it
// ended without an answer, the table holds. A task directly after a branch
// waits for its end, even under one_failed.
//
// A mapped task that follows another one item by item begins when the other
// one's number of items is known, and that one then counts as done in the
// table. It takes the items that the other one has done. When the other one
// ends as failed, skipped* or cancelled, it does the items that it was handed
// and ends as all_success says. Its own rule is all_success or none_failed.
//
// # Failure, deadline, cancellation
//
// After the failure of an item no further item of its task is started; those
// under way are waited for. Elsewhere the policy decides (Graph.OnFailure):
//
//   - FinishRest: whatever can still run runs.
//   - FailFast: at the first failure the contexts of all running tasks are
//     cancelled, and tasks that wait end as cancelled*. Tasks with the rule
//     all_done or one_failed are exempt: they go on, or run when their turn
//     comes.
//
// A task's Timeout counts from its start, the first item's start for one that
// follows item by item, and spans all of its items. At its end the task's
// context is cancelled and its work waited for; the task has failed, whatever
// the work still returns, with an application error of the type
// DeadlineExceeded. A task that was cancelled before has no deadline any more.
//
// When the workflow is cancelled the contexts of running tasks are cancelled
// with it and their work is waited for. A task whose work comes to its end all
// the same has ended as that says. Tasks that wait end as cancelled. Tasks with
// the rule all_done are the clean-up: they run on a context that a cancellation
// of the workflow does not reach, before it as well as after it, and only their
// Timeout bounds them. Run then returns a CanceledError, unless the
// cancellation came too late to keep any task from its end.
package dag
