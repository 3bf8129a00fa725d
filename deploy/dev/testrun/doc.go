// Package testrun runs the tests of both modules against real servers, and what
// measures those tests. It installs the programs that the tests need: a
// browser, mongosh, and a Python with pandas.
package testrun
