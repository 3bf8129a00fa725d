//go:build !linux

package engine

// unmountBelow has nothing to do: the engine is built on Linux only.
func unmountBelow(string) error { return nil }
