package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// TestNothingIsCutInAPipe: what a program reads is whole, what a terminal shows
// fits.
func TestNothingIsCutInAPipe(t *testing.T) {
	long := strings.Repeat("because ", 20)
	require.Equal(t, long, Shorten(&bytes.Buffer{}, long))
	terminal, tty, err := pty.Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, terminal.Close()) }()
	require.Len(t, []rune(Shorten(tty, long)), widestReason)
	require.NoError(t, tty.Close())
	file, err := os.Create(t.TempDir() + "/listing")
	require.NoError(t, err)
	require.Equal(t, long, Shorten(file, long))
	require.NoError(t, file.Close())
}

// TestTimesNameTheirZone, which is one, wherever the reader is.
func TestTimesNameTheirZone(t *testing.T) {
	at := time.Date(2026, 11, 20, 6, 5, 4, 0, time.FixedZone("here", -8*3600))
	require.Equal(t, "2026-11-20 14:05:04Z", Moment(at))
	require.Equal(t, "14:05:04Z", Clock(at))
	require.Empty(t, Moment(time.Time{}))
}
