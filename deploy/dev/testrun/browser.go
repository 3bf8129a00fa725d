package testrun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"padron/deploy/dev/stack"
)

// browserVariable names the browser for the tests.
const browserVariable = "PADRON_BROWSER"

// browserNames are the names of Chromium's program on different systems.
func browserNames() []string {
	return []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
}

// errNoBrowser says what the tests of the dashboard need.
var errNoBrowser = errors.New("the tests of the dashboard need Chromium: install it (on Debian: apt-get install chromium), or set " +
	browserVariable + " to its path")

// findBrowser finds Chromium: the one that the variable names, else one on
// PATH.
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

// readyBrowser finds Chromium for the tests, or installs Debian's if it may.
func readyBrowser(ctx context.Context, s *stack.Stack) error {
	path, ok := findBrowser()
	if !ok {
		if !mayInstall() {
			return errNoBrowser
		}
		s.Steps.Announce("Browser", "installing Chromium (once for this machine, about 400 MB)")
		err := s.Steps.Do("Browser", "installing Chromium", func() (string, error) {
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
	s.Setenv(browserVariable, path)
	return nil
}
