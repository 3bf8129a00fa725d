package landing

import (
	"bufio"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A page of keys is a stream of keys in byte order, each once. Each key follows
// its length in bytes, an unsigned 16-bit number in big-endian order. With
// pages of keys, a list of keys of any length passes from step to step as rows
// do.

const (
	// maxKey bounds a key, in bytes: a longer one is a fault. An _id that is
	// indexed cannot be longer in MongoDB before 4.2, nor on the local engine.
	maxKey = 8 << 10

	// KeyBatch is how many keys one call gets; a request for as many by key
	// fits into one command.
	KeyBatch = 1000

	// mergeAtOnce is how many pages of keys are open at once in a merge. Each takes
	// some 2 MiB of memory.
	mergeAtOnce = 16
)

// KeyWriter writes a page of keys. The page comes into being with its first
// key. Not for concurrent use.
type KeyWriter struct {
	ctx  context.Context // of the page's writer
	zone Zone
	meta Meta
	w    Writer // nil: nothing was added yet
	buf  *bufio.Writer
	last string
	keys int
}

// NewKeyWriter starts a page of keys; part is its label. It must end in Commit
// or Abort.
func NewKeyWriter(ctx context.Context, zone Zone, run, part string) *KeyWriter {
	return &KeyWriter{ctx: ctx, zone: zone, meta: Meta{Run: run, Kind: KindKeys, Page: part}}
}

// Add writes a key. Keys ascend strictly in byte order, else ErrOrder or
// ErrDuplicateKey.
func (p *KeyWriter) Add(key string) error {
	switch {
	case key == "" || len(key) > maxKey:
		return fmt.Errorf("page of keys: key of %d bytes", len(key))
	case key == p.last:
		return fmt.Errorf("page of keys: %w: %q", ErrDuplicateKey, key)
	case key < p.last:
		return fmt.Errorf("page of keys: %w: %q after %q", ErrOrder, key, p.last)
	}
	if p.w == nil {
		w, err := p.zone.Create(p.ctx, p.meta)
		if err != nil {
			return err
		}
		p.w, p.buf = w, bufio.NewWriterSize(w, pageBuffer)
	}
	p.last = key
	p.keys++
	if _, err := p.buf.Write(binary.BigEndian.AppendUint16(p.buf.AvailableBuffer(), uint16(len(key)))); err != nil {
		return err
	}
	_, err := p.buf.WriteString(key)
	return err
}

// Commit lands the page. Without keys there is no page, and the Ref is zero.
func (p *KeyWriter) Commit(ctx context.Context) (Ref, error) {
	if p.w == nil {
		return Ref{}, nil
	}
	if err := p.buf.Flush(); err != nil {
		return Ref{}, err
	}
	entry, err := p.w.Commit(ctx)
	if err != nil {
		return Ref{}, err
	}
	return Ref{ID: entry.ID, SHA256: entry.SHA256, Label: p.meta.Page}, nil
}

// Abort discards the page. After Commit it does nothing.
func (p *KeyWriter) Abort() {
	if p.w != nil {
		p.w.Abort()
	}
}

// keyReader reads a page of keys.
type keyReader struct {
	id      string
	content io.ReadCloser
	r       *bufio.Reader
	key     string
}

func openKeys(ctx context.Context, zone Zone, ref Ref) (*keyReader, error) {
	content, err := zone.Open(ctx, ref.ID, ref.SHA256)
	if err != nil {
		return nil, err
	}
	return &keyReader{id: ref.ID, content: content, r: bufio.NewReaderSize(content, 8<<10)}, nil
}

// next reads the next key into r.key; io.EOF at the end.
func (r *keyReader) next() error {
	var size [2]byte
	if _, err := io.ReadFull(r.r, size[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return r.fault(err)
	}
	n := binary.BigEndian.Uint16(size[:])
	if n == 0 || n > maxKey {
		return r.fault(fmt.Errorf("%w: key of %d bytes", ErrCorrupt, n))
	}
	key := make([]byte, n)
	if _, err := io.ReadFull(r.r, key); err != nil {
		return r.fault(err)
	}
	if string(key) <= r.key {
		return r.fault(fmt.Errorf("%w: keys do not ascend", ErrCorrupt))
	}
	r.key = string(key)
	return nil
}

// fault is an error of reading; a page that ends too soon is ErrCorrupt.
func (r *keyReader) fault(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: ends within a key", ErrCorrupt)
	}
	return fmt.Errorf("page of keys %s: %w", r.id, err)
}

func (r *keyReader) close() {
	_ = r.content.Close() // nothing was written that closing could lose
}

// EachKey reads pages of keys one after the other and calls f with up to 1,000
// keys at a time, in a slice that is used again. Zero references are passed
// over. The landing's errors are ErrNoPage and ErrCorrupt.
func EachKey(ctx context.Context, zone Zone, refs []Ref, f func(keys []string) error) error {
	batch := make([]string, 0, KeyBatch)
	hand := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := f(batch)
		batch = batch[:0]
		return err
	}
	for _, ref := range refs {
		if ref.ID == "" {
			continue
		}
		// The page's hash can be checked at its end only. That is no harm: the
		// keys are only asked for.
		err := eachKeyOf(ctx, zone, ref, func(key string) error {
			if batch = append(batch, key); len(batch) < KeyBatch {
				return nil
			}
			return hand()
		})
		if err != nil {
			return err
		}
	}
	return hand()
}

func eachKeyOf(ctx context.Context, zone Zone, ref Ref, visit func(string) error) error {
	r, err := openKeys(ctx, zone, ref)
	if err != nil {
		return err
	}
	defer r.close()
	for {
		switch err := r.next(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := visit(r.key); err != nil {
			return err
		}
	}
}

// BatchKeys lands the keys of several pages anew, in pages of at most size keys
// each, labelled part0000 and so on: whoever takes one batch then reads no key of
// another. The keys ascend strictly in byte order over all pages, else ErrOrder
// or ErrDuplicateKey.
func BatchKeys(ctx context.Context, zone Zone, run, part string, size int, refs []Ref) ([]Ref, error) {
	var batches []Ref
	next := func() *KeyWriter { return NewKeyWriter(ctx, zone, run, fmt.Sprintf("%s%04d", part, len(batches))) }
	page := next()
	defer func() { page.Abort() }()
	commit := func() error {
		ref, err := page.Commit(ctx)
		if err == nil && ref.ID != "" {
			batches = append(batches, ref)
		}
		return err
	}
	last := ""
	err := EachKey(ctx, zone, refs, func(keys []string) error {
		for _, key := range keys {
			if page.keys == size {
				if err := commit(); err != nil {
					return err
				}
				page = next()
				page.last = last
			}
			if err := page.Add(key); err != nil {
				return err
			}
			last = key
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return batches, commit()
}

// KeyMerge reads several pages of keys as one in byte order.
type KeyMerge struct {
	readers []*keyReader // all
	heads   keyHeap      // those that are not at their end
	last    string
}

type keyHeap []*keyReader

func (h keyHeap) Len() int { return len(h) }

func (h keyHeap) Less(i, j int) bool { return h[i].key < h[j].key }

func (h keyHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *keyHeap) Push(x any) { *h = append(*h, x.(*keyReader)) }

func (h *keyHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// MergeKeys opens pages of keys to be read as one, at most 16 of them at once:
// more are merged into fewer first, group by group, and those are landed as pages
// of the run. So each key is written and read once more for every 16-fold of pages.
// Zero references are passed over. A key that is in more than one page is
// ErrDuplicateKey when it is reached.
func MergeKeys(ctx context.Context, zone Zone, run string, refs []Ref) (*KeyMerge, error) {
	refs = slices.DeleteFunc(slices.Clone(refs), func(ref Ref) bool { return ref.ID == "" })
	var merged []string // of the pass before
	for pass := 0; len(refs) > mergeAtOnce; pass++ {
		var fewer []Ref
		var made []string
		for group := range slices.Chunk(refs, mergeAtOnce) {
			ref, err := mergeInto(ctx, zone, run, fmt.Sprintf("merged%d-%04d", pass, len(fewer)), group)
			if err != nil {
				return nil, err
			}
			fewer, made = append(fewer, ref), append(made, ref.ID)
		}
		if err := zone.Delete(ctx, merged...); err != nil {
			return nil, err
		}
		refs, merged = fewer, made
	}
	return openMerge(ctx, zone, refs)
}

// mergeInto lands the keys of a few pages as one.
func mergeInto(ctx context.Context, zone Zone, run, label string, refs []Ref) (Ref, error) {
	keys, err := openMerge(ctx, zone, refs)
	if err != nil {
		return Ref{}, err
	}
	defer keys.Close()
	page := NewKeyWriter(ctx, zone, run, label)
	defer page.Abort()
	for {
		key, more, err := keys.Next()
		if err != nil {
			return Ref{}, err
		}
		if !more {
			return page.Commit(ctx)
		}
		if err := page.Add(key); err != nil {
			return Ref{}, err
		}
	}
}

func openMerge(ctx context.Context, zone Zone, refs []Ref) (*KeyMerge, error) {
	k := &KeyMerge{}
	for _, ref := range refs {
		r, err := openKeys(ctx, zone, ref)
		if err == nil {
			k.readers = append(k.readers, r)
			err = r.next()
		}
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			k.Close()
			return nil, err
		default:
			heap.Push(&k.heads, r)
		}
	}
	return k, nil
}

// Next is the next key; false at the end.
func (k *KeyMerge) Next() (string, bool, error) {
	if len(k.heads) == 0 {
		return "", false, nil
	}
	key := k.heads[0].key
	if key == k.last {
		return "", false, fmt.Errorf("%w: %q", ErrDuplicateKey, key)
	}
	k.last = key
	switch err := k.heads[0].next(); {
	case errors.Is(err, io.EOF):
		heap.Pop(&k.heads)
	case err != nil:
		return "", false, err
	default:
		heap.Fix(&k.heads, 0)
	}
	return key, true, nil
}

// Close closes the pages.
func (k *KeyMerge) Close() {
	for _, r := range k.readers {
		r.close()
	}
}
