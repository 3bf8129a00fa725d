package stack

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHoldPortsTakesWhatIsWanted(t *testing.T) {
	free, err := HoldPorts(map[string]int{"a": 0})
	require.NoError(t, err)
	wanted := free.Take("a")

	held, err := HoldPorts(map[string]int{"a": wanted})
	require.NoError(t, err)
	defer held.Release()
	assert.Equal(t, wanted, held.numbers["a"])
	assert.Empty(t, held.moved)
	_, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", Address(wanted))
	require.Error(t, err, "nobody else gets it meanwhile")
	assert.Equal(t, wanted, held.Take("a"))
	again, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", Address(wanted))
	require.NoError(t, err, "the server gets it")
	require.NoError(t, again.Close())
}

func TestHoldPortsMovesAwayFromATakenPort(t *testing.T) {
	other, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", Loopback+":0")
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	taken := other.Addr().(*net.TCPAddr).Port

	held, err := HoldPorts(map[string]int{"a": taken, "b": 0})
	require.NoError(t, err)
	defer held.Release()
	assert.NotEqual(t, taken, held.numbers["a"])
	require.Len(t, held.moved, 1, "a free port was all that b asked for")
	assert.Contains(t, held.moved[0], "taken by another program")
}

func TestHoldPortsGivesNoPortTwice(t *testing.T) {
	wanted := map[string]int{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		wanted[name] = 0
	}
	held, err := HoldPorts(wanted)
	require.NoError(t, err)
	defer held.Release()
	seen := map[int]bool{}
	for _, port := range held.numbers {
		assert.False(t, seen[port])
		seen[port] = true
	}
}
