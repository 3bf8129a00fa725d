// Package dashboard serves web pages, data and feeds over what a mirror holds.
// It owns the addresses, the pages in English (/en/) and Spanish (/es/), who
// may read them, and how they are cached. It never writes, and it is given
// readers only: each answer is made from stored snapshots, run records, change
// events and documents, and says which run and date it is of. The worker and
// the starter serve it.
//
// Pages are complete without JavaScript: each chart comes with its numbers as a
// table, and the scripts that draw it (dashboard/web) are an extra. Everything
// that a page shows is in its address.
package dashboard

// The contract with the scripts, and their texts, are written into
// dashboard/web.
//go:generate go test . -run ^TestContract$ -count=1 -update
