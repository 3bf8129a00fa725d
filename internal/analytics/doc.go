// Package analytics computes statistics from counts: survival, churn, shares,
// quantiles and association. Its functions are pure: they are given counts that a
// database made, never rows, and know nothing of where these come from. Every
// package may import it.
package analytics
