package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// nameWidth aligns what a step did after its name; textWidth aligns the times after that.
const (
	nameWidth = 10
	textWidth = 80
)

// Steps prints what this command does, one line a step, with the time it took.
type Steps struct {
	mu  sync.Mutex
	w   io.Writer
	tty bool // the line may be rewritten when the step is done
}

// newSteps prints to out. Only on a terminal does it show a step before the step is done.
func newSteps(out *os.File) *Steps {
	return &Steps{w: out, tty: term.IsTerminal(int(out.Fd()))}
}

// Do runs one step and prints its line. doing is shown on a terminal meanwhile; f returns what was done. The line of
// a failed step is left to the caller, who prints the error.
func (s *Steps) Do(name, doing string, f func() (string, error)) error {
	start := time.Now()
	if s.tty {
		s.printf("%-*s  %s ...", nameWidth, name, doing)
	}
	did, err := f()
	if s.tty {
		s.printf("\r\x1b[K")
	}
	if err != nil {
		return err
	}
	s.printf("%-*s  %-*s %7s\n", nameWidth, name, textWidth, did, took(start))
	return nil
}

// Say prints a line without a time.
func (s *Steps) Say(name, format string, args ...any) {
	s.printf("%-*s  %s\n", nameWidth, name, fmt.Sprintf(format, args...))
}

// Announce prints what a long step is about to do, for readers who see a line only when it is finished.
func (s *Steps) Announce(name, format string, args ...any) {
	if s.tty {
		s.printf("\r\x1b[K")
	}
	s.Say(name, format, args...)
}

func (s *Steps) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Nothing can be done about a terminal that went away, and the stack must still be stopped in order.
	_, _ = fmt.Fprintf(s.w, format, args...)
}

// took is the time since start, to a tenth of a second.
func took(start time.Time) string {
	return fmt.Sprintf("%.1fs", time.Since(start).Seconds())
}
