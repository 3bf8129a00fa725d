package testenv

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// LongVariable is the environment variable that asks for the full length of
// tests that repeat something.
const LongVariable = "PADRON_TEST_LONG"

// Long reports whether tests that repeat something do so at full length.
func Long() bool { return os.Getenv(LongVariable) != "" }

// Times is how often a test repeats something.
func Times(short, long int) int {
	if Long() {
		return long
	}
	return short
}

// MongoDB is the URI of the server to test against. The test is skipped without
// one.
func MongoDB(t testing.TB) string {
	t.Helper()
	return need(t, "MONGODB_URI")
}

// Temporal is the address of the server to test against. The test is skipped
// without one.
func Temporal(t testing.TB) string {
	t.Helper()
	return need(t, "TEMPORAL_ADDRESS")
}

// TemporalProgram is a program that runs a Temporal server for a test to kill, as
// `PROGRAM temporal --data DIR --port N`. The test is skipped without one.
func TemporalProgram(t testing.TB) string {
	t.Helper()
	return need(t, "PADRON_TEST_TEMPORAL")
}

// ProgramsVariable names the folder of a worker and a starter that are built.
const ProgramsVariable = "PADRON_TEST_PROGRAMS"

// Programs returns the folder of the real worker and starter: those that were
// built for all packages, else it builds them into dir.
func Programs(ctx context.Context, dir string) (string, error) {
	if built := os.Getenv(ProgramsVariable); built != "" {
		return built, nil
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator), "padron/starter", "padron/worker").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build worker and starter: %w\n%s", err, out)
	}
	return dir, nil
}

// leftOut are the tests that this test program skipped, and the variables that
// they missed. It is package state because a test program is one package, and
// its tests have nothing else in common.
var leftOut struct {
	mu               sync.Mutex
	tests, variables map[string]bool
}

// need returns the value of a variable, or skips the test.
func need(t testing.TB, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		leftOut.mu.Lock()
		defer leftOut.mu.Unlock()
		if leftOut.tests == nil {
			leftOut.tests, leftOut.variables = map[string]bool{}, map[string]bool{}
		}
		leftOut.tests[t.Name()], leftOut.variables[variable] = true, true
		t.Skip(variable + " is not set")
	}
	return value
}

// Main is the TestMain of a package with tests that need servers. Its last line
// says how many of them were left out.
func Main(m *testing.M) {
	os.Exit(Run(m))
}

// Run is Main without the end of the program.
func Run(m *testing.M) (code int) {
	code = m.Run()
	if len(leftOut.tests) > 0 {
		fmt.Printf("%d tests left out: %s not set; `go run -C deploy/dev . test` runs them\n",
			len(leftOut.tests), strings.Join(slices.Sorted(maps.Keys(leftOut.variables)), ", "))
	}
	return code
}

// dataVariable names a folder of further rows.
const dataVariable = "PADRON_TEST_DATA"

// Folders are the folders with rows to test with, all of one layout: the
// committed one, whose rows have the oddities of real ones and invented names,
// addresses and numbers, and the one that PADRON_TEST_DATA names, if any.
func Folders(t testing.TB) []string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the path of the test's source is unknown")
	}
	folders := []string{filepath.Join(filepath.Dir(file), "data")}
	if more := os.Getenv(dataVariable); more != "" {
		folders = append(folders, more)
	}
	return folders
}

// Files are the paths of a file in all folders that have it. The committed folder
// must have it.
func Files(t testing.TB, name string) []string {
	t.Helper()
	var files []string
	for i, folder := range Folders(t) {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		} else if i == 0 {
			t.Fatal(err)
		}
	}
	return files
}
