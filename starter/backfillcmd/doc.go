// Package backfillcmd holds the commands about backfills: what one would do, its
// start, its report. It never writes to the mirror. Used by the starter only.
package backfillcmd
