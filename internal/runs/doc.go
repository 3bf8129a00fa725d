// Package runs keeps the record of every run: what it was to do, how far it is,
// what it found, and its certificate; the lists of runs by time; and what
// became of the windows of backfills. The records are the truth about runs, as
// Temporal keeps its history for a while only.
//
// It never touches rows. A Reader only reads; only activities and the writer of
// rows are given a Store.
package runs
