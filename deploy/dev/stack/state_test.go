package stack

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
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

// TestStateAndLogsAreTheUsersAlone: an address may have a password, and servers log
// what is in rows.
func TestStateAndLogsAreTheUsersAlone(t *testing.T) {
	dirs := Dirs{Root: t.TempDir(), Cache: t.TempDir()}
	dirs.Data = filepath.Join(dirs.Cache, "checkouts", "one")
	require.NoError(t, os.MkdirAll(dirs.Logs(), 0o755)) // as an earlier version did
	require.NoError(t, dirs.Make())
	require.NoError(t, os.WriteFile(dirs.Log("worker"), []byte("of an earlier version\n"), 0o644))
	require.NoError(t, os.WriteFile(dirs.stateFile(), []byte("{}"), 0o644))
	s, err := New(dirs, NewSteps(t.Output()), true)
	require.NoError(t, err)
	_, err = s.OpenLog("worker")
	require.NoError(t, err)
	_, err = s.OpenLog("temporal")
	require.NoError(t, err)
	require.NoError(t, s.Announce("up"))
	for path, want := range map[string]os.FileMode{
		dirs.Data: 0o700, dirs.Logs(): 0o700, dirs.stateFile(): 0o600, dirs.Log("worker"): 0o600, dirs.Log("temporal"): 0o600,
	} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode().Perm(), path)
	}
	require.NoError(t, s.Stop())
}

// TestItsOwnAddressesAreNotAnothersServers: variables that were exported for an
// earlier start would have this one wait for itself.
func TestItsOwnAddressesAreNotAnothersServers(t *testing.T) {
	s, err := New(testDirs(t), NewSteps(t.Output()), true)
	require.NoError(t, err)
	own := strconv.Itoa(s.ports.numbers[PortTemporal])
	for _, address := range []string{"127.0.0.1:" + own, "localhost:" + own} {
		require.ErrorContains(t, s.NotOwn("TEMPORAL_ADDRESS", address), "unset MONGODB_URI, TEMPORAL_ADDRESS and PADRON_PORTAL_URL")
	}
	for _, address := range []string{"127.0.0.1:1", "db.example:" + own, "127.0.0.1", "a:1,b:2"} {
		require.NoError(t, s.NotOwn("MONGODB_URI", address))
	}
	require.NoError(t, s.Stop())
}

func TestASecondStackOfACheckoutIsRefused(t *testing.T) {
	dirs := testDirs(t)
	steps := NewSteps(t.Output())
	first, err := New(dirs, steps, true)
	require.NoError(t, err)
	_, err = New(dirs, steps, true)
	require.ErrorIs(t, err, ErrRunning)
	require.ErrorContains(t, err, "still starting")

	first.Setenv("MONGODB_URI", "mongodb://ann:secret@127.0.0.1:1/?authMechanismProperties=AWS_SESSION_TOKEN:token")
	require.NoError(t, first.Announce("demo"))
	_, err = New(dirs, steps, true)
	require.ErrorIs(t, err, ErrRunning)
	require.ErrorContains(t, err, "`demo`, process")
	require.ErrorContains(t, err, "MONGODB_URI=mongodb://127.0.0.1:1")
	require.NotContains(t, err.Error(), "secret")
	require.NotContains(t, err.Error(), "token")

	require.NoError(t, first.Stop())
	third, err := New(dirs, steps, true)
	require.NoError(t, err)
	require.NoError(t, third.Stop())
}

func TestRunningStackIsFoundOnceItIsUp(t *testing.T) {
	dirs := testDirs(t)
	_, ok, err := FindRunning(t.Context(), dirs)
	require.NoError(t, err)
	require.False(t, ok, "none yet")

	stack, err := New(dirs, NewSteps(t.Output()), true)
	require.NoError(t, err)
	defer func() { require.NoError(t, stack.Stop()) }()
	starting, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, _, err = FindRunning(starting, dirs)
	require.ErrorIs(t, err, context.DeadlineExceeded, "it waits for a stack that is starting")

	stack.Setenv("A", "b")
	require.NoError(t, stack.Announce("up"))
	running, ok, err := FindRunning(t.Context(), dirs)
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, []string{"A=b"}, running.Env)
}

// A stack that was killed leaves its state, but no lock: nobody may take it for
// running.
func TestAKilledStackIsNotTakenForRunning(t *testing.T) {
	dirs := testDirs(t)
	require.NoError(t, writeState(dirs, State{Running: &Running{PID: os.Getpid(), Command: "demo"}}))
	_, ok, err := FindRunning(t.Context(), dirs)
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
		dirs, err := FindDirs("")
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
