// Package alerts is about the conditions that somebody is to be told about: a
// run failed, the mirror is stale, removals are held. It owns their records,
// decides which of them a run has found or ended, and writes the messages.
//
// It never sends anything (webhook does) and never touches rows. Only
// activities are given a Store; everyone else reads.
package alerts
