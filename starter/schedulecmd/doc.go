// Package schedulecmd holds the commands about Temporal's schedules of a dataset,
// and the comparison of those that are there with those that the spec wants. It
// starts no run itself. Used by the starter and opscmd.
package schedulecmd
