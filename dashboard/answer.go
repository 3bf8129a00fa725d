package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"padron/internal/export"
	"padron/internal/mongodb"
	"padron/internal/statistics"
)

// content is an answer.
type content struct {
	kind string // MIME type
	name string // of the file that a browser saves it as; empty: it shows it
	next string // address of what follows; empty: nothing
	body []byte
	// lasting says that the content at the address never changes.
	lasting bool
}

const (
	kindHTML    = "text/html; charset=utf-8"
	kindText    = "text/plain; charset=utf-8"
	kindCSV     = "text/csv; charset=utf-8"
	kindJSON    = "application/json; charset=utf-8"
	kindGeoJSON = "application/geo+json; charset=utf-8" // https://www.rfc-editor.org/rfc/rfc7946
	kindRSS     = "application/rss+xml; charset=utf-8"
)

func asJSON(v any) (*content, error) {
	body, err := json.Marshal(v)
	return &content{kind: kindJSON, body: append(body, '\n')}, err
}

// answer answers a request, unless the reader has the answer already. Reading
// the database waits for a turn; sending does not hold one, so that readers who
// are slow to receive keep nobody waiting.
func (s *Server) answer(w http.ResponseWriter, hr *http.Request, lang string, makeContent func(*request) (*content, error)) {
	ctx, cancel := context.WithTimeout(hr.Context(), requestTimeout)
	defer cancel()
	etag, c, err := s.compose(hr.WithContext(ctx), lang, makeContent)
	if err != nil {
		s.fail(w, hr, err)
		return
	}
	if c != nil && len(c.body) > smallAnswer {
		size := min(int64(len(c.body)), largeAnswers)
		if err := s.sending.Acquire(ctx, size); err != nil {
			s.fail(w, hr, fmt.Errorf("%w: %w", errBusy, err))
			return
		}
		defer s.sending.Release(size)
	}
	h := w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", etag)
	if c == nil {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if c.kind == kindCSV && hr.URL.Query().Get("bom") == "1" {
		c.body = append([]byte(export.ByteOrderMark), c.body...)
	}
	if c.name != "" {
		h.Set("Content-Disposition", `attachment; filename="`+c.name+`"`)
	}
	if c.lasting {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	if c.next != "" {
		h.Set("Link", "<"+c.next+`>; rel="next"`)
	}
	s.reply(w, http.StatusOK, c.kind, c.body)
}

// compose makes an answer and its tag, in its turn. The answer is nil when the
// reader has it already.
func (s *Server) compose(hr *http.Request, lang string, makeContent func(*request) (*content, error)) (etag string, c *content, err error) {
	done, err := s.turn(hr.Context())
	if err != nil {
		return "", nil, err
	}
	defer done()
	r, err := s.begin(hr, lang)
	if err != nil {
		return "", nil, err
	}
	if etag = r.etag(); matches(hr, etag) {
		return etag, nil, nil
	}
	c, err = makeContent(r)
	return etag, c, err
}

// etag names an answer by what it is made of. It is weak: the same answer may
// be compressed or not.
func (r *request) etag() string {
	sum := sha256.New()
	// The links of a feed are whole addresses.
	feed := r.Host + "\x00" + strconv.FormatBool(encrypted(r.Request))
	for _, part := range []string{r.server.build, r.state.key, r.URL.Path, r.URL.RawQuery, feed} {
		sum.Write([]byte(part))
		sum.Write([]byte{0})
	}
	return `W/"` + hex.EncodeToString(sum.Sum(nil)[:12]) + `"`
}

// matches says whether the reader has the answer of that tag already. It is
// asked before the answer is made: http.ServeContent compares the tag only of an
// answer that is there.
func matches(r *http.Request, etag string) bool {
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// reply sends a whole answer. A reader who takes no piece of it for stallTimeout,
// or not the whole of it within writeTimeout, is cut off.
func (s *Server) reply(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	connection, end := http.NewResponseController(w), time.Now().Add(writeTimeout)
	for piece := range slices.Chunk(body, sentAtOnce) {
		deadline := time.Now().Add(s.stall)
		if deadline.After(end) {
			deadline = end
		}
		_ = connection.SetWriteDeadline(deadline) // what is no connection, in a test, has none
		if _, err := w.Write(piece); err != nil {
			return // the reader has gone
		}
	}
}

// failure is an error that a page tells the reader: what is wrong and what to
// do, in the reader's language.
type failure struct {
	status int
	key    string // of the text: error.<key>
	values []any
	cause  error // for the log; nil: the request itself is wrong
}

func (f *failure) Error() string { return "error." + f.key }
func (f *failure) Unwrap() error { return f.cause }

// bad says that a parameter cannot be used.
func bad(parameter, value, key string, values ...any) error {
	return &failure{status: http.StatusBadRequest, key: "bad." + key, values: append([]any{parameter, shorten(value)}, values...)}
}

// missing says that what the address names does not exist.
func missing(key string, values ...any) error {
	return &failure{status: http.StatusNotFound, key: "missing." + key, values: values}
}

// shorten keeps what a reader typed within a line.
func shorten(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}

// asFailure is any error as one that a page can tell.
func asFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	switch {
	case errors.Is(err, mongodb.ErrNoMirror):
		return &failure{status: http.StatusServiceUnavailable, key: "nomirror"}
	case errors.Is(err, errBusy):
		return &failure{status: http.StatusServiceUnavailable, key: "busy", cause: err}
	case errors.Is(err, statistics.ErrReplaced):
		return &failure{status: http.StatusServiceUnavailable, key: "replaced", cause: err}
	case mongodb.IsDown(err):
		return &failure{status: http.StatusServiceUnavailable, key: "database", cause: err}
	default:
		return &failure{status: http.StatusInternalServerError, key: "internal", cause: err}
	}
}

// fail answers with a page that says what is wrong and what to do.
func (s *Server) fail(w http.ResponseWriter, hr *http.Request, err error) {
	f := asFailure(err)
	if f.cause != nil && hr.Context().Err() == nil {
		s.Log.Warn("dashboard request failed", "path", hr.URL.Path, "error", f.cause)
	}
	lang := preferred(hr)
	for _, l := range Languages() {
		if strings.HasPrefix(hr.URL.Path, "/"+l+"/") {
			lang = l
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	if f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	c := s.templates[lang].Catalogue
	text := c.T("error."+f.key, f.values...)
	if strings.HasPrefix(hr.URL.Path, "/data/") {
		s.reply(w, f.status, kindText, []byte(text+"\n"))
		return
	}
	r := &request{Request: hr, Catalogue: c, server: s, query: hr.URL.Query()}
	body, rendering := s.render(r, &view{template: "error", title: c.T(fmt.Sprintf("error.title.%d", f.status)), data: text})
	if rendering != nil {
		s.Log.Error("dashboard error page failed", "error", rendering)
		http.Error(w, text, f.status)
		return
	}
	s.reply(w, f.status, kindHTML, body)
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, missing("page", shorten(r.URL.Path)))
}
