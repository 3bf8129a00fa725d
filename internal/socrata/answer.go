package socrata

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"padron/internal/retryafter"
)

var (
	// errStalled is the cause of a request that was cancelled because nothing came.
	errStalled = errors.New("nothing came")
	// errSlow ends an answer that is not whole after the time for it.
	errSlow = errors.New("the answer was not whole")
	// errTooLarge ends an answer that goes on past every page.
	errTooLarge = errors.New("more bytes than any page has")
)

// answer is the answer to one request. Once opened, it is an io.Reader of the
// decompressed body.
type answer struct {
	client   *Client
	asked    string
	url      *url.URL
	response *http.Response
	version  Version

	// parent is the caller's context, ctx the request's own; stop ends the
	// latter.
	parent context.Context
	ctx    context.Context
	stop   context.CancelCauseFunc
	// timer runs only while the client waits for the portal, so that a slow
	// reader of the page is not taken for a stalled portal.
	timer *time.Timer

	body io.Reader
	wire int64 // bytes as sent
	size int64 // decompressed
	// waited is how long the client has waited for the portal, in all.
	waited time.Duration
}

// open makes the body of a 200 readable. HTML is refused here, before any of it
// can be taken for rows.
func (a *answer) open() error {
	if isHTML(a.response.Header) {
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

// wireReader reads the body as it came, counting its bytes and watching for a
// stall, a drip and a flood.
type wireReader struct{ a *answer }

func (w wireReader) Read(p []byte) (int, error) {
	a := w.a
	switch {
	case a.waited >= a.client.answerWait:
		return 0, errSlow
	case a.wire >= a.client.limit:
		return 0, errTooLarge
	}
	began := time.Now()
	a.timer.Reset(min(a.client.idleWait, a.client.answerWait-a.waited))
	n, err := a.response.Body.Read(p)
	a.timer.Stop()
	a.waited += time.Since(began)
	a.wire += int64(n)
	return n, err
}

func (a *answer) Read(p []byte) (int, error) {
	if a.size >= a.client.limit {
		return 0, errTooLarge
	}
	n, err := a.body.Read(p)
	a.size += int64(n)
	return n, err
}

// Close frees the connection. What is left of a body is not read: it may be
// large.
func (a *answer) Close() {
	a.timer.Stop()
	_ = a.response.Body.Close()
	a.stop(nil)
}

// readSmall returns the complete body, which must not be longer than limit
// bytes.
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

// readSingle returns the name and the text of the value of an answer that has
// one row with one column. ok is false when the answer has no row.
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

// single returns the name and the text of the only member of a JSON object. ok is
// false when there are more or none, or when the value is neither a string nor a
// number. What is not valid text is replaced by U+FFFD.
func single(row jsontext.Value) (name, text string, ok bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(row), lenient...)
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
	unquoted, ok := appendAnyText(nil, value)
	return name, string(unquoted), ok && d.PeekKind() == '}'
}

// refused returns the error for an answer with any status but 200. foreign says
// that it is a move to a host that nobody named.
func (a *answer) refused(foreign bool) error {
	r := a.response
	e := a.newError(kindOf(r.StatusCode))
	e.RetryAfter = retryafter.Of(r.Header, time.Now(), maxRetryAfter)
	if isBotCheck(r.StatusCode, r.Header) {
		e.Kind = BotCheck
		return e
	}
	if r.StatusCode >= 300 && r.StatusCode < 400 {
		if to, err := r.Location(); err == nil {
			e.Message = "to " + withoutQuery(to)
		}
		if foreign {
			e.Err = errors.New("the spec names no such host; if the portal is there now, write it into portal.host")
		}
		return e
	}
	body := io.Reader(wireReader{a})
	if strings.Contains(strings.ToLower(r.Header.Get("Content-Encoding")), "gzip") {
		// With a broken gzip header there is nothing to read, and the status
		// says enough.
		unzip, err := gzip.NewReader(body)
		if err != nil {
			return e
		}
		body = unzip
	}
	// A truncated envelope still holds what came before the cut.
	head, _ := io.ReadAll(io.LimitReader(body, maxErrorBody))
	var data jsontext.Value
	e.Code, e.Message, data = parseEnvelope([]byte(a.client.redact(string(head))))
	e.Column = deniedColumn(e.Code, e.Message, data)
	if a.parent.Err() != nil {
		return a.broken(a.parent.Err())
	}
	return e
}

// unread returns the error for a body that could not be read to its end.
func (a *answer) unread(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, errTooLarge):
		return a.garbage(fmt.Sprintf("more than %d bytes", a.client.limit), nil)
	case a.ctx.Err() != nil, errors.Is(err, errSlow):
		return a.broken(err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return a.garbage("a truncated body", err)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return a.garbage("a body that is not gzip as announced", err)
	}
	return a.broken(err)
}

// broken returns the error for a request that ended without a complete answer:
// the context's error when the caller ended it, else a Network error.
func (a *answer) broken(err error) error {
	if cause := a.parent.Err(); cause != nil {
		return fmt.Errorf("ask %s for %s: %w", a.url.Host, a.asked, cause)
	}
	cause := context.Cause(a.ctx)
	switch {
	case errors.Is(err, errSlow), errors.Is(cause, errStalled) && a.waited >= a.client.answerWait:
		err = fmt.Errorf("%w after %s", errSlow, a.client.answerWait)
	case errors.Is(cause, errStalled):
		wait := a.client.idleWait
		if a.response == nil {
			wait = a.client.headerWait
		}
		err = fmt.Errorf("%w for %s", errStalled, wait)
	}
	// url.Error repeats the address with its query.
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	// net/http quotes the line it could not read, which may be the rest of an
	// earlier answer's rows.
	if strings.Contains(err.Error(), "malformed") {
		err = errors.New("not an HTTP answer")
	}
	e := a.newError(Network)
	e.Err = err
	return e
}

// garbage returns the error for a 200 whose body is not what was asked for;
// what says what it is instead.
func (a *answer) garbage(what string, err error) error {
	e := a.newError(Garbage)
	e.Message = what
	e.Err = err
	if a.size == 0 || what == beginsLikeHTML {
		return e
	}
	cut := int64(0) // where it ended; a body that is wrong in the middle was read a little further
	if errors.Is(err, io.ErrUnexpectedEOF) {
		cut = a.size
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%v\n%d\n%s", a.asked, what, err, cut, a.version.Served))
	e.Digest = hex.EncodeToString(sum[:8])
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

const beginsLikeHTML = "a body that begins like HTML or XML"

// start describes a body that does not begin like an array. It does not quote
// the body: errors go to logs and to the Temporal Web UI, where no value of a
// row may appear.
func start(body []byte) string {
	body = bytes.TrimLeft(body, "\ufeff \t\r\n")
	if len(body) == 0 {
		return "an empty body"
	}
	switch body[0] {
	case '<':
		return beginsLikeHTML
	case '[':
		return ""
	case '{':
		return "a body that begins like a JSON object"
	}
	return "a body that does not begin like JSON"
}

// jsonError describes what is wrong with JSON and where. The decoder's own
// messages quote the text around the error; they are left out for the reason
// given at start.
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

// redact removes the app token from what a portal or a proxy echoes.
func (c *Client) redact(s string) string {
	if c.appToken == "" {
		return s
	}
	return strings.ReplaceAll(s, c.appToken, "…")
}

// withoutQuery returns the address up to its path.
func withoutQuery(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
