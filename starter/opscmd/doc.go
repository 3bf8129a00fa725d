// Package opscmd holds the commands of operators: preparing the servers, looking
// whether all is in order, workers, alerts and the dashboard. Used by the starter
// only.
package opscmd
