// Package guard protects one destination (the portal, MongoDB) from a process that
// calls it. It owns two layers of the error policy: a quick second try for the blip
// of a single call, and a circuit breaker that stops calling a destination that is
// down. It never waits longer than a second: everything longer is Temporal's, and
// guard's refusals tell Temporal when to come back. Activities and the programs that
// set them up may import it; no other package below them.
package guard
