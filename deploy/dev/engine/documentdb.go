package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"padron/deploy/dev/process"
	"padron/deploy/dev/stack"
)

// documentDB is PostgreSQL with the DocumentDB extension in a chroot, with
// FerretDB in front of it in this process.
type documentDB struct {
	dirs     stack.Dirs
	steps    *stack.Steps
	hostRoot string // "/" but in tests
	euid     int
	goos     string
}

// newDocumentDB is the engine for this machine and this user.
func newDocumentDB(dirs stack.Dirs, steps *stack.Steps) *documentDB {
	return &documentDB{dirs: dirs, steps: steps, hostRoot: "/", euid: os.Geteuid(), goos: runtime.GOOS}
}

// Name implements engine.
func (*documentDB) Name() string { return "DocumentDB engine" }

// Prepare implements engine. It builds the engine when the machine has none
// yet.
func (e *documentDB) Prepare(ctx context.Context) error {
	if e.goos != "linux" {
		return fmt.Errorf("it runs on Linux only, and this is %s", e.goos)
	}
	if e.euid != 0 {
		return errors.New("it needs root, because it runs in a folder of its own (chroot): run the command as root")
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

// Start implements engine.
func (e *documentDB) Start(ctx context.Context, s *stack.Stack) (uri, description string, err error) {
	pg := &postgres{root: engineDir(e.dirs), id: e.dirs.ID()}
	log, err := s.OpenLog("postgresql")
	if err != nil {
		return "", "", err
	}
	if err := pg.prepare(ctx, log); err != nil {
		return "", "", err
	}
	if s.Temporary {
		s.OnStop("the temporary database", func(context.Context) error { return pg.remove() })
	}
	server, err := process.Start("PostgreSQL", pg.command(log), syscall.SIGINT)
	if err != nil {
		return "", "", err
	}
	// SIGINT is PostgreSQL's fast shutdown: it closes connections and writes
	// the data.
	s.Watch(server, syscall.SIGINT, 30*time.Second)
	version, err := pg.await(ctx, s)
	if err != nil {
		return "", "", fmt.Errorf("%w (log: %s)", err, log.Name())
	}
	ferretLog, err := s.OpenLog("ferretdb")
	if err != nil {
		return "", "", err
	}
	addr := stack.Address(s.Take(stack.PortMongoDB))
	start := StartFerretDB
	if s.Apart {
		start = startFerretDBApart
	}
	uri, err = start(s, pg.url(), addr, e.dirs.File("ferretdb"), ferretLog)
	if err != nil {
		return "", "", err
	}
	return uri, uri + " (" + version + ", FerretDB 2.7)", nil
}

// checkEngineVersion refuses an engine that FerretDB 2.7 was not made for.
// FerretDB 2.7 was released for DocumentDB 0.107; Padron's own tests run on
// 1.0.
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
