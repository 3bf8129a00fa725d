package testrun

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"padron/deploy/dev/stack"
)

// These variables name the programs that the tests of deploy/recipes run:
// mongosh, and a Python that has pandas and pymongo. Tests whose variable is
// not set skip.
const (
	mongoshVariable = "PADRON_MONGOSH"
	pythonVariable  = "PADRON_PYTHON"
)

// recipesTimeout is how long npm may take to install mongosh.
const recipesTimeout = 10 * time.Minute

// stampFile in an installed node_modules is a copy of the lock file that it was
// installed from.
const stampFile = ".built-from"

// readyRecipes finds what the recipes for other tools are tested with, and
// installs what is absent: mongosh with npm, pandas and pymongo with Debian's
// packages. Where it cannot, it says what is not tested.
func readyRecipes(ctx context.Context, s *stack.Stack) error {
	if os.Getenv(mongoshVariable) == "" {
		if npm, err := exec.LookPath("npm"); err != nil {
			s.Steps.Say("Recipes", "npm is not installed: those for mongosh and the reading of Parquet are not tested")
		} else if err := readyMongosh(ctx, s, npm); err != nil {
			return err
		}
	}
	python, ok := findPython(ctx)
	if !ok {
		if !mayInstall() {
			s.Steps.Say("Recipes", "there is no Python with pandas and pymongo: those for pandas are not tested")
			return nil
		}
		err := s.Steps.Do("Recipes", "installing pandas and pymongo (once for this machine)", func() (string, error) {
			if err := aptInstall(ctx, "python3-pandas", "python3-pymongo"); err != nil {
				return "", fmt.Errorf("install what the recipes for pandas are tested with: %w", err)
			}
			if python, ok = findPython(ctx); !ok {
				return "", errors.New("apt-get installed pandas and pymongo, and no Python finds them")
			}
			return python + " (apt-get install python3-pandas python3-pymongo)", nil
		})
		if err != nil {
			return err
		}
	}
	s.Setenv(pythonVariable, python)
	return nil
}

// readyMongosh installs what deploy/recipes/package-lock.json lists, unless it
// is installed.
func readyMongosh(ctx context.Context, s *stack.Stack, npm string) error {
	folder := filepath.Join(s.Dirs.Root, "deploy", "recipes")
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		return fmt.Errorf("read what the recipes are tested with: %w", err)
	}
	stamp := filepath.Join(folder, "node_modules", stampFile)
	installed, err := os.ReadFile(stamp)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read what the recipes are tested with: %w", err)
	}
	if string(installed) != string(lock) {
		err := s.Steps.Do("Recipes", "installing mongosh (once for this checkout, about 150 MB)", func() (string, error) {
			ctx, cancel := context.WithTimeout(ctx, recipesTimeout)
			defer cancel()
			// The optional parts, for Kerberos and encryption, need a C
			// compiler.
			cmd := exec.CommandContext(ctx, npm, "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund")
			cmd.Dir = folder
			cmd.WaitDelay = time.Second
			out, err := cmd.CombinedOutput()
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			if err != nil {
				return "", fmt.Errorf("npm ci in deploy/recipes: %w\n%s", err, strings.TrimSpace(string(out)))
			}
			return "mongosh (npm ci)", os.WriteFile(stamp, lock, 0o644)
		})
		if err != nil {
			return err
		}
	}
	s.Setenv(mongoshVariable, filepath.Join(folder, "node_modules", ".bin", "mongosh"))
	return nil
}

// findPython finds a Python that has pandas and pymongo: the one that the
// variable names, else one on PATH, else the system's own, which another one on
// PATH may hide.
func findPython(ctx context.Context) (string, bool) {
	if path := os.Getenv(pythonVariable); path != "" {
		return path, true
	}
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(name)
		if err == nil && exec.CommandContext(ctx, path, "-c", "import pandas, pymongo").Run() == nil {
			return path, true
		}
	}
	return "", false
}
