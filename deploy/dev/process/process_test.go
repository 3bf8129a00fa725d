package process

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parentVariable makes the test program a parent that starts a child, tells its
// id and waits to be killed.
const parentVariable = "PADRON_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentVariable) == "" {
		os.Exit(m.Run())
	}
	child, err := Start("sleep", exec.CommandContext(context.Background(), "sleep", "60"), syscall.SIGINT) //nolint:forbidigo // there is no test here
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(child.PID())
	<-child.done
}

func TestAKilledParentTakesItsChildrenAlong(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a child that its parent died")
	}
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), parentVariable+"=1")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	child, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err, line)
	// Long enough for a thread that the child's life hangs on to end, if it
	// were to.
	time.Sleep(200 * time.Millisecond)
	require.True(t, running(child), "the child outlives its start")

	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait())
	assert.Eventually(t, func() bool { return !running(child) }, 5*time.Second, 20*time.Millisecond)
}

// running says whether a process is there and has not ended: a zombie that
// nobody asks about has.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func TestStopKillsAChildThatDoesNotListen(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "trap '' TERM; sleep 60 & echo $!; wait; sleep 60")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	child, err := Start("a deaf child", cmd, syscall.SIGKILL)
	require.NoError(t, err)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	grandchild, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)

	err = child.Stop(syscall.SIGTERM, 200*time.Millisecond)
	require.ErrorContains(t, err, "was killed")
	assert.Eventually(t, func() bool { return !running(grandchild) }, 5*time.Second, 20*time.Millisecond, "what it started ends too")
}

func TestStopOfAChildThatHasEnded(t *testing.T) {
	child, err := Start("true", exec.CommandContext(t.Context(), "true"), syscall.SIGKILL)
	require.NoError(t, err)
	<-child.done
	assert.NoError(t, child.Stop(syscall.SIGTERM, time.Second))
}

func TestStartOfNoProgram(t *testing.T) {
	_, err := Start("nothing", exec.CommandContext(t.Context(), "/nonexistent/program"), syscall.SIGKILL)
	assert.ErrorContains(t, err, "start nothing")
}
