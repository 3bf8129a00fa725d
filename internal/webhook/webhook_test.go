package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/webhook"
)

const token = "/services/T0KEN"

// TestAMessageIsSigned checks the signature as a receiver would, by hand.
func TestAMessageIsSigned(t *testing.T) {
	key := []byte("sixteen bytes or more")
	for name, secret := range map[string]string{
		"plain":  string(key),
		"Base64": "whsec_" + base64.StdEncoding.EncodeToString(key),
		"none":   "",
	} {
		t.Run(name, func(t *testing.T) {
			var got struct {
				webhook.Message
				signature string
			}
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || json.Unmarshal(body, &got.Message) != nil {
					return
				}
				id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
				seconds, _ := strconv.ParseInt(at, 10, 64)
				if age := time.Since(time.Unix(seconds, 0)); age < -time.Minute || age > time.Minute {
					return
				}
				sum := hmac.New(sha256.New, key)
				sum.Write([]byte(id + "." + at + "." + string(body)))
				got.signature = r.Header.Get("webhook-signature")
				if got.signature == "v1,"+base64.StdEncoding.EncodeToString(sum.Sum(nil)) {
					got.signature = "right"
				}
			}))
			t.Cleanup(server.Close)
			s, err := webhook.New(server.URL+token, secret)
			require.NoError(t, err)
			m := webhook.Message{Text: "it failed", Padron: webhook.Details{ID: "msg_1", Kind: "failed", Dataset: "sf-business", Reason: "why"}}
			answer, err := s.Send(t.Context(), m)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, answer.Status)
			require.Equal(t, m, got.Message)
			if secret == "" {
				require.Empty(t, got.signature)
			} else {
				require.Equal(t, "right", got.signature)
			}
		})
	}
}

func TestWhatIsNotTaken(t *testing.T) {
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		refused bool
		down    bool
		after   time.Duration
		want    string
	}{
		"trouble": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no\nroom", http.StatusServiceUnavailable) }, false, true, 0, "answers 503 Service Unavailable: no room"},
		"throttled": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
		}, false, false, 7 * time.Second, "answers 429 Too Many Requests"},
		"for a month": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "2592000")
			w.WriteHeader(429)
		}, false, false, time.Hour, "answers 429"},
		"gone":    {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no_service", 404) }, true, false, 0, "answers 404 Not Found: no_service"},
		"moved":   {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, true, false, 0, "answers 302"},
		"cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, true, 0, "does not answer: EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				c.answer(w, r)
			}))
			t.Cleanup(server.Close)
			s, err := webhook.New(server.URL+token, "")
			require.NoError(t, err)
			_, err = s.Send(t.Context(), webhook.Message{Padron: webhook.Details{ID: "msg_1"}})
			var e *webhook.Error
			require.ErrorAs(t, err, &e)
			require.Contains(t, e.Error(), s.Host()+" "+c.want)
			require.NotContains(t, e.Error(), "T0KEN")
			require.Equal(t, c.refused, e.Refused())
			require.Equal(t, c.down, webhook.Down(err))
			require.Equal(t, c.after, e.RetryAfter)
			if name != "cut off" { // a reused connection would be tried again
				require.Equal(t, 1, requests, "sent once")
			}
		})
	}
}

func TestNobodyToTell(t *testing.T) {
	s, err := webhook.New("", "a secret of twenty bytes")
	require.NoError(t, err)
	require.False(t, s.Configured())
	require.False(t, (*webhook.Sender)(nil).Configured())
	_, err = s.Send(t.Context(), webhook.Message{})
	require.EqualError(t, err, "no address to send to")
	require.Equal(t, "a &lt;b&gt; &amp; c", webhook.Escape("a <b> & c"))
}
