package stack

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"padron/deploy/dev/process"
)

// partGrace is how long a part in a process of its own has to stop.
const partGrace = 15 * time.Second

// StartPart runs this program again as one part of the stack, with the hidden
// command `part`. A benchmark runs the parts that are usually embedded in
// processes of their own, because the operating system counts processor time
// and memory by process.
func (s *Stack) StartPart(name string, log *os.File, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, append([]string{"part"}, args...)...) //nolint:noctx // it is stopped in its turn
	cmd.Stdout, cmd.Stderr = log, log
	part, err := process.Start(name, cmd, syscall.SIGTERM)
	if err != nil {
		return err
	}
	s.Watch(part, syscall.SIGTERM, partGrace)
	return nil
}
