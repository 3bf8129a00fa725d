package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// events is what `go test -json` prints for a package with a passing, a failing, and skipped tests.
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

func TestReportTestsPrintsWhatGoTestPrints(t *testing.T) {
	var out strings.Builder
	result, err := reportTests(strings.NewReader(events), &out, false)
	require.NoError(t, err)
	assert.Equal(t, "    --- FAIL: TestBad/sub (0.00s)\n"+
		"    p_test.go:9: it is bad\n"+
		"--- FAIL: TestBad (0.00s)\n"+
		"FAIL\nFAIL\tp\t0.003s\nok  \tq\t0.002s\n?   \tr\t[no test files]\n", out.String())
	assert.Equal(t, 1, result.passed)
	assert.Equal(t, 1, result.failed)
	assert.Equal(t, []skipped{
		{"p", "TestServer", "p_test.go:5: MONGODB_URI is not set"},
		{"p", "TestRows", "p_test.go:7: no real rows here"},
	}, result.skipped)
}

func TestASkipForWantOfAServerIsAFailure(t *testing.T) {
	results := []testResult{{module: "padron", passed: 3, skipped: []skipped{
		{"p", "TestServer", "TEMPORAL_ADDRESS is not set"},
		{"p", "TestKill", "PADRON_TEST_TEMPORAL is not set"},
		{"p", "TestRows", "no real rows here"},
	}}}
	sum := sumResults(results)
	assert.Equal(t, 2, sum.failed)
	assert.Len(t, sum.skipped, 1)

	var out strings.Builder
	assert.False(t, printResults(&out, results))
	assert.Contains(t, out.String(), "FAIL (skipped for want of a server)  p TestServer")
	assert.Contains(t, out.String(), "SKIP  p TestRows: no real rows here")

	results[0].skipped = results[0].skipped[2:]
	assert.True(t, printResults(&out, results), "any other skip is only listed")
}

func TestReportTestsShowsWhatAPanicLeftUnfinished(t *testing.T) {
	var out strings.Builder
	result, err := reportTests(strings.NewReader(
		`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: oh\n"}`+"\n"+
			`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`+"\n"+
			`{"Action":"fail","Package":"p"}`+"\n"+
			"plain text, last line without an end"), &out, false)
	require.NoError(t, err)
	assert.Equal(t, "FAIL\tp\t0.1s\npanic: oh\nplain text, last line without an end", out.String())
	assert.Zero(t, result.passed)
}

func TestReportTestsShowsABrokenBuild(t *testing.T) {
	var out strings.Builder
	_, err := reportTests(strings.NewReader(
		`{"ImportPath":"p [p.test]","Action":"build-output","Output":"# p\n"}`+"\n"+
			`{"ImportPath":"p [p.test]","Action":"build-output","Output":"p_test.go:3:1: syntax error\n"}`+"\n"+
			`{"ImportPath":"p [p.test]","Action":"build-fail"}`+"\n"), &out, false)
	require.NoError(t, err)
	assert.Equal(t, "# p\np_test.go:3:1: syntax error\n", out.String())
}

func TestReportTestsVerbose(t *testing.T) {
	var out strings.Builder
	_, err := reportTests(strings.NewReader(events), &out, true)
	require.NoError(t, err)
	assert.Contains(t, out.String(), "--- PASS: TestGood")
	assert.Equal(t, 1, strings.Count(out.String(), "it is bad"))
}

// Whatever a test prints, the report ends without an error and counts nothing below zero.
func FuzzReportTests(f *testing.F) {
	f.Add(events, false)
	f.Add("{}\n{\"Action\":\"skip\",\"Test\":\"T\"}\nnot json", true)
	f.Fuzz(func(t *testing.T, text string, verbose bool) {
		var out strings.Builder
		_, err := reportTests(strings.NewReader(text), &out, verbose)
		require.NoError(t, err)
	})
}
