package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"padron/internal/retryafter"
)

const (
	// sendTimeout bounds one message. Receivers should answer first and work
	// afterwards; Slack answers within a second.
	sendTimeout = 10 * time.Second
	// maxAnswer is how much of an answer is read, in bytes: enough to say why.
	maxAnswer = 200
	// maxRetryAfter bounds what a receiver's Retry-After can ask for.
	maxRetryAfter = time.Hour
	// minSecret is the smallest length of a secret, in characters: shorter ones
	// can be guessed.
	minSecret = 16
	// encoded is the prefix of a secret that is the Base64 of its key.
	encoded = "whsec_"
)

// These are the errors of New.
var (
	ErrAddress = errors.New("must look like https://HOST/PATH")
	ErrSecret  = errors.New("not usable as a secret")
)

// Sender sends messages to one address. The zero value and nil have no address.
type Sender struct {
	url  string
	host string
	sign *standardwebhooks.Webhook // nil without a secret
	http *http.Client
}

// New returns a sender for an address and a secret, both possibly empty. Its
// errors, ErrAddress and ErrSecret, quote neither.
func New(address, secret string) (*Sender, error) {
	s := &Sender{}
	if secret != "" {
		if len(strings.TrimPrefix(secret, encoded)) < minSecret {
			return nil, fmt.Errorf("%w: must have at least %d characters", ErrSecret, minSecret)
		}
		s.sign, _ = standardwebhooks.NewWebhookRaw([]byte(secret)) // has no errors
		if strings.HasPrefix(secret, encoded) {
			var err error
			if s.sign, err = standardwebhooks.NewWebhook(secret); err != nil {
				return nil, fmt.Errorf("%w: what follows whsec_ must be Base64", ErrSecret)
			}
		}
	}
	if address == "" {
		return s, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, ErrAddress
	}
	s.url, s.host = address, u.Host
	s.http = &http.Client{
		Timeout: sendTimeout,
		// A redirect would turn the POST into a GET, or send the message to
		// another receiver.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// Configured reports whether there is an address.
func (s *Sender) Configured() bool { return s != nil && s.url != "" }

// Host returns the receiver's host, the only part of the address that may be
// shown.
func (s *Sender) Host() string { return s.host }

// Message is the body of a request, as JSON.
type Message struct {
	// Text is the full message for people, in Slack's markup. Use Escape for
	// values in it.
	Text string `json:"text"`
	// Padron is the same message for programs.
	Padron Details `json:"padron"`
}

// Details are the fields of a message. None of them holds a value of a row.
type Details struct {
	ID string `json:"id"` // of the message, also in the header webhook-id
	// Kind is failed, not_green, held_removals, schema_changed, deadline_passed,
	// stale, standstill, backfill_failed, recovered or test.
	Kind      string    `json:"kind"`
	Condition string    `json:"condition,omitempty"` // which one recovered; else the kind
	Dataset   string    `json:"dataset"`
	Run       string    `json:"run,omitempty"` // the run, or the check of the freshness, that found it
	Job       string    `json:"job,omitempty"`
	Status    string    `json:"status,omitempty"`  // of the run: done, failed, running
	Outcome   string    `json:"outcome,omitempty"` // of the run: green, red, unproven
	Reason    string    `json:"reason"`
	Next      string    `json:"next,omitempty"` // what to do
	Since     time.Time `json:"since,omitzero"` // when the condition came up
	At        time.Time `json:"at"`             // when what the message says was found
	Counts    any       `json:"counts,omitempty"`
}

// Escape escapes the characters that Slack's markup uses.
func Escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// Answer is the receiver's answer.
type Answer struct {
	Status int
	Body   string // its beginning, in one line
	Took   time.Duration
}

// Error is returned for a message that the receiver did not accept.
type Error struct {
	Host   string
	Answer Answer // zero when there was none
	// RetryAfter is how long the receiver asked to wait; 0 when it did not.
	RetryAfter time.Duration
	Err        error // why there was no answer
}

// Error names the receiver's host, but no other part of its address.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s does not answer: %s", e.Host, e.Err)
	}
	return strings.TrimSuffix(fmt.Sprintf("%s answers %d %s: %s",
		e.Host, e.Answer.Status, http.StatusText(e.Answer.Status), e.Answer.Body), ": ")
}

// Unwrap returns why there was no answer.
func (e *Error) Unwrap() error { return e.Err }

// Refused reports whether the receiver would refuse the same message again: the
// address is wrong, or no longer in use.
func (e *Error) Refused() bool {
	switch status := e.Answer.Status; status {
	case 0, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	default:
		return status < 500
	}
}

// Down reports whether an error of Send means that the receiver, or the way to
// it, is in trouble.
func Down(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Err != nil || e.Answer.Status >= 500)
}

// Send sends a message once. It returns an *Error for an answer other than 2xx
// and for none, the context's error when that has ended.
func (s *Sender) Send(ctx context.Context, m Message) (Answer, error) {
	if !s.Configured() {
		return Answer{}, errors.New("no address to send to")
	}
	body, err := json.Marshal(m)
	if err != nil {
		return Answer{}, fmt.Errorf("write message %s: %w", m.Padron.ID, err)
	}
	now := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, ErrAddress // New has parsed it: its own error would quote it
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "padron")
	request.Header.Set(standardwebhooks.HeaderWebhookID, m.Padron.ID)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if s.sign != nil {
		signature, err := s.sign.Sign(m.Padron.ID, now, body)
		if err != nil {
			return Answer{}, fmt.Errorf("sign message %s: %w", m.Padron.ID, err)
		}
		request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	}
	response, err := s.http.Do(request)
	if err != nil {
		// The client's error quotes the address, which may hold a token.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		return Answer{}, &Error{Host: s.host, Err: err}
	}
	defer response.Body.Close()                                     //nolint:errcheck // read as far as it is wanted
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // the status is what counts
	answer := Answer{
		Status: response.StatusCode, Took: time.Since(now),
		Body: strings.Join(strings.Fields(strings.ToValidUTF8(string(said), "")), " "),
	}
	if answer.Status < 200 || answer.Status > 299 {
		return answer, &Error{Host: s.host, Answer: answer, RetryAfter: retryafter.Of(response.Header, now, maxRetryAfter)}
	}
	return answer, nil
}
