//go:build !linux

package process

import "syscall"

// tieToParent does nothing: only Linux can tell a child that its parent died.
func tieToParent(*syscall.SysProcAttr, syscall.Signal) {}

// StartedByGoRun is always false: only Linux has the parent's name in /proc.
func StartedByGoRun() bool { return false }
