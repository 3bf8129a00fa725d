package stack

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/deploy/dev/process"
)

func TestStackStopsTheLastFirstAndGoesOnAfterAnError(t *testing.T) {
	stack, err := New(testDirs(t), NewSteps(t.Output()), true)
	require.NoError(t, err)
	var order []string
	for _, name := range []string{"first", "second", "third"} {
		stack.OnStop(name, func(context.Context) error {
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
	stack, err := New(testDirs(t), NewSteps(t.Output()), true)
	require.NoError(t, err)
	defer func() { require.NoError(t, stack.Stop()) }()
	lasting, err := process.Start("a lasting part", exec.CommandContext(t.Context(), "sleep", "60"), syscall.SIGKILL)
	require.NoError(t, err)
	stack.Watch(lasting, syscall.SIGTERM, time.Second)
	require.NoError(t, stack.Failure())

	short, err := process.Start("a short part", exec.CommandContext(t.Context(), "sh", "-c", "exit 3"), syscall.SIGKILL)
	require.NoError(t, err)
	stack.Watch(short, syscall.SIGTERM, time.Second)
	err = stack.Wait(t.Context())
	assert.ErrorContains(t, err, "a short part ended by itself: exit status 3")
}

func TestAStackThatIsStoppedHasNotFailed(t *testing.T) {
	stack, err := New(testDirs(t), NewSteps(t.Output()), true)
	require.NoError(t, err)
	part, err := process.Start("a part", exec.CommandContext(t.Context(), "sleep", "60"), syscall.SIGKILL)
	require.NoError(t, err)
	stack.Watch(part, syscall.SIGTERM, time.Second)
	require.NoError(t, stack.Stop())
	assert.NoError(t, stack.Failure())
}
