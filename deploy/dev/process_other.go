//go:build !linux

package main

import "syscall"

// tieToParent does nothing: only Linux can tell a child that its parent died.
func tieToParent(*syscall.SysProcAttr, syscall.Signal) {}

// startedByGoRun is always false: only Linux tells the parent's name without help.
func startedByGoRun() bool { return false }
