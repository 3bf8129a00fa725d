package mirror

import (
	"bufio"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"padron/internal/socrata"
)

// A page of keys is a stream of keys in byte order, each once, and each after
// its length in bytes as two bytes, the greater first. So lists of keys of any length are passed
// from step to step as rows are.

const (
	// maxKey bounds a key, in bytes: a longer one is a fault. An _id that is
	// indexed cannot be longer in MongoDB before 4.2, nor on the local engine.
	maxKey = 8 << 10

	// keyBatch is how many keys one call gets; a request for as many by key
	// fits into one command.
	keyBatch = 1000
)

// keyPage writes a page of keys. The page comes into being with its first key.
// Not for concurrent use.
type keyPage struct {
	ctx     context.Context // of the page's writer
	landing Landing
	meta    Meta
	w       Writer // nil: nothing was added yet
	buf     *bufio.Writer
	last    string
	keys    int
}

// newKeyPage starts a page of keys; part is its label. It must end in commit
// or abort.
func newKeyPage(ctx context.Context, landing Landing, run, part string) *keyPage {
	return &keyPage{ctx: ctx, landing: landing, meta: Meta{Run: run, Kind: KindKeys, Page: part}}
}

// add writes a key. Keys ascend strictly in byte order, else ErrOrder or
// ErrDuplicateKey.
func (p *keyPage) add(key string) error {
	switch {
	case key == "" || len(key) > maxKey:
		return fmt.Errorf("page of keys: key of %d bytes", len(key))
	case key == p.last:
		return fmt.Errorf("page of keys: %w: %q", ErrDuplicateKey, key)
	case key < p.last:
		return fmt.Errorf("page of keys: %w: %q after %q", ErrOrder, key, p.last)
	}
	if p.w == nil {
		w, err := p.landing.Create(p.ctx, p.meta)
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

// commit lands the page. Of no keys there is none: the zero PageRef.
func (p *keyPage) commit(ctx context.Context) (PageRef, error) {
	if p.w == nil {
		return PageRef{}, nil
	}
	if err := p.buf.Flush(); err != nil {
		return PageRef{}, err
	}
	entry, err := p.w.Commit(ctx)
	if err != nil {
		return PageRef{}, err
	}
	return PageRef{ID: entry.ID, SHA256: entry.SHA256, Label: p.meta.Page}, nil
}

// abort discards the page. After commit it does nothing.
func (p *keyPage) abort() {
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

func openKeys(ctx context.Context, landing Landing, ref PageRef) (*keyReader, error) {
	content, err := landing.Open(ctx, ref.ID, ref.SHA256)
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
func (m *Mirror) EachKey(ctx context.Context, landing Landing, refs []PageRef, f func(keys []string) error) error {
	batch := make([]string, 0, keyBatch)
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
		// The page's hash is known to be right at its end only; but keys are
		// asked for, never taken at their word.
		err := eachKeyOf(ctx, landing, ref, func(key string) error {
			if batch = append(batch, key); len(batch) < keyBatch {
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

func eachKeyOf(ctx context.Context, landing Landing, ref PageRef, visit func(string) error) error {
	r, err := openKeys(ctx, landing, ref)
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

// MissingInput is all keys of a crawl whose keys are not in byte order.
type MissingInput struct {
	Run   string
	Part  string           // label of the page of missing keys
	Pages []PageRef        // UpsertResult.AllKeys of every part; zero ones are passed over
	Beat  func(rows int64) // called from the calling goroutine at least every second; may be nil
}

// Missing is what is stored and not in a crawl.
type Missing struct {
	Rows   int64
	Digest Digest  // of the stored rows
	Page   PageRef // their keys; zero when there are none
}

// MissingOf lands the keys that are stored and in none of the pages: what
// Upsert finds within a range as long as keys are in byte order. It is a merge
// of all pages with the stored keys, in one pass; each page takes some 2 MiB.
// A key in more than one page is ErrDuplicateKey.
func (m *Mirror) MissingOf(ctx context.Context, landing Landing, in MissingInput) (Missing, error) {
	var missing Missing
	err := beating(ctx, in.Beat, func(ctx context.Context, beat *pulse) error {
		page := newKeyPage(ctx, landing, in.Run, in.Part)
		defer page.abort()
		crawled, err := mergeKeys(ctx, landing, in.Pages)
		if err != nil {
			return err
		}
		defer crawled.close()
		key, more, err := crawled.next()
		if err != nil {
			return err
		}
		err = m.eachStored(ctx, socrata.Range{}, func(s *census) error {
			beat.add(1)
			for more && key < s.key {
				if key, more, err = crawled.next(); err != nil {
					return err
				}
			}
			if more && key == s.key {
				return nil
			}
			missing.Rows++
			missing.Digest.Add(s.key, s.hash)
			return page.add(s.key)
		})
		if err != nil {
			return err
		}
		// To the end, for doubles and for the pages' hashes.
		for more {
			if _, more, err = crawled.next(); err != nil {
				return err
			}
		}
		missing.Page, err = page.commit(ctx)
		return err
	})
	if err != nil {
		return Missing{}, fmt.Errorf("missing rows of run %s: %w", in.Run, err)
	}
	return missing, nil
}

// keyMerge reads several pages of keys as one in byte order.
type keyMerge struct {
	readers []*keyReader // all
	heads   keyHeap      // those that are not at their end
	last    string
}

type keyHeap []*keyReader

func (h keyHeap) Len() int           { return len(h) }
func (h keyHeap) Less(i, j int) bool { return h[i].key < h[j].key }
func (h keyHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *keyHeap) Push(x any)        { *h = append(*h, x.(*keyReader)) }

func (h *keyHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func mergeKeys(ctx context.Context, landing Landing, refs []PageRef) (*keyMerge, error) {
	k := &keyMerge{}
	for _, ref := range refs {
		if ref.ID == "" {
			continue
		}
		r, err := openKeys(ctx, landing, ref)
		if err == nil {
			k.readers = append(k.readers, r)
			err = r.next()
		}
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			k.close()
			return nil, err
		default:
			heap.Push(&k.heads, r)
		}
	}
	return k, nil
}

// next is the next key; false at the end.
func (k *keyMerge) next() (string, bool, error) {
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

func (k *keyMerge) close() {
	for _, r := range k.readers {
		r.close()
	}
}
