package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testDirs(t *testing.T) Dirs {
	t.Helper()
	dirs := Dirs{Root: t.TempDir(), Cache: t.TempDir(), Data: t.TempDir()}
	require.NoError(t, os.MkdirAll(dirs.Logs(), 0o755))
	return dirs
}

func TestStateIsRememberedAndADamagedOneNamed(t *testing.T) {
	dirs := testDirs(t)
	empty, err := readState(dirs)
	require.NoError(t, err)
	assert.Empty(t, empty.Ports)

	want := State{
		Ports:   map[string]int{"mongodb": 27117},
		Portals: map[string]time.Time{"": time.Date(2026, 11, 23, 11, 15, 0, 0, time.UTC)},
		Running: &Running{PID: 7, Command: "up", Started: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Env: []string{"A=b"}},
	}
	require.NoError(t, writeState(dirs, want))
	got, err := readState(dirs)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	require.NoError(t, os.WriteFile(dirs.stateFile(), []byte("{"), 0o600))
	_, err = readState(dirs)
	assert.ErrorContains(t, err, dirs.stateFile())
}

func TestASecondStackOfACheckoutIsRefused(t *testing.T) {
	dirs := testDirs(t)
	steps := &Steps{w: t.Output()}
	first, err := newStack(dirs, steps, true)
	require.NoError(t, err)
	_, err = newStack(dirs, steps, true)
	require.ErrorIs(t, err, errRunning)
	require.ErrorContains(t, err, "still starting")

	first.setenv("MONGODB_URI", "mongodb://127.0.0.1:1/")
	require.NoError(t, first.announce("demo"))
	_, err = newStack(dirs, steps, true)
	require.ErrorIs(t, err, errRunning)
	require.ErrorContains(t, err, "`demo`, process")
	require.ErrorContains(t, err, "MONGODB_URI=mongodb://127.0.0.1:1/")

	require.NoError(t, first.Stop())
	third, err := newStack(dirs, steps, true)
	require.NoError(t, err)
	require.NoError(t, third.Stop())
}

func TestRunningStackIsFoundOnceItIsUp(t *testing.T) {
	dirs := testDirs(t)
	_, ok, err := runningStack(t.Context(), dirs)
	require.NoError(t, err)
	require.False(t, ok, "none yet")

	stack, err := newStack(dirs, &Steps{w: t.Output()}, true)
	require.NoError(t, err)
	defer func() { require.NoError(t, stack.Stop()) }()
	starting, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, _, err = runningStack(starting, dirs)
	require.ErrorIs(t, err, context.DeadlineExceeded, "it waits for a stack that is starting")

	stack.setenv("A", "b")
	require.NoError(t, stack.announce("up"))
	running, ok, err := runningStack(t.Context(), dirs)
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, []string{"A=b"}, running.Env)
}

// A stack that was killed leaves its state, but no lock: nobody may take it for running.
func TestAKilledStackIsNotTakenForRunning(t *testing.T) {
	dirs := testDirs(t)
	require.NoError(t, writeState(dirs, State{Running: &Running{PID: os.Getpid(), Command: "demo"}}))
	_, ok, err := runningStack(t.Context(), dirs)
	require.NoError(t, err)
	assert.False(t, ok)
}

func TestTwoCheckoutsShareNoData(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	data := map[string]bool{}
	for range 2 {
		checkout := filepath.Join(t.TempDir(), "padron")
		require.NoError(t, os.MkdirAll(filepath.Join(checkout, "deploy", "dev"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(checkout, "go.mod"), []byte("// a comment\nmodule padron\n\ngo 1.26\n"), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(checkout, "deploy/dev/go.mod"), []byte("module padron/deploy/dev\n"), 0o600))
		t.Chdir(filepath.Join(checkout, "deploy", "dev"))
		dirs, err := findDirs("")
		require.NoError(t, err)
		root, err := filepath.EvalSymlinks(dirs.Root)
		require.NoError(t, err)
		checkout, err = filepath.EvalSymlinks(checkout)
		require.NoError(t, err)
		assert.Equal(t, checkout, root)
		data[dirs.Data] = true
	}
	assert.Len(t, data, 2)
}

func TestOutsideOfACheckoutIsSaid(t *testing.T) {
	_, err := findRoot(t.TempDir())
	assert.ErrorContains(t, err, "not inside a checkout")
}

func TestWorldsHaveFilesOfTheirOwn(t *testing.T) {
	usual, live := Dirs{Data: "/d"}, Dirs{Data: "/d", World: "live"}
	assert.NotEqual(t, usual.WorldFile("temporal.db"), live.WorldFile("temporal.db"))
	assert.Equal(t, usual.File("bin"), live.File("bin"))
}
