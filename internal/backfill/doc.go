// Package backfill plans backfills: which windows a span of days has, which rows
// belong to each (as conditions of SoQL) and how many the portal counts, which
// windows are still to be reloaded, and as of which days snapshots are
// reconstructed.
//
// It never asks the database, and it asks the portal only through a [Counter].
// It may be imported by activities, workflows and starter.
package backfill
