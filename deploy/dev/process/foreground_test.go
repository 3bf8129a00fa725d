package process

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestForegroundPassesTheExitCodeOn(t *testing.T) {
	dir := t.TempDir()
	err := RunInForeground(t.Context(), dir, []string{"PADRON_TEST=x"}, nil, "sh", "-c", `[ "$PADRON_TEST" = x ] && exit 7`)
	var status *exec.ExitError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, 7, status.ExitCode())
}

func TestForegroundEndsWithTheStack(t *testing.T) {
	failed := make(chan struct{})
	close(failed)
	start := time.Now()
	err := RunInForeground(t.Context(), t.TempDir(), nil, failed, "sleep", "60")
	require.Error(t, err)
	assert.Less(t, time.Since(start), 30*time.Second)
}
