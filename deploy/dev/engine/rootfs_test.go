package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOSRelease(t *testing.T) {
	for text, want := range map[string][]string{
		"ID=debian\n":                             {"debian"},
		"NAME=x\nID=ubuntu\nID_LIKE=debian\n":     {"ubuntu", "debian"},
		"ID=linuxmint\nID_LIKE=\"ubuntu debian\"": {"linuxmint", "ubuntu", "debian"},
	} {
		file := filepath.Join(t.TempDir(), "os-release")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		got, err := osRelease(file)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := osRelease(filepath.Join(t.TempDir(), "none"))
	require.Error(t, err)
}

// Packages come from the machine's own mirror on Debian only: another
// distribution's mirror has no Debian.
func TestArgumentsUseTheMachinesOwnDebianMirror(t *testing.T) {
	own := []aptSource{{"http://mirror.example/debian", "bookworm", []string{"main"}}}
	for id, mirror := range map[string]string{"debian": "http://mirror.example/debian", "ubuntu": ""} {
		root := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(root, "etc"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, "etc/os-release"), []byte("ID="+id), 0o600))
		args := (&rootfs{hostRoot: root}).arguments("/target", own, []string{`Acquire::http::Proxy "http://proxy.example"`})
		all := strings.Join(args, "\n")
		assert.Equal(t, mirror != "", strings.Contains(all, "mirror.example"), id)
		assert.Contains(t, all, debianKeyring, "signatures are checked")
		assert.Contains(t, all, `--aptopt=Acquire::http::Proxy "http://proxy.example"`)
	}
}

func TestFirstComplaint(t *testing.T) {
	assert.Equal(t, "E: Failed to fetch", firstComplaint("I: start\nE: Failed to fetch\nE: apt-get update failed\n"))
	assert.Equal(t, "done for", firstComplaint("start\ndone for\n\n"))
	assert.Empty(t, firstComplaint(""))
}

func TestFinishRootfsCanBeRepeated(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "etc"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "usr/share/postgresql/18/extension"), 0o755))
	require.NoError(t, finishRootfs(dir))
	require.NoError(t, finishRootfs(dir))
	target, err := os.Readlink(filepath.Join(dir, "usr/share/postgresql/18/extension/postgis.control"))
	require.NoError(t, err)
	assert.Equal(t, "postgis-3.control", target)
}
