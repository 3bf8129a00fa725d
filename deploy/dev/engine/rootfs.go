package engine

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

	"padron/deploy/dev/process"
	"padron/deploy/dev/stack"
)

// What the engine is built from. Debian has DocumentDB from this release on.
const (
	postgresMajor = 18
	engineRelease = "forky"
	// engineRecipe is raised when the way of building changes, so that an
	// engine that was built the old way is not used again.
	engineRecipe = 1
)

// debianKeyring holds the keys that Debian signs its releases with. Packages
// whose signature does not verify against it are refused.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// postgresUID owns the database inside the chroot: PostgreSQL refuses to run as
// root. Neither Debian nor systemd assigns this number (systemd's UIDS-GIDS,
// "60578…60705 unused").
const postgresUID = 60650

// engineDir is the folder of the engine's files.
func engineDir(d stack.Dirs) string {
	return filepath.Join(d.Cache, fmt.Sprintf("engine-%d-%d-%s", postgresMajor, engineRecipe, runtime.GOARCH))
}

// rootfs builds the engine: a small Debian in a folder, with PostgreSQL and
// DocumentDB and nothing that runs at boot.
type rootfs struct {
	dir      string // the engine's folder
	log      string // file for the package tools' output
	steps    *stack.Steps
	hostRoot string // "/" but in tests
}

// Check returns why an engine cannot be built on this machine, or nil.
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

// Built reports whether the engine is there already.
func (r *rootfs) Built() bool {
	_, err := os.Stat(r.dir)
	return err == nil
}

// Build makes the root filesystem in another folder, which is renamed when it
// is complete. A second stack that wants to build it at the same time waits.
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
		// The remains are of no use, and only the first error matters.
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

// installTools installs the packages that build the engine, where absent.
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
	// A machine that never ran `apt-get update` knows no packages.
	if err := r.run(ctx, "apt-get", "update"); err != nil {
		return err
	}
	return r.run(ctx, "apt-get", install...)
}

// arguments are those of mmdebstrap. The mirror is this machine's own on
// Debian, and mmdebstrap's default elsewhere.
func (r *rootfs) arguments(target string, sources []aptSource, proxies []string) []string {
	args := []string{
		// Packages are unpacked, not configured: nothing of them runs at boot
		// or as a service.
		"--variant=extract",
		"--include=" + fmt.Sprintf("postgresql-%d-documentdb", postgresMajor) + ",base-files,dash",
		`--aptopt=APT::Install-Recommends "false"`,
		// A mirror that is frozen at some date is good enough for a local
		// engine; its signatures are checked in any case.
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

// run runs one of the package tools with its output in the log. The error has
// the line of that output that says what went wrong.
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
	tool, err := process.Start(name, cmd, syscall.SIGTERM)
	if err != nil {
		return err
	}
	select {
	case <-tool.Done():
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), tool.StopAll(syscall.SIGTERM, 10*time.Second))
	}
	if tool.Err() == nil {
		return nil
	}
	out := make([]byte, 1<<20)
	n, _ := log.ReadAt(out, from) // the error names the log
	return fmt.Errorf("%s: %w: %s (all of it in %s)", name, tool.Err(), firstComplaint(string(out[:n])), r.log)
}

// firstComplaint finds the line that says what went wrong: the first one that
// apt marks as an error, else the last line.
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

// aptProxies are this machine's proxy settings for apt, which the apt that
// mmdebstrap runs does not read.
func aptProxies(ctx context.Context) []string {
	settings := []string{"dump", "--format", `%f "%v"%n`, "Acquire::http::Proxy", "Acquire::https::Proxy"}
	out, err := exec.CommandContext(ctx, "apt-config", settings...).Output()
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

// finishRootfs does the few installation steps of the packages that a
// PostgreSQL in a chroot needs: packages are unpacked, not configured.
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
	// The package makes this link with update-alternatives. DocumentDB asks for
	// the extension by its name without a number.
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

// osRelease returns the words that identify this Linux, the most specific one
// first: ID, then ID_LIKE.
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

// removeTree deletes a folder that a package tool worked in. It first unmounts
// what is mounted there, such as the /dev of an interrupted tool: nothing
// outside the folder may be deleted.
func removeTree(dir string) error {
	if err := unmountBelow(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("delete %s: %w", dir, err)
	}
	return nil
}
