package landing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
)

// chunkSize is how much of a page one document holds, in bytes. A page of
// 50,000 rows compresses to about 4 MB, so it has a few chunks; measured, the
// size hardly matters for speed.
const chunkSize = 1 << 20

// gridFS is the zone in the database, the GridFS bucket "landing". Any GridFS
// tool can list and fetch its files, which are S2 streams. It is written here
// and not with the driver's bucket because a page's hash is known only at its
// end and must be stored by the same write that makes the page visible, and
// because each call needs a deadline of its own.
//
// Chunks have ids made of the page's id and their number, so everything is
// found by _id: no secondary index has to be kept while rows are loaded.
//
// landing.attempts names the pages whose chunks may be incomplete: an entry is
// written before the first chunk and before a removal, and deleted after the
// commit and after the removal. So Prune finds everything that a crash left
// behind.
type gridFS struct {
	db       *mongodb.Database
	files    *mongo.Collection
	chunks   *mongo.Collection
	attempts *mongo.Collection
}

func newGridFS(db *mongodb.Database) *gridFS {
	return &gridFS{
		db:       db,
		files:    db.Collection(mongodb.LandingFiles),
		chunks:   db.Collection(mongodb.LandingChunks),
		attempts: db.Collection(mongodb.LandingAttempts),
	}
}

// gridFile is a document of landing.files. Its presence makes a page visible.
type gridFile struct {
	ID        string    `bson:"_id"`
	Length    int64     `bson:"length"` // stored bytes
	ChunkSize int32     `bson:"chunkSize"`
	Uploaded  time.Time `bson:"uploadDate"`
	Filename  string    `bson:"filename"`
	Metadata  struct {
		Run     string `bson:"run"`
		Kind    string `bson:"kind"`
		Page    string `bson:"page"`
		SHA256  string `bson:"sha256"`
		Bytes   int64  `bson:"bytes"`
		Summary string `bson:"summary,omitempty"` // JSON
	} `bson:"metadata"`
}

func (f *gridFile) entry() Entry {
	return Entry{
		ID: f.ID, Run: f.Metadata.Run, Kind: f.Metadata.Kind, Page: f.Metadata.Page,
		SHA256: f.Metadata.SHA256, Bytes: f.Metadata.Bytes, StoredBytes: f.Length, Created: f.Uploaded,
	}
}

func chunkID(page string, n int) string { return fmt.Sprintf("%s/%06d", page, n) }

func (l *gridFS) Create(ctx context.Context, meta Meta) (Writer, error) {
	id, err := pageID(meta)
	if err != nil {
		return nil, err
	}
	if err := l.attempt(ctx, id); err != nil {
		return nil, fmt.Errorf("landing: create %s: %w", id, err)
	}
	w := &gridWriter{ctx: ctx, landing: l, id: id, meta: meta, buf: make([]byte, 0, chunkSize)}
	w.packer = newPacker((*chunkWriter)(w))
	return w, nil
}

// attempt notes that the page's chunks may be incomplete from now on.
func (l *gridFS) attempt(ctx context.Context, id string) error {
	call, cancel := l.db.Call(ctx)
	defer cancel()
	_, err := l.attempts.ReplaceOne(call, mongodb.ByID(id), bson.D{{Key: "_id", Value: id}, {Key: "at", Value: time.Now().UTC()}},
		options.Replace().SetUpsert(true))
	return err
}

// forget notes that the page's chunks are complete, or gone.
func (l *gridFS) forget(ctx context.Context, id string) error {
	call, cancel := l.db.Call(ctx)
	defer cancel()
	_, err := l.attempts.DeleteOne(call, mongodb.ByID(id))
	return err
}

type gridWriter struct {
	ctx     context.Context // of Create: io.Writer has none
	landing *gridFS
	id      string
	meta    Meta
	packer  *packer
	buf     []byte // of the chunk being filled
	chunks  int
	done    bool
}

func (w *gridWriter) Write(b []byte) (int, error) {
	if w.done {
		return 0, fmt.Errorf("landing: write to %s after its end", w.id)
	}
	return w.packer.Write(b)
}

// chunkWriter receives the compressed bytes of a gridWriter.
type chunkWriter gridWriter

func (w *chunkWriter) Write(b []byte) (int, error) {
	written := 0
	for len(b) > 0 {
		n := min(len(b), chunkSize-len(w.buf))
		w.buf = append(w.buf, b[:n]...)
		b = b[n:]
		written += n
		if len(w.buf) == chunkSize {
			if err := w.flush(w.ctx); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

func (w *chunkWriter) flush(ctx context.Context) error {
	call, cancel := w.landing.db.Call(ctx)
	defer cancel()
	_, err := w.landing.chunks.InsertOne(call, bson.D{
		{Key: "_id", Value: chunkID(w.id, w.chunks)},
		{Key: "files_id", Value: w.id},
		{Key: "n", Value: int32(w.chunks)},
		{Key: "data", Value: bson.Binary{Data: w.buf}},
	})
	if err != nil {
		return fmt.Errorf("landing: write %s: %w", w.id, err)
	}
	w.chunks++
	w.buf = w.buf[:0]
	return nil
}

func (w *gridWriter) Commit(ctx context.Context) (Entry, error) {
	if w.done {
		return Entry{}, fmt.Errorf("landing: commit %s after its end", w.id)
	}
	if err := w.packer.zw.Close(); err != nil {
		return Entry{}, err
	}
	if len(w.buf) > 0 {
		if err := (*chunkWriter)(w).flush(ctx); err != nil {
			return Entry{}, err
		}
	}
	file := gridFile{ID: w.id, Length: w.packer.stored.n, ChunkSize: chunkSize, Uploaded: time.Now().UTC().Truncate(time.Millisecond), Filename: w.id + ".s2"}
	file.Metadata.Run, file.Metadata.Kind, file.Metadata.Page = w.meta.Run, w.meta.Kind, w.meta.Page
	file.Metadata.SHA256, file.Metadata.Bytes = w.packer.sum(), w.packer.bytes
	call, cancel := w.landing.db.Call(ctx)
	_, err := w.landing.files.InsertOne(call, file)
	cancel()
	if err != nil {
		return Entry{}, fmt.Errorf("landing: commit %s: %w", w.id, err)
	}
	w.done = true
	if err := w.landing.forget(ctx, w.id); err != nil {
		return Entry{}, fmt.Errorf("landing: commit %s: %w", w.id, err)
	}
	return file.entry(), nil
}

func (w *gridWriter) Abort() {
	if w.done {
		return
	}
	w.done = true
	// Frees the encoder's buffers; its error is of no interest, as the stream
	// is given up.
	_ = w.packer.zw.Close()
	// Mostly called because the context is over. What cannot be removed now
	// is still named in landing.attempts, for Prune.
	_ = w.landing.Delete(context.WithoutCancel(w.ctx), w.id)
}

func (l *gridFS) find(ctx context.Context, id string) (*gridFile, error) {
	call, cancel := l.db.Call(ctx)
	defer cancel()
	var file gridFile
	err := l.files.FindOne(call, mongodb.ByID(id)).Decode(&file)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, fmt.Errorf("%w: %s", ErrNoPage, id)
	}
	if err != nil {
		return nil, fmt.Errorf("landing: find %s: %w", id, err)
	}
	return &file, nil
}

func (l *gridFS) Open(ctx context.Context, id, sum string) (io.ReadCloser, error) {
	file, err := l.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if sum == "" {
		sum = file.Metadata.SHA256
	}
	if sum != file.Metadata.SHA256 {
		return nil, fmt.Errorf("%w: %s is stored with hash %s, wanted %s", ErrCorrupt, id, file.Metadata.SHA256, sum)
	}
	return newUnpacker(id, &chunkReader{ctx: ctx, landing: l, file: file}, sum, file.Metadata.Bytes), nil
}

// chunkReader reads a page's stored bytes chunk by chunk.
type chunkReader struct {
	ctx     context.Context // of Open: io.Reader has none
	landing *gridFS
	file    *gridFile
	next    int
	read    int64
	rest    []byte
}

func (r *chunkReader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.read == r.file.Length {
			return 0, io.EOF
		}
		if err := r.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *chunkReader) fetch() error {
	id := chunkID(r.file.ID, r.next)
	call, cancel := r.landing.db.Call(r.ctx)
	raw, err := r.landing.chunks.FindOne(call, mongodb.ByID(id)).Raw()
	cancel()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return fmt.Errorf("chunk %s is missing", id)
	}
	if err != nil {
		return readFault{err}
	}
	_, data, ok := raw.Lookup("data").BinaryOK()
	if !ok || len(data) == 0 || r.read+int64(len(data)) > r.file.Length {
		return fmt.Errorf("chunk %s has no data, or too much", id)
	}
	r.next++
	r.read += int64(len(data))
	r.rest = data
	return nil
}

func (r *chunkReader) Close() error { return nil }

func (l *gridFS) Attach(ctx context.Context, id string, summary any) error {
	text, err := json.Marshal(summary)
	if err != nil {
		return fmt.Errorf("landing: summary of %s: %w", id, err)
	}
	call, cancel := l.db.Call(ctx)
	defer cancel()
	res, err := l.files.UpdateOne(call, mongodb.ByID(id), bson.D{{Key: "$set", Value: bson.D{{Key: "metadata.summary", Value: string(text)}}}})
	if err != nil {
		return fmt.Errorf("landing: summary of %s: %w", id, err)
	}
	if res.MatchedCount == 0 {
		return fmt.Errorf("%w: %s", ErrNoPage, id)
	}
	return nil
}

func (l *gridFS) Summary(ctx context.Context, id string, v any) (bool, error) {
	file, err := l.find(ctx, id)
	if err != nil || file.Metadata.Summary == "" {
		return false, err
	}
	if err := json.Unmarshal([]byte(file.Metadata.Summary), v); err != nil {
		return false, fmt.Errorf("landing: summary of %s: %w", id, err)
	}
	return true, nil
}

func (l *gridFS) List(ctx context.Context, run string) ([]Entry, error) {
	filter := bson.D{}
	if run != "" {
		filter = mongodb.Within(SafeName(run))
	}
	call, cancel := l.db.Call(ctx)
	defer cancel()
	cursor, err := l.files.Find(call, filter, options.Find().SetProjection(bson.D{{Key: "metadata.summary", Value: 0}}))
	if err != nil {
		return nil, fmt.Errorf("landing: list %s: %w", run, err)
	}
	var files []bson.Raw
	if err := cursor.All(call, &files); err != nil {
		return nil, fmt.Errorf("landing: list %s: %w", run, err)
	}
	entries := make([]Entry, 0, len(files))
	for _, raw := range files {
		// What another tool put into the bucket is no page.
		var file gridFile
		if err := bson.Unmarshal(raw, &file); err == nil && validID(file.ID) && file.Metadata.Run != "" {
			entries = append(entries, file.entry())
		}
	}
	sortEntries(entries)
	return entries, nil
}

func (l *gridFS) Delete(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		if err := l.remove(ctx, id); err != nil {
			return fmt.Errorf("landing: delete %s: %w", id, err)
		}
	}
	return nil
}

// remove deletes a page so that a crash in between leaves an attempt behind,
// for Prune to finish.
func (l *gridFS) remove(ctx context.Context, id string) error {
	if err := l.attempt(ctx, id); err != nil {
		return err
	}
	call, cancel := l.db.Call(ctx)
	_, err := l.files.DeleteOne(call, mongodb.ByID(id))
	cancel()
	if err != nil {
		return err
	}
	call, cancel = l.db.Call(ctx)
	_, err = l.chunks.DeleteMany(call, mongodb.Within(id))
	cancel()
	if err != nil {
		return err
	}
	return l.forget(ctx, id)
}

func (l *gridFS) Prune(ctx context.Context, keep int, protect ...string) (int, error) {
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

// collect removes what attempts older than before left behind.
func (l *gridFS) collect(ctx context.Context, before time.Time) error {
	call, cancel := l.db.Call(ctx)
	defer cancel()
	cursor, err := l.attempts.Find(call, bson.D{{Key: "at", Value: bson.D{{Key: "$lt", Value: before.UTC()}}}})
	if err != nil {
		return fmt.Errorf("landing: list attempts: %w", err)
	}
	var old []struct {
		ID string `bson:"_id"`
	}
	if err := cursor.All(call, &old); err != nil {
		return fmt.Errorf("landing: list attempts: %w", err)
	}
	for _, a := range old {
		// An attempt with a visible page was committed and then crashed
		// before saying so; or it was being deleted and can be again later.
		_, err := l.find(ctx, a.ID)
		switch {
		case errors.Is(err, ErrNoPage):
			err = l.remove(ctx, a.ID)
		case err == nil:
			err = l.forget(ctx, a.ID)
		}
		if err != nil {
			return fmt.Errorf("landing: collect %s: %w", a.ID, err)
		}
	}
	return nil
}
