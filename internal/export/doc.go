// Package export writes documents, change events and counts as CSV, JSON or Parquet,
// one after another and in constant memory. It never reads from a database: it is
// given the documents. The starter, the dashboard and their tests may import it.
package export
