// Package bench measures Padron on this machine: loads and crawls against the
// raw limits of driver and engine, and the answers of the dashboard. It tests
// nothing.
package bench
