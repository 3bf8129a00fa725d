package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.temporal.io/sdk/client"

	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
)

// webhookSecret is what the tests' receivers check signatures with.
const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver is a web server that takes the worker's messages.
type receiver struct {
	t *testing.T

	mu     sync.Mutex
	bodies []string
	wrong  []error
	status int // of coming answers; 0: taken
}

// receive sets up a receiver for the binaries that are started from now on.
func (s *stack) receive() *receiver {
	s.t.Helper()
	r := &receiver{t: s.t}
	server := httptest.NewServer(r)
	s.t.Cleanup(server.Close)
	s.t.Cleanup(func() { require.Empty(s.t, r.wrong) })
	s.env["PADRON_WEBHOOK_URL"], s.env["PADRON_WEBHOOK_SECRET"] = server.URL+"/services/T0KEN", webhookSecret
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err == nil {
		var hook *standardwebhooks.Webhook
		if hook, err = standardwebhooks.NewWebhook(webhookSecret); err == nil {
			err = hook.Verify(body, req.Header)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.wrong = append(r.wrong, err)
	}
	if r.status != 0 {
		http.Error(w, "no_service", r.status)
		return
	}
	r.bodies = append(r.bodies, string(body))
	_, _ = w.Write([]byte("ok")) // who sent it may be gone
}

func (r *receiver) refuse(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// kinds waits for n messages and returns what they are about.
func (r *receiver) kinds(n int) []string {
	r.t.Helper()
	var kinds []string
	require.Eventually(r.t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		kinds = nil
		for _, body := range r.bodies {
			var m struct {
				Text   string
				Padron struct{ Kind, Condition string }
			}
			require.NoError(r.t, json.Unmarshal([]byte(body), &m))
			require.NotEmpty(r.t, m.Text)
			kinds = append(kinds, strings.TrimSuffix(m.Padron.Kind+" "+m.Padron.Condition, " "))
		}
		return len(kinds) >= n
	}, soon, 50*time.Millisecond, "%v", kinds)
	return kinds
}

func (r *receiver) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.bodies, "\n")
}

func TestTheWebhookIsTried(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 70))
	requireOneLine(t, s.starter("alerts", "test"), usage, "PADRON_WEBHOOK_URL is not set")
	r := s.receive()
	said := s.ok("alerts", "test")
	require.Regexp(t, `receiver +127\.0\.0\.1:\d+\nmessage +msg_test_\w+, signed\nanswer +200 ok\n`, said)
	require.Equal(t, []string{"test"}, r.kinds(1))
	var result struct {
		Status int
		Answer string
		Signed bool
	}
	s.readJSON(&result, "alerts", "test")
	require.Equal(t, 200, result.Status)
	require.True(t, result.Signed)
	r.refuse(http.StatusNotFound)
	refused := s.starter("alerts", "test")
	requireOneLine(t, refused, failed, "the test message was not taken: 127.0.0.1:", " answers 404 Not Found: no_service; check PADRON_WEBHOOK_URL")
	require.NotContains(t, said+refused.errors, "T0KEN")
	s.requireNothingWritten()
}

// TestAlertsOutliveTheWorker: what was told is not told again by another one.
func TestAlertsOutliveTheWorker(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 71))
	r := s.receive()
	first := s.worker()
	s.load()
	require.Equal(t, "nothing is wrong\n", s.ok("alerts"))
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1})
	require.Equal(t, failed, s.starter("run", "--wait", "--mode", "full").code)
	require.Equal(t, []string{"failed failed"}, r.kinds(1))
	require.Eventually(t, func() bool { return strings.Contains(s.ok("alerts"), "message sent  20") }, soon, 100*time.Millisecond)
	require.NoError(t, first.cmd.Process.Kill())
	<-first.done
	second := s.worker()
	require.Equal(t, failed, s.starter("run", "--wait", "--mode", "full").code)

	shown := s.ok("alerts")
	for _, line := range []string{`condition +failed\n`, `state +open\n`, `found by 2 runs`, `reason +asked .*access refused \(403\)`, `message sent +\d{4}-`, `what to do +check PADRON_APP_TOKEN`} {
		require.Regexp(t, line, shown)
	}
	var alerts []struct {
		Condition string
		Open      bool
		Times     int
	}
	s.readJSON(&alerts, "alerts")
	require.Len(t, alerts, 1)
	require.Regexp(t, `\nwrong: failed since .*`, s.ok("status"))
	require.Contains(t, s.starter("doctor").out, "ok      alerts      open: failed; `starter alerts` says what to do; told to 127.0.0.1:")

	s.portal.Heal()
	s.ok("run", "--wait", "--mode", "full")
	require.Equal(t, []string{"failed failed", "recovered failed"}, r.kinds(2), "the second failure was no news")
	require.Equal(t, "nothing is wrong\n", s.ok("alerts"))
	require.Regexp(t, `state +over since`, s.ok("alerts", "--past"))
	require.NotContains(t, first.errors.String()+second.errors.String(), "T0KEN")
	require.Contains(t, get(t, second.health()+"/readyz"), "webhook: breaker closed\n")
}

// TestAStaleMirrorIsSaidSo by its schedule and by the commands. The only green
// run is made to look old.
func TestAStaleMirrorIsSaidSo(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(100, 72))
	r := s.receive()
	s.worker()
	s.respec("freshness: 26h", "freshness: 1h")
	s.ok("schedule", "apply")
	run := s.load()
	require.Regexp(t, `ok +freshness +run `+run.Run+` proved (\d+m)?(\d+s)? ago`, s.ok("doctor"))
	s.backdate(run.Run, 3*time.Hour)
	h := s.temporal.ScheduleClient().GetHandle(t.Context(), "freshness/"+s.name)
	for range 2 {
		require.NoError(t, h.Trigger(t.Context(), client.ScheduleTriggerOptions{}))
		require.Equal(t, []string{"stale stale"}, r.kinds(1))
	}
	doctor := s.starter("doctor")
	require.Equal(t, failed, doctor.code)
	require.Regexp(t, `FAILED +freshness +run `+run.Run+` proved 3h(\d+m)? ago that the mirror equals the portal; that may be 1h old; .starter run --wait. makes a run`, doctor.out)
	require.Regexp(t, `\nwrong: stale: run .* proved 3h(\d+m)? ago`, s.ok("status"))
	s.ok("run", "--wait")
	require.Equal(t, []string{"stale stale", "recovered stale"}, r.kinds(2))
	require.NotContains(t, s.ok("status"), "wrong")
}

// backdate makes a run look as if it had been made earlier, in its record and in
// the lists of runs by time.
func (s *stack) backdate(run string, by time.Duration) {
	s.t.Helper()
	ctx, db := s.t.Context(), s.mongo.Database(s.database())
	record, err := s.reader().Runs.Run(ctx, run)
	require.NoError(s.t, err)
	was, is := record.Started.UTC(), record.Started.UTC().Add(-by)
	_, err = db.Collection(mongodb.Runs).UpdateByID(ctx, run, bson.D{{Key: "$set", Value: bson.D{{Key: "started", Value: is}}}})
	require.NoError(s.t, err)
	cursor, err := db.Collection("runs.order").Find(ctx, bson.D{{Key: "run", Value: run}})
	require.NoError(s.t, err)
	var entries []struct {
		ID string `bson:"_id"`
	}
	require.NoError(s.t, cursor.All(ctx, &entries))
	require.NotEmpty(s.t, entries)
	const layout = "2006-01-02T15:04:05.000"
	for _, e := range entries {
		id := strings.Replace(e.ID, was.Format(layout)+"/", is.Format(layout)+"/", 1)
		require.NotEqual(s.t, e.ID, id)
		_, err = db.Collection("runs.order").InsertOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "run", Value: run}})
		require.NoError(s.t, err)
	}
}
