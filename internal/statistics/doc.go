// Package statistics counts the mirror: snapshots of a day as it was observed
// and of past days as they are reconstructed, their series, curves of survival,
// and the profile of every column. All counting is done by the database server,
// never by reading all rows.
//
// It never writes rows. A Reader only reads; only activities are given a Store.
package statistics
