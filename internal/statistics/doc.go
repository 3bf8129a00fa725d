// Package statistics counts the mirror: snapshots of a day as it was observed
// and of past days as they are reconstructed, their series and curves of
// survival. All counting is done by the database server, never by reading all
// rows. It keeps the profile of the columns beside a snapshot; what is in it is
// counted while rows are cleaned (package profile).
//
// It never writes rows. A Reader only reads; only activities are given a Store.
package statistics
