package testrun

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gotest.tools/gotestsum/testjson"

	"padron/deploy/dev/stack"
)

// mostAgain is how many failed tests are run again: more are no matter of a machine
// that was too busy.
const mostAgain = 5

// runAgain runs the tests that failed once more, a package at a time and nothing
// beside it, and returns those that then pass: they fail under load only, or now
// and then, which deserves a look and stops nobody's change. A random sequence that
// failed is tried first (testdata/rapid), so it fails again.
func runAgain(ctx context.Context, s *stack.Stack, o Options, all *testjson.Execution) (unsteady []testjson.TestCase, err error) {
	failed := failedTests(all)
	total := 0
	for _, tests := range failed {
		total += len(tests)
	}
	if total == 0 || total > mostAgain {
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		var names []string
		for _, test := range failed[name] {
			names = append(names, regexp.QuoteMeta(test.Test.Name()))
		}
		s.Steps.Say("Test", "%s once more: %s", name, strings.Join(names, ", "))
		m := moduleOf(name)
		m.packages = []string{name}
		only := o
		only.Args = slices.Concat(o.Args, []string{"-run", "^(" + strings.Join(names, "|") + ")$"})
		second, err := testModule(ctx, s, only, m, nil)
		if err != nil {
			return nil, err
		}
		unsteady = append(unsteady, slices.DeleteFunc(failed[name], func(t testjson.TestCase) bool {
			return !slices.ContainsFunc(second.Package(name).Passed, func(p testjson.TestCase) bool { return p.Test == t.Test })
		})...)
	}
	return unsteady, nil
}

// failedTests are the tests that failed, without subtests, by package. A package
// that failed outside of its tests has none.
func failedTests(all *testjson.Execution) map[string][]testjson.TestCase {
	failed := map[string][]testjson.TestCase{}
	for _, name := range all.Packages() {
		for _, test := range all.Package(name).Failed {
			if !test.Test.IsSubTest() && test.Test != "" {
				failed[name] = append(failed[name], test)
			}
		}
	}
	return failed
}

// moduleOf is the module of a package.
func moduleOf(name string) module {
	all := modules()
	if strings.HasPrefix(name, "padron/deploy/dev") {
		return all[1]
	}
	return all[0]
}
