package main

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/deploy/dev/servers"
)

func TestMessagesLeaveOutWhatWasPrinted(t *testing.T) {
	said := exec.CommandContext(t.Context(), "false").Run()
	require.Error(t, said)
	other := errors.New("PostgreSQL ended by itself")
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"none":                  {nil, nil},
		"a program's failure":   {said, nil},
		"a failure explained":   {fmt.Errorf("build: %w: no such file", said), []string{"build: exit status 1: no such file"}},
		"interrupted":           {errInterrupted, nil},
		"stopped badly as well": {errors.Join(errors.Join(said), other), []string{other.Error()}},
		"interrupted, and more": {errors.Join(errInterrupted, other), []string{other.Error()}},
		"usage":                 {fmt.Errorf("%w: no", errUsage), []string{"wrong usage: no"}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, messages(c.err)) })
	}
}

func TestUnknownWordsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"nonsense"}, {"demo", "more"}, {"up", "more"}, {"demo", "--rows", "many"}, {"exec"}} {
		root := rootCommand()
		root.SetArgs(args)
		assert.Error(t, root.ExecuteContext(t.Context()), "%v", args)
	}
}

func TestPortalFlagsThatExcludeEachOther(t *testing.T) {
	for _, p := range []servers.Portal{
		{Rows: 0},
		{Rows: -5},
		{Rows: servers.DefaultRows, Live: true, File: "x.csv"},
		{Rows: 5, Live: true},
		{Rows: 5, File: "x.csv"},
		{Rows: servers.DefaultRows, Live: true, Boundaries: "x.geojson"},
	} {
		require.ErrorIs(t, checkPortal(p), errUsage, "%+v", p)
	}
	for _, p := range []servers.Portal{{Rows: servers.DefaultRows}, {Rows: 1}, {Rows: servers.DefaultRows, Live: true}, {Rows: servers.DefaultRows, File: "x.csv"}} {
		require.NoError(t, checkPortal(p), "%+v", p)
	}
}
