// Package mongodb is what every package that stores something shares: the
// connection, the ownership of a dataset's database, deadlines, cursors,
// classes of errors and helpers for BSON.
//
// It never decides what is stored: collections belong to the packages that
// write them, and their names are listed in collections.go so that two never
// claim the same. It may be imported by every package that reads or writes the
// database.
package mongodb
