package engine

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"padron/deploy/dev/process"
	"padron/deploy/dev/stack"
)

// postgres is one PostgreSQL server in the engine's root filesystem. Its data
// are there too, in a folder named after the stack's id, so that nothing has to
// be mounted.
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

// url is the server's address for its superuser. The server listens on a Unix
// socket only, so it needs no port.
func (p *postgres) url() string {
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.User("postgres"),
		Path:     "/postgres",
		RawQuery: url.Values{"host": {p.host(p.sockets())}}.Encode(),
	}).String()
}

// settings are those that differ from PostgreSQL's defaults. The data are a
// mirror of a portal and can be fetched again, so what protects them against a
// power cut is off, for a quick start on a laptop. No production server should
// run like this.
func (p *postgres) settings() []string {
	return []string{
		"listen_addresses=",
		"unix_socket_directories=" + p.sockets(),
		"unix_socket_permissions=0700",
		// FerretDB opens up to 50 connections, DocumentDB's own jobs a few.
		"max_connections=100",
		"max_worker_processes=24",
		"shared_buffers=512MB",
		// Large values, landed pages above all, are compressed by Padron
		// already.
		"default_toast_compression=lz4",
		"fsync=off",
		"synchronous_commit=off",
		"full_page_writes=off",
		"wal_level=minimal",
		"max_wal_senders=0",
		"max_wal_size=2GB",
		// A chroot has no shared memory file system.
		"dynamic_shared_memory_type=mmap",
		// Compiling a query takes longer than running the short queries of
		// Padron.
		"jit=off",
		"timezone=UTC",
		"log_timezone=UTC",
		"log_min_messages=error",
		"log_checkpoints=off",
		"shared_preload_libraries=pg_cron,pg_documentdb_core,pg_documentdb",
		// DocumentDB builds indexes in jobs of pg_cron, which connects like any
		// client.
		"cron.database_name=postgres",
		"cron.host=" + p.sockets(),
		// DocumentDB creates collections over a second connection to its
		// server.
		"documentdb.localhost_connection_string=host=" + p.sockets(),
		"cron.log_run=off",
		"cron.log_statement=off",
	}
}

// command starts the server as its own user inside root.
func (p *postgres) command(log *os.File) *exec.Cmd {
	args := []string{"-D", p.data()}
	for _, s := range p.settings() {
		args = append(args, "-c", s)
	}
	return p.inside(log, p.bin("postgres"), args...)
}

// inside is a command that runs in the engine's root filesystem as its own
// user.
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

// maxSocketPath is the longest path of a Unix socket on Linux, in bytes
// (sun_path has 108 with the terminating zero).
const maxSocketPath = 107

// prepare makes the folders and, the first time, the database. After a crash it
// removes what the crash left behind.
func (p *postgres) prepare(ctx context.Context, log *os.File) error {
	if socket := p.host(p.sockets()) + "/.s.PGSQL.5432"; len(socket) > maxSocketPath {
		return fmt.Errorf(
			"the cache folder's path is too long for a socket (%s, %d bytes of at most %d): set XDG_CACHE_HOME to a shorter one",
			socket, len(socket), maxSocketPath)
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
	// initdb writes into another folder, so that an interrupted initdb leaves
	// nothing that looks like a database.
	if _, err := os.Stat(p.host(p.data())); err == nil {
		return nil
	}
	fresh := p.data() + ".new"
	if err := os.RemoveAll(p.host(fresh)); err != nil {
		return fmt.Errorf("clear away an unfinished database: %w", err)
	}
	initdb := p.inside(log, p.bin("initdb"), "-D", fresh, "--auth=trust", "--username=postgres", "--locale=C.UTF-8",
		"--encoding=UTF8", "--no-sync", "--no-instructions")
	child, err := process.Start("initdb", initdb, syscall.SIGTERM)
	if err != nil {
		return err
	}
	select {
	case <-child.Done():
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), child.Stop(syscall.SIGTERM, 5*time.Second))
	}
	if child.Err() != nil {
		return fmt.Errorf("make the database: %w (log: %s)", child.Err(), log.Name())
	}
	if err := os.Rename(p.host(fresh), p.host(p.data())); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	return nil
}

// recover ends the server of a stack that was killed. The caller holds the data
// folder's lock, so no other stack uses this server.
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
	// The server trusts the process id in this file, which another program may
	// have by now.
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

// await waits until the server answers, installs DocumentDB in the database,
// and checks the versions. It returns them for display.
func (p *postgres) await(ctx context.Context, s *stack.Stack) (version string, err error) {
	var conn *pgx.Conn
	deadline := time.Now().Add(startTimeout)
	for {
		conn, err = pgx.Connect(ctx, p.url())
		if err == nil {
			break
		}
		if ended := s.Failure(); ended != nil {
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
	// The updates matter after the engine was rebuilt with newer packages.
	for _, statement := range []string{
		"CREATE EXTENSION IF NOT EXISTS documentdb CASCADE", "ALTER EXTENSION documentdb_core UPDATE", "ALTER EXTENSION documentdb UPDATE",
	} {
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

// RemoveData deletes the database of a temporary stack that was killed. The
// caller must hold the lock of its data folder.
func RemoveData(d stack.Dirs) error {
	return (&postgres{root: engineDir(d), id: d.ID()}).remove()
}
