package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// Dirs says where a checkout's stack keeps its files.
type Dirs struct {
	Root  string // the repository's root
	Cache string // shared by all checkouts; holds the database engine
	Data  string // of this checkout alone: databases, binaries, logs, state
	World string // which portal is mirrored, "" for the default; each has its own databases
}

// FindDirs finds the checkout around the working directory. Its data folder is
// named after the checkout and a hash of its path, so that two checkouts never
// share one. A data that is not empty overrides that folder.
func FindDirs(data string) (Dirs, error) {
	wd, err := os.Getwd()
	if err != nil {
		return Dirs{}, fmt.Errorf("find the working directory: %w", err)
	}
	root, err := findRoot(wd)
	if err != nil {
		return Dirs{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Dirs{}, fmt.Errorf("find the user's cache folder: %w", err)
	}
	dirs := Dirs{Root: root, Cache: filepath.Join(cache, "padron"), Data: data}
	if data == "" {
		dirs.Data = filepath.Join(dirs.Cache, "checkouts", filepath.Base(root)+"-"+ShortHash(root))
	}
	if dirs.Data, err = filepath.Abs(dirs.Data); err != nil {
		return Dirs{}, fmt.Errorf("find the data folder %s: %w", data, err)
	}
	return dirs, dirs.Make()
}

// Make makes the data folder, for the user alone: databases with private rows lie
// in it.
func (d Dirs) Make() error {
	if err := os.MkdirAll(filepath.Dir(d.Data), 0o755); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	err := os.MkdirAll(d.Logs(), 0o700)
	if err == nil {
		err = os.Chmod(d.Logs(), 0o700) // one of an earlier version
	}
	if own := filepath.Join(d.Cache, "checkouts"); err == nil && filepath.Dir(d.Data) == own {
		err = os.Chmod(d.Data, 0o700)
	}
	if err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	return nil
}

// findRoot walks up from dir to the folder that holds the module padron.
func findRoot(dir string) (string, error) {
	module := regexp.MustCompile(`(?m)^module padron$`)
	for at := dir; ; at = filepath.Dir(at) {
		mod, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && module.Match(mod) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not inside a checkout of Padron: run this with `go run -C deploy/dev .` from the repository's root", dir)
		}
	}
}

// Logs is the folder of the log files.
func (d Dirs) Logs() string { return filepath.Join(d.Data, "logs") }

// Log is the path of a server's log file.
func (d Dirs) Log(name string) string { return filepath.Join(d.Logs(), name+".log") }

// File is the path of a file or folder of one of the servers.
func (d Dirs) File(name string) string { return filepath.Join(d.Data, name) }

// WorldFile is the path of a file whose content depends on the portal's rows:
// a run that was interrupted must not continue against another portal.
func (d Dirs) WorldFile(name string) string {
	if d.World != "" {
		name = d.World + "-" + name
	}
	return d.File(name)
}

// ID identifies this data folder among all that use the same database engine:
// eight hexadecimal digits.
func (d Dirs) ID() string { return ShortHash(d.Data) }

// ShortHash is a hash of s, eight hexadecimal digits long.
func ShortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}
