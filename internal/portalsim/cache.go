package portalsim

import (
	"bytes"
	"net/http"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"

	"padron/internal/portalsim/soql"
)

// cache keeps bodies as they go over the wire, by query and encoding.
type cache struct {
	mu      sync.Mutex
	left    int64 // bytes that may still be kept
	answers map[string]*cachedAnswer
}

// cachedAnswer is a body and the plan that made it.
type cachedAnswer struct {
	plan *soql.Plan
	body []byte
}

// cacheable reports whether another request with the same query gets the same
// answer.
func (a *answer) cacheable(plan *soql.Plan) bool {
	return a.portal.cache != nil && a.fault == nil && a.request.Method == http.MethodGet && plan.Repeatable()
}

// fromCache answers with the body that is kept for the query, or renders one
// and keeps it.
func (a *answer) fromCache(plan *soql.Plan) {
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
	if kept == nil || !plan.SameAnswer(kept.plan) {
		kept = &cachedAnswer{plan: plan, body: a.rendered(plan)}
		c.keep(id, kept)
	}
	a.writer.WriteHeader(http.StatusOK)
	wire := &wireWriter{answer: a}
	_, _ = wire.Write(kept.body) // the client is gone; there is nobody to tell
}

// keep replaces the answer of a query; one that is too large is not kept.
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

// rendered returns the body as it goes over the wire.
func (a *answer) rendered(plan *soql.Plan) []byte {
	var body bytes.Buffer // takes everything: its writes return no error
	if !a.gzip() {
		_ = plan.Write(&body)
		return slices.Clip(body.Bytes())
	}
	z := a.portal.gzips.Get().(*gzip.Writer)
	defer a.portal.gzips.Put(z)
	z.Reset(&body)
	_ = plan.Write(z)
	_ = z.Close()
	return slices.Clip(body.Bytes())
}
