// Package changes is about change events: what happened to a row from one
// version to the next. It owns the event, its kinds and causes, the difference
// between two documents, and how a change reads for people.
//
// It reads and writes no database. It may be imported by the packages that
// write events (mirror), read them (query, export) and show them.
package changes
