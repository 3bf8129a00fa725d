// Package runcmd holds the commands about runs: starting, following, cancelling
// and listing them, and the jobs that look at one again (verify, approve, rerun).
// A run is started and read here and executed by a worker; nothing is written
// to the mirror. Used by the starter, backfillcmd and datacmd.
package runcmd
