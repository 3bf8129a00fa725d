package testrun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gotest.tools/gotestsum/testjson"

	"padron/deploy/dev/product"
	"padron/deploy/dev/servers"
	"padron/deploy/dev/stack"
	"padron/internal/testenv"
)

// ErrFailed is the end of a run whose output says which tests failed.
var ErrFailed = errors.New("tests failed")

// Options of a test run.
type Options struct {
	Long  bool     // tests that repeat something do so at full length
	Again bool     // tests that failed are run once more
	Args  []string // further flags of go test
}

// Run starts the servers on fresh data and runs every test of both modules
// against them. The last line that it prints is the result, as
// `N passed, N failed, N skipped`. It returns ErrFailed when a test failed.
func Run(ctx context.Context, o Options) (err error) {
	start := time.Now()
	steps := stack.NewSteps(os.Stdout)
	s, err := servers.OpenTemporary(fmt.Sprint(os.Getpid()), steps)
	if err != nil {
		return err
	}
	var all *testjson.Execution
	var unsteady []testjson.TestCase
	func() {
		defer s.ShutDown(&err)
		if err = prepare(ctx, s); err != nil {
			return
		}
		if all, err = testModules(ctx, s, o); err == nil && o.Again {
			unsteady, err = runAgain(ctx, s, o, all)
		}
	}()
	if err != nil {
		return fmt.Errorf("%w (logs: %s)", err, s.Dirs.Logs())
	}
	result := summarize(all)
	result.pass(unsteady)
	result.print(os.Stdout, all)
	steps.Say("Test", "took %s", stack.Took(start))
	fmt.Printf("%d passed, %d failed, %d skipped\n", result.passed, result.failed, result.skipped)
	if result.failed > 0 {
		return fmt.Errorf("%w (the servers' logs: %s)", ErrFailed, s.Dirs.Logs())
	}
	if err := os.RemoveAll(s.Dirs.Data); err != nil {
		return fmt.Errorf("delete the tests' data: %w", err)
	}
	return nil
}

// prepare starts the servers and makes ready what else the tests need.
func prepare(ctx context.Context, s *stack.Stack) error {
	if _, err := servers.Start(ctx, s); err != nil {
		return err
	}
	if err := product.BuildBundle(ctx, s); err != nil {
		return err
	}
	p := product.New(s)
	if err := p.Build(ctx); err != nil {
		return err
	}
	s.Setenv(testenv.ProgramsVariable, filepath.Dir(p.Starter()))
	if err := readyBrowser(ctx, s); err != nil {
		return err
	}
	return readyRecipes(ctx, s)
}
