// Package mirror is the writer: it makes the businesses of a dataset's database
// equal to cleaned pages, writes each change's event before its row, moves
// removed rows aside, and looks at what is stored for certificates (totals,
// groups, deep checks).
//
// It knows nothing of Temporal, of dataset specs or of cleaning: it is given
// pages of finished documents with their hashes, and a function that says what
// a change means. Everything here runs on MongoDB and on engines that speak its
// protocol but have no transactions, change streams or collations. Only
// activities, and tests and benchmarks that load rows, may import it.
package mirror
