package servers

import (
	"os"
	"path/filepath"
	"time"

	"padron/deploy/dev/engine"
	"padron/deploy/dev/stack"
)

// Open takes the checkout's data folder, or the folder data, for a stack that
// mirrors this portal. The paths of the portal's files are resolved.
func Open(data string, p *Portal, steps *stack.Steps) (*stack.Stack, error) {
	dirs, err := stack.FindDirs(data)
	if err != nil {
		return nil, err
	}
	if p.File != "" {
		p.File = findFile(dirs, p.File)
	}
	if p.Boundaries != "" {
		p.Boundaries = findFile(dirs, p.Boundaries)
	}
	if dirs.World, err = p.world(); err != nil {
		return nil, err
	}
	return stack.New(dirs, steps, false)
}

// OpenTemporary makes a stack on fresh data in a folder of this name, beside
// those of other tests and benchmarks. The caller deletes the data folder when
// the logs in it are not needed.
func OpenTemporary(name string, steps *stack.Steps) (*stack.Stack, error) {
	dirs, err := stack.FindDirs("")
	if err != nil {
		return nil, err
	}
	dirs.Data = filepath.Join(dirs.Cache, "tests", name)
	deleteLeftovers(dirs)
	if err := dirs.Make(); err != nil {
		return nil, err
	}
	return stack.New(dirs, steps, true)
}

// deleteLeftovers deletes the data of temporary stacks that were killed, or
// that failed and kept their logs. It skips those whose lock is held: they
// still run.
func deleteLeftovers(dirs stack.Dirs) {
	folders, err := filepath.Glob(filepath.Join(dirs.Cache, "tests", "*"))
	if err != nil {
		return
	}
	for _, folder := range folders {
		// A stack that is just starting has its folder before it has the lock.
		if info, err := os.Stat(folder); err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		leftover := stack.Dirs{Root: dirs.Root, Cache: dirs.Cache, Data: folder}
		lock, err := stack.Lock(leftover)
		if err != nil {
			continue
		}
		// What cannot be deleted now is deleted by the next test.
		_ = engine.RemoveData(leftover)
		_ = os.RemoveAll(folder)
		_ = lock.Unlock()
	}
}
