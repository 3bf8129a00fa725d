package testrun

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gotest.tools/gotestsum/testjson"

	"padron/deploy/dev/stack"
)

// events is what `go test -json` prints for a package with a passing, a
// failing, and skipped tests.
const events = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"--- PASS: TestGood (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestBad","Output":"=== RUN   TestBad\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"    p_test.go:9: it is bad\n"}
{"Action":"output","Package":"p","Test":"TestBad/sub","Output":"    --- FAIL: TestBad/sub (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestBad/sub","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestServer","Output":"    p_test.go:5: MONGODB_URI is not set\n"}
{"Action":"output","Package":"p","Test":"TestServer","Output":"--- SKIP: TestServer (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestServer","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestRows","Output":"    p_test.go:7: no real rows here\n"}
{"Action":"output","Package":"p","Test":"TestRows","Output":"--- SKIP: TestRows (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestRows","Elapsed":0}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.003s\n"}
{"Action":"fail","Package":"p","Elapsed":0.003}
{"Action":"output","Package":"q","Output":"PASS\n"}
{"Action":"output","Package":"q","Output":"ok  \tq\t0.002s\n"}
{"Action":"pass","Package":"q","Elapsed":0.002}
{"Action":"output","Package":"r","Output":"?   \tr\t[no test files]\n"}
{"Action":"skip","Package":"r","Elapsed":0}
`

// scan runs a `go test` that prints these lines, and returns what it showed.
func scan(t *testing.T, lines string, code string) (all *testjson.Execution, shown string, err error) {
	t.Helper()
	var out strings.Builder
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `printf %s "$1"; exit `+code, "sh", lines)
	show := handler{testjson.NewEventFormatter(&out, "pkgname-and-test-fails", testjson.FormatOptions{})}
	all, err = runTests(t.Context(), stack.NewPart(stack.Dirs{}), cmd, show, nil)
	return all, out.String(), err
}

func TestResultOfARun(t *testing.T) {
	all, shown, err := scan(t, events, "1")
	require.NoError(t, err, "a failed test is no error of the run")
	assert.Contains(t, shown, "p_test.go:9: it is bad\n")
	assert.Contains(t, shown, "--- FAIL: TestBad/sub")
	r := summarize(all)
	assert.Equal(t, 1, r.passed)
	assert.Equal(t, 2, r.failed, "one failed, one skipped for want of a server")
	assert.Equal(t, 1, r.skipped)
	require.Len(t, r.unwanted, 1)
	assert.Equal(t, testjson.TestName("TestServer"), r.unwanted[0].Test)

	var out strings.Builder
	r.print(&out, all)
	assert.Contains(t, out.String(), "FAIL (skipped for want of a server)  p TestServer")
	assert.Contains(t, out.String(), "p_test.go:7: no real rows here", "any other skip is listed with its reason")
	assert.Contains(t, out.String(), "Slowest tests:")
}

func TestASkipForWantOfAServerIsAFailure(t *testing.T) {
	for reason, want := range map[string]bool{
		"TEMPORAL_ADDRESS is not set":     true,
		"MONGODB_URI is not set":          true,
		"PADRON_TEST_TEMPORAL is not set": true,
		"no real rows here":               false,
	} {
		assert.Equal(t, want, isUnwanted([]string{"=== RUN TestX\n", "    p_test.go:5: " + reason + "\n"}), reason)
	}
}

func TestASubtestThatFailsCountsOnce(t *testing.T) {
	all, _, err := scan(t, `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"run","Package":"p","Test":"TestA/two"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"fail","Package":"p","Test":"TestA/two"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`, "1")
	require.NoError(t, err)
	assert.Equal(t, result{failed: 1}, summarize(all))
}

func TestAPanicIsShown(t *testing.T) {
	all, shown, err := scan(t, `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: oh\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
plain text, the last line without an end`, "1")
	require.NoError(t, err)
	var out strings.Builder
	r := summarize(all)
	r.print(&out, all)
	assert.Contains(t, shown+out.String(), "panic: oh")
	assert.Positive(t, r.failed)
	assert.Zero(t, r.passed)
}

func TestABrokenBuildIsAFailure(t *testing.T) {
	all, _, err := scan(t, `{"ImportPath":"p [p.test]","Action":"build-output","Output":"# p\n"}
{"ImportPath":"p [p.test]","Action":"build-output","Output":"p_test.go:3:1: syntax error\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","Elapsed":0,"FailedBuild":"p [p.test]"}
`, "1")
	require.NoError(t, err)
	var out strings.Builder
	r := summarize(all)
	r.print(&out, all)
	assert.Equal(t, 1, r.failed)
	assert.Contains(t, out.String(), "p_test.go:3:1: syntax error")
}

func TestAGoCommandThatRunsNoTestsIsAnError(t *testing.T) {
	_, _, err := scan(t, "", "1")
	var status *exec.ExitError
	require.ErrorAs(t, err, &status)
}
