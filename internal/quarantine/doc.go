// Package quarantine keeps the rows that could not become documents: raw as the
// portal served them, with the reason, the run and their place in its pages.
//
// It never decides what is quarantined (cleaning does) and never touches
// documents. Only the writer of rows and activities are given a Store; everyone
// else reads.
package quarantine
