package activities

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPeakMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("known on Linux only")
	}
	before := peakMemory()
	require.Greater(t, before, int64(1<<20))
	touched := make([]byte, 256<<20)
	for i := 0; i < len(touched); i += 4096 {
		touched[i] = 1
	}
	require.Greater(t, peakMemory(), int64(256<<20))
	runtime.KeepAlive(touched)
}
