package socrata

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStatusTable(t *testing.T) {
	const envelope = `{"code":"some.code","error":true,"message":"Some\n message","data":{"column":"x"}}`
	for _, test := range []struct {
		status          int
		kind            Kind
		retryable, down bool
	}{
		{202, Computing, true, false},
		{204, Garbage, true, true},
		{299, Garbage, true, true},
		{300, Moved, false, false},
		{302, Unavailable, true, true},
		{303, Unavailable, true, true},
		{307, Unavailable, true, true},
		{304, NotModified, false, false},
		{399, Moved, false, false},
		{400, BadQuery, false, false},
		{401, Refused, false, false},
		{403, Refused, false, false},
		{404, NotFound, false, false},
		{407, Refused, false, false},
		{408, Timeout, true, false},
		{410, NotFound, false, false},
		{414, BadQuery, false, false},
		{429, Throttled, true, false},
		{499, BadQuery, false, false},
		{500, Unavailable, true, true},
		{502, Unavailable, true, true},
		{503, Unavailable, true, true},
		{504, Unavailable, true, true},
	} {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "90")
				w.Header().Set("X-Socrata-RequestId", "abc123")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, envelope)
			})
			_, err := c.Page(t.Context(), "ttxid", nil, Range{After: "0123", UpTo: "0456"}, 10, io.Discard)
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, test.kind, e.Kind)
			assert.Equal(t, test.status, e.Status)
			assert.Equal(t, 90*time.Second, e.RetryAfter)
			assert.Equal(t, "abc123", e.RequestID)
			assert.Equal(t, c.base.String()+"/resource/g8m3-pdis.json", e.URL)
			assert.Equal(t, test.retryable, e.Retryable())
			assert.Equal(t, test.down, e.DestinationDown())
			assert.Contains(t, e.Error(), "rows (0123, 0456]")
			assert.Contains(t, e.Error(), test.kind.String())
			assert.Contains(t, e.Error(), "request abc123")
			assert.NotContains(t, e.Error(), "secret-token")
			if test.status >= 400 {
				assert.Equal(t, "some.code", e.Code)
				assert.Equal(t, "Some message", e.Message)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	const at = "https://data.sf.gov/resource/g8m3-pdis.json"
	for want, e := range map[string]Error{
		"asked " + at + " for rows (a, …): bad query (400): No such column: naic_code [query.soql.no-such-column, request r1]": {
			Kind: BadQuery, Status: 400, URL: at, Asked: "rows (a, …)", Code: "query.soql.no-such-column", Message: "No such column: naic_code", RequestID: "r1",
		},
		"asked " + at + " for the number of its rows: too many requests (429); it asks to wait 30s": {
			Kind: Throttled, Status: 429, URL: at, Asked: "the number of its rows", RetryAfter: 30 * time.Second,
		},
		"asked " + at + " for rows null keys: unusable body: an HTML page": {
			Kind: Garbage, Status: 200, URL: at, Asked: "rows null keys", Message: "an HTML page",
		},
		"asked " + at + " for its metadata: no answer: connection refused": {
			Kind: Network, URL: at, Asked: "its metadata", Err: errors.New("connection refused"),
		},
		"asked " + at + " for its metadata: moved (301) to https://login.example.org/": {
			Kind: Moved, Status: 301, URL: at, Asked: "its metadata", Message: "to https://login.example.org/",
		},
		"asked " + at + " for its metadata: no such dataset (404): Not found; check the id abcd-1234 [dataset.missing]": {
			Kind: NotFound, Status: 404, URL: at, Asked: "its metadata", ID: "abcd-1234", Code: "dataset.missing", Message: "Not found",
		},
		"asked " + at + " for its metadata: no such dataset (404); check the id q8m3-pdis, did you mean g8m3-pdis?": {
			Kind: NotFound, Status: 404, URL: at, Asked: "its metadata", ID: "q8m3-pdis",
		},
	} {
		assert.Equal(t, want, e.Error())
	}
}

func TestMisspelledID(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"dataset.missing","error":true,"message":"Not found"}`)
	})
	_, _, err := c.Metadata(t.Context())
	assert.NotContains(t, err.Error(), "did you mean")
	c.id = "q8m3-pdis"
	_, _, err = c.Metadata(t.Context())
	assert.ErrorContains(t, err, "did you mean g8m3-pdis?")
}

func TestErrorBodies(t *testing.T) {
	for name, test := range map[string]struct{ body, encoding, code, message string }{
		"without code":   {body: `{"error":true,"message":"You must be logged in"}`, message: "You must be logged in"},
		"errorCode":      {body: `{"errorCode":"query.soql.no-such-column","message":"m","data":{}}`, code: "query.soql.no-such-column", message: "m"},
		"code first":     {body: `{"code":"a","errorCode":"b"}`, code: "a"},
		"HTML":           {body: "<html>Forbidden</html>"},
		"nothing":        {},
		"an endless one": {body: `{"code":"a","message":"` + strings.Repeat("x", 1<<20), code: "a"},
		"a long message": {body: `{"message":"` + strings.Repeat("é", 1000) + `"}`, message: strings.Repeat("é", maxMessage) + "…"},
		"other types":    {body: `{"code":403,"message":["m"],"error":"x"}`},
		"an echo":        {body: `{"code":"secret-token","message":"Invalid app_token secret-token"}`, code: "…", message: "Invalid app_token …"},
		"gzip":           {body: string(zip(t, []byte(`{"message":"m"}`))), encoding: "gzip", message: "m"},
		"false gzip":     {body: `{"message":"m"}`, encoding: "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.encoding != "" {
					w.Header().Set("Content-Encoding", test.encoding)
				}
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, test.body)
			})
			_, _, err := c.Count(t.Context(), "")
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, Refused, e.Kind)
			assert.Equal(t, test.code, e.Code)
			assert.Equal(t, test.message, e.Message)
			assert.NotContains(t, e.Error(), "secret-token")
		})
	}
}

// A date in Retry-After counts from the portal's own clock.
func TestRetryAfterDate(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", "Sat, 03 Oct 2020 12:00:00 GMT")
		w.Header().Set("Retry-After", "Sat, 03 Oct 2020 12:00:45 GMT")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	_, _, err := c.Count(t.Context(), "")
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 45*time.Second, e.RetryAfter)
}

func FuzzParseEnvelope(f *testing.F) {
	f.Add([]byte(`{"code":"query.soql.no-such-column","error":true,"message":"No such column","data":{"column":"x"}}`))
	f.Add([]byte(`{"message":"\ud800\n","code":`))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		code, message, _ := parseEnvelope(body)
		for _, s := range []string{code, message} {
			require.True(t, utf8.ValidString(s))
			require.NotContains(t, s, "\n")
			require.LessOrEqual(t, utf8.RuneCountInString(s), maxMessage+1)
		}
	})
}
