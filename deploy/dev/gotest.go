package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func testCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test [-- GO TEST FLAGS]",
		Short: "Start the servers on fresh data and run every test of both modules against them",
		Long: "Starts MongoDB and Temporal on fresh data, and runs `go test ./...` in the repository's root and in deploy/dev\n" +
			"with their addresses set. A test that skips because an address is not set counts as failed.",
		RunE: func(cmd *cobra.Command, args []string) error { return test(cmd.Context(), args) },
	}
}

// errTestsFailed is the end of a test command whose output says what failed.
var errTestsFailed = errors.New("tests failed")

func test(ctx context.Context, args []string) (err error) {
	start := time.Now()
	dirs, err := findDirs("")
	if err != nil {
		return err
	}
	dirs.Data = filepath.Join(dirs.Cache, "tests", fmt.Sprint(os.Getpid()))
	sweepTests(dirs)
	if err := os.MkdirAll(dirs.Logs(), 0o755); err != nil {
		return fmt.Errorf("make the tests' data folder: %w", err)
	}
	steps := newSteps(os.Stdout)
	stack, err := newStack(dirs, steps, true)
	if err != nil {
		return err
	}
	var results []testResult
	func() {
		defer shutDown(stack, &err)
		if _, err = startServers(ctx, stack); err != nil {
			return
		}
		if err = (bundle{root: dirs.Root}).ready(ctx, steps); err != nil {
			return
		}
		if err = readyBrowser(ctx, stack); err != nil {
			return
		}
		if err = readyRecipes(ctx, stack); err != nil {
			return
		}
		for _, module := range []string{".", "deploy/dev"} {
			var result testResult
			if result, err = testModule(ctx, stack, module, args); err != nil {
				return
			}
			results = append(results, result)
		}
	}()
	if err != nil {
		return fmt.Errorf("%w (logs: %s)", err, dirs.Logs())
	}
	ok := printResults(os.Stdout, results)
	steps.Say("Test", "took %s", took(start))
	sum := sumResults(results)
	fmt.Printf("%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, len(sum.skipped))
	if !ok {
		return fmt.Errorf("%w (the servers' logs: %s)", errTestsFailed, dirs.Logs())
	}
	if err := os.RemoveAll(dirs.Data); err != nil {
		return fmt.Errorf("delete the tests' data: %w", err)
	}
	return nil
}

// sweepTests deletes what test stacks that were killed, or that failed and left their logs, have left behind. Those
// whose lock is held still run.
func sweepTests(dirs Dirs) {
	old, err := filepath.Glob(filepath.Join(dirs.Cache, "tests", "*"))
	if err != nil {
		return
	}
	for _, data := range old {
		// One that is just starting has a folder before it has the lock.
		if info, err := os.Stat(data); err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		left := Dirs{Root: dirs.Root, Cache: dirs.Cache, Data: data}
		lock, err := lockData(left)
		if err != nil {
			continue
		}
		// Space that cannot be had back now is had back by the next test.
		_ = (&postgres{root: engineDir(left), id: left.ID()}).remove()
		_ = os.RemoveAll(data)
		_ = lock.Unlock()
	}
}

// testResult is what came of one module's tests.
type testResult struct {
	module         string
	took           time.Duration
	passed, failed int       // tests, without subtests
	skipped        []skipped // tests and subtests
	err            error     // of go test itself
}

// skipped is a test that did not run.
type skipped struct {
	pkg, test, reason string
}

// unwanted says whether the test skipped because it found no server. The test command sets the addresses, so
// such a skip is a fault of the test, and would hide that nothing was tested.
func (s skipped) unwanted() bool {
	return slices.ContainsFunc([]string{"MONGODB_URI", "TEMPORAL_ADDRESS", testTemporal}, func(name string) bool {
		return strings.Contains(s.reason, name)
	})
}

// testPatience is how long the tests of one package may take: whole runs, thousands of them, on a slow machine that
// others use as well take longer than the ten minutes that are go test's default.
const testPatience = "-timeout=40m"

// testGrace is how long tests have to end when they are interrupted.
const testGrace = 5 * time.Second

// testModule runs all tests of a module. Results of earlier runs are not reused: the servers are others.
func testModule(ctx context.Context, stack *Stack, module string, args []string) (testResult, error) {
	name := module
	if module == "." {
		name = "padron"
	}
	stack.Steps.Say("Test", "go test ./... in %s", name)
	start := time.Now()
	read, write, err := os.Pipe()
	if err != nil {
		return testResult{}, fmt.Errorf("run the tests of %s: %w", name, err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "go", slices.Concat([]string{"test", "-json", "-count=1", testPatience}, args, []string{"./..."})...)
	cmd.Dir = filepath.Join(stack.Dirs.Root, module)
	cmd.Env = append(os.Environ(), stack.env...)
	cmd.Stdout, cmd.Stderr = write, os.Stderr
	process, err := startProcess("go test", cmd, syscall.SIGTERM)
	if err = errors.Join(err, write.Close()); err != nil {
		return testResult{}, errors.Join(err, read.Close())
	}
	stopped := make(chan error, 1)
	go func() {
		select {
		case <-process.done:
			stopped <- nil
		case <-stack.failed:
			stopped <- errors.Join(stack.Failure(), process.StopAll(syscall.SIGINT, testGrace))
		case <-ctx.Done():
			stopped <- errors.Join(context.Cause(ctx), process.StopAll(syscall.SIGINT, testGrace))
		}
	}()
	result, err := reportTests(read, os.Stdout, verbose(args))
	if err = errors.Join(err, <-stopped, read.Close()); err != nil {
		return result, fmt.Errorf("run the tests of %s: %w", name, err)
	}
	<-process.done
	result.module, result.took, result.err = name, time.Since(start), process.err
	return result, nil
}

func verbose(args []string) bool {
	return slices.Contains(args, "-v") || slices.Contains(args, "-test.v") || slices.ContainsFunc(args, func(a string) bool {
		return strings.HasPrefix(a, "-bench")
	})
}

// testEvent is one line of `go test -json` (go doc test2json).
type testEvent struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
}

// reportTests turns the output of `go test -json` into what go test prints without -json: failed tests in full, and a
// line for each package. Lines that are not JSON are passed on.
func reportTests(r io.Reader, w io.Writer, verbose bool) (testResult, error) {
	var result testResult
	outputs := map[string]*bytes.Buffer{} // of tests that have not ended, by package and name
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return result, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return result, fmt.Errorf("read the output of go test: %w", err)
		}
		var e testEvent
		if json.Unmarshal(line, &e) != nil || e.Action == "" {
			_, _ = w.Write(line)
			continue
		}
		key := e.Package + "\x00" + e.Test
		switch e.Action {
		case "build-output":
			_, _ = io.WriteString(w, e.Output)
		case "output":
			switch {
			case verbose:
				_, _ = io.WriteString(w, e.Output)
			case e.Test == "":
				if e.Output != "PASS\n" {
					_, _ = io.WriteString(w, e.Output)
				}
				continue
			case strings.HasPrefix(e.Output, "=== "):
				continue
			}
			if outputs[key] == nil {
				outputs[key] = &bytes.Buffer{}
			}
			outputs[key].WriteString(e.Output)
		case "pass":
			if e.Test != "" && !strings.Contains(e.Test, "/") {
				result.passed++
			}
			delete(outputs, key)
		case "skip":
			if e.Test != "" {
				result.skipped = append(result.skipped, skipped{e.Package, e.Test, skipReason(outputs[key])})
			}
			delete(outputs, key)
		case "fail":
			if e.Test != "" && !strings.Contains(e.Test, "/") {
				result.failed++
			}
			for _, k := range endedBy(outputs, e) {
				if !verbose {
					_, _ = w.Write(outputs[k].Bytes())
				}
				delete(outputs, k)
			}
		}
	}
}

// endedBy lists the tests whose output is to be shown now that one has failed, in the order of their names: itself; or,
// when a whole package failed, those that it left unfinished by a panic or a time-out.
func endedBy(outputs map[string]*bytes.Buffer, e testEvent) []string {
	var keys []string
	for k := range outputs {
		if k == e.Package+"\x00"+e.Test || (e.Test == "" && strings.HasPrefix(k, e.Package+"\x00")) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// skipReason is the text a test gave for not running, out of its output, whose other lines are `--- SKIP: Name`.
func skipReason(output *bytes.Buffer) string {
	if output == nil {
		return "no reason given"
	}
	var reasons []string
	for line := range strings.Lines(output.String()) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "=== ") {
			continue
		}
		reasons = append(reasons, line)
	}
	if len(reasons) == 0 {
		return "no reason given"
	}
	return strings.Join(reasons, " ")
}

// sumResults adds up the modules' results. A skip for want of a server counts as a failure.
func sumResults(results []testResult) testResult {
	var sum testResult
	for _, r := range results {
		sum.passed += r.passed
		sum.failed += r.failed
		for _, s := range r.skipped {
			if s.unwanted() {
				sum.failed++
			} else {
				sum.skipped = append(sum.skipped, s)
			}
		}
	}
	return sum
}

// printResults lists what was skipped and how long each module took. ok is false when anything failed.
func printResults(w io.Writer, results []testResult) (ok bool) {
	ok = true
	for _, r := range results {
		for _, s := range r.skipped {
			word := "SKIP"
			if s.unwanted() {
				word, ok = "FAIL (skipped for want of a server)", false
			}
			_, _ = fmt.Fprintf(w, "%s  %s %s: %s\n", word, s.pkg, s.test, s.reason)
		}
	}
	for _, r := range results {
		verdict := "passed"
		if r.err != nil || r.failed > 0 {
			verdict, ok = "FAILED", false
		}
		_, _ = fmt.Fprintf(w, "%-*s  %s: %s in %.1fs\n", nameWidth, "Test", r.module, verdict, r.took.Seconds())
	}
	return ok
}
