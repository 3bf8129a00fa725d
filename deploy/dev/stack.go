package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Stack is what this command started, with what it takes to stop it.
type Stack struct {
	Dirs      Dirs
	Steps     *Steps
	Temporary bool // the data are deleted when the stack stops
	Apart     bool // servers that are usually embedded run in processes of their own

	getenv  func(string) string
	lock    *flock.Flock
	state   State
	ports   *HeldPorts
	env     []string // KEY=VALUE, what programs need to use the stack
	stops   []stop   // in the order of starting
	mu      sync.Mutex
	watched []*Process
	failure error         // the first part of the stack that ended by itself
	failed  chan struct{} // closed when failure is set
}

// stop undoes one start.
type stop struct {
	name string
	do   func(context.Context) error
}

// stopPatience is how long all parts together may take to stop, after which they are killed.
const stopPatience = 60 * time.Second

// newStack takes the data folder and the ports. The caller must Stop it, whatever happens afterwards.
func newStack(dirs Dirs, steps *Steps, temporary bool) (*Stack, error) {
	lock, err := lockData(dirs)
	if errors.Is(err, errRunning) {
		return nil, alreadyRunning(dirs)
	}
	if err != nil {
		return nil, err
	}
	s := &Stack{Dirs: dirs, Steps: steps, Temporary: temporary, getenv: os.Getenv, lock: lock, failed: make(chan struct{})}
	s.onStop("the data folder's lock", func(context.Context) error { return lock.Unlock() })
	if s.state, err = readState(dirs); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	wanted := defaultPorts()
	for name, port := range s.state.Ports {
		wanted[name] = port
	}
	if temporary {
		// Nobody looks at a test's servers, and the defaults are left to a demo.
		for name := range wanted {
			wanted[name] = 0
		}
	}
	if s.ports, err = holdPorts(wanted); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.onStop("unused ports", func(context.Context) error { s.ports.Release(); return nil })
	for _, moved := range s.ports.moved {
		steps.Say("Ports", "%s", moved)
	}
	s.state.Ports, s.state.Running = s.ports.numbers, nil
	if err := writeState(dirs, s.state); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// onStop registers what undoes a start. What was started last is stopped first.
func (s *Stack) onStop(name string, do func(context.Context) error) {
	s.stops = append(s.stops, stop{name, do})
}

// watch makes a process part of the stack: should it end by itself, the stack has failed; when the stack stops, the
// process gets sig and, after grace, is killed. The returned function stops it before the stack's turn.
func (s *Stack) watch(p *Process, sig syscall.Signal, grace time.Duration) (stopNow func() error) {
	s.watched = append(s.watched, p)
	stopping := make(chan struct{})
	go func() {
		err := p.Ended()
		select {
		case <-stopping:
		default:
			s.fail(err)
		}
	}()
	stopNow = sync.OnceValue(func() error {
		close(stopping)
		return p.Stop(sig, grace)
	})
	s.onStop(p.name, func(context.Context) error { return stopNow() })
	return stopNow
}

// fail marks the stack as failed. Only the first failure counts: the others follow from it.
func (s *Stack) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = err
		close(s.failed)
	}
}

// Failure is the error of the first part that ended by itself, or nil.
func (s *Stack) Failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// Wait returns when a part of the stack has ended by itself, with its error, or when ctx ends, with nil.
func (s *Stack) Wait(ctx context.Context) error {
	select {
	case <-s.failed:
		return s.Failure()
	case <-ctx.Done():
		return nil
	}
}

// Stop stops all that was started, the last first, and goes on after an error.
func (s *Stack) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	var errs []error
	for _, stop := range slices.Backward(s.stops) {
		if err := stop.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", stop.name, err))
		}
	}
	s.stops = nil
	return errors.Join(errs...)
}

// announce tells other commands of this checkout that the stack is up and how to use it. Ports that nothing took are
// let go: programs that the user starts may want them.
func (s *Stack) announce(command string) error {
	s.ports.Release()
	s.state.Running = &Running{PID: os.Getpid(), Command: command, Started: time.Now(), Env: s.env}
	if err := writeState(s.Dirs, s.state); err != nil {
		return err
	}
	s.onStop("the state file", func(context.Context) error {
		s.state.Running = nil
		return writeState(s.Dirs, s.state)
	})
	return nil
}

// openLog opens a server's log file, after what is in it. It is closed when the stack has stopped.
func (s *Stack) openLog(name string) (*os.File, error) {
	log, err := os.OpenFile(s.Dirs.Log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	s.onStop("the log of "+name, func(context.Context) error { return log.Close() })
	return log, nil
}

// setenv adds a variable for the programs that use the stack.
func (s *Stack) setenv(key, value string) {
	s.env = append(s.env, key+"="+value)
}
