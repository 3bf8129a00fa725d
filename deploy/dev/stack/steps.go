package stack

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// NameWidth aligns what a step did after its name. textWidth aligns the times
// after that.
const (
	NameWidth = 10
	textWidth = 80
)

// Steps prints what a command does, one line per step, with the time it took.
type Steps struct {
	mu  sync.Mutex
	w   io.Writer
	tty bool // w is a terminal: a step is shown before it is done
}

// NewSteps prints to w.
func NewSteps(w io.Writer) *Steps {
	file, ok := w.(*os.File)
	return &Steps{w: w, tty: ok && term.IsTerminal(int(file.Fd()))}
}

// Do runs one step and prints its line. doing is shown on a terminal meanwhile;
// f returns what was done. No line is printed for a failed step: the caller
// prints the error.
func (s *Steps) Do(name, doing string, f func() (string, error)) error {
	start := time.Now()
	if s.tty {
		s.printf("%-*s  %s ...", NameWidth, name, doing)
	}
	did, err := f()
	if s.tty {
		s.printf("\r\x1b[K")
	}
	if err != nil {
		return err
	}
	s.printf("%-*s  %-*s %7s\n", NameWidth, name, textWidth, did, Took(start))
	return nil
}

// Say prints a line without a time.
func (s *Steps) Say(name, format string, args ...any) {
	s.printf("%-*s  %s\n", NameWidth, name, fmt.Sprintf(format, args...))
}

// Announce prints what a long step is about to do, for output that is not a
// terminal, where a step is shown only when it is done.
func (s *Steps) Announce(name, format string, args ...any) {
	if s.tty {
		s.printf("\r\x1b[K")
	}
	s.Say(name, format, args...)
}

func (s *Steps) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A terminal that is gone must not keep the stack from stopping in order.
	_, _ = fmt.Fprintf(s.w, format, args...)
}

// Took is the time since start, to a tenth of a second.
func Took(start time.Time) string {
	return fmt.Sprintf("%.1fs", time.Since(start).Seconds())
}
