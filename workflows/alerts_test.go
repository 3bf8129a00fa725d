package workflows_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"padron/activities"
	"padron/internal/guard"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/internal/webhook"
	"padron/workflows"
)

const secret = "a secret of the tests"

// receiver is what an operator gives as PADRON_WEBHOOK_URL. It takes messages
// that are signed, unless it is told to answer otherwise.
type receiver struct {
	t      *testing.T
	server *httptest.Server

	mu     sync.Mutex
	next   []http.HandlerFunc // for the coming requests, one each
	ids    []string           // of all requests, in order
	taken  []webhook.Message
	bodies []string
	wrong  []string // what is not as documented
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t}
	r.server = httptest.NewServer(r)
	t.Cleanup(func() {
		r.server.Close()
		require.Empty(t, r.wrong)
	})
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	r.ids = append(r.ids, req.Header.Get("webhook-id"))
	var answer http.HandlerFunc
	if len(r.next) > 0 {
		answer, r.next = r.next[0], r.next[1:]
	}
	r.mu.Unlock()
	if answer != nil {
		answer(w, req)
		return
	}
	var m webhook.Message
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write([]byte(req.Header.Get("webhook-id") + "." + req.Header.Get("webhook-timestamp") + "." + string(body)))
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil || json.Unmarshal(body, &m) != nil:
		r.wrong = append(r.wrong, "no JSON: "+string(body))
	case req.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(sum.Sum(nil)):
		r.wrong = append(r.wrong, "wrong signature: "+string(body))
	case m.Padron.ID != req.Header.Get("webhook-id") || m.Text == "" || m.Padron.Reason == "":
		r.wrong = append(r.wrong, "incomplete: "+string(body))
	}
	r.taken, r.bodies = append(r.taken, m), append(r.bodies, string(body))
}

// answers says how the coming requests are answered.
func (r *receiver) answers(next ...http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = next
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(code)
	}
}

func (r *receiver) messages() []webhook.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

func (r *receiver) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids)
}

// told waits until n messages were taken and nobody sends any more, and returns
// the kinds of those after the first from, with what recovered.
func (s *stack) told(r *receiver, from, n int) []string {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return len(r.messages()) >= n }, 30*time.Second, 20*time.Millisecond,
		"%d messages of %d", len(r.messages()), n)
	s.quiet()
	var kinds []string
	for _, m := range r.messages()[from:] {
		kind := m.Padron.Kind
		if kind == "recovered" {
			kind += " " + m.Padron.Condition
		}
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// quiet waits until nothing is being sent.
func (s *stack) quiet() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		d, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), workflows.NotifyID(s.spec.Name), "")
		return err != nil || d.WorkflowExecutionInfo.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	}, 30*time.Second, 20*time.Millisecond, "still sending")
}

func (r *receiver) telling(a *activities.Activities) {
	sender, err := webhook.New(r.server.URL+"/services/T0KEN", secret)
	require.NoError(r.t, err)
	a.Webhook = sender
	a.Receiver = guard.New(guard.Options{Name: "webhook", Down: webhook.Down, OpenFor: time.Second})
}

// freshness looks at the freshness once.
func (s *stack) freshness(limit time.Duration) client.WorkflowRun {
	s.t.Helper()
	run, err := s.temporal.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID: workflows.FreshnessID(s.spec.Name, bson.NewObjectID().Hex()), TaskQueue: s.queue,
	}, workflows.Freshness, workflows.FreshnessInput{Dataset: s.spec.Name, Limit: limit})
	require.NoError(s.t, err)
	require.NoError(s.t, run.Get(s.t.Context(), nil))
	return run
}

// someKeys are keys of the portal's rows.
func (s *stack) someKeys(n int) []string {
	var keys []string
	for row := range s.portal.SourceRows() {
		if len(keys) == n {
			break
		}
		key, _ := row["ttxid"].(string)
		keys = append(keys, key)
	}
	return keys
}

// TestEachKindIsToldOnce has each condition come up, stay, and end.
func TestEachKindIsToldOnce(t *testing.T) {
	r := newReceiver(t)
	s := newStack(t, register.Generate(3000, 120), r.telling)
	told := 0
	tells := func(kinds ...string) {
		t.Helper()
		require.Equal(t, kinds, s.told(r, told, told+len(kinds)))
		told += len(kinds)
	}
	last := func() webhook.Message { return r.messages()[told-1] }

	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	_, err := s.temporal.DescribeWorkflowExecution(t.Context(), workflows.NotifyID(s.spec.Name), "")
	require.Error(t, err, "nothing is started for a run with nothing to tell")
	require.Zero(t, s.writes.since()[mongodb.Alerts], "nor is anything written")

	// failed
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1})
	first := s.start(workflows.MirrorInput{Mode: runs.ModeFull})
	_ = s.fails(first)
	tells("failed")
	require.Equal(t, workflows.RunID(first.GetID()), last().Padron.Run)
	require.Contains(t, last().Text, "*"+s.spec.Name+": a run failed*\n")
	require.Contains(t, last().Padron.Reason, "access refused (403)")
	require.Contains(t, last().Padron.Next, "PADRON_APP_TOKEN")
	for range 2 {
		_ = s.fails(s.start(workflows.MirrorInput{Mode: runs.ModeFull}))
	}
	tells()
	alerts, err := s.mirror.Alerts.All(t.Context())
	require.NoError(t, err)
	require.Len(t, alerts, 1)
	require.Equal(t, 3, alerts[0].Times)
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusNotFound, Times: -1})
	s.portal.Heal()
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusNotFound, Times: -1})
	_ = s.fails(s.start(workflows.MirrorInput{Mode: runs.ModeFull}))
	tells("failed") // for another reason
	s.portal.Heal()
	require.Equal(t, workflows.OutcomeSkipped, s.run(runs.ModeAuto).Outcome)
	tells("recovered failed")
	require.Contains(t, last().Padron.Reason, "is skipped: nothing new")
	require.Contains(t, last().Text, "\nIt was so since ")

	// not_green
	s.portal.Lag(true)
	require.NoError(t, s.portal.Edit(portalsim.Rename(s.someKeys(1)[0], "Lagging Books")))
	for range 2 {
		require.Equal(t, "unproven", s.run(runs.ModeFull).Outcome)
	}
	tells("not_green")
	require.Equal(t, "unproven", last().Padron.Outcome)
	require.NotNil(t, last().Padron.Counts)
	s.portal.CatchUp()
	s.portal.Lag(false)
	require.Equal(t, "green", s.run(runs.ModeFull).Outcome)
	tells("recovered not_green")

	// held_removals: the run is red for them alone, and that is told once.
	var ops []portalsim.Op
	for _, key := range s.someKeys(600) {
		ops = append(ops, portalsim.Delete(key))
	}
	require.NoError(t, s.portal.EditAt(time.Now().Add(-time.Hour), ops...))
	var held workflows.MirrorResult
	for range 2 {
		held = s.run(runs.ModeFull)
		require.Equal(t, "red", held.Outcome)
	}
	tells("held_removals")
	require.Contains(t, last().Padron.Reason, "600 rows are no longer on the portal")
	require.Equal(t, "red", s.finished(s.start(workflows.MirrorInput{Job: runs.JobVerify})).Outcome)
	tells()
	s.finished(s.start(workflows.MirrorInput{Job: runs.JobApprove, Of: held.Run}))
	tells("recovered held_removals")

	// schema_changed: a run lives with a new column; without the key none goes on.
	require.NoError(t, s.portal.Edit(portalsim.AddColumn("mood", "text")))
	for range 2 {
		require.Equal(t, "green", s.run(runs.ModeFull).Outcome)
	}
	tells("schema_changed")
	require.Contains(t, last().Padron.Reason, "column mood (text) is new")
	require.NoError(t, s.portal.Edit(portalsim.DropColumn("mood")))
	require.Equal(t, "green", s.run(runs.ModeFull).Outcome)
	tells("recovered schema_changed")
	require.NoError(t, s.portal.Edit(portalsim.RenameColumn("location_start_date", "begun")))
	for range 2 {
		_ = s.fails(s.start(workflows.MirrorInput{Mode: runs.ModeFull}))
	}
	tells("schema_changed")
	require.Equal(t, "failed", last().Padron.Status)
	require.Contains(t, last().Padron.Reason, "required column location_start_date is gone")
	require.NoError(t, s.portal.Edit(portalsim.RenameColumn("begun", "location_start_date")))
	require.Equal(t, "green", s.run(runs.ModeFull).Outcome)
	tells("recovered schema_changed")

	// deadline_passed: told while the run goes on.
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.portal.OnRequest(func(req *http.Request) {
		if strings.Contains(req.URL.RawQuery, "limit=1000") {
			once.Do(func() { close(reached); <-release })
		}
	})
	late := s.start(workflows.MirrorInput{Mode: runs.ModeFull, Deadline: time.Second})
	<-reached
	tells("deadline_passed")
	require.Equal(t, "running", last().Padron.Status)
	id := workflows.RunID(late.GetID())
	record, err := s.mirror.Runs.Run(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, runs.StatusRunning, record.Status)
	require.True(t, record.DeadlinePassed)
	require.WithinDuration(t, record.Started.Add(time.Second), record.Deadline, 500*time.Millisecond)
	close(release)
	require.Equal(t, "green", s.finished(late).Outcome)
	tells("recovered deadline_passed")
	require.Contains(t, last().Padron.Reason, id+" is green")
	require.Equal(t, "green", s.finished(s.start(workflows.MirrorInput{Mode: runs.ModeFull, Deadline: time.Minute})).Outcome)
	record, _ = s.newestRun()
	require.False(t, record.DeadlinePassed)
	require.False(t, record.Deadline.IsZero())

	// stale
	for range 2 {
		s.freshness(time.Nanosecond)
	}
	tells("stale")
	require.Contains(t, last().Padron.Reason, record.ID+" proved")
	s.freshness(time.Hour)
	tells("recovered stale")
	s.freshness(time.Nanosecond)
	tells("stale")
	require.Equal(t, "green", s.run(runs.ModeFull).Outcome)
	tells("recovered stale") // the run itself says so

	// What a person was told at once is told to nobody else; nor is a
	// cancelled run.
	require.Equal(t, runs.NothingToDo, s.fails(s.start(workflows.MirrorInput{Job: runs.JobApprove, Of: "none"})).Type())
	tells()
	ids := r.requests()
	slices.Sort(ids)
	require.Len(t, slices.Compact(ids), len(r.requests()), "each message was sent once, with an id of its own")
	require.NotContains(t, string(s.log.Bytes()), "T0KEN")
}

func (s *stack) newestRun() (runs.Run, error) {
	started, err := s.mirror.Runs.Runs(s.t.Context(), 1, time.Time{})
	if err != nil || len(started) == 0 {
		return runs.Run{}, err
	}
	return started[0], nil
}

// TestAReceiverInTroubleHoldsUpNobody and gets its message in the end, under one
// id.
func TestAReceiverInTroubleHoldsUpNobody(t *testing.T) {
	r := newReceiver(t)
	s := newStack(t, register.Generate(300, 121), r.telling)
	hung := make(chan struct{})
	t.Cleanup(func() { close(hung) })
	r.answers(status(500), status(503), status(429),
		func(http.ResponseWriter, *http.Request) { <-hung }, // until the sender gives up
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1})
	run := s.start(workflows.MirrorInput{})
	_ = s.fails(run)
	require.Empty(t, r.messages(), "the run has ended, the message has not arrived")
	require.Equal(t, []string{"failed"}, s.told(r, 0, 1))
	ids := r.requests()
	require.GreaterOrEqual(t, len(ids), 6)
	require.Len(t, slices.Compact(ids), 1, "whoever has taken it already knows it by its id")
}

// TestARefusedMessageWaitsForTheNextOccasion: a wrong address is no reason to
// try for a day, and none to forget.
func TestARefusedMessageWaitsForTheNextOccasion(t *testing.T) {
	r := newReceiver(t)
	s := newStack(t, register.Generate(300, 122), r.telling)
	r.answers(status(404))
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1})
	_ = s.fails(s.start(workflows.MirrorInput{}))
	var failed error
	require.Eventually(t, func() bool {
		failed = s.temporal.GetWorkflow(t.Context(), workflows.NotifyID(s.spec.Name), "").Get(t.Context(), nil)
		return failed != nil && strings.Contains(failed.Error(), runs.ReceiverRefused)
	}, 20*time.Second, 50*time.Millisecond, "%v", failed)
	require.Contains(t, failed.Error(), "answers 404 Not Found")
	require.NotContains(t, failed.Error(), "T0KEN")
	require.Empty(t, r.messages())

	s.freshness(24 * time.Hour)
	require.Equal(t, []string{"failed"}, s.told(r, 0, 1))
}

// TestWhatComesUpWhileMessagesAreSentIsSent holds the first message, so that the
// others are handed over to the Notify that is sending it.
func TestWhatComesUpWhileMessagesAreSentIsSent(t *testing.T) {
	r := newReceiver(t)
	s := newStack(t, register.Generate(300, 123), r.telling)
	reached, release := make(chan struct{}), make(chan struct{})
	r.answers(func(w http.ResponseWriter, _ *http.Request) {
		close(reached)
		<-release
		w.WriteHeader(http.StatusInternalServerError)
	})
	s.freshness(time.Nanosecond)
	<-reached
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1})
	for range 2 {
		_ = s.fails(s.start(workflows.MirrorInput{}))
	}
	close(release)
	require.Equal(t, []string{"failed", "stale"}, s.told(r, 0, 2))
}

// TestARunThatFailedBeforeItsRecordIsToldAndRecovers: the database is not
// Padron's when the run begins, and is when the receiver takes the message.
func TestARunThatFailedBeforeItsRecordIsToldAndRecovers(t *testing.T) {
	r := newReceiver(t)
	s := newStack(t, register.Generate(50, 125), r.telling)
	marker := s.db.Collection("padron")
	var owner bson.D
	require.NoError(t, marker.FindOneAndDelete(t.Context(), bson.D{}).Decode(&owner))
	_, err := s.db.Collection("theirs").InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}})
	require.NoError(t, err)
	r.answers(status(500), status(500), status(500), func(w http.ResponseWriter, _ *http.Request) {
		if _, err := marker.InsertOne(t.Context(), owner); err != nil {
			r.wrong = append(r.wrong, err.Error())
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	require.Equal(t, runs.ForeignDatabase, s.fails(s.start(workflows.MirrorInput{})).Type())
	require.Equal(t, []string{"failed"}, s.told(r, 0, 1))
	require.Len(t, slices.Compact(r.requests()), 1, "recorded or not, it is one message")
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	require.Equal(t, []string{"recovered failed"}, s.told(r, 1, 2))
}
