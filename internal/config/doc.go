// Package config is the configuration that the worker and the starter share: read
// from the environment, overridden by flags, checked once at start. It connects to
// nothing but Temporal, and never logs a secret. Only the programs and their tests
// may import it.
package config
