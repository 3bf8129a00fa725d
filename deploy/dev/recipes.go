package main

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
)

// These variables tell the tests of deploy/recipes which mongosh, and which Python with pandas and pymongo, to run.
// Tests whose variable is not set skip.
const (
	mongoshVariable = "PADRON_MONGOSH"
	pythonVariable  = "PADRON_PYTHON"
)

// recipesPatience is how long npm may take to install what the recipes are run with.
const recipesPatience = 10 * time.Minute

// readyRecipes finds what the recipes for other tools are tested with, and installs what is absent where it can: mongosh
// with npm, pandas and pymongo with Debian's packages. Where it cannot, it says what is not tested.
func readyRecipes(ctx context.Context, stack *Stack) error {
	if os.Getenv(mongoshVariable) == "" {
		if npm := programPath("npm"); npm == "" {
			stack.Steps.Say("Recipes", "npm is not installed: those for mongosh and the reading of Parquet are not tested")
		} else if err := readyMongosh(ctx, stack, npm); err != nil {
			return err
		}
	}
	python, ok := findPython(ctx)
	if !ok {
		if aptGet := programPath("apt-get"); aptGet == "" || os.Geteuid() != 0 {
			stack.Steps.Say("Recipes", "there is no Python with pandas and pymongo: those for pandas are not tested")
			return nil
		}
		err := stack.Steps.Do("Recipes", "installing pandas and pymongo (once for this machine)", func() (string, error) {
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
	stack.setenv(pythonVariable, python)
	return nil
}

// readyMongosh installs what deploy/recipes/package-lock.json names, unless it is there.
func readyMongosh(ctx context.Context, stack *Stack, npm string) error {
	folder := filepath.Join(stack.Dirs.Root, "deploy", "recipes")
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
		err := stack.Steps.Do("Recipes", "installing mongosh (once for this checkout, about 150 MB)", func() (string, error) {
			ctx, cancel := context.WithTimeout(ctx, recipesPatience)
			defer cancel()
			// Its optional parts, for Kerberos and encryption, would be compiled here.
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
	stack.setenv(mongoshVariable, filepath.Join(folder, "node_modules", ".bin", "mongosh"))
	return nil
}

// findPython finds a Python that has pandas and pymongo: where the variable says, else on PATH, else the system's own,
// which another one on PATH may hide.
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
