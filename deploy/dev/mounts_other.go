//go:build !linux

package main

// unmountBelow has nothing to do: the engine that might mount something is built on Linux only.
func unmountBelow(string) error { return nil }
