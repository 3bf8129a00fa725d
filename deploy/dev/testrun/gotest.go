package testrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gotest.tools/gotestsum/testjson"

	"padron/deploy/dev/process"
	"padron/deploy/dev/stack"
	"padron/internal/testenv"
)

const (
	// testTimeout is the limit for the tests of one package. The ten minutes
	// that are go test's default are too few for whole runs on a slow machine.
	testTimeout = "-timeout=40m"
	// interruptGrace is how long tests have to end when they are interrupted.
	interruptGrace = 5 * time.Second
)

// packagesPerCore is how many packages' tests run at once on each core. Those of
// the packages that take longest wait for servers and timeouts most of the time.
const packagesPerCore = 2

// module is a module whose tests are run.
type module struct {
	dir      string   // below the repository's root
	packages []string // patterns of packages
}

// modules lists the modules and their packages. The packages that take longest
// begin first, so that none of them is left to the end.
func modules() []module {
	return []module{
		{".", []string{"./starter", "./workflows", "./dashboard/browsertest", "./..."}},
		{"deploy/dev", []string{"./..."}},
	}
}

// testModules runs the tests of both modules, one module after the other: the
// packages of a module already use all cores.
func testModules(ctx context.Context, s *stack.Stack, o Options) (*testjson.Execution, error) {
	var all *testjson.Execution
	for _, module := range modules() {
		s.Steps.Say("Test", "go test ./... in %s", filepath.Join("padron", module.dir))
		var err error
		if all, err = testModule(ctx, s, o, module, all); err != nil {
			return all, err
		}
	}
	return all, nil
}

// testModule runs the tests of a module and adds them to those of earlier ones.
func testModule(ctx context.Context, s *stack.Stack, o Options, of module, earlier *testjson.Execution) (*testjson.Execution, error) {
	format := "pkgname-and-test-fails"
	if verbose(o.Args) {
		format = "standard-verbose"
	}
	show := handler{testjson.NewEventFormatter(os.Stdout, format, testjson.FormatOptions{HideEmptyPackages: true})}
	args := []string{"test", "-json", "-count=1", testTimeout, "-p", strconv.Itoa(packagesPerCore * runtime.NumCPU())}
	args = slices.Concat(args, o.Args, of.packages)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "go", args...)
	cmd.Dir = filepath.Join(s.Dirs.Root, of.dir)
	cmd.Env = append(os.Environ(), s.Env()...)
	if o.Long {
		cmd.Env = append(cmd.Env, testenv.LongVariable+"=1")
	}
	all, err := runTests(ctx, s, cmd, show, earlier)
	if err != nil {
		return all, fmt.Errorf("run the tests of %s: %w", filepath.Join("padron", of.dir), err)
	}
	return all, nil
}

func verbose(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool {
		return a == "-v" || a == "-test.v" || strings.HasPrefix(a, "-bench")
	})
}

// runTests runs a `go test -json` and adds its tests to those of earlier ones.
// Failed tests are no error. The command is interrupted when ctx ends or the
// stack fails.
func runTests(ctx context.Context, s *stack.Stack, cmd *exec.Cmd, show handler, earlier *testjson.Execution) (*testjson.Execution, error) {
	stdout, toStdout := io.Pipe()
	stderr, toStderr := io.Pipe()
	cmd.Stdout, cmd.Stderr = toStdout, toStderr
	// A process that a killed test left behind holds the output open.
	cmd.WaitDelay = interruptGrace
	tests, err := process.Start("go test", cmd, syscall.SIGTERM)
	if err != nil {
		return earlier, err
	}
	ended := make(chan error, 1)
	go func() {
		var err error
		select {
		case <-tests.Done():
		case <-s.Failed():
			err = errors.Join(s.Failure(), tests.StopAll(syscall.SIGINT, interruptGrace))
		case <-ctx.Done():
			err = errors.Join(context.Cause(ctx), tests.StopAll(syscall.SIGINT, interruptGrace))
		}
		ended <- errors.Join(err, toStdout.Close(), toStderr.Close())
	}()
	all, err := testjson.ScanTestOutput(testjson.ScanConfig{
		Stdout: stdout, Stderr: stderr, Handler: show, Execution: earlier, IgnoreNonJSONOutputLines: true,
	})
	if err = errors.Join(err, <-ended); err != nil {
		return all, err
	}
	// Without a failed test the exit code says what is wrong, a package that
	// cannot be found for instance.
	if tests.Err() != nil && len(all.Failed()) == 0 {
		return all, tests.Err()
	}
	return all, nil
}

// handler shows tests while they run.
type handler struct {
	testjson.EventFormatter
}

// Event implements testjson.EventHandler.
func (h handler) Event(e testjson.TestEvent, all *testjson.Execution) error {
	return h.Format(e, all)
}

// Err implements testjson.EventHandler for lines that are no events.
func (handler) Err(line string) error {
	_, err := fmt.Fprintln(os.Stderr, line)
	return err
}
