package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/deploy/dev/stack"
)

// fakeEngine is a rung of the ladder that is open or, with a reason, closed.
type fakeEngine struct {
	name   string
	closed error
	asked  int
}

func (f *fakeEngine) Name() string { return f.name }

func (f *fakeEngine) Prepare(context.Context) error {
	f.asked++
	return f.closed
}

func (f *fakeEngine) Start(context.Context, *stack.Stack) (uri, description string, err error) {
	return "", "", errors.New("not started in this test")
}

func TestChooseEngineTakesTheFirstThatIsThere(t *testing.T) {
	ladder := []engine{
		&fakeEngine{name: "one", closed: errors.New("closed")},
		&fakeEngine{name: "two"},
		&fakeEngine{name: "three"},
	}
	chosen, err := choose(t.Context(), ladder)
	require.NoError(t, err)
	assert.Equal(t, "two", chosen.Name())
	assert.Zero(t, ladder[2].(*fakeEngine).asked, "a lower rung is not even prepared")
}

func TestChooseEngineNamesEveryWayAndItsReason(t *testing.T) {
	_, err := choose(t.Context(), []engine{
		&fakeEngine{name: "MONGODB_URI", closed: errors.New("not set")},
		&fakeEngine{name: "Docker", closed: errors.New("its engine does not answer")},
	})
	require.Error(t, err)
	for _, part := range []string{"1. MONGODB_URI: not set", "2. Docker: its engine does not answer"} {
		assert.ErrorContains(t, err, part)
	}
}

func TestChooseEngineStopsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	errInterrupted := errors.New("interrupted")
	cancel(errInterrupted)
	last := &fakeEngine{name: "last"}
	_, err := choose(ctx, []engine{&fakeEngine{name: "first", closed: errors.New("closed")}, last})
	require.ErrorIs(t, err, errInterrupted)
	assert.Zero(t, last.asked)
}

func TestGivenMongoDB(t *testing.T) {
	env := map[string]string{}
	given := &givenMongoDB{getenv: func(k string) string { return env[k] }}
	require.ErrorContains(t, given.Prepare(t.Context()), "not set")

	env["MONGODB_URI"] = "mongodb://ann:secret@db.example/"
	require.NoError(t, given.Prepare(t.Context()))
	uri, description, err := given.Start(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, env["MONGODB_URI"], uri)
	assert.NotContains(t, description, "secret")
}

func TestABrokenAddressIsNotShown(t *testing.T) {
	uri := "mongodb://ann:sec ret@db.example/%zz"
	err := awaitMongoDB(t.Context(), stack.NewPart(stack.Dirs{}), uri)
	require.ErrorContains(t, err, "mongodb://db.example")
	require.NotContains(t, err.Error(), "ret@")
	require.NotContains(t, err.Error(), "sec")
}

// A docker client without an engine is installed on many machines: it is not a
// way to a MongoDB.
func TestDockerWithoutAnEngineIsSkipped(t *testing.T) {
	onPath(t, "docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
	err := (&dockerMongo{}).Prepare(t.Context())
	assert.ErrorContains(t, err, "Cannot connect to the Docker daemon")
}

func TestDockerWithAnEngineGetsTheImage(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	onPath(t, "docker", "#!/bin/sh\necho \"$1\" >>"+asked+"\n[ \"$1\" != image ]\n")
	require.NoError(t, (&dockerMongo{}).Prepare(t.Context()))
	calls, err := os.ReadFile(asked)
	require.NoError(t, err)
	assert.Equal(t, "info\nimage\npull\n", string(calls))
}

func TestMongodOnPath(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	require.ErrorContains(t, (&localMongod{}).Prepare(t.Context()), "on PATH")
	onPath(t, "mongod", "#!/bin/sh\n")
	require.NoError(t, (&localMongod{}).Prepare(t.Context()))
}

// onPath puts a program before all others on PATH.
func onPath(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700)) //nolint:gosec // a program
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestDocumentDBSaysWhatItNeeds(t *testing.T) {
	fedora := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(fedora, "etc"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(fedora, "etc/os-release"), []byte("NAME=\"Fedora Linux\"\nID=fedora\n"), 0o600))
	for name, c := range map[string]struct {
		goos, hostRoot string
		euid           int
		want           string
	}{
		"not Linux":  {"darwin", "/", 0, "Linux only"},
		"no root":    {"linux", "/", 1000, "needs root"},
		"not Debian": {"linux", fedora, 0, "this is fedora"},
	} {
		t.Run(name, func(t *testing.T) {
			dirs := stack.Dirs{Cache: t.TempDir(), Data: t.TempDir()}
			way := &documentDB{dirs: dirs, goos: c.goos, euid: c.euid, hostRoot: c.hostRoot}
			assert.ErrorContains(t, way.Prepare(t.Context()), c.want)
		})
	}
}

func TestCheckEngineVersion(t *testing.T) {
	for _, c := range []struct {
		server, extension string
		ok                bool
	}{
		{"18.6 (Debian 18.6-3)", "1.0-0", true},
		{"18.0", "0.107-0", true},
		{"18.0", "0.106-0", false},
		{"18.0", "2.0-0", false},
		{"17.5", "1.0-0", false},
		{"", "1.0-0", false},
		{"18.1", "", false},
	} {
		err := checkEngineVersion(c.server, c.extension)
		assert.Equal(t, c.ok, err == nil, "%s, %s: %v", c.server, c.extension, err)
	}
}
