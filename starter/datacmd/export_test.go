package datacmd

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnExportIsOpenToNobodyMore than the umask says, than the file before was, and
// than private values may be.
func TestAnExportIsOpenToNobodyMore(t *testing.T) {
	for name, c := range map[string]struct {
		umask   int
		old     fs.FileMode // 0: there is none
		private bool
		want    fs.FileMode
	}{
		"as usual":                     {umask: 0o022, want: 0o644},
		"a careful user":               {umask: 0o077, want: 0o600},
		"a group":                      {umask: 0o002, want: 0o664},
		"private values":               {umask: 0o022, private: true, want: 0o600},
		"in place of a closed one":     {umask: 0o022, old: 0o600, want: 0o600},
		"in place of an open one":      {umask: 0o077, old: 0o644, want: 0o600},
		"private, in place of an open": {umask: 0o022, old: 0o644, private: true, want: 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "export.csv")
			if c.old != 0 {
				require.NoError(t, os.WriteFile(file, nil, c.old))
			}
			defer syscall.Umask(syscall.Umask(c.umask))
			p, err := newPart(file, c.private)
			require.NoError(t, err)
			during, err := p.Stat()
			require.NoError(t, err)
			require.Equal(t, c.want, during.Mode().Perm(), "while it is written")
			require.NoError(t, p.complete())
			require.NoError(t, p.take())
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, c.want, info.Mode().Perm())
			entries, err := os.ReadDir(filepath.Dir(file))
			require.NoError(t, err)
			require.Len(t, entries, 1)
		})
	}
}
