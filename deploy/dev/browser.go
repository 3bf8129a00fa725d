package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// browserVariable tells the tests which browser to use.
const browserVariable = "PADRON_BROWSER"

// browserNames are what Chromium is called on the systems that have it.
func browserNames() []string {
	return []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
}

// errNoBrowser says what the tests of the dashboard lack.
var errNoBrowser = errors.New("the tests of the dashboard need Chromium: install it (on Debian: apt-get install chromium), or set " + browserVariable + " to its path")

// findBrowser finds Chromium: where the variable says, else on PATH.
func findBrowser() (string, bool) {
	if path := os.Getenv(browserVariable); path != "" {
		return path, true
	}
	for _, name := range browserNames() {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// readyBrowser finds Chromium for the tests, and installs Debian's where it is absent and this process may.
func readyBrowser(ctx context.Context, stack *Stack) error {
	path, ok := findBrowser()
	if !ok {
		if programPath("apt-get") == "" || os.Geteuid() != 0 {
			return errNoBrowser
		}
		stack.Steps.Announce("Browser", "installing Chromium (once for this machine, about 400 MB)")
		err := stack.Steps.Do("Browser", "installing Chromium", func() (string, error) {
			if err := aptInstall(ctx, "chromium", "fonts-liberation"); err != nil {
				return "", fmt.Errorf("%w\n%w", errNoBrowser, err)
			}
			if path, ok = findBrowser(); !ok {
				return "", errNoBrowser
			}
			return path + " (apt-get install chromium)", nil
		})
		if err != nil {
			return err
		}
	}
	stack.setenv(browserVariable, path)
	return nil
}

// aptInstall installs Debian packages. It must be called as root.
func aptInstall(ctx context.Context, packages ...string) error {
	// A machine that has never asked knows no packages, and one that asked long ago knows old ones.
	for _, args := range [][]string{{"update"}, append([]string{"install", "--yes", "--no-install-recommends"}, packages...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
