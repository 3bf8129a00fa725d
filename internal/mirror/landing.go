package mirror

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/s2"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// Kinds of landed pages.
const (
	KindRaw   = "raw"   // the answer of the portal, verbatim, decompressed
	KindClean = "clean" // records as written by PageWriter
	KindKeys  = "keys"  // keys of rows, in byte order, each once
)

// Landing holds pages between the steps of a run. Rows never travel through
// Temporal: a step writes a page and passes on its id and hash.
//
// Every attempt writes under an id of its own, so a page never changes once
// committed and two attempts never meet. What is not committed is invisible
// to every method but Prune, which collects it.
//
// Content is stored compressed (S2); hashes and Bytes are of the content.
// Two implementations: GridFS in the dataset's database, which any worker on
// any machine reaches, and a directory, for workers that share one.
type Landing interface {
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

// LandingConfig says where pages land. The zero value is GridFS.
type LandingConfig struct {
	Dir string // directory; empty: GridFS in the dataset's database
}

// ParseLanding reads the setting PADRON_LANDING: "gridfs" (also when empty)
// or "dir:PATH".
func ParseLanding(s string) (LandingConfig, error) {
	if s == "" || s == "gridfs" {
		return LandingConfig{}, nil
	}
	path, ok := strings.CutPrefix(s, "dir:")
	if !ok || path == "" {
		return LandingConfig{}, fmt.Errorf("landing %q: use gridfs or dir:PATH (PADRON_LANDING)", s)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return LandingConfig{}, fmt.Errorf("landing %q: %w", s, err)
	}
	return LandingConfig{Dir: abs}, nil
}

// String is the setting that ParseLanding reads.
func (c LandingConfig) String() string {
	if c.Dir == "" {
		return "gridfs"
	}
	return "dir:" + c.Dir
}

// Landing opens the dataset's landing. A directory landing lies in a folder
// of the database's name below c.Dir, which is created.
func (m *Mirror) Landing(c LandingConfig) (Landing, error) {
	if c.Dir == "" {
		return newGridFSLanding(m), nil
	}
	return newDirLanding(filepath.Join(c.Dir, m.db.Name()))
}

const (
	// blockBytes is what is compressed at once: writer and reader hold a few of
	// them. S2 takes a third of the time of zstd's fastest level for pages half
	// as large again (measured: 1.9 us a row, where zstd takes 5.8, and 180 bytes
	// where it takes 115); compressing was the largest part of a first load.
	blockBytes = 256 << 10

	// abandonedAfter is the age at which an attempt without commit is
	// garbage. No step of a run takes a day.
	abandonedAfter = 24 * time.Hour

	// maxLabel bounds the page label within an id: file systems allow 255
	// bytes for a name, of which the id's other parts need some 40.
	maxLabel = 120
)

// pageID makes a fresh id: <run>/<kind>-<page>-<unique>. Ids of a run share a
// prefix, so that listing a run is a range of ids in either landing.
func pageID(meta Meta) (string, error) {
	if !slices.Contains([]string{KindRaw, KindClean, KindKeys}, meta.Kind) {
		return "", fmt.Errorf("landing: kind %q of page %q is none of raw, clean and keys", meta.Kind, meta.Page)
	}
	run := safeName(meta.Run)
	if run == "" || len(run) > maxLabel {
		return "", fmt.Errorf("landing: run id %q is empty or too long", meta.Run)
	}
	page := safeName(meta.Page)
	if len(page) > maxLabel {
		return "", fmt.Errorf("landing: page label %q is too long", meta.Page)
	}
	return run + "/" + meta.Kind + "-" + page + "-" + bson.NewObjectID().Hex(), nil
}

// safeName escapes s into letters, digits, - _ . and %XX, never starting with
// a dot: a name that is safe on every file system. Different strings give
// different names.
func safeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if safeByte(s[i]) && (i > 0 || s[i] != '.') {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

func safeByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// validID reports whether id can have been made by pageID: two names of safe
// bytes, neither starting with a dot. Nothing else is ever made a path of.
func validID(id string) bool {
	run, name, ok := strings.Cut(id, "/")
	if !ok || run == "" || name == "" || run[0] == '.' || name[0] == '.' {
		return false
	}
	for i := range len(id) {
		if !safeByte(id[i]) && id[i] != '%' && i != len(run) {
			return false
		}
	}
	return true
}

// sortEntries orders a listing by run, kind, page and age.
func sortEntries(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Page, b.Page),
			a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
}

// prunable picks the pages of runs that are neither among the keep newest
// (at least one) nor protected. A run is as new as its newest page.
func prunable(entries []Entry, keep int, protect []string) []string {
	newest := map[string]time.Time{}
	for _, e := range entries {
		if e.Created.After(newest[e.Run]) {
			newest[e.Run] = e.Created
		}
	}
	runs := slices.SortedFunc(maps.Keys(newest), func(a, b string) int {
		return cmp.Or(newest[b].Compare(newest[a]), cmp.Compare(b, a))
	})
	kept := append(slices.Clone(protect), runs[:min(max(keep, 1), len(runs))]...)
	var ids []string
	for _, e := range entries {
		if !slices.Contains(kept, e.Run) {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// packer compresses content into dst, hashing and counting on the way.
type packer struct {
	zw     *s2.Writer
	hash   hash.Hash
	bytes  int64
	stored countingWriter
}

func newPacker(dst io.Writer) *packer {
	p := &packer{hash: sha256.New(), stored: countingWriter{w: dst}}
	p.zw = s2.NewWriter(&p.stored, s2.WriterConcurrency(1), s2.WriterBlockSize(blockBytes))
	return p
}

func (p *packer) Write(b []byte) (int, error) {
	n, err := p.zw.Write(b)
	p.hash.Write(b[:n])
	p.bytes += int64(n)
	return n, err
}

// sum is the hex hash of what was written so far.
func (p *packer) sum() string { return hex.EncodeToString(p.hash.Sum(nil)) }

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// unpacker reads stored content and verifies hash and length at its end.
type unpacker struct {
	id     string
	src    io.ReadCloser
	zr     *s2.Reader
	hash   hash.Hash
	sum    string
	bytes  int64 // still to come
	failed error
}

func newUnpacker(id string, src io.ReadCloser, sum string, bytes int64) *unpacker {
	zr := s2.NewReader(src, s2.ReaderMaxBlockSize(blockBytes), s2.ReaderAllocBlock(blockBytes))
	return &unpacker{id: id, src: src, zr: zr, hash: sha256.New(), sum: sum, bytes: bytes}
}

func (u *unpacker) Read(b []byte) (int, error) {
	if u.failed != nil {
		return 0, u.failed
	}
	n, err := u.zr.Read(b)
	u.hash.Write(b[:n])
	u.bytes -= int64(n)
	switch {
	case errors.Is(err, io.EOF):
		if u.bytes != 0 || hex.EncodeToString(u.hash.Sum(nil)) != u.sum {
			err = fmt.Errorf("%w: %s does not hash to %s", ErrCorrupt, u.id, u.sum)
		}
	case err != nil:
		err = storedFault(u.id, err)
	}
	u.failed = err
	return n, err
}

func (u *unpacker) Close() error { return u.src.Close() }

// readFault marks an error of getting at the stored bytes, which says nothing
// about their content.
type readFault struct{ err error }

func (f readFault) Error() string { return f.err.Error() }
func (f readFault) Unwrap() error { return f.err }

// storedFault tells a failure to read, which is returned as it is, from
// content that does not decompress, which is ErrCorrupt.
func storedFault(id string, err error) error {
	if fault, ok := errors.AsType[readFault](err); ok {
		return fmt.Errorf("read %s: %w", id, fault.err)
	}
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, id, err)
}
