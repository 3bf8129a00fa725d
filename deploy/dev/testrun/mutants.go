package testrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"padron/deploy/dev/process"
	"padron/deploy/dev/stack"
)

const (
	// gremlins is the mutation tool, whose version .ci/tools pins.
	gremlins = "github.com/go-gremlins/gremlins/cmd/gremlins"
	// minEfficacy is the share of the mutants in tested code that the tests of a
	// package must find, in percent.
	minEfficacy = 90
	// timeoutCoefficient is how many times longer than usual tests may take with
	// a mutant, before it counts as found.
	timeoutCoefficient = "10"
)

// purePackages are those whose own tests need no server. Packages that a
// checkout does not have are left out.
func purePackages() []string {
	return []string{"analytics", "backfill", "certificate", "changes", "cleaning", "dataset", "guard", "lineage", "socrata"}
}

// errSurvivors says that tests found too few of the mutants.
var errSurvivors = errors.New("too many mutants survive")

// Mutants changes operators in the pure packages, one at a time, and runs each
// package's tests against every change. Names, such as guard, select packages. It
// returns an error when the tests of a package find fewer than minEfficacy
// percent of the changes.
func Mutants(ctx context.Context, names ...string) error {
	start := time.Now()
	dirs, err := stack.FindDirs("")
	if err != nil {
		return err
	}
	steps := stack.NewSteps(os.Stdout)
	work, err := os.MkdirTemp("", "padron-mutants-")
	if err != nil {
		return fmt.Errorf("make a folder for the mutants: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	tool := filepath.Join(work, "gremlins")
	err = steps.Do("Mutants", "building gremlins", func() (string, error) {
		out, err := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(dirs.Root, ".ci", "tools"), "-o", tool, gremlins).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build gremlins: %w\n%s", err, strings.TrimSpace(string(out)))
		}
		return "gremlins is built", nil
	})
	if err != nil {
		return err
	}
	module := filepath.Join(work, "module")
	if err := copyModule(dirs.Root, module); err != nil {
		return err
	}
	var below []string
	if len(names) == 0 {
		names = slices.DeleteFunc(purePackages(), func(name string) bool {
			_, err := os.Stat(filepath.Join(module, "internal", name))
			return err != nil
		})
	}
	for _, name := range names {
		pkg := filepath.Join("internal", name)
		steps.Say("Mutants", "%s", pkg)
		report := filepath.Join(work, name+".json")
		err := process.RunInForeground(ctx, module, nil, nil, tool, "unleash",
			"--output", report, "--timeout-coefficient", timeoutCoefficient, "./"+pkg)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("gremlins on %s: %w", pkg, err)
		}
		efficacy, err := readEfficacy(report)
		if err != nil {
			return err
		}
		if efficacy < minEfficacy {
			below = append(below, fmt.Sprintf("%s (%.0f %%)", pkg, efficacy))
		}
	}
	steps.Say("Mutants", "took %s", stack.Took(start))
	if len(below) > 0 {
		return fmt.Errorf("%w: tests find fewer than %d %% in %s; see LIVED above", errSurvivors, minEfficacy, strings.Join(below, ", "))
	}
	return nil
}

// readEfficacy reads from a report of gremlins what percentage of the mutants
// in tested code the tests found. The report is read because the tool ignores
// its flag --threshold-efficacy (version 0.6.0).
func readEfficacy(report string) (float64, error) {
	text, err := os.ReadFile(report)
	if err != nil {
		return 0, fmt.Errorf("read the report on mutants: %w", err)
	}
	var found struct {
		Efficacy *float64 `json:"test_efficacy"`
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return 0, fmt.Errorf("read the report on mutants: %w", err)
	}
	if found.Efficacy == nil {
		return 0, errors.New("the report on mutants has no test_efficacy")
	}
	return *found.Efficacy, nil
}

// copyModule copies what the pure packages are built from. gremlins copies its
// module's folder for each of its workers, and the whole checkout holds some
// hundred MB of npm packages.
func copyModule(root, to string) error {
	if err := os.CopyFS(filepath.Join(to, "internal"), os.DirFS(filepath.Join(root, "internal"))); err != nil {
		return fmt.Errorf("copy the module: %w", err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), text, 0o600)
		}
		if err != nil {
			return fmt.Errorf("copy the module: %w", err)
		}
	}
	return nil
}
