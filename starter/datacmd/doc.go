// Package datacmd holds the commands that read what the mirror holds, changes,
// snapshots, quarantine and exports, and those about the spec of a dataset. It
// writes files that the user named, and never to the mirror. Used by the starter
// only.
package datacmd
