package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseOneLineSources(t *testing.T) {
	got := parseOneLineSources(strings.Join([]string{
		"# comment",
		"deb http://mirror.example/debian bookworm main contrib # the release",
		"deb-src http://mirror.example/debian bookworm main",
		"deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian\tbookworm-updates main",
		"deb [broken http://mirror.example/debian bookworm main",
		"deb http://flat.example/packages ./",
		"deb http://no-suite.example",
		"debug http://mirror.example/debian bookworm main",
		"#deb http://off.example/debian bookworm main",
	}, "\n"))
	assert.Equal(t, []aptSource{
		{"http://mirror.example/debian", "bookworm", []string{"main", "contrib"}},
		{"https://mirror.example/debian", "bookworm-updates", []string{"main"}},
		{"http://flat.example/packages", "./", []string{}},
	}, got)
}

func TestParseDeb822Sources(t *testing.T) {
	got := parseDeb822Sources(`# the machine's own
Types: deb deb-src
# a comment within
URIs: http://a.example/debian
 http://b.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 Types: deb

Types: deb-src
URIs: http://source.example/debian
Suites: trixie
Components: main

Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no
`)
	assert.Equal(t, []aptSource{
		{"http://a.example/debian", "trixie", []string{"main"}},
		{"http://a.example/debian", "trixie-updates", []string{"main"}},
		{"http://b.example/debian", "trixie", []string{"main"}},
		{"http://b.example/debian", "trixie-updates", []string{"main"}},
	}, got)
}

func TestReadAptSourcesReadsBothForms(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sources.list.d"), 0o755))
	for name, text := range map[string]string{
		"sources.list":                  "deb cdrom:[Debian]/ bookworm main\n",
		"sources.list.d/b.list":         "deb http://list.example/debian bookworm-security main\n",
		"sources.list.d/debian.sources": "Types: deb\nURIs: http://deb822.example/debian\nSuites: bookworm\nComponents: main\n",
		"sources.list.d/c.disabled":     "deb http://disabled.example/debian bookworm main\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	sources, err := readAptSources(dir)
	require.NoError(t, err)
	assert.Len(t, sources, 3)
	assert.Equal(t, "http://deb822.example/debian", debianMirror(sources))
}

func TestDebianMirror(t *testing.T) {
	for name, c := range map[string]struct {
		sources []aptSource
		want    string
	}{
		"none":            {nil, ""},
		"only a CD":       {[]aptSource{{"cdrom:[Debian]/", "bookworm", []string{"main"}}}, ""},
		"only a vendor":   {[]aptSource{{"https://vendor.example/apt", "stable", []string{"tools"}}}, ""},
		"flat":            {[]aptSource{{"https://flat.example", "./", []string{"main"}}}, ""},
		"updates first":   {[]aptSource{{"http://u.example", "bookworm-updates", []string{"main"}}, {"http://r.example", "bookworm", []string{"main"}}}, "http://r.example"},
		"list of mirrors": {[]aptSource{{"mirror+file:/etc/apt/mirrors/debian.list", "bookworm", []string{"main"}}}, "mirror+file:/etc/apt/mirrors/debian.list"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, debianMirror(c.sources)) })
	}
}

// Whatever a sources file holds, every source that is read has an address and a
// suite, each one word.
func FuzzParseAptSources(f *testing.F) {
	f.Add("deb [a=b] http://mirror.example/debian bookworm main\n")
	f.Add("Types: deb\nURIs: http://a.example\n http://b.example\nSuites: x y\nComponents: main\nEnabled: no\n\n")
	f.Add("deb [")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range append(parseOneLineSources(text), parseDeb822Sources(text)...) {
			assert.Len(t, strings.Fields(s.URI), 1)
			assert.Len(t, strings.Fields(s.Suite), 1)
		}
	})
}
