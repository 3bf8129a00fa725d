package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"padron/internal/mongodb"
)

// ErrRunning says that another stack uses the data folder.
var ErrRunning = errors.New("a stack of this checkout is already running")

// State is what a data folder remembers from one start to the next, and what
// other commands learn about a running stack.
type State struct {
	Ports   map[string]int       `json:"ports"`             // last used, by name
	Portals map[string]time.Time `json:"portals,omitempty"` // version of the simulated portal's rows, by world
	Running *Running             `json:"running,omitempty"` // set while a stack is up; meaningless while the lock is free
}

// Running describes the stack that is up.
type Running struct {
	PID     int       `json:"pid"`
	Command string    `json:"command"` // demo, up, exec
	Started time.Time `json:"started"`
	Env     []string  `json:"env"` // KEY=VALUE, what programs need to use the stack
}

func (d Dirs) stateFile() string { return filepath.Join(d.Data, "state.json") }

// readState returns an empty state when there is none yet. A damaged file is an
// error that names it.
func readState(d Dirs) (State, error) {
	state := State{Ports: map[string]int{}, Portals: map[string]time.Time{}}
	data, err := os.ReadFile(d.stateFile())
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return state, fmt.Errorf("read the stack's state: %w", err)
	}
	if err := json.Unmarshal(data, &state); err != nil {
		return state, fmt.Errorf("read the stack's state %s: %w; delete the file to start anew", d.stateFile(), err)
	}
	if state.Ports == nil {
		state.Ports = map[string]int{}
	}
	if state.Portals == nil {
		state.Portals = map[string]time.Time{}
	}
	return state, nil
}

// writeState replaces the state file atomically: a reader never sees half of
// it. The environment in it may have a password.
func writeState(d Dirs, state State) error {
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return fmt.Errorf("write the stack's state: %w", err)
	}
	next := d.stateFile() + ".new"
	if err := os.WriteFile(next, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the stack's state: %w", err)
	}
	if err := os.Rename(next, d.stateFile()); err != nil {
		return fmt.Errorf("write the stack's state: %w", err)
	}
	return nil
}

// Lock takes the data folder for one stack. It returns ErrRunning when another
// stack has it. The lock ends with the process, however the process ends.
func Lock(d Dirs) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(d.Data, "lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", d.Data, err)
	}
	if !ok {
		return nil, ErrRunning
	}
	return lock, nil
}

// FindRunning waits until the stack that holds the data folder's lock is up,
// and returns it. It returns ok false when no stack holds the lock.
func FindRunning(ctx context.Context, d Dirs) (running *Running, ok bool, err error) {
	for {
		lock, err := Lock(d)
		if err == nil {
			return nil, false, lock.Unlock()
		}
		if !errors.Is(err, ErrRunning) {
			return nil, false, err
		}
		state, err := readState(d)
		if err != nil {
			return nil, false, err
		}
		if state.Running != nil && processExists(state.Running.PID) {
			return state.Running, true, nil
		}
		select {
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func processExists(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// shown is KEY=VALUE for display: a database's address without what is secret.
func shown(env []string) []string {
	all := slices.Clone(env)
	for i, e := range all {
		if uri, ok := strings.CutPrefix(e, "MONGODB_URI="); ok {
			all[i] = "MONGODB_URI=" + mongodb.Address(uri)
		}
	}
	return all
}

// alreadyRunning is the error for a second stack of the same checkout.
func alreadyRunning(d Dirs) error {
	state, err := readState(d)
	if err != nil || state.Running == nil {
		return fmt.Errorf("%w and still starting: wait for it, or stop it with Ctrl-C where it runs", ErrRunning)
	}
	return fmt.Errorf("%w (`%s`, process %d, since %s): use it with `exec -- COMMAND`, or stop it with Ctrl-C where it runs\n%s",
		ErrRunning, state.Running.Command, state.Running.PID, state.Running.Started.UTC().Format("15:04:05Z"),
		strings.Join(shown(state.Running.Env), "\n"))
}
