// Package query is the reader of the mirror: search and listings of businesses,
// the feed of changes, and all documents for exports. Through its Reader,
// pages, commands and exports reach everything that they may read, and nothing
// that writes.
//
// It never writes. It may be imported by dashboard, starter, export and tests.
package query
