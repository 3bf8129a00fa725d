package landing

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"padron/internal/mongodb"
)

// Kinds of landed pages.
const (
	KindRaw   = "raw"   // the answer of the portal, verbatim, decompressed
	KindClean = "clean" // records as written by PageWriter
	KindKeys  = "keys"  // keys of rows, in byte order, each once
)

// Zone holds pages between the steps of a run. Rows never travel through
// Temporal: a step writes a page and passes on its id and hash.
//
// Every attempt writes under an id of its own, so a page never changes once
// committed and two attempts never meet. What is not committed is invisible
// to every method but Prune, which collects it.
//
// Content is stored compressed (S2); hashes and Bytes are of the content.
// Two implementations: GridFS in the dataset's database, which any worker on
// any machine reaches, and a directory, for workers that share one.
type Zone interface {
	// Create starts a page. The writer must end in Commit or Abort.
	Create(ctx context.Context, meta Meta) (Writer, error)

	// Open reads a committed page and verifies while reading that it hashes
	// to sum (hex SHA-256; empty: to the hash stored with it). At the end
	// Read returns io.EOF only when it does, else ErrCorrupt. A page that is
	// stored with another hash than sum is ErrCorrupt at once, one that does
	// not exist ErrNoPage.
	Open(ctx context.Context, id, sum string) (io.ReadCloser, error)

	// Attach stores a small summary, anything encoding/json takes, with a
	// committed page, in place of an earlier one.
	Attach(ctx context.Context, id string, summary any) error

	// Summary reads what Attach stored into v. A page without summary leaves
	// v as it is and returns false.
	Summary(ctx context.Context, id string, v any) (bool, error)

	// List returns the committed pages of a run, by kind, page and age; all
	// runs' when run is empty.
	List(ctx context.Context, run string) ([]Entry, error)

	// Delete removes pages; ids that do not exist are no error.
	Delete(ctx context.Context, ids ...string) error

	// Prune removes all pages of runs other than the keep newest and those
	// in protect, and what attempts left behind that were not committed
	// within a day. The newest run is always kept. It returns the number of
	// committed pages removed.
	Prune(ctx context.Context, keep int, protect ...string) (int, error)
}

// Meta says what a page is.
type Meta struct {
	Run  string // run id
	Kind string // KindRaw, KindClean or KindKeys
	Page string // short label, the same for every attempt at this page, such as "0003"
}

// Entry is a committed page.
type Entry struct {
	ID          string    `bson:"id" json:"id"`
	Run         string    `bson:"run" json:"run"`
	Kind        string    `bson:"kind" json:"kind"`
	Page        string    `bson:"page" json:"page"`
	SHA256      string    `bson:"sha256" json:"sha256"`             // hex, of the content
	Bytes       int64     `bson:"bytes" json:"bytes"`               // of the content
	StoredBytes int64     `bson:"stored_bytes" json:"stored_bytes"` // compressed
	Created     time.Time `bson:"created" json:"created"`           // when committed, UTC
}

// Writer receives the content of one page. Not for concurrent use.
type Writer interface {
	io.Writer
	// Commit makes the page visible. After an error it is not, and Abort
	// cleans up.
	Commit(ctx context.Context) (Entry, error)
	// Abort discards the page. After Commit it does nothing, so it can be
	// deferred.
	Abort()
}

// Config says where pages land. The zero value is GridFS.
type Config struct {
	Dir string // directory; empty: GridFS in the dataset's database
}

// ParseConfig reads the setting PADRON_LANDING: "gridfs" (also when empty)
// or "dir:PATH".
func ParseConfig(s string) (Config, error) {
	if s == "" || s == "gridfs" {
		return Config{}, nil
	}
	path, ok := strings.CutPrefix(s, "dir:")
	if !ok || path == "" {
		return Config{}, fmt.Errorf("landing %q: use gridfs or dir:PATH (PADRON_LANDING)", s)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Config{}, fmt.Errorf("landing %q: %w", s, err)
	}
	return Config{Dir: abs}, nil
}

// String is the setting that ParseConfig reads.
func (c Config) String() string {
	if c.Dir == "" {
		return "gridfs"
	}
	return "dir:" + c.Dir
}

// Open opens the dataset's zone. A directory zone lies in a folder of the
// database's name below c.Dir, which is created.
func Open(c Config, db *mongodb.Database) (Zone, error) {
	if c.Dir == "" {
		return newGridFS(db), nil
	}
	return NewDirectory(filepath.Join(c.Dir, db.Name()))
}

// Ref names a landed page, of cleaned rows or of keys.
type Ref struct {
	ID     string `bson:"id" json:"id"`         // in the landing
	SHA256 string `bson:"sha256" json:"sha256"` // hex; what the page must hash to
	Label  string `bson:"label" json:"label"`   // the page's label, the same for every attempt: names its quarantined rows
}
