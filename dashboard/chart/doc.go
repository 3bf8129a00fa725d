// Package chart makes the charts of the dashboard from the counts of a
// snapshot: for each chart the data that the scripts draw, the same numbers as
// a table, and the notes that a reader needs for both. It keeps what never
// changes between requests.
//
// It reads counts and never writes, and it knows no HTTP. Only the dashboard
// imports it. The types in contract.go are the contract with the scripts in
// dashboard/web, which go generate writes for them.
package chart
