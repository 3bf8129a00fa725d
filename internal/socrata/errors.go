package socrata

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what went wrong with a request, after the status the portal answered with. The kinds and what they
// call for follow the SODA documentation of response codes, and what portals were seen to do.
type Kind int

// The kinds of an [Error].
const (
	// Computing (202): the portal is still working on the answer. There are no rows yet, which is not the
	// same as no rows.
	Computing Kind = iota + 1
	// Moved (301 and other redirects): the portal sent the request somewhere that is not the same dataset
	// on another host, or in a circle.
	Moved
	// NotModified (304): nothing changed since what was asked about.
	NotModified
	// BadQuery (400, and client errors without a kind of their own): the query is wrong, most often
	// because a column is gone.
	BadQuery
	// Refused (401, 403, 407): a token is needed, or is wrong, or the dataset is private.
	Refused
	// NotFound (404, 410): the portal has no such dataset.
	NotFound
	// Timeout (408): the portal gave up on the query; a smaller page may go through.
	Timeout
	// Throttled (429): too many requests.
	Throttled
	// Unavailable (5xx): the portal is in trouble.
	Unavailable
	// Garbage (200): an HTML page, a truncated body, invalid JSON, or JSON that does not answer the
	// question.
	Garbage
	// Network: no answer, or none to the end: DNS, connection, TLS, reset, timeout, stalled body.
	Network
)

// String is the kind in words, as used in error texts.
func (k Kind) String() string {
	switch k {
	case Computing:
		return "still computing"
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

// Error is a request that did not bring what was asked for. A context that ended is not one, nor is a failed
// write of a page to its destination: those are not the portal's doing.
type Error struct {
	Kind Kind
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// Code and Message are from the portal's error envelope, both possibly empty. For Garbage and Moved,
	// Message says what came instead. They never contain the app token.
	Code, Message string
	// RequestID is the portal's X-Socrata-RequestId, for its support.
	RequestID string
	// URL is what was asked, without its query.
	URL string
	// Asked is what was asked for, in words, and ID the dataset.
	Asked, ID string
	// RetryAfter is how long the portal asked to be left alone, 0 when it did not.
	RetryAfter time.Duration
	// Err is the cause, if there is one beyond the answer itself.
	Err error
}

// misspelledID is a misspelling of the San Francisco register's id that is in circulation, correctID the id.
const (
	misspelledID = "q8m3-pdis"
	correctID    = "g8m3-pdis"
)

// Error is one sentence: what was asked, what came, and for a dataset that is not there what to check.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "asked %s for %s: %s", e.URL, e.Asked, e.Kind)
	if e.Status != 0 && e.Kind != Garbage {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	switch {
	case e.Kind == Moved && e.Message != "":
		b.WriteString(" " + e.Message)
	case e.Message != "":
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %s", e.Err)
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

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same request may succeed later. After a Timeout a smaller page has better
// chances.
func (e *Error) Retryable() bool {
	switch e.Kind {
	case Computing, Timeout, Throttled, Unavailable, Garbage, Network:
		return true
	case Moved, NotModified, BadQuery, Refused, NotFound:
		return false
	}
	return false
}

// DestinationDown reports whether the portal, or the way to it, is in trouble, which other requests would meet
// as well. A throttled or a wrong request is not that.
func (e *Error) DestinationDown() bool {
	return e.Kind == Unavailable || e.Kind == Garbage || e.Kind == Network
}

const (
	// maxRetryAfter bounds what a Retry-After can ask for: nobody means more than a day.
	maxRetryAfter = 24 * time.Hour
	// maxMessage bounds a portal's message, in characters: query errors quote the whole query.
	maxMessage = 300
)

// parseRetryAfter reads a Retry-After header: seconds, or a date to be counted from now. It is 0 when there is
// none, when it is past or cannot be read, and a day at most.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// parseEnvelope reads the error envelope {code, error, message, data}; some servers say errorCode for code,
// and a 403 may have none. What is cut off or is no envelope at all yields what could be read, possibly
// nothing.
func parseEnvelope(body []byte) (code, message string) {
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return "", ""
	}
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			break
		}
		name := token.String()
		if d.PeekKind() != '"' {
			if d.SkipValue() != nil {
				break
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
	return code, message
}

// oneLine makes a text from outside fit for one line of an error: no control characters, runs of space as
// one, maxMessage characters at most.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "�")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(s); len(runes) > maxMessage {
		s = string(runes[:maxMessage]) + "…"
	}
	return s
}
