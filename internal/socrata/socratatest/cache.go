package socratatest

import (
	"bytes"
	"net/http"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// cache keeps bodies as they go over the wire, by query and encoding.
type cache struct {
	mu      sync.Mutex
	left    int64 // bytes that may still be kept
	answers map[string]*cachedAnswer
}

// cachedAnswer is a body and what it was made of.
type cachedAnswer struct {
	of            *snapshot
	rows, keyless []entry
	body          []byte
}

// cacheable says whether another request with the same query gets the same answer.
func (a *answer) cacheable(q *query) bool {
	return a.portal.cache != nil && a.fault == nil && a.request.Method == http.MethodGet && (q.salt == 0 || q.byKey)
}

// fromCache answers with the body kept for the query, or with one made for it and kept.
func (a *answer) fromCache(q *query) {
	c := a.portal.cache
	id := a.request.URL.Query().Encode()
	a.writer.Header().Add("Vary", "Accept-Encoding")
	if a.gzip() {
		id += " gzip"
		a.writer.Header().Set("Content-Encoding", "gzip")
	}
	c.mu.Lock()
	kept := c.answers[id]
	c.mu.Unlock()
	if kept == nil || !kept.good(q) {
		kept = &cachedAnswer{of: q.s, rows: q.rows, keyless: q.keyless, body: a.rendered(q)}
		c.keep(id, kept)
	}
	a.writer.WriteHeader(http.StatusOK)
	wire := &wireWriter{answer: a}
	_, _ = wire.Write(kept.body) // the client is gone; there is nobody to tell
}

// good says whether the answer is what the query would give now: it is of the same version, or nothing it was made of
// has changed since.
func (k *cachedAnswer) good(q *query) bool {
	if k.of == q.s {
		return true
	}
	return q.byKey && q.filter == nil && !q.grouped && k.of.floor == q.s.floor &&
		sameColumns(k.of, q.s) && slices.Equal(k.rows, q.rows) && slices.Equal(k.keyless, q.keyless)
}

func (c *cache) keep(id string, k *cachedAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.answers[id]; old != nil {
		c.left += int64(len(old.body))
		delete(c.answers, id)
	}
	if int64(len(k.body)) <= c.left {
		c.left -= int64(len(k.body))
		c.answers[id] = k
	}
}

// rendered is the answer's body as it goes over the wire.
func (a *answer) rendered(q *query) []byte {
	var body bytes.Buffer
	if !a.gzip() {
		a.portal.render(q, &body)
		return slices.Clip(body.Bytes())
	}
	z := a.portal.gzips.Get().(*gzip.Writer)
	defer a.portal.gzips.Put(z)
	z.Reset(&body)
	a.portal.render(q, z)
	_ = z.Close() // a bytes.Buffer takes everything
	return slices.Clip(body.Bytes())
}
