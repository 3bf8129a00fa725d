package testrun

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadEfficacy(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.json")
	_, err := readEfficacy(report)
	require.ErrorIs(t, err, os.ErrNotExist)
	for text, ok := range map[string]bool{
		`{"go_module":"padron","files":[],"test_efficacy":44.4,"mutations_coverage":60}`: true,
		`{"go_module":"padron"}`: false,
		`{`:                      false,
	} {
		require.NoError(t, os.WriteFile(report, []byte(text), 0o600))
		efficacy, err := readEfficacy(report)
		require.Equal(t, ok, err == nil, text)
		if ok {
			assert.InDelta(t, 44.4, efficacy, 1e-9)
		}
	}
}

func TestOnlyTheModulesPureSideIsCopied(t *testing.T) {
	root, to := t.TempDir(), filepath.Join(t.TempDir(), "module")
	for _, name := range []string{"go.mod", "go.sum", "internal/guard/guard.go", "dashboard/web/node_modules/x/x.js"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(name), 0o600))
	}
	require.NoError(t, copyModule(root, to))
	assert.FileExists(t, filepath.Join(to, "internal/guard/guard.go"))
	assert.FileExists(t, filepath.Join(to, "go.sum"))
	assert.NoDirExists(t, filepath.Join(to, "dashboard"))
}
