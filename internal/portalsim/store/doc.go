// Package store holds the rows of a simulated portal: typed values, compact
// records, tables, and snapshots, one for each version of a dataset. Edits turn
// one snapshot into the next.
//
// It never parses a query, and knows nothing of HTTP or of any particular
// register. The simulated portal and its rooms import it, and tests that hand
// a table to the portal.
package store
