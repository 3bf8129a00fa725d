// Package cleaning makes documents of a register's raw rows, and classifies the
// changes between two documents of a row. It is pure: the same row and spec always
// make the same bytes, whatever the day, the machine and the order of the row's
// columns. It never reads from a portal or a database. Every package may import it.
//
// No value is lost. Where a document does not hold a value as the row had it,
// source{column: raw} keeps the original, so that Source can rebuild the row from
// the document, except for volatile, ignored, dropped and untracked columns.
package cleaning
