package process

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a child of this command: a server, the worker or a tool.
type Process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended
	err  error         // how it ended; set before done is closed
}

// Start starts cmd. The child leads a process group of its own. A Ctrl-C in
// the terminal therefore reaches only this command, which stops its children in
// the right order, and killing the group ends the child's own children as well.
// If this command is killed, the kernel sends the child the signal death (Linux
// only).
func Start(name string, cmd *exec.Cmd, death syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	return start(name, cmd, death)
}

func start(name string, cmd *exec.Cmd, death syscall.Signal) (*Process, error) {
	tieToParent(cmd.SysProcAttr, death)
	p := &Process{name: name, cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the death signal when the thread that started the
		// child ends, not when the process ends. This goroutine keeps its
		// thread until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// Name is the name that the child was started under.
func (p *Process) Name() string { return p.name }

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the child ended: nil or an *exec.ExitError. Wait for Done first.
func (p *Process) Err() error { return p.err }

// Stop sends the child sig, waits for at most grace, and then kills it and all
// that it started. Only the child itself gets sig: a server ends its own
// children. Stop returns nil when the child had ended already.
func (p *Process) Stop(sig syscall.Signal, grace time.Duration) error {
	return p.stop(p.PID(), sig, grace)
}

// StopAll is Stop for a tool that leaves its children to the terminal's Ctrl-C:
// the whole process group gets sig.
func (p *Process) StopAll(sig syscall.Signal, grace time.Duration) error {
	return p.stop(p.group(), sig, grace)
}

// group is the argument of kill(2) for the child's process group, or for the
// child alone where it leads no group.
func (p *Process) group() int {
	if p.cmd.SysProcAttr.Setpgid {
		return -p.PID()
	}
	return p.PID()
}

func (p *Process) stop(pid int, sig syscall.Signal, grace time.Duration) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	var late error
	select {
	case <-p.done:
	case <-time.After(grace):
		late = fmt.Errorf("%s did not end within %s and was killed", p.name, grace)
	}
	if err := syscall.Kill(p.group(), syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return late
}

// Ended waits until the child has ended and returns how. It is for children
// that must not end by themselves: it never returns nil.
func (p *Process) Ended() error {
	<-p.done
	if p.err == nil {
		return fmt.Errorf("%s ended by itself", p.name)
	}
	return fmt.Errorf("%s ended by itself: %w", p.name, p.err)
}
