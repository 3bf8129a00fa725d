// Package cli is what the commands of the starter share: settings, connections,
// exit codes, how things are printed and completed. It knows no command. Used by
// the packages of the starter only.
package cli
