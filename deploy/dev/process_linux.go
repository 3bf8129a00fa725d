package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// tieToParent has the kernel send the child this signal when the parent's thread ends.
func tieToParent(attr *syscall.SysProcAttr, death syscall.Signal) {
	attr.Pdeathsig = death
}

// startedByGoRun says whether the parent is the go command: `go run` passes no SIGTERM on, so a stack started by it
// has to notice by itself that it was left behind.
func startedByGoRun() bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", os.Getppid()))
	return err == nil && strings.TrimSpace(string(name)) == "go"
}
