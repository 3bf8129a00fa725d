// Package temporal runs a Temporal server inside this process, with its Web UI,
// on a SQLite file, or uses the server that TEMPORAL_ADDRESS names. It knows
// nothing of Padron's workflows.
package temporal
