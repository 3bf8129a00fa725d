// Package lineage is about where a stored document came from: its hash, its
// version, the run that wrote it, and the digest that stands for a set of rows.
//
// It owns the canonical form that hashes are computed over, and never reads the
// database. Any package that handles stored documents may import it.
package lineage
