package retryafter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Of returns how long the header asks to wait, at most limit: a number of
// seconds or an HTTP date
// (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3). It returns 0 where
// the header is missing, unreadable, or names a time that has passed. A date
// counts from the answer's own Date, so that a wrong clock on this machine does
// no harm; from now where the answer has none.
func Of(h http.Header, now time.Time, limit time.Duration) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, limit)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), limit)
}
