package socrata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// errStalled is why a request was given up by itself.
var errStalled = errors.New("nothing came")

// answer is what came back for one request. It is an io.Reader of the decompressed body once opened.
type answer struct {
	client   *Client
	asked    string
	url      *url.URL
	response *http.Response
	version  Version

	// parent is the caller's context, ctx the request's own; stop ends the latter.
	parent context.Context
	ctx    context.Context
	stop   context.CancelCauseFunc
	// timer runs while the portal is waited for, and only then: a slow reader of the page is not taken
	// for a stalled portal.
	timer *time.Timer

	body io.Reader
	wire int64
}

// open makes the body of a 200 readable. HTML is refused here, before a byte of it can be taken for rows.
func (a *answer) open() error {
	if kind, _, err := mime.ParseMediaType(a.response.Header.Get("Content-Type")); err == nil && strings.Contains(kind, "html") {
		return a.garbage("an HTML page", nil)
	}
	a.body = wireReader{a}
	switch encoding := strings.ToLower(a.response.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		unzip, err := gzip.NewReader(wireReader{a})
		if err != nil {
			return a.unread(err)
		}
		a.body = unzip
	default:
		return a.garbage(fmt.Sprintf("a body encoded as %q", encoding), nil)
	}
	return nil
}

// wireReader reads the body as it came, counting its bytes and watching for a stall.
type wireReader struct{ a *answer }

func (w wireReader) Read(p []byte) (int, error) {
	w.a.timer.Reset(w.a.client.idleWait)
	n, err := w.a.response.Body.Read(p)
	w.a.timer.Stop()
	w.a.wire += int64(n)
	return n, err
}

func (a *answer) Read(p []byte) (int, error) { return a.body.Read(p) }

// Close frees the connection. What is left of a body is not read: it may be large.
func (a *answer) Close() {
	a.timer.Stop()
	_ = a.response.Body.Close()
	a.stop(nil)
}

// readSmall returns the whole body, which must not be longer than limit bytes.
func (a *answer) readSmall(limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(a, limit+1))
	if err != nil {
		return nil, a.unread(err)
	}
	if int64(len(body)) > limit {
		return nil, a.garbage(fmt.Sprintf("more than %d bytes", limit), nil)
	}
	return body, nil
}

// readSingle returns the name and the text of the only value of an answer of one row with one column. It is
// false when the answer has no row.
func (a *answer) readSingle() (name, value string, ok bool, err error) {
	body, err := a.readSmall(maxSmallBody)
	if err != nil {
		return "", "", false, err
	}
	for row, err := range Rows(bytes.NewReader(body)) {
		if err != nil {
			return "", "", false, a.garbage(start(body), err)
		}
		if ok {
			return "", "", false, a.garbage("several rows for a question with one answer", nil)
		}
		if name, value, ok = single(row); !ok {
			return "", "", false, a.garbage("a row that is not one text or number", nil)
		}
	}
	return name, value, ok, nil
}

// single returns the name and the text of the only member of a valid JSON object. It is false when there are
// more or none, or when the value is neither a string nor a number.
func single(row jsontext.Value) (name, text string, ok bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(row))
	if _, err := d.ReadToken(); err != nil || d.PeekKind() != '"' {
		return "", "", false
	}
	token, err := d.ReadToken()
	if err != nil {
		return "", "", false
	}
	name = token.String()
	value, err := d.ReadValue()
	if err != nil {
		return "", "", false
	}
	unquoted, ok := appendText(nil, value)
	return name, string(unquoted), ok && d.PeekKind() == '}'
}

// refused is the error for an answer with any status but 200.
func (a *answer) refused() error {
	r := a.response
	e := a.newError(kindOf(r.StatusCode))
	e.RetryAfter = parseRetryAfter(r.Header.Get("Retry-After"), dateOf(r.Header))
	if e.Kind == Moved {
		if to, err := r.Location(); err == nil {
			e.Message = "to " + withoutQuery(to)
		}
		return e
	}
	body := io.Reader(wireReader{a})
	if strings.Contains(strings.ToLower(r.Header.Get("Content-Encoding")), "gzip") {
		// A broken gzip header leaves nothing to read, and the status says enough.
		unzip, err := gzip.NewReader(body)
		if err != nil {
			return e
		}
		body = unzip
	}
	// An envelope that is cut off or whose end never comes still says what it said before.
	head, _ := io.ReadAll(io.LimitReader(body, maxErrorBody))
	e.Code, e.Message = parseEnvelope([]byte(a.client.redact(string(head))))
	if a.parent.Err() != nil {
		return a.broken(a.parent.Err())
	}
	return e
}

// unread is the error for a body that could not be read to its end.
func (a *answer) unread(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case a.ctx.Err() != nil:
		return a.broken(err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return a.garbage("a truncated body", err)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return a.garbage("a body that is not gzip as announced", err)
	}
	return a.broken(err)
}

// broken is the error for a request that ended without a whole answer: the caller's own doing when its
// context is over, else the network's.
func (a *answer) broken(err error) error {
	if cause := a.parent.Err(); cause != nil {
		return fmt.Errorf("ask %s for %s: %w", a.url.Host, a.asked, cause)
	}
	if cause := context.Cause(a.ctx); errors.Is(cause, errStalled) {
		wait := a.client.idleWait
		if a.response == nil {
			wait = a.client.headerWait
		}
		err = fmt.Errorf("%w for %s", errStalled, wait)
	}
	// url.Error repeats the whole address, query and all.
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	// net/http quotes the line it could not read, which may be the rest of an earlier answer's rows.
	if strings.Contains(err.Error(), "malformed") {
		err = errors.New("not an HTTP answer")
	}
	e := a.newError(Network)
	e.Err = err
	return e
}

// garbage is the error for a 200 whose body is not what was asked for; what says what it is instead.
func (a *answer) garbage(what string, err error) error {
	e := a.newError(Garbage)
	e.Message = what
	e.Err = err
	return e
}

func (a *answer) newError(kind Kind) *Error {
	e := &Error{Kind: kind, Asked: a.asked, ID: a.client.id, URL: withoutQuery(a.url)}
	if a.response != nil {
		e.Status = a.response.StatusCode
		e.RequestID = a.version.RequestID
	}
	return e
}

// start says what a body is that does not begin like an array. It does not quote it: a row's values are nobody's business but the mirror's,
// and an error goes to logs and to the Temporal Web UI.
func start(body []byte) string {
	body = bytes.TrimLeft(body, "\ufeff \t\r\n")
	if len(body) == 0 {
		return "an empty body"
	}
	switch body[0] {
	case '<':
		return "a body that begins like HTML or XML"
	case '[':
		return ""
	case '{':
		return "a body that begins like a JSON object"
	}
	return "a body that does not begin like JSON"
}

// jsonError says what is wrong with JSON and where. The decoder's own words quote the text around, or name it as
// the path: they are left out, for the reason given at start.
func jsonError(err error) error {
	var syntax *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName):
		return fmt.Errorf("a name twice in one object at byte %d", syntax.ByteOffset)
	case errors.As(err, &syntax):
		return fmt.Errorf("invalid JSON at byte %d", syntax.ByteOffset)
	case errors.As(err, &semantic):
		return fmt.Errorf("JSON of another shape at byte %d", semantic.ByteOffset)
	}
	return err
}

// redact takes the app token out of what a portal or a proxy echoes.
func (c *Client) redact(s string) string {
	if c.appToken == "" {
		return s
	}
	return strings.ReplaceAll(s, c.appToken, "…")
}

// withoutQuery is the address up to its path, for people to read.
func withoutQuery(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// dateOf is the portal's own time of an answer, so that a clock set wrong here does not spoil a Retry-After
// date; the local time when it does not say.
func dateOf(h http.Header) time.Time {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t
	}
	return time.Now()
}
