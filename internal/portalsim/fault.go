package portalsim

import (
	"io"
	"net/http"
	"strings"
	"time"

	"padron/internal/portalsim/soql"
)

// Fault is something that goes wrong with matching requests. With a zero
// Status the request is answered normally, apart from what the other fields
// say.
type Fault struct {
	Path  string                   // what the URL's path begins with; empty matches all
	Match func(*http.Request) bool // a further condition; nil matches all
	Skip  int                      // so many matching requests pass first
	Times int                      // how many requests it hits: 0 means one, negative all
	// Fraction is the share of the matching requests that it hits, spread
	// evenly: 0.1 is every tenth. 0 means each.
	Fraction float64

	Status     int    // the answer's status, with the portal's usual body for it
	Code       string // replaces the code in the usual body
	RetryAfter string // the header's value
	Location   string // the header's value, for redirects
	Body       string // replaces the usual body; a zero Status means 200
	HTML       bool   // answers an HTML page, as a proxy would; a zero Status means 200

	Delay         time.Duration // a pause before the answer
	StallAfter    int           // makes that pause after so many bytes of the body instead
	Pace          time.Duration // a pause before every 32 KiB of the body: slow, but it comes
	TruncateAfter int           // ends the body properly after so many bytes, before compression
	// Reset closes the connection without an answer, or after ResetAfter bytes
	// of it. Go's client repeats a GET by itself when a kept connection is
	// reset before the answer: Times must allow for that.
	Reset      bool
	ResetAfter int // bytes on the wire

	seen, done int // matching requests so far, and those that it hit
}

// Fail appends faults to the script. A request meets one at most: the first
// that matches it and is not used up.
func (p *Portal) Fail(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range faults {
		f.seen, f.done = 0, 0
		p.faults = append(p.faults, &f)
	}
}

// Heal removes all faults.
func (p *Portal) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// PendingFaults returns the number of faults that are not used up.
func (p *Portal) PendingFaults() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, f := range p.faults {
		if !f.spent() {
			n++
		}
	}
	return n
}

func (f *Fault) spent() bool { return f.Times >= 0 && f.done >= max(f.Times, 1) }

// fault returns the fault that a request meets, nil when there is none.
func (p *Portal) fault(r *http.Request) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		if f.spent() || !strings.HasPrefix(r.URL.Path, f.Path) || f.Match != nil && !f.Match(r) {
			continue
		}
		f.seen++
		n := f.seen - f.Skip
		if n <= 0 {
			continue
		}
		if f.Fraction > 0 && int(float64(n)*f.Fraction) == int(float64(n-1)*f.Fraction) {
			continue
		}
		f.done++
		return f
	}
	return nil
}

// instead does what comes before or in place of the answer. It reports whether
// the request has been answered.
func (f *Fault) instead(a *answer) bool {
	if f.StallAfter == 0 && !wait(a.request, f.Delay) {
		return true
	}
	if f.Reset && f.ResetAfter == 0 {
		reset(a.writer)
	}
	if f.RetryAfter != "" {
		a.writer.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.Location != "" {
		a.writer.Header().Set("Location", f.Location)
	}
	status := f.Status
	switch {
	case f.HTML:
		text := f.Body
		if text == "" {
			text = "<!DOCTYPE html>\n<html><head><title>Sorry</title></head><body><h1>We will be back soon.</h1></body></html>\n"
		}
		if status == 0 {
			status = http.StatusOK
		}
		a.html(status, text)
	case f.Body != "":
		if status == 0 {
			status = http.StatusOK
		}
		a.send(status, "application/json;charset=utf-8", []byte(f.Body))
	case status != 0:
		a.usual(status)
	default:
		return false
	}
	return true
}

// usual answers as the portal does with a status.
func (a *answer) usual(status int) {
	if code := a.fault.Code; code != "" {
		a.problem(status, code, "Query coordinator error: "+code, nil)
		return
	}
	switch status {
	case http.StatusAccepted:
		a.problem(status, "", "Your request is being processed; please try again later.", nil)
	case http.StatusBadRequest:
		a.problem(status, soql.CodeMalformed, "Query coordinator error: "+soql.CodeMalformed+"; Could not parse SoQL", nil)
	case http.StatusUnauthorized:
		a.problem(status, "authentication_required", "Authentication required", nil)
	case http.StatusForbidden:
		a.problem(status, "", "You do not have permission to view this dataset", nil) // the real portal sends no code
	case http.StatusNotFound:
		a.problem(status, "dataset.missing", "Not found", map[string]any{"id": a.portal.id})
	case http.StatusRequestTimeout:
		a.problem(status, "query.execution.queryTimeout", "Query timed out", nil)
	case http.StatusTooManyRequests:
		a.problem(status, "too_many_requests", tooManyRequests, nil)
	case http.StatusNotModified, http.StatusNoContent:
		a.writer.WriteHeader(status)
	default:
		a.problem(status, "internal_error", http.StatusText(status), nil)
	}
}

// wait pauses. It returns false when the client has gone meanwhile.
func wait(r *http.Request, pause time.Duration) bool {
	if pause <= 0 {
		return true
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// reset drops the connection. http.ErrAbortHandler is how a handler says so;
// net/http does not log it.
func reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
			_ = tcp.SetLinger(0) // a reset instead of a proper end
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// wireWriter counts what goes over the wire, and resets the connection where
// the fault says.
type wireWriter struct {
	answer *answer
	sent   int
}

func (w *wireWriter) Write(b []byte) (int, error) {
	f := w.answer.fault
	if f != nil && f.Reset && w.sent+len(b) > f.ResetAfter {
		b = b[:max(0, f.ResetAfter-w.sent)]
		_, _ = w.count(w.answer.writer.Write(b))                // the connection ends here either way
		_ = http.NewResponseController(w.answer.writer).Flush() // the client must receive what was sent before the connection ends
		panic(http.ErrAbortHandler)
	}
	return w.count(w.answer.writer.Write(b))
}

func (w *wireWriter) count(n int, err error) (int, error) {
	w.sent += n
	w.answer.portal.bytes.Add(int64(n))
	return n, err
}

// cut applies the faults of the body before compression.
func (a *answer) cut(body io.Writer) io.Writer {
	if a.fault == nil || a.fault.TruncateAfter == 0 && a.fault.StallAfter == 0 && a.fault.Pace == 0 {
		return body
	}
	return &cutWriter{body: body, answer: a}
}

// cutWriter stalls, paces and truncates a body.
type cutWriter struct {
	body    io.Writer
	answer  *answer
	written int
}

func (w *cutWriter) Write(b []byte) (int, error) {
	f, all := w.answer.fault, len(b)
	if f.StallAfter > 0 && w.written <= f.StallAfter && w.written+len(b) > f.StallAfter && !wait(w.answer.request, f.Delay) {
		return 0, w.answer.request.Context().Err()
	}
	if !wait(w.answer.request, f.Pace) {
		return 0, w.answer.request.Context().Err()
	}
	if f.TruncateAfter > 0 {
		b = b[:min(len(b), max(0, f.TruncateAfter-w.written))]
	}
	w.written += all
	_, err := w.body.Write(b)
	return all, err
}
