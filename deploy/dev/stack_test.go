package main

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStackStopsTheLastFirstAndGoesOnAfterAnError(t *testing.T) {
	stack, err := newStack(testDirs(t), &Steps{w: t.Output()}, true)
	require.NoError(t, err)
	var order []string
	for _, name := range []string{"first", "second", "third"} {
		stack.onStop(name, func(context.Context) error {
			order = append(order, name)
			return errors.New("trouble with " + name)
		})
	}
	err = stack.Stop()
	assert.Equal(t, []string{"third", "second", "first"}, order)
	require.ErrorContains(t, err, "stop second: trouble with second")
	assert.NoError(t, stack.Stop(), "a second stop has nothing to do")
}

func TestAPartThatEndsByItselfFailsTheStack(t *testing.T) {
	stack, err := newStack(testDirs(t), &Steps{w: t.Output()}, true)
	require.NoError(t, err)
	defer func() { require.NoError(t, stack.Stop()) }()
	lasting, err := startProcess("a lasting part", exec.CommandContext(t.Context(), "sleep", "60"), syscall.SIGKILL)
	require.NoError(t, err)
	stack.watch(lasting, syscall.SIGTERM, time.Second)
	require.NoError(t, stack.Failure())

	short, err := startProcess("a short part", exec.CommandContext(t.Context(), "sh", "-c", "exit 3"), syscall.SIGKILL)
	require.NoError(t, err)
	stack.watch(short, syscall.SIGTERM, time.Second)
	err = stack.Wait(t.Context())
	assert.ErrorContains(t, err, "a short part ended by itself: exit status 3")
}

func TestAStackThatIsStoppedHasNotFailed(t *testing.T) {
	stack, err := newStack(testDirs(t), &Steps{w: t.Output()}, true)
	require.NoError(t, err)
	process, err := startProcess("a part", exec.CommandContext(t.Context(), "sleep", "60"), syscall.SIGKILL)
	require.NoError(t, err)
	stack.watch(process, syscall.SIGTERM, time.Second)
	require.NoError(t, stack.Stop())
	assert.NoError(t, stack.Failure())
}

func TestForegroundPassesTheExitCodeOn(t *testing.T) {
	dir := t.TempDir()
	err := runInForeground(t.Context(), dir, []string{"PADRON_TEST=x"}, nil, "sh", "-c", `[ "$PADRON_TEST" = x ] && exit 7`)
	var status *exec.ExitError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, 7, status.ExitCode())
}

func TestForegroundEndsWithTheStack(t *testing.T) {
	failed := make(chan struct{})
	close(failed)
	start := time.Now()
	err := runInForeground(t.Context(), t.TempDir(), nil, failed, "sleep", "60")
	require.Error(t, err)
	assert.Less(t, time.Since(start), 30*time.Second)
}
