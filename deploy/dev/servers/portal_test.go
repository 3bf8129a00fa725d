package servers

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/deploy/dev/stack"
)

func testDirs(t *testing.T) stack.Dirs {
	t.Helper()
	dirs := stack.Dirs{Root: t.TempDir(), Cache: t.TempDir(), Data: t.TempDir()}
	require.NoError(t, os.MkdirAll(dirs.Logs(), 0o755))
	return dirs
}

func testStack(t *testing.T, dirs stack.Dirs) *stack.Stack {
	t.Helper()
	s, err := stack.New(dirs, stack.NewSteps(t.Output()), true)
	require.NoError(t, err)
	return s
}

func TestEachPortalHasAWorldOfItsOwn(t *testing.T) {
	seen := map[string]Portal{}
	for _, p := range []Portal{
		{Rows: DefaultRows},
		{Rows: 5},
		{Rows: DefaultRows, Live: true},
		{Rows: DefaultRows, File: "a.csv"},
		{Rows: DefaultRows, File: "b.csv"},
		{Rows: DefaultRows, Boundaries: "a.geojson"},
		{Rows: 5, Boundaries: "a.geojson"},
		{Rows: DefaultRows, File: "a.csv", Boundaries: "b.geojson"},
		{Rows: DefaultRows, URL: "http://127.0.0.1:1"},
	} {
		world, err := p.world()
		require.NoError(t, err)
		assert.NotContains(t, seen, world, "%+v", p)
		assert.Regexp(t, `^[a-z0-9_]*$`, world, "it is part of a database's name")
		seen[world] = p
	}
}

// A second start serves the same rows at the same version, so that a run has
// nothing to do.
func TestASecondStartServesTheSame(t *testing.T) {
	dirs := testDirs(t)
	serve := func() (version, rows string) {
		s := testStack(t, dirs)
		defer func() { require.NoError(t, s.Stop()) }()
		url, err := startPortal(t.Context(), s, Portal{Rows: 50})
		require.NoError(t, err)
		assert.Equal(t, []string{"PADRON_PORTAL_URL=" + url}, s.Env())
		resp, err := http.Get(url + "/resource/g8m3-pdis.json?$order=ttxid") //nolint:noctx // a test's own server
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
		return resp.Header.Get("X-SODA2-Truth-Last-Modified"), string(body)
	}
	version1, rows1 := serve()
	version2, rows2 := serve()
	assert.NotEmpty(t, version1)
	assert.Equal(t, version1, version2)
	assert.Equal(t, rows1, rows2)
}

func TestAPortalFileThatIsNotThere(t *testing.T) {
	s := testStack(t, testDirs(t))
	defer func() { require.NoError(t, s.Stop()) }()
	file := filepath.Join(t.TempDir(), "none.csv")
	_, err := startPortal(t.Context(), s, Portal{Rows: DefaultRows, File: file})
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, file)
}

// Who types a path stands in the repository's root, though `go run -C` moves
// this command elsewhere.
func TestAPortalFileIsFoundFromTheRoot(t *testing.T) {
	dirs := testDirs(t)
	here, below := filepath.Join(t.TempDir(), "here.csv"), filepath.Join(dirs.Root, "below.csv")
	for _, file := range []string{here, below} {
		require.NoError(t, os.WriteFile(file, []byte("ttxid\n1\n"), 0o600))
	}
	t.Chdir(filepath.Dir(here))
	assert.Equal(t, "here.csv", findFile(dirs, "here.csv"))
	assert.Equal(t, below, findFile(dirs, "below.csv"))
	assert.Equal(t, here, findFile(dirs, here))
}
