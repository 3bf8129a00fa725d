package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// errRunning says that another stack of this checkout is up.
var errRunning = errors.New("a stack of this checkout is already running")

// Dirs says where a checkout's stack keeps its files.
type Dirs struct {
	Root  string // the repository's root
	Cache string // shared by all checkouts: holds the engine
	Data  string // this checkout's own: databases, binaries, logs, state
	World string // which portal the data mirror, "" for the usual one: each has databases of its own
}

// findDirs finds the checkout around the working directory. Its data lie in a folder named after the checkout and a
// hash of its path, so that two checkouts never share any; data overrides that folder.
func findDirs(data string) (Dirs, error) {
	wd, err := os.Getwd()
	if err != nil {
		return Dirs{}, fmt.Errorf("find the working directory: %w", err)
	}
	root, err := findRoot(wd)
	if err != nil {
		return Dirs{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Dirs{}, fmt.Errorf("find the user's cache folder: %w", err)
	}
	dirs := Dirs{Root: root, Cache: filepath.Join(cache, "padron"), Data: data}
	if data == "" {
		dirs.Data = filepath.Join(dirs.Cache, "checkouts", filepath.Base(root)+"-"+shortHash(root))
	}
	if dirs.Data, err = filepath.Abs(dirs.Data); err != nil {
		return Dirs{}, fmt.Errorf("find the data folder %s: %w", data, err)
	}
	if err := os.MkdirAll(dirs.Logs(), 0o755); err != nil {
		return Dirs{}, fmt.Errorf("make the data folder: %w", err)
	}
	return dirs, nil
}

// findRoot walks up from dir to the folder that holds the module padron.
func findRoot(dir string) (string, error) {
	module := regexp.MustCompile(`(?m)^module padron$`)
	for at := dir; ; at = filepath.Dir(at) {
		mod, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && module.Match(mod) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not inside a checkout of Padron: run this with `go run -C deploy/dev .` from the repository's root", dir)
		}
	}
}

// Logs is the folder of the log files.
func (d Dirs) Logs() string { return filepath.Join(d.Data, "logs") }

// Log is the path of a server's log file.
func (d Dirs) Log(name string) string { return filepath.Join(d.Logs(), name+".log") }

// File is the path of a file or folder of one of the servers.
func (d Dirs) File(name string) string { return filepath.Join(d.Data, name) }

// WorldFile is the path of a file whose content follows from the portal's rows: a run that was interrupted must not go
// on against another portal.
func (d Dirs) WorldFile(name string) string {
	if d.World != "" {
		name = d.World + "-" + name
	}
	return d.File(name)
}

// ID names this data folder among all that use the same engine: eight hexadecimal digits.
func (d Dirs) ID() string { return shortHash(d.Data) }

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

// State is what a data folder remembers from one start to the next, and tells other commands about a running stack.
type State struct {
	Ports   map[string]int       `json:"ports"`             // last used, by name
	Portals map[string]time.Time `json:"portals,omitempty"` // version of the simulated portal's rows, by where they come from
	Running *Running             `json:"running,omitempty"` // set while a stack is up; means nothing when the lock is free
}

// Running is the stack that is up.
type Running struct {
	PID     int       `json:"pid"`
	Command string    `json:"command"` // demo, up, exec
	Started time.Time `json:"started"`
	Env     []string  `json:"env"` // KEY=VALUE, what programs need to use the stack
}

func (d Dirs) stateFile() string { return filepath.Join(d.Data, "state.json") }

// readState returns an empty state when there is none yet. A damaged file is an error that names it.
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

// writeState replaces the state file in one step, so that a reader never sees half of it.
func writeState(d Dirs, state State) error {
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return fmt.Errorf("write the stack's state: %w", err)
	}
	next := d.stateFile() + ".new"
	if err := os.WriteFile(next, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the stack's state: %w", err)
	}
	if err := os.Rename(next, d.stateFile()); err != nil {
		return fmt.Errorf("write the stack's state: %w", err)
	}
	return nil
}

// lockData takes the data folder for one stack, and returns errRunning when another has it. The lock ends with the
// process, however it ends.
func lockData(d Dirs) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(d.Data, "lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", d.Data, err)
	}
	if !ok {
		return nil, errRunning
	}
	return lock, nil
}

// runningStack waits until the stack that holds the lock is up and returns it; ok is false when none holds it.
func runningStack(ctx context.Context, d Dirs) (running *Running, ok bool, err error) {
	for {
		lock, err := lockData(d)
		if err == nil {
			return nil, false, lock.Unlock()
		}
		if !errors.Is(err, errRunning) {
			return nil, false, err
		}
		state, err := readState(d)
		if err != nil {
			return nil, false, err
		}
		if state.Running != nil && alive(state.Running.PID) {
			return state.Running, true, nil
		}
		select {
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// alive says whether there is a process of this id.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// alreadyRunning is the message for a second stack of the same checkout.
func alreadyRunning(d Dirs) error {
	state, err := readState(d)
	if err != nil || state.Running == nil {
		return fmt.Errorf("%w and still starting: wait for it, or stop it with Ctrl-C where it runs", errRunning)
	}
	return fmt.Errorf("%w (`%s`, process %d, since %s): use it with `exec -- COMMAND`, or stop it with Ctrl-C where it runs\n%s",
		errRunning, state.Running.Command, state.Running.PID, state.Running.Started.Local().Format(time.TimeOnly),
		strings.Join(state.Running.Env, "\n"))
}
