package main_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"padron/internal/testenv"
)

// binaries is the folder of the real worker and starter, built once, and
// specText the embedded spec of San Francisco that they were built with.
var (
	binaries string
	specText string
)

// rows is the size of the loads that are interrupted. The register itself has
// 368,000: go test ./starter -run TestAKilledWorker -rows 368000 -timeout 30m.
var rows = flag.Int("rows", testenv.Times(6_000, 20_000), "rows of the interrupted loads")

func TestMain(m *testing.M) {
	// The tests spend their time waiting for servers and for a dead worker's
	// activities to time out, so more of them run at once than there are cores.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	flag.Parse()
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "padron-binaries-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	text, err := os.ReadFile("../internal/dataset/specs/sf-business.yaml")
	if err != nil {
		return 0, err
	}
	if binaries, err = testenv.Programs(context.Background(), dir); err != nil { //nolint:forbidigo // there is no test yet
		return 0, err
	}
	// A first load that starts a run of its own has a test of its own.
	specText = strings.Replace(string(text), "\nhistory: ", "\n# history: ", 1)
	return testenv.Run(m), nil
}
