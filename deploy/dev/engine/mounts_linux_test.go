package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMountsBelow(t *testing.T) {
	mounts := "proc /proc proc rw 0 0\n" +
		"udev /cache/engine.building/dev devtmpfs rw 0 0\n" +
		"pts /cache/engine.building/dev/pts devpts rw 0 0\n" +
		"x /cache/engine.building-other tmpfs rw 0 0\n" +
		"y /cache/engine.building/with\\040space tmpfs rw 0 0\n" +
		"broken\n"
	assert.Equal(t, []string{
		"/cache/engine.building/dev",
		"/cache/engine.building/dev/pts",
		"/cache/engine.building/with space",
	}, mountsBelow(mounts, "/cache/engine.building"))
}
