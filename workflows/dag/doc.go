// Package dag runs a directed acyclic graph of tasks inside a Temporal
// workflow: edges, mapped tasks with a bound on how many of their items run at
// once, trigger rules, branches, repetitions, and a status to show. It is
// deterministic: it uses workflow coroutines and conditions only. It knows
// nothing of Padron: what the tasks do is the caller's.
//
// A graph is a list of tasks, each naming the earlier ones it comes after. A
// task does its work in Run, in Branch, or, when it is mapped, in Each, once
// for every item. A mapped task can follow another one item by item (Per): item
// 3 is cleaned as soon as item 3 is fetched, whatever the others do.
//
// # How a task ends
//
//	done       its work returned no error; an item also when it returned ErrSkip
//	failed     its work returned an error
//	skipped    its rule, or a branch, says that it does not run, or it returned ErrSkip
//	cancelled  its work was cancelled, or it was before it could begin
//
// A skip that has a failure as its root is marked, here with a star, so that
// the tasks after it still see the failure.
//
// # When a task runs
//
// Each row is how a task before it ended. With several before it, the lowest
// row that applies to any of them decides. Both rules wait until every task
// before has ended.
//
//	ended as           all_success  all_done
//	done               runs         runs
//	skipped            skipped      runs
//	cancelled          cancelled    runs
//	failed, skipped*   skipped*     runs
//
// A branch names those of the tasks directly after it that are to run. The
// others are skipped as soon as it has answered, whatever their rule, unless
// they also come after one that it named; that skip is an ordinary one, without
// a star. (Airflow's branches do the same.) For all others, and when the branch
// ended without an answer, the table holds.
//
// A mapped task that follows another one item by item begins when the other
// one's number of items is known, and that one then counts as done in the
// table. It takes the items that the other one has done. When the other one
// ends as failed, skipped* or cancelled, it does the items that it was handed
// and ends as all_success says. Its own rule is all_success.
//
// # Failure and cancellation
//
// After the failure of an item no further item of its task is started; those
// under way are waited for. Elsewhere, whatever can still run runs.
//
// When the workflow is cancelled the contexts of running tasks are cancelled
// with it and their work is waited for. A task whose work comes to its end all
// the same has ended as that says. Tasks that wait end as cancelled. Tasks with
// the rule all_done are the clean-up: they run on a context that a cancellation
// of the workflow does not reach, before it as well as after it, so that only
// the timeouts of what they call bound them. Run then returns a CanceledError,
// unless the cancellation came too late to keep any task from its end.
//
// # Repetition
//
// A task can find that the work of tasks before it is void and have them run
// again, as a gate does with a crawl during which the data changed. It declares
// them (Repeats), so that the drawing shows the way back, and calls Repeat from
// its Run.
package dag
