package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// What the engine is made of. Debian ships DocumentDB from this release on.
const (
	postgresMajor = 18
	engineRelease = "forky"
	// engineRecipe is raised when the way of building changes, so that nobody goes on with an engine built otherwise.
	engineRecipe = 1
)

// debianKeyring holds the keys that Debian signs its releases with. Packages whose signature does not check out
// against it are refused.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// postgresUID owns the database in the engine's own world. PostgreSQL refuses to run as root. The number is one that
// neither Debian nor systemd gives out (systemd's UIDS-GIDS, "60578…60705 unused").
const postgresUID = 60650

// engineDir is where the engine's files lie.
func engineDir(d Dirs) string {
	return filepath.Join(d.Cache, fmt.Sprintf("engine-%d-%d-%s", postgresMajor, engineRecipe, runtime.GOARCH))
}

// rootfs builds the engine: a small Debian in a folder, with PostgreSQL and DocumentDB and nothing that runs at boot.
type rootfs struct {
	dir      string // where it will be
	log      string // file for the package tools' output
	steps    *Steps
	hostRoot string // "/" but in tests
}

// Check says why an engine cannot be built on this machine.
func (r *rootfs) Check() error {
	id, err := osRelease(filepath.Join(r.hostRoot, "etc/os-release"))
	if err != nil {
		return fmt.Errorf("it is built by Debian's package tools: %w", err)
	}
	if !slices.Contains(id, "debian") && !slices.Contains(id, "ubuntu") {
		return fmt.Errorf("it is built by Debian's package tools, and this is %s", id[0])
	}
	return nil
}

// Built says whether it is there already.
func (r *rootfs) Built() bool {
	_, err := os.Stat(r.dir)
	return err == nil
}

// Build makes the root filesystem, in a folder beside its place that is moved there when it is complete. A second
// stack that wants to build it at the same time waits for the first.
func (r *rootfs) Build(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(r.dir), 0o755); err != nil {
		return fmt.Errorf("make the cache folder: %w", err)
	}
	lock := flock.New(r.dir + ".lock")
	if locked, err := lock.TryLock(); err != nil {
		return fmt.Errorf("lock the engine's folder: %w", err)
	} else if !locked {
		r.steps.Announce("MongoDB", "waiting for another stack that is building the engine")
		if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("wait for another stack that is building the engine: %w", err)
		}
	}
	defer func() { _ = lock.Unlock() }()
	if r.Built() {
		return nil
	}
	r.steps.Announce("MongoDB", "building the DocumentDB engine in %s (once for this machine, about 550 MB)", r.dir)
	return r.steps.Do("Engine", "installing Debian packages", func() (string, error) {
		if err := r.build(ctx); err != nil {
			return "", err
		}
		return fmt.Sprintf("PostgreSQL %d with DocumentDB from Debian %s, signatures checked", postgresMajor, engineRelease), nil
	})
}

func (r *rootfs) build(ctx context.Context) error {
	if err := r.installTools(ctx); err != nil {
		return err
	}
	sources, err := readAptSources(filepath.Join(r.hostRoot, "etc/apt"))
	if err != nil {
		return err
	}
	building := r.dir + ".building"
	if err := removeTree(building); err != nil {
		return err
	}
	if err := r.run(ctx, "mmdebstrap", r.arguments(building, sources, aptProxies(ctx))...); err != nil {
		// What is left is no use, and the error that matters is the first.
		_ = removeTree(building)
		return err
	}
	if err := finishRootfs(building); err != nil {
		return err
	}
	if err := os.Rename(building, r.dir); err != nil {
		return fmt.Errorf("put the engine in place: %w", err)
	}
	return nil
}

// installTools installs what builds the engine, where it is absent.
func (r *rootfs) installTools(ctx context.Context) error {
	_, noTool := exec.LookPath("mmdebstrap")
	_, noKeys := os.Stat(debianKeyring)
	if noTool == nil && noKeys == nil {
		return nil
	}
	install := []string{"install", "--yes", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"}
	if err := r.run(ctx, "apt-get", install...); err == nil {
		return nil
	}
	// A machine that has never asked knows no packages.
	if err := r.run(ctx, "apt-get", "update"); err != nil {
		return err
	}
	return r.run(ctx, "apt-get", install...)
}

// arguments of mmdebstrap. The mirror is this machine's own on Debian; elsewhere it is mmdebstrap's default.
func (r *rootfs) arguments(target string, sources []AptSource, proxies []string) []string {
	args := []string{
		// Packages are unpacked, not configured: nothing of them runs at boot or as a service.
		"--variant=extract",
		"--include=" + fmt.Sprintf("postgresql-%d-documentdb", postgresMajor) + ",base-files,dash",
		`--aptopt=APT::Install-Recommends "false"`,
		// A mirror frozen at some day is fine for a local engine; its signatures are checked all the same.
		`--aptopt=Acquire::Check-Valid-Until "false"`,
		`--aptopt=Acquire::Retries "2"`,
		`--aptopt=Acquire::http::Timeout "20"`,
		`--aptopt=Acquire::https::Timeout "20"`,
	}
	for _, p := range proxies {
		args = append(args, "--aptopt="+p)
	}
	id, err := osRelease(filepath.Join(r.hostRoot, "etc/os-release"))
	mirror := ""
	if err == nil && id[0] == "debian" {
		mirror = debianMirror(sources)
	}
	if mirror == "" {
		return append(args, "--keyring="+debianKeyring, engineRelease, target)
	}
	return append(args, engineRelease, target, fmt.Sprintf("deb [signed-by=%s] %s %s main", debianKeyring, mirror, engineRelease))
}

// run runs one of the package tools with its output in the log. The error ends with the last lines of that output.
func (r *rootfs) run(ctx context.Context, name string, args ...string) error {
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of the package tools: %w", err)
	}
	defer func() { _ = log.Close() }()
	from, err := log.Seek(0, 2)
	if err != nil {
		return fmt.Errorf("open the log of the package tools: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	cmd.Stdout, cmd.Stderr = log, log
	process, err := startProcess(name, cmd, syscall.SIGTERM)
	if err != nil {
		return err
	}
	select {
	case <-process.done:
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), process.StopAll(syscall.SIGTERM, 10*time.Second))
	}
	if process.err == nil {
		return nil
	}
	out := make([]byte, 1<<20)
	n, _ := log.ReadAt(out, from) // what could not be read is in the log
	return fmt.Errorf("%s: %w: %s (all of it in %s)", name, process.err, firstComplaint(string(out[:n])), r.log)
}

// firstComplaint finds the line that says what went wrong: the first that apt marks as an error, else the last.
func firstComplaint(output string) string {
	last := ""
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "E: ") {
			return line
		}
		if line != "" {
			last = line
		}
	}
	return last
}

// aptProxies are this machine's proxy settings for apt, which mmdebstrap's own apt does not read.
func aptProxies(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "apt-config", "dump", "--format", `%f "%v"%n`, "Acquire::http::Proxy", "Acquire::https::Proxy").Output()
	if err != nil {
		return nil
	}
	var proxies []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasSuffix(line, `""`) {
			proxies = append(proxies, line)
		}
	}
	return proxies
}

// finishRootfs does by hand what little of the packages' own installation a PostgreSQL in a chroot needs.
func finishRootfs(dir string) error {
	// PostgreSQL looks up its own user's name.
	account := fmt.Sprintf("postgres:x:%d:%d::/var/lib/padron:/bin/sh\n", postgresUID, postgresUID)
	if err := appendFile(filepath.Join(dir, "etc/passwd"), account); err != nil {
		return err
	}
	if err := appendFile(filepath.Join(dir, "etc/group"), fmt.Sprintf("postgres:x:%d:\n", postgresUID)); err != nil {
		return err
	}
	for _, sub := range []string{"var/lib/padron", "run/padron"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return fmt.Errorf("make the engine's folders: %w", err)
		}
	}
	// The package makes this link by update-alternatives. DocumentDB asks for the extension by its plain name.
	link := filepath.Join(dir, fmt.Sprintf("usr/share/postgresql/%d/extension/postgis.control", postgresMajor))
	if err := os.Symlink("postgis-3.control", link); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("name the engine's extension: %w", err)
	}
	return nil
}

func appendFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("set up the engine's user: %w", err)
	}
	if _, err := f.WriteString(text); err != nil {
		return errors.Join(fmt.Errorf("set up the engine's user: %w", err), f.Close())
	}
	return f.Close()
}

// osRelease returns the words that say which Linux this is, the most particular first: ID, then ID_LIKE.
func osRelease(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("tell which Linux this is: %w", err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok {
			fields[name] = strings.Trim(value, `"'`)
		}
	}
	words := append(strings.Fields(fields["ID"]), strings.Fields(fields["ID_LIKE"])...)
	if len(words) == 0 {
		return nil, fmt.Errorf("tell which Linux this is: %s names none", file)
	}
	return words, nil
}

// removeTree deletes a folder that a package tool worked in. Should anything be mounted there, an interrupted tool's
// /dev for instance, that is unmounted first: nothing outside the folder may be deleted.
func removeTree(dir string) error {
	if err := unmountBelow(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("delete %s: %w", dir, err)
	}
	return nil
}
