package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a child of this command: a server or the worker. It ends with this command, whatever ends this command.
type Process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended
	err  error         // how it ended; set before done is closed
}

// startProcess starts cmd. The child leads a process group of its own, so that a Ctrl-C in the terminal reaches only
// this command, which then stops its children in the right order, and so that a child's own children end with it.
// Should this command be killed, the kernel sends the child the signal death (Linux only).
func startProcess(name string, cmd *exec.Cmd, death syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	return startTied(name, cmd, death)
}

// startInForeground is startProcess for a command that shares this command's terminal: it stays in the terminal's
// foreground group, so that it may read from it and gets a Ctrl-C itself.
func startInForeground(name string, cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	return startTied(name, cmd, syscall.SIGTERM)
}

func startTied(name string, cmd *exec.Cmd, death syscall.Signal) (*Process, error) {
	tieToParent(cmd.SysProcAttr, death)
	p := &Process{name: name, cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the death signal when the thread that started the child ends, not the process: this
		// goroutine keeps its thread until the child has ended.
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

// Stop asks the child to end with sig, waits for at most grace, and then kills it and all that it started. Only the
// child itself is asked: a server knows best how to end its own children. It returns nil when the child had ended
// already.
func (p *Process) Stop(sig syscall.Signal, grace time.Duration) error {
	return p.stop(p.cmd.Process.Pid, sig, grace)
}

// StopAll is Stop for a tool that leaves its children to the terminal's Ctrl-C: all of them are asked.
func (p *Process) StopAll(sig syscall.Signal, grace time.Duration) error {
	return p.stop(p.group(), sig, grace)
}

// group is what kill(2) calls the child and all that it started, or the child alone where it leads no group.
func (p *Process) group() int {
	if p.cmd.SysProcAttr.Setpgid {
		return -p.cmd.Process.Pid
	}
	return p.cmd.Process.Pid
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

// Ended waits until the child has ended and says how. It is for children that should not end by themselves: it never
// returns nil.
func (p *Process) Ended() error {
	<-p.done
	if p.err == nil {
		return fmt.Errorf("%s ended by itself", p.name)
	}
	return fmt.Errorf("%s ended by itself: %w", p.name, p.err)
}
