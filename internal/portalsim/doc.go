// Package portalsim simulates a Socrata portal with one dataset: queries,
// metadata and version headers as of SODA 2.1, edits, lagging copies, and
// scripted faults. With it the product can be tried without a network, and
// tested against what the real portal does on its bad days.
//
// A Portal is an http.Handler. What it serves is a store.Table, invented by
// the package register or read from a file; the package soql answers its
// queries.
//
// It never asks a real portal, and knows nothing of the mirror. deploy/dev and
// tests import it, the product's own programs never do.
package portalsim
