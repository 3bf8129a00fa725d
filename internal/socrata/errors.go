package socrata

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what went wrong with a request, mostly by the status of the answer.
// The kinds follow the SODA documentation of response codes
// (https://dev.socrata.com/docs/response-codes.html) and the observed behavior of
// portals.
type Kind int

// These are the kinds of an [Error].
const (
	// Computing (202): the portal is still working on the answer. This does not
	// mean that there are no rows.
	Computing Kind = iota + 1
	// BotCheck (202, 403 and others): what stands in front of the portal takes
	// this client for a robot that it does not let through.
	BotCheck
	// Moved (301 and other redirects): the portal sent the request somewhere
	// that is not the same dataset on a host that it may move to, or in a circle.
	Moved
	// NotModified (304): nothing changed since what was asked about.
	NotModified
	// BadQuery (400, and client errors without a kind of their own): the query
	// is wrong, most often because a column is gone.
	BadQuery
	// Refused (401, 403, 407): a token is needed, or is wrong, or the dataset
	// is private.
	Refused
	// NotFound (404, 410): the portal has no such dataset.
	NotFound
	// Timeout (408): the portal gave up on the query; a smaller page may go
	// through.
	Timeout
	// Throttled (429): too many requests.
	Throttled
	// Unavailable (5xx, and the passing redirects 302, 303 and 307, such as to a
	// maintenance page): the portal is in trouble.
	Unavailable
	// Garbage (200): an HTML page, a truncated body, invalid JSON, or JSON that
	// does not answer the question.
	Garbage
	// Network: no answer, or an incomplete one: DNS, connection, TLS, reset,
	// timeout, stalled body.
	Network
)

// String returns the kind in words, as used in error texts.
func (k Kind) String() string {
	switch k {
	case Computing:
		return "still computing"
	case BotCheck:
		return "refused by a bot check in front of the portal"
	case Moved:
		return "moved"
	case NotModified:
		return "not modified"
	case BadQuery:
		return "bad query"
	case Refused:
		return "access refused"
	case NotFound:
		return "no such dataset"
	case Timeout:
		return "request timed out on the portal"
	case Throttled:
		return "too many requests"
	case Unavailable:
		return "portal unavailable"
	case Garbage:
		return "unusable body"
	case Network:
		return "no answer"
	}
	return "kind " + strconv.Itoa(int(k))
}

func kindOf(status int) Kind {
	switch {
	case status == http.StatusAccepted:
		return Computing
	case status < 300:
		return Garbage
	case status == http.StatusNotModified:
		return NotModified
	case status == http.StatusFound, status == http.StatusSeeOther, status == http.StatusTemporaryRedirect:
		return Unavailable
	case status < 400:
		return Moved
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return Refused
	case status == http.StatusNotFound, status == http.StatusGone:
		return NotFound
	case status == http.StatusRequestTimeout:
		return Timeout
	case status == http.StatusTooManyRequests:
		return Throttled
	case status < 500:
		return BadQuery
	}
	return Unavailable
}

// isBotCheck reports whether an answer is that of a bot check: it says so (the
// firewall of Amazon, in front of most portals, or that of Cloudflare), or it is an
// HTML page where a portal answers with JSON, for a status that such checks use.
func isBotCheck(status int, h http.Header) bool {
	if h.Get("X-Amzn-Waf-Action") != "" || h.Get("Cf-Mitigated") != "" {
		return true
	}
	return (status == http.StatusAccepted || status == http.StatusForbidden) && isHTML(h)
}

// isHTML reports whether a body is announced as an HTML page.
func isHTML(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && strings.Contains(kind, "html")
}

// Error is a request that failed at the portal or on the way to it. A context
// that ended and a failed write of a page to its destination are other errors.
type Error struct {
	Kind Kind
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// Code and Message are from the portal's error envelope, both possibly
	// empty. For Garbage and redirects, Message says what came instead. They never
	// contain the app token.
	Code, Message string
	// Column is the column that the portal says it does not have, empty for any
	// other error.
	Column string
	// Digest identifies Garbage: what was asked, what is wrong with the body and
	// where, and the version of the copy that served it. Empty for a page of a
	// proxy, which says nothing of the portal's data, and where no body was read.
	Digest string
	// RequestID is the portal's X-Socrata-RequestId, for its support.
	RequestID string
	// URL is what was asked, without its query.
	URL string
	// Asked is what was asked for, in words, and ID the dataset.
	Asked, ID string
	// RetryAfter is how long the portal asked to wait, 0 when it did not.
	RetryAfter time.Duration
	// Err is the cause, if there is one beyond the answer itself.
	Err error
}

// misspelledID is a common misspelling of the id of San Francisco's register,
// correctID the right one.
const (
	misspelledID = "q8m3-pdis"
	correctID    = "g8m3-pdis"
)

// Error returns one sentence: what was asked, what came, and for a missing
// dataset what to check.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "asked %s for %s: %s", e.URL, e.Asked, e.Kind)
	if e.Status != 0 && e.Kind != Garbage {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	switch {
	case e.Status >= 300 && e.Status < 400 && e.Message != "":
		b.WriteString(" " + e.Message)
	case e.Message != "":
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %s", e.Err)
	}
	if e.Kind == BotCheck {
		b.WriteString("; set PADRON_APP_TOKEN, and PADRON_USER_AGENT with a contact in it, or ask the portal's owner to let Padron in")
	}
	if e.Kind == NotFound {
		fmt.Fprintf(&b, "; check the id %s", e.ID)
		if e.ID == misspelledID {
			b.WriteString(", did you mean " + correctID + "?")
		}
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, "; it asks to wait %s", e.RetryAfter)
	}
	var marks []string
	if e.Code != "" {
		marks = append(marks, e.Code)
	}
	if e.RequestID != "" {
		marks = append(marks, "request "+e.RequestID)
	}
	if len(marks) > 0 {
		fmt.Fprintf(&b, " [%s]", strings.Join(marks, ", "))
	}
	return b.String()
}

// Unwrap returns the cause, nil when there is none.
func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same request may succeed later. After a Timeout
// a smaller page has better chances.
func (e *Error) Retryable() bool {
	switch e.Kind {
	case Computing, BotCheck, Timeout, Throttled, Unavailable, Garbage, Network:
		return true
	case Moved, NotModified, BadQuery, Refused, NotFound:
		return false
	}
	return false
}

// DestinationDown reports whether the portal, or the way to it, is in trouble,
// so that other requests would fail as well. Throttled and wrong requests do
// not mean that.
func (e *Error) DestinationDown() bool {
	return e.Kind == Unavailable || e.Kind == Garbage || e.Kind == Network || e.Kind == BotCheck
}

// TooMuch reports whether a smaller page may go through: the portal gave up on the
// query, failed on it, or was too slow with the answer. Portals were seen to answer
// 500, 502, 503 and 504 to pages of 50,000 rows, and to serve 10,000.
func (e *Error) TooMuch() bool {
	return e.Kind == Timeout || e.Kind == Unavailable && e.Status >= 500 || errors.Is(e.Err, errSlow)
}

const (
	// maxRetryAfter bounds what a Retry-After can ask for: nobody means more
	// than a day.
	maxRetryAfter = 24 * time.Hour
	// maxMessage bounds a portal's message, in characters: query errors quote
	// the whole query.
	maxMessage = 300
)

// noSuchColumn is the code of a query for a column that the rows do not have.
const noSuchColumn = "query.soql.no-such-column"

// deniedColumn returns the column that a refused query asked for in vain, from the
// envelope's data or, where a server leaves that out, from its message.
func deniedColumn(code, message string, data jsontext.Value) string {
	if code != noSuchColumn {
		return ""
	}
	var told struct {
		Column string `json:"column"`
	}
	if json.Unmarshal(data, &told, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) == nil && told.Column != "" {
		return told.Column
	}
	_, name, _ := strings.Cut(message, "No such column: ")
	name, _, _ = strings.Cut(name, ";")
	return strings.TrimSpace(name)
}

// parseEnvelope reads the error envelope {code, error, message, data}; some
// servers say errorCode for code, and a 403 may have none. From a body that is
// truncated or no envelope it returns what it could read, possibly nothing.
func parseEnvelope(body []byte) (code, message string, data jsontext.Value) {
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return "", "", nil
	}
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			break
		}
		name := token.String()
		if d.PeekKind() != '"' {
			value, err := d.ReadValue()
			if err != nil {
				break
			}
			if name == "data" {
				data = value.Clone()
			}
			continue
		}
		token, err = d.ReadToken()
		if err != nil {
			break
		}
		switch name {
		case "code":
			code = oneLine(token.String())
		case "errorCode":
			if code == "" {
				code = oneLine(token.String())
			}
		case "message":
			message = oneLine(token.String())
		}
	}
	return code, message, data
}

// oneLine makes a text from outside fit for one line of an error: without
// control characters, runs of space as one, at most maxMessage characters.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "�")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(s); len(runes) > maxMessage {
		s = string(runes[:maxMessage]) + "…"
	}
	return s
}
