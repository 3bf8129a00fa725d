package product

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/deploy/dev/stack"
)

// fakeNPM stands in for npm: it notes what it is asked, and builds a bundle.
const fakeNPM = `#!/bin/sh
echo "$@" >> "$PADRON_TEST_CALLS"
test -z "$PADRON_TEST_FAIL" || { echo "no such package"; exit 1; }
mkdir -p dist && echo built > dist/app.js
`

func TestTheBundleIsBuiltWhenItsFilesHaveChanged(t *testing.T) {
	b := bundle{root: t.TempDir()}
	bin, calls := t.TempDir(), filepath.Join(t.TempDir(), "calls")
	require.NoError(t, os.MkdirAll(b.dist(), 0o755))
	source := filepath.Join(b.web(), "app.ts")
	require.NoError(t, os.WriteFile(source, []byte("one"), 0o600))
	npm := filepath.Join(bin, "npm")
	require.NoError(t, os.WriteFile(npm, []byte(fakeNPM), 0o755)) //nolint:gosec // a program
	t.Setenv("PADRON_TEST_CALLS", calls)
	asked := func() string {
		text, err := os.ReadFile(calls)
		require.NoError(t, err)
		return string(text)
	}

	said, err := b.build(t.Context(), npm)
	require.NoError(t, err)
	assert.Contains(t, said, "npm run build")
	assert.Equal(t, "ci --no-audit --no-fund\nrun build\n", asked())

	said, err = b.build(t.Context(), npm)
	require.NoError(t, err)
	assert.Contains(t, said, "are built")
	assert.Equal(t, 2, strings.Count(asked(), "\n"), "nothing has changed, nothing is built")

	require.NoError(t, os.WriteFile(source, []byte("two"), 0o600))
	t.Setenv("PADRON_TEST_FAIL", "1")
	_, err = b.build(t.Context(), npm)
	require.ErrorContains(t, err, "npm ci --no-audit --no-fund in dashboard/web: exit status 1\nno such package")

	t.Setenv("PADRON_TEST_FAIL", "")
	_, err = b.build(t.Context(), npm)
	require.NoError(t, err, "a build that failed is no build")
	assert.Equal(t, 5, strings.Count(asked(), "\n"))
}

func TestWithoutNPMTheStackSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var out strings.Builder
	s := stack.NewPart(stack.Dirs{Root: t.TempDir()})
	s.Steps = stack.NewSteps(&out)
	require.NoError(t, BuildBundle(t.Context(), s))
	assert.Equal(t, 1, strings.Count(out.String(), "\n"))
	assert.Contains(t, out.String(), "npm is not installed")
}
