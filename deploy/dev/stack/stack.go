package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"padron/deploy/dev/process"
)

// Stack is what a command has started, with what it takes to stop it.
type Stack struct {
	Dirs      Dirs
	Steps     *Steps
	Temporary bool // the data are deleted when the stack stops
	Apart     bool // servers that are usually embedded run in processes of their own

	state     State
	ports     *HeldPorts
	env       []string // KEY=VALUE, what programs need to use the stack
	stops     []stop   // in the order of starting
	processes []*process.Process

	mu      sync.Mutex
	failure error         // of the first part of the stack that ended by itself
	failed  chan struct{} // closed when failure is set
}

// stop undoes one start.
type stop struct {
	name string
	do   func(context.Context) error
}

// stopTimeout is how long all parts together may take to stop.
const stopTimeout = 60 * time.Second

// New locks the data folder and takes the ports. The caller must Stop the stack
// in any case. It returns ErrRunning when another stack has the data folder.
func New(dirs Dirs, steps *Steps, temporary bool) (*Stack, error) {
	lock, err := Lock(dirs)
	if errors.Is(err, ErrRunning) {
		return nil, alreadyRunning(dirs)
	}
	if err != nil {
		return nil, err
	}
	s := NewPart(dirs)
	s.Steps, s.Temporary = steps, temporary
	s.OnStop("the data folder's lock", func(context.Context) error { return lock.Unlock() })
	if s.state, err = readState(dirs); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	wanted := DefaultPorts()
	for name, port := range s.state.Ports {
		wanted[name] = port
	}
	if temporary {
		// Nobody opens a test's servers in a browser, and the default ports are
		// left to a demo.
		for name := range wanted {
			wanted[name] = 0
		}
	}
	if s.ports, err = HoldPorts(wanted); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.OnStop("unused ports", func(context.Context) error { s.ports.Release(); return nil })
	for _, moved := range s.ports.moved {
		steps.Say("Ports", "%s", moved)
	}
	s.state.Ports, s.state.Running = s.ports.numbers, nil
	if err := writeState(dirs, s.state); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// NewPart is a stack without lock and ports, for a process that runs a single
// server on a data folder that another process has locked.
func NewPart(dirs Dirs) *Stack {
	return &Stack{Dirs: dirs, failed: make(chan struct{})}
}

// OnStop registers what undoes a start. What was started last is stopped first.
func (s *Stack) OnStop(name string, do func(context.Context) error) {
	s.stops = append(s.stops, stop{name, do})
}

// Watch makes a process part of the stack. If it ends by itself, the stack has
// failed. When the stack stops, the process gets sig and is killed after grace.
// The returned function stops it earlier than that.
func (s *Stack) Watch(p *process.Process, sig syscall.Signal, grace time.Duration) (stopNow func() error) {
	s.processes = append(s.processes, p)
	stopping := make(chan struct{})
	go func() {
		err := p.Ended()
		select {
		case <-stopping:
		default:
			s.Fail(err)
		}
	}()
	stopNow = sync.OnceValue(func() error {
		close(stopping)
		return p.Stop(sig, grace)
	})
	s.OnStop(p.Name(), func(context.Context) error { return stopNow() })
	return stopNow
}

// Processes are all that were watched so far, ended ones included.
func (s *Stack) Processes() []*process.Process { return s.processes }

// Fail marks the stack as failed. Only the first failure is kept: the others
// usually follow from it.
func (s *Stack) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.failure = err
		close(s.failed)
	}
}

// Failed is closed when a part of the stack has ended by itself.
func (s *Stack) Failed() <-chan struct{} { return s.failed }

// Failure is the error of the first part that ended by itself, or nil.
func (s *Stack) Failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// Wait returns when a part of the stack has ended by itself, with its error, or
// when ctx ends, with nil.
func (s *Stack) Wait(ctx context.Context) error {
	select {
	case <-s.failed:
		return s.Failure()
	case <-ctx.Done():
		return nil
	}
}

// Stop stops everything that was started, the last first. It continues after
// an error and returns all of them.
func (s *Stack) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
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

// ShutDown is Stop as a step of the command, for a deferred call. Errors of
// stopping are joined after *err, the error that ended the command.
func (s *Stack) ShutDown(err *error) {
	stopped := s.Steps.Do("Stop", "stopping everything", func() (string, error) {
		return "everything is stopped", s.Stop()
	})
	if stopped != nil {
		*err = errors.Join(*err, stopped)
	}
}

// Announce tells other commands of this checkout that the stack is up and how
// to use it. Ports that nothing took are released: programs that the user
// starts may want them.
func (s *Stack) Announce(command string) error {
	s.ports.Release()
	s.state.Running = &Running{PID: os.Getpid(), Command: command, Started: time.Now(), Env: s.env}
	if err := writeState(s.Dirs, s.state); err != nil {
		return err
	}
	s.OnStop("the state file", func(context.Context) error {
		s.state.Running = nil
		return writeState(s.Dirs, s.state)
	})
	return nil
}

// OpenLog opens a server's log file for appending, for the user alone: servers
// may log what is in rows. It is closed when the stack
// has stopped.
func (s *Stack) OpenLog(name string) (*os.File, error) {
	log, err := os.OpenFile(s.Dirs.Log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		err = log.Chmod(0o600) // one of an earlier version
	}
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	s.OnStop("the log of "+name, func(context.Context) error { return log.Close() })
	return log, nil
}

// Setenv adds a variable for the programs that use the stack.
func (s *Stack) Setenv(key, value string) {
	s.env = append(s.env, key+"="+value)
}

// Env is what programs need to use the stack, as KEY=VALUE.
func (s *Stack) Env() []string { return s.env }

// NotOwn is an error when the HOST:PORT that a variable gives is one that this
// stack is about to use itself: the variable is left from an earlier start, and
// nobody answers there. An address with several hosts, or without a port, is
// somebody else's.
func (s *Stack) NotOwn(variable, address string) error {
	host, port, _ := net.SplitHostPort(address)
	if port == "" || s == nil || s.ports == nil || host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil
	}
	for name, l := range s.ports.listeners {
		if port == strconv.Itoa(s.ports.numbers[name]) && l != nil {
			return fmt.Errorf("%s names %s, which is this checkout's own stack of an earlier start and not up: "+
				"unset MONGODB_URI, TEMPORAL_ADDRESS and PADRON_PORTAL_URL, and start again", variable, address)
		}
	}
	return nil
}

// Take releases the port of this name, for the server that listens on it next,
// and returns its number.
func (s *Stack) Take(port string) int { return s.ports.Take(port) }

// Listener hands over the port of this name without releasing it.
func (s *Stack) Listener(port string) net.Listener { return s.ports.Listener(port) }

// PortalVersion is when the simulated portal's rows were published. It is
// remembered from the first start on: fresh is returned then.
func (s *Stack) PortalVersion(fresh time.Time) (time.Time, error) {
	if version, ok := s.state.Portals[s.Dirs.World]; ok {
		return version, nil
	}
	s.state.Portals[s.Dirs.World] = fresh
	return fresh, writeState(s.Dirs, s.state)
}
