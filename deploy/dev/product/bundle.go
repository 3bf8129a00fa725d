package product

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"padron/deploy/dev/stack"
)

const (
	// bundleTimeout is how long it may take to install packages and build.
	bundleTimeout = 10 * time.Minute
	// stampFile in a built bundle holds the hash of its inputs. Its name begins
	// with a dot, so that it is not served.
	stampFile = ".built-from"
)

// bundle is what the dashboard's pages load: scripts and styles, built by Vite
// from dashboard/web into its folder dist, which the dashboard embeds. Without
// it the pages show tables instead of charts.
type bundle struct {
	root string // the repository's root
}

func (b bundle) web() string  { return filepath.Join(b.root, "dashboard", "web") }
func (b bundle) dist() string { return filepath.Join(b.web(), "dist") }

// BuildBundle builds the dashboard's scripts and styles unless those that are
// there were built from the same files. Where npm is absent it says so and
// returns nil: Padron works without them.
func BuildBundle(ctx context.Context, s *stack.Stack) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		s.Steps.Say("Bundle", "npm is not installed: the dashboard shows tables instead of charts (install Node 20 or newer for both)")
		return nil //nolint:nilerr // Padron works without it
	}
	return s.Steps.Do("Bundle", "building the dashboard's charts and styles", func() (string, error) {
		return bundle{root: s.Dirs.Root}.build(ctx, npm)
	})
}

func (b bundle) build(ctx context.Context, npm string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, bundleTimeout)
	defer cancel()
	// Two stacks of one checkout must not build into one folder at once.
	lock := flock.New(filepath.Join(b.web(), ".build.lock"))
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return "", fmt.Errorf("wait for another build of the dashboard's bundle: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	inputs, err := b.inputs()
	if err != nil {
		return "", err
	}
	stamp := filepath.Join(b.dist(), stampFile)
	built, err := os.ReadFile(stamp)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read what the dashboard's bundle was built from: %w", err)
	}
	if string(built) == inputs {
		return "the dashboard's charts and styles are built", nil
	}
	for _, args := range [][]string{{"ci", "--no-audit", "--no-fund"}, {"run", "build"}} {
		cmd := exec.CommandContext(ctx, npm, args...)
		cmd.Dir = b.web()
		cmd.WaitDelay = time.Second
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if err != nil {
			return "", fmt.Errorf("npm %s in dashboard/web: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
		}
	}
	if err := os.WriteFile(stamp, []byte(inputs), 0o644); err != nil {
		return "", fmt.Errorf("note what the dashboard's bundle was built from: %w", err)
	}
	return "the dashboard's charts and styles (npm ci, npm run build)", nil
}

// inputs is a hash of all that the bundle is built from: the files of
// dashboard/web, without those that npm and Vite write there.
func (b bundle) inputs() (string, error) {
	var files []string
	err := filepath.WalkDir(b.web(), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || path == b.dist()):
			return filepath.SkipDir
		case !entry.IsDir() && !strings.HasPrefix(entry.Name(), "."):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("list the files of the dashboard's bundle: %w", err)
	}
	slices.Sort(files)
	all := sha256.New()
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read the files of the dashboard's bundle: %w", err)
		}
		name, err := filepath.Rel(b.web(), file)
		if err != nil {
			return "", fmt.Errorf("read the files of the dashboard's bundle: %w", err)
		}
		fmt.Fprintf(all, "%s %d\n", filepath.ToSlash(name), len(content))
		all.Write(content)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}
