package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// documentDB is PostgreSQL with the DocumentDB extension in a chroot, and FerretDB in front of it in this process.
type documentDB struct {
	dirs     Dirs
	steps    *Steps
	hostRoot string // "/" but in tests
	euid     int
	goos     string
}

// newDocumentDB is the engine for this machine and this user.
func newDocumentDB(dirs Dirs, steps *Steps) *documentDB {
	return &documentDB{dirs: dirs, steps: steps, hostRoot: "/", euid: os.Geteuid(), goos: runtime.GOOS}
}

// Name implements Engine.
func (*documentDB) Name() string { return "DocumentDB engine" }

// Prepare implements Engine. It builds the engine when the machine has none yet.
func (e *documentDB) Prepare(ctx context.Context) error {
	if e.goos != "linux" {
		return fmt.Errorf("it runs on Linux only, and this is %s", e.goos)
	}
	if e.euid != 0 {
		return errors.New("it needs root, for its folder of its own (chroot): run the command as root")
	}
	root := &rootfs{dir: engineDir(e.dirs), log: e.dirs.Log("engine-build"), steps: e.steps, hostRoot: e.hostRoot}
	if root.Built() {
		return nil
	}
	if err := root.Check(); err != nil {
		return err
	}
	if err := root.Build(ctx); err != nil {
		return fmt.Errorf("build it (needs the network, once): %w", err)
	}
	return nil
}

// Start implements Engine.
func (e *documentDB) Start(ctx context.Context, stack *Stack) (uri, description string, err error) {
	pg := &postgres{root: engineDir(e.dirs), id: e.dirs.ID()}
	log, err := stack.openLog("postgresql")
	if err != nil {
		return "", "", err
	}
	if err := pg.prepare(ctx, log); err != nil {
		return "", "", err
	}
	if stack.Temporary {
		stack.onStop("the temporary database", func(context.Context) error { return pg.remove() })
	}
	process, err := startProcess("PostgreSQL", pg.command(log), syscall.SIGINT)
	if err != nil {
		return "", "", err
	}
	// SIGINT is PostgreSQL's fast shutdown: connections are closed and the data written.
	stack.watch(process, syscall.SIGINT, 30*time.Second)
	version, err := pg.await(ctx, stack)
	if err != nil {
		return "", "", fmt.Errorf("%w (log: %s)", err, log.Name())
	}
	ferretLog, err := stack.openLog("ferretdb")
	if err != nil {
		return "", "", err
	}
	addr := address(stack.ports.Take(portMongoDB))
	start := startFerretDB
	if stack.Apart {
		start = startFerretDBApart
	}
	uri, err = start(stack, pg.url(), addr, e.dirs.File("ferretdb"), ferretLog)
	if err != nil {
		return "", "", err
	}
	return uri, uri + " (" + version + ", FerretDB 2.7)", nil
}

// postgres is one PostgreSQL server in the engine's root filesystem. Its data lie there too, so that nothing has to
// be mounted, in a folder by the stack's id.
type postgres struct {
	root string
	id   string
}

// Paths as the server sees them, from within root.
func (p *postgres) home() string    { return "/var/lib/padron/" + p.id }
func (p *postgres) data() string    { return p.home() + "/data" }
func (p *postgres) sockets() string { return "/run/padron/" + p.id }
func (p *postgres) bin(name string) string {
	return fmt.Sprintf("/usr/lib/postgresql/%d/bin/%s", postgresMajor, name)
}

// host is the path of a file of the server as this process sees it.
func (p *postgres) host(path string) string { return filepath.Join(p.root, path) }

// url of the server for its superuser. It listens on a socket only, so it has no port to be taken.
func (p *postgres) url() string {
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.User("postgres"),
		Path:     "/postgres",
		RawQuery: url.Values{"host": {p.host(p.sockets())}}.Encode(),
	}).String()
}

// settings differ from PostgreSQL's own for the reasons given. The data are a mirror of a portal and can be fetched
// again: what makes them safe against a power cut is off, for a quick start on a laptop. No server that matters
// should run like this.
func (p *postgres) settings() []string {
	return []string{
		"listen_addresses=",
		"unix_socket_directories=" + p.sockets(),
		"unix_socket_permissions=0700",
		// FerretDB opens up to 50 connections, DocumentDB's own jobs a few.
		"max_connections=100",
		"max_worker_processes=24",
		"shared_buffers=512MB",
		// What is large, landed pages above all, is compressed before it comes here.
		"default_toast_compression=lz4",
		"fsync=off",
		"synchronous_commit=off",
		"full_page_writes=off",
		"wal_level=minimal",
		"max_wal_senders=0",
		"max_wal_size=2GB",
		// A chroot has no shared memory file system of its own.
		"dynamic_shared_memory_type=mmap",
		// Compiling a query costs more than the short queries of this product take.
		"jit=off",
		"timezone=UTC",
		"log_timezone=UTC",
		"log_min_messages=error",
		"log_checkpoints=off",
		"shared_preload_libraries=pg_cron,pg_documentdb_core,pg_documentdb",
		// DocumentDB builds indexes in jobs of pg_cron, which connects like any client.
		"cron.database_name=postgres",
		"cron.host=" + p.sockets(),
		// DocumentDB creates collections over a second connection to its own server.
		"documentdb.localhost_connection_string=host=" + p.sockets(),
		"cron.log_run=off",
		"cron.log_statement=off",
	}
}

// command starts the server as its own user within root.
func (p *postgres) command(log *os.File) *exec.Cmd {
	args := []string{"-D", p.data()}
	for _, s := range p.settings() {
		args = append(args, "-c", s)
	}
	return p.inside(log, p.bin("postgres"), args...)
}

// inside is a command that runs in the engine's root filesystem as its own user.
func (p *postgres) inside(log *os.File, path string, args ...string) *exec.Cmd {
	return &exec.Cmd{
		Path:   path,
		Args:   append([]string{path}, args...),
		Dir:    "/",
		Env:    []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + p.home()},
		Stdout: log,
		Stderr: log,
		SysProcAttr: &syscall.SysProcAttr{
			Chroot:     p.root,
			Credential: &syscall.Credential{Uid: postgresUID, Gid: postgresUID},
		},
	}
}

// maxSocketPath is the longest path of a Unix socket on Linux (sun_path, 108 bytes with its end).
const maxSocketPath = 107

// prepare makes the folders and, the first time, the database; after a crash it clears away what the crash left.
func (p *postgres) prepare(ctx context.Context, log *os.File) error {
	if socket := p.host(p.sockets()) + "/.s.PGSQL.5432"; len(socket) > maxSocketPath {
		return fmt.Errorf("the cache folder's path is too long for a socket (%s, %d bytes of at most %d): set XDG_CACHE_HOME to a shorter one", socket, len(socket), maxSocketPath)
	}
	for _, dir := range []string{p.home(), p.sockets()} {
		if err := os.MkdirAll(p.host(dir), 0o700); err != nil {
			return fmt.Errorf("make PostgreSQL's folders: %w", err)
		}
		if err := os.Chown(p.host(dir), postgresUID, postgresUID); err != nil {
			return fmt.Errorf("make PostgreSQL's folders: %w", err)
		}
	}
	if err := p.recover(ctx); err != nil {
		return err
	}
	// initdb writes into a folder beside, so that an interrupted one is not taken for a database.
	if _, err := os.Stat(p.host(p.data())); err == nil {
		return nil
	}
	fresh := p.data() + ".new"
	if err := os.RemoveAll(p.host(fresh)); err != nil {
		return fmt.Errorf("clear away an unfinished database: %w", err)
	}
	initdb := p.inside(log, p.bin("initdb"), "-D", fresh, "--auth=trust", "--username=postgres", "--locale=C.UTF-8",
		"--encoding=UTF8", "--no-sync", "--no-instructions")
	process, err := startProcess("initdb", initdb, syscall.SIGTERM)
	if err != nil {
		return err
	}
	select {
	case <-process.done:
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), process.Stop(syscall.SIGTERM, 5*time.Second))
	}
	if process.err != nil {
		return fmt.Errorf("make the database: %w (log: %s)", process.err, log.Name())
	}
	if err := os.Rename(p.host(fresh), p.host(p.data())); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	return nil
}

// recover deals with the server of a stack that was killed. The caller holds the data folder's lock, so no other
// stack uses this server: if it still runs, it is on its way out or has to be sent there.
func (p *postgres) recover(ctx context.Context) error {
	pidFile := p.host(p.data() + "/postmaster.pid")
	pid, ok := p.leftover(pidFile)
	if ok {
		_ = syscall.Kill(pid, syscall.SIGINT)
		deadline := time.Now().Add(30 * time.Second)
		for ; ok; _, ok = p.leftover(pidFile) {
			if time.Now().After(deadline) {
				return fmt.Errorf("PostgreSQL of an earlier stack (process %d) does not end: end it and start again", pid)
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	// The server would go by the process id alone, which another program may have by now.
	if err := os.RemoveAll(pidFile); err != nil {
		return fmt.Errorf("clear away the earlier server's files: %w", err)
	}
	return nil
}

// leftover finds a server that runs on this data folder.
func (p *postgres) leftover(pidFile string) (pid int, ok bool) {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, false
	}
	if _, err := fmt.Sscan(string(text), &pid); err != nil || pid <= 1 {
		return 0, false
	}
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return 0, false
	}
	words := strings.Split(string(args), "\x00")
	return pid, len(words) > 2 && strings.HasSuffix(words[0], "/postgres") && words[2] == p.data()
}

// remove deletes the server's data.
func (p *postgres) remove() error {
	for _, dir := range []string{p.home(), p.sockets()} {
		if err := os.RemoveAll(p.host(dir)); err != nil {
			return fmt.Errorf("delete the temporary database: %w", err)
		}
	}
	return nil
}

// await waits until the server answers, makes sure that DocumentDB is in the database, and checks the versions. It
// returns them for display.
func (p *postgres) await(ctx context.Context, stack *Stack) (version string, err error) {
	var conn *pgx.Conn
	deadline := time.Now().Add(mongoDBPatience)
	for {
		conn, err = pgx.Connect(ctx, p.url())
		if err == nil {
			break
		}
		if ended := stack.Failure(); ended != nil {
			return "", ended
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("PostgreSQL does not answer: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	// The second statement matters after the engine's files were built anew with a newer version.
	for _, statement := range []string{"CREATE EXTENSION IF NOT EXISTS documentdb CASCADE", "ALTER EXTENSION documentdb_core UPDATE", "ALTER EXTENSION documentdb UPDATE"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", fmt.Errorf("set up DocumentDB: %s: %w", statement, err)
		}
	}
	var server, extension string
	row := conn.QueryRow(ctx, "SELECT current_setting('server_version'), extversion FROM pg_extension WHERE extname = 'documentdb'")
	if err := row.Scan(&server, &extension); err != nil {
		return "", fmt.Errorf("ask for the engine's version: %w", err)
	}
	if err := checkEngineVersion(server, extension); err != nil {
		return "", err
	}
	server, _, _ = strings.Cut(server, " ")
	return "PostgreSQL " + server + ", DocumentDB " + extension, nil
}

// checkEngineVersion refuses an engine that FerretDB 2.7 was not made for. It was released for DocumentDB 0.107;
// 1.0 is what Padron's own tests run on.
func checkEngineVersion(server, extension string) error {
	var pg, major, minor int
	if _, err := fmt.Sscanf(server, "%d.", &pg); err != nil || pg != postgresMajor {
		return fmt.Errorf("the engine is PostgreSQL %s, but %d is needed: delete the engine's folder, it is built anew", server, postgresMajor)
	}
	if _, err := fmt.Sscanf(extension, "%d.%d", &major, &minor); err != nil || major > 1 || (major == 0 && minor < 107) {
		return fmt.Errorf("the engine has DocumentDB %s, but 0.107 to 1.x is needed: delete the engine's folder, it is built anew", extension)
	}
	return nil
}
