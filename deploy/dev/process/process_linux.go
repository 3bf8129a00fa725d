package process

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// tieToParent makes the kernel send the child this signal when the thread that
// started it ends.
func tieToParent(attr *syscall.SysProcAttr, death syscall.Signal) {
	attr.Pdeathsig = death
}

// StartedByGoRun reports whether the parent is the go command. `go run` passes
// no SIGTERM on, so a program started by it has to watch its parent.
func StartedByGoRun() bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", os.Getppid()))
	return err == nil && strings.TrimSpace(string(name)) == "go"
}
