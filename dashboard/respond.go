package dashboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"padron/internal/mirror"
)

const (
	gzipFast = gzip.BestSpeed
	gzipBest = gzip.BestCompression

	// worthPacking is from how many bytes on an answer is compressed.
	worthPacking = 1 << 10
)

func newGzip(w io.Writer, level int) *gzip.Writer {
	z, err := gzip.NewWriterLevel(w, level)
	if err != nil {
		panic(err) // the level is a constant above
	}
	return z
}

// failure is an error that a page tells the reader: what is wrong and what to
// do, in the reader's language.
type failure struct {
	status int
	key    string // of the text: error.<key>
	values []any
	cause  error // for the log; nil: the reader's own doing
}

func (f *failure) Error() string { return "error." + f.key }
func (f *failure) Unwrap() error { return f.cause }

// bad is a parameter that cannot be used.
func bad(parameter, value, key string, values ...any) error {
	return &failure{status: http.StatusBadRequest, key: "bad." + key, values: append([]any{parameter, shorten(value)}, values...)}
}

// missing says that there is no such thing as the address names.
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

// explain makes any error one that can be told.
func explain(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	switch {
	case errors.Is(err, mirror.ErrNoMirror):
		return &failure{status: http.StatusServiceUnavailable, key: "nomirror"}
	case errors.Is(err, errBusy):
		return &failure{status: http.StatusServiceUnavailable, key: "busy", cause: err}
	case errors.Is(err, mirror.ErrReplaced):
		return &failure{status: http.StatusServiceUnavailable, key: "replaced", cause: err}
	case mirror.IsDown(err):
		return &failure{status: http.StatusServiceUnavailable, key: "database", cause: err}
	default:
		return &failure{status: http.StatusInternalServerError, key: "internal", cause: err}
	}
}

// etag names an answer by what it is made of. It is weak: the same answer may be
// compressed or not.
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

// matches says whether the reader has the answer of that tag already.
func matches(r *http.Request, etag string) bool {
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if name == "gzip" || name == "*" {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}

// reply sends a whole answer, compressed where that pays.
func reply(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Add("Vary", "Accept-Encoding")
	if len(body) >= worthPacking && acceptsGzip(r) {
		var b bytes.Buffer
		z := newGzip(&b, gzipFast)
		if _, err := z.Write(body); err == nil && z.Close() == nil {
			h.Set("Content-Encoding", "gzip")
			body = b.Bytes()
		}
	}
	send(w, r, status, body)
}

func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader that has gone is nobody's failure
	}
}
