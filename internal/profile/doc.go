// Package profile describes what the fields of cleaned documents hold: how many
// rows have a value, how many values there are, which are frequent, years and
// numbers by how many rows have them, the flags.
//
// A Sketch takes documents one by one, in bounded memory whatever their number,
// is stored with the page that they are of, and merged with those of the other
// pages: nothing reads the documents again. Its counts are exact while a field
// has few values; beyond, what is an estimate says so with its error. Of a
// sensitive field no value is kept, only hashes, and none of these in the
// description.
//
// It is pure and does no I/O. It never decides which documents are described:
// that is package crawl.
package profile
