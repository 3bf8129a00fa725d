package testrun

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"gotest.tools/gotestsum/testjson"

	"padron/deploy/dev/temporal"
)

// result counts tests. Subtests count only where they were skipped.
type result struct {
	passed, failed, skipped int
	unwanted                []testjson.TestCase // skipped, which counts as failed
	unsteady                []testjson.TestCase // failed at first
}

// pass counts tests as passed that failed at first.
func (r *result) pass(unsteady []testjson.TestCase) {
	r.passed, r.failed, r.unsteady = r.passed+len(unsteady), r.failed-len(unsteady), unsteady
}

// summarize counts the tests of an execution. A skip for want of a server
// counts as a failure.
func summarize(all *testjson.Execution) (r result) {
	for _, name := range all.Packages() {
		for _, passed := range all.Package(name).Passed {
			if !passed.Test.IsSubTest() {
				r.passed++
			}
		}
	}
	// A package that failed outside of its tests is in here as well.
	for _, failed := range all.Failed() {
		if !failed.Test.IsSubTest() {
			r.failed++
		}
	}
	for _, skipped := range all.Skipped() {
		if isUnwanted(all.OutputLines(skipped)) {
			r.unwanted = append(r.unwanted, skipped)
			r.failed++
		} else {
			r.skipped++
		}
	}
	return r
}

// isUnwanted reports whether a test was skipped because it found no server. The
// test command sets the servers' addresses, so such a skip is a mistake in the
// test, and would hide that nothing was tested.
func isUnwanted(output []string) bool {
	return slices.ContainsFunc([]string{"MONGODB_URI", "TEMPORAL_ADDRESS", temporal.TestVariable}, func(name string) bool {
		return slices.ContainsFunc(output, func(line string) bool { return strings.Contains(line, name) })
	})
}

// slowestTests is how many of the slowest tests are listed, so that nobody has
// to search for what makes the run long.
const slowestTests = 10

// print lists skipped and failed tests and the slowest ones.
func (r result) print(w io.Writer, all *testjson.Execution) {
	testjson.PrintSummary(w, all, testjson.SummarizeAll)
	for _, test := range r.unwanted {
		fmt.Fprintf(w, "FAIL (skipped for want of a server)  %s %s\n", test.Package, test.Test)
	}
	for _, test := range r.unsteady {
		fmt.Fprintf(w, "UNSTEADY (failed, and passed when it was run again)  %s %s\n", test.Package, test.Test)
	}
	fmt.Fprintln(w, "\nSlowest tests:")
	for _, test := range slowest(all) {
		fmt.Fprintf(w, "%7.1fs  %s %s\n", test.Elapsed.Seconds(), test.Package, test.Test)
	}
	fmt.Fprintln(w)
}

// slowest lists the slowest tests, without subtests.
func slowest(all *testjson.Execution) []testjson.TestCase {
	var tests []testjson.TestCase
	for _, name := range all.Packages() {
		tests = append(tests, all.Package(name).TestCases()...)
	}
	tests = slices.DeleteFunc(tests, func(t testjson.TestCase) bool { return t.Test.IsSubTest() })
	slices.SortStableFunc(tests, func(a, b testjson.TestCase) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	return tests[:min(len(tests), slowestTests)]
}
