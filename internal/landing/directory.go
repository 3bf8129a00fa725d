package landing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// directory is the zone on a disk. Below its root it keeps a folder for each
// run and three files for each page:
//
//	<run>/<page>.s2            the content, an S2 stream
//	<run>/<page>.json          the Entry: its presence makes the page visible
//	<run>/<page>.summary.json  what Attach stored
//
// Each is written under a name starting with a dot and renamed when complete.
type directory struct{ root string }

const (
	contentExt = ".s2"
	entryExt   = ".json"
	summaryExt = ".summary.json"
	partial    = ".partial-" // prefix of files being written
)

// NewDirectory is a zone in a folder, which is created.
func NewDirectory(root string) (Zone, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("landing directory: %w (PADRON_LANDING)", err)
	}
	return &directory{root: root}, nil
}

func (l *directory) path(id, ext string) string {
	return filepath.Join(l.root, filepath.FromSlash(id)) + ext
}

func (l *directory) Create(ctx context.Context, meta Meta) (Writer, error) {
	id, err := pageID(meta)
	if err != nil {
		return nil, err
	}
	final := l.path(id, contentExt)
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return nil, fmt.Errorf("landing: create %s: %w", id, err)
	}
	name := filepath.Join(filepath.Dir(final), partial+filepath.Base(final))
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("landing: create %s: %w", id, err)
	}
	return &dirWriter{ctx: ctx, landing: l, id: id, meta: meta, file: file, packer: newPacker(file)}, nil
}

type dirWriter struct {
	ctx     context.Context // of Create: io.Writer has none
	landing *directory
	id      string
	meta    Meta
	file    *os.File
	packer  *packer
	done    bool
}

func (w *dirWriter) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.packer.Write(b)
}

func (w *dirWriter) Commit(ctx context.Context) (Entry, error) {
	if err := ctx.Err(); err != nil {
		return Entry{}, err
	}
	if w.done {
		return Entry{}, fmt.Errorf("landing: commit %s after its end", w.id)
	}
	entry, err := w.commit()
	if err != nil {
		return Entry{}, fmt.Errorf("landing: commit %s: %w", w.id, err)
	}
	w.done = true
	return entry, nil
}

func (w *dirWriter) commit() (Entry, error) {
	if err := w.packer.zw.Close(); err != nil {
		return Entry{}, err
	}
	// The content must be on disk before the page is visible: after a power
	// cut, a visible page must not be empty.
	if err := w.file.Sync(); err != nil {
		return Entry{}, err
	}
	if err := w.file.Close(); err != nil {
		return Entry{}, err
	}
	if err := os.Rename(w.file.Name(), w.landing.path(w.id, contentExt)); err != nil {
		return Entry{}, err
	}
	entry := Entry{
		ID: w.id, Run: w.meta.Run, Kind: w.meta.Kind, Page: w.meta.Page,
		SHA256: w.packer.sum(), Bytes: w.packer.bytes, StoredBytes: w.packer.stored.n,
		Created: time.Now().UTC().Truncate(time.Millisecond),
	}
	return entry, w.landing.writeJSON(w.landing.path(w.id, entryExt), entry)
}

func (w *dirWriter) Abort() {
	if w.done {
		return
	}
	w.done = true
	// What cannot be removed now is invisible, and Prune collects it.
	_ = w.packer.zw.Close()
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
	_ = os.Remove(w.landing.path(w.id, contentExt))
}

// writeJSON writes v under a name of its own and renames it to path.
func (l *directory) writeJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), partial+"*")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), path)
}

func (l *directory) entry(id string) (Entry, error) {
	var entry Entry
	if !validID(id) {
		return entry, fmt.Errorf("%w: %q", ErrNoPage, id)
	}
	text, err := os.ReadFile(l.path(id, entryExt))
	if errors.Is(err, fs.ErrNotExist) {
		return entry, fmt.Errorf("%w: %s", ErrNoPage, id)
	}
	if err != nil {
		return entry, fmt.Errorf("landing: find %s: %w", id, err)
	}
	if err := json.Unmarshal(text, &entry); err != nil || entry.ID != id {
		return entry, fmt.Errorf("%w: entry of %s", ErrCorrupt, id)
	}
	return entry, nil
}

func (l *directory) Open(_ context.Context, id, sum string) (io.ReadCloser, error) {
	entry, err := l.entry(id)
	if err != nil {
		return nil, err
	}
	if sum == "" {
		sum = entry.SHA256
	}
	if sum != entry.SHA256 {
		return nil, fmt.Errorf("%w: %s is stored with hash %s, wanted %s", ErrCorrupt, id, entry.SHA256, sum)
	}
	file, err := os.Open(l.path(id, contentExt))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s has lost its content", ErrCorrupt, id)
	}
	if err != nil {
		return nil, fmt.Errorf("landing: open %s: %w", id, err)
	}
	return newUnpacker(id, file, sum, entry.Bytes), nil
}

func (l *directory) Attach(_ context.Context, id string, summary any) error {
	if _, err := l.entry(id); err != nil {
		return err
	}
	if err := l.writeJSON(l.path(id, summaryExt), summary); err != nil {
		return fmt.Errorf("landing: summary of %s: %w", id, err)
	}
	return nil
}

func (l *directory) Summary(_ context.Context, id string, v any) (bool, error) {
	if _, err := l.entry(id); err != nil {
		return false, err
	}
	text, err := os.ReadFile(l.path(id, summaryExt))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return false, fmt.Errorf("landing: summary of %s: %w", id, err)
	}
	return true, nil
}

func (l *directory) List(ctx context.Context, run string) ([]Entry, error) {
	folder := "*"
	if run != "" {
		folder = SafeName(run)
	}
	// Folder names hold no pattern characters, by SafeName.
	names, err := filepath.Glob(filepath.Join(globEscape(l.root), folder, "*"+entryExt))
	if err != nil {
		return nil, fmt.Errorf("landing: list %s: %w", run, err)
	}
	entries := make([]Entry, 0, len(names))
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, summaryExt) || strings.HasPrefix(filepath.Base(name), ".") {
			continue
		}
		id := filepath.Base(filepath.Dir(name)) + "/" + strings.TrimSuffix(filepath.Base(name), entryExt)
		// What is no entry was deleted meanwhile, or put there by somebody else:
		// it is no page. A page whose entry is damaged is missed by whoever
		// needs it.
		if entry, err := l.entry(id); err == nil {
			entries = append(entries, entry)
		}
	}
	sortEntries(entries)
	return entries, nil
}

// globEscape makes the root's own pattern characters literal.
func globEscape(path string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(path)
}

func (l *directory) Delete(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !validID(id) {
			continue
		}
		// The entry first: from then on the page does not exist.
		for _, ext := range []string{entryExt, summaryExt, contentExt} {
			if err := os.Remove(l.path(id, ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("landing: delete %s: %w", id, err)
			}
		}
	}
	return nil
}

func (l *directory) Prune(ctx context.Context, keep int, protect ...string) (int, error) {
	entries, err := l.List(ctx, "")
	if err != nil {
		return 0, err
	}
	ids := prunable(entries, keep, protect)
	if err := l.Delete(ctx, ids...); err != nil {
		return 0, err
	}
	return len(ids), l.collect(ctx, time.Now().Add(-abandonedAfter))
}

// collect removes files older than before that belong to no visible page,
// and folders that became empty. What cannot be removed is left and reported
// once the rest is done.
func (l *directory) collect(ctx context.Context, before time.Time) error {
	folders, err := os.ReadDir(l.root)
	if err != nil {
		return fmt.Errorf("landing: collect: %w", err)
	}
	var faults []error
	for _, folder := range folders {
		if err := ctx.Err(); err != nil {
			return err
		}
		if folder.IsDir() {
			faults = append(faults, l.collectFolder(filepath.Join(l.root, folder.Name()), before))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("landing: collect: %w", err)
	}
	return nil
}

func (l *directory) collectFolder(dir string, before time.Time) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var faults []error
	left := len(files)
	for _, file := range files {
		info, err := file.Info()
		if err != nil || file.IsDir() || info.ModTime().After(before) || l.visible(dir, file.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, file.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
			continue
		}
		left--
	}
	if left == 0 {
		// Another worker may have put a page there meanwhile; then the
		// folder stays.
		_ = os.Remove(dir)
	}
	return errors.Join(faults...)
}

// visible reports whether a file belongs to a page that has its entry.
func (l *directory) visible(dir, name string) bool {
	if strings.HasPrefix(name, partial) {
		return false
	}
	for _, ext := range []string{summaryExt, contentExt, entryExt} {
		if page, ok := strings.CutSuffix(name, ext); ok {
			_, err := os.Stat(filepath.Join(dir, page+entryExt))
			return err == nil
		}
	}
	return true // not ours
}
