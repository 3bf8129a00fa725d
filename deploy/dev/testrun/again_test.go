package testrun

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/deploy/dev/stack"
)

// TestFailedTestsAreRunAgain runs a package in which one test fails the first time
// only, and another each time.
func TestFailedTestsAreRunAgain(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module padron\n",
		"p_test.go": `package p
import ("os"; "testing")
func TestGood(t *testing.T) { if _, err := os.Stat("again"); err == nil { t.Fatal("it is not to be run again") } }
func TestBad(t *testing.T) { t.Fatal("always") }
func TestUnsteady(t *testing.T) { if os.Mkdir("again", 0o755) == nil { t.Run("sub", func(t *testing.T) { t.Fatal("once") }) } }
`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	s := stack.NewPart(stack.Dirs{Root: root})
	s.Steps = stack.NewSteps(os.Stderr)
	here := module{dir: ".", packages: []string{"."}}
	all, err := testModule(t.Context(), s, Options{}, here, nil)
	require.NoError(t, err)
	require.Equal(t, result{passed: 1, failed: 2}, summarize(all))
	unsteady, err := runAgain(t.Context(), s, Options{}, all)
	require.NoError(t, err)
	r := summarize(all)
	r.pass(unsteady)
	require.Equal(t, 2, r.passed)
	require.Equal(t, 1, r.failed)
	var out strings.Builder
	r.print(&out, all)
	require.Contains(t, out.String(), "UNSTEADY (failed, and passed when it was run again)  padron TestUnsteady")
}
