package main_test

import (
	"bytes"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/proto"

	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/workflows"
)

// stopsWithin is the worker's stop timeout with time for the rest of leaving.
const stopsWithin = 40 * time.Second

func TestAStoppedWorkerLetsAnotherFinish(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(3000, 40))
	s.env["PADRON_PAGE_SIZE"] = "1000"
	worker := s.worker()
	reached, release := s.hold()
	run := s.start(t, "starter", nil, "run", "--wait")
	<-reached
	began := time.Now()
	require.NoError(t, worker.signal(syscall.SIGTERM))
	require.Zero(t, worker.exits(stopsWithin), "%s", &worker.errors)
	require.Less(t, time.Since(began), 15*time.Second, "it lets go of the page that the portal holds back")
	require.Contains(t, worker.errors.String(), "worker is stopping")

	release()
	s.worker()
	r := run.result()
	require.Zero(t, r.code, r.errors)
	require.Contains(t, r.out, "green: ")
	require.EqualValues(t, 3000, s.documents())
}

func TestAnIdleWorkerStopsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 41))
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		worker := s.worker()
		began := time.Now()
		require.NoError(t, worker.signal(sig))
		require.Zero(t, worker.exits(stopsWithin), "%s", &worker.errors)
		require.Less(t, time.Since(began), 15*time.Second, "well before the stop timeout")
	}
}

func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(200, 42))
	worker := s.worker()
	s.load()
	require.Equal(t, "ok\n", get(t, worker.health()+"/healthz"))
	require.Equal(t, "portal: breaker closed\nmongodb: breaker closed\n", get(t, worker.health()+"/readyz"))
	metrics := get(t, worker.health()+"/metrics")
	for _, want := range []string{"process_resident_memory_bytes ", "go_goroutines ", "temporal_activity_execution_latency", "temporal_workflow_completed"} {
		require.Contains(t, metrics, want)
	}
	require.Empty(t, worker.out.String(), "the log goes to stderr")
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close() //nolint:errcheck // read
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, "%s", body)
	return string(body)
}

// TestNoSecretIsToldOn looks for the app token wherever a run leaves something:
// logs, histories, records, health pages, command lines' output. The portal
// misbehaves, so that errors are written too.
func TestNoSecretIsToldOn(t *testing.T) {
	t.Parallel()
	const secret = "Ti0kEn4tHePoRtAl"
	s := newStack(t, register.Generate(500, 43))
	s.env["PADRON_APP_TOKEN"], s.env["PADRON_LOG_LEVEL"] = secret, "debug"
	sent := make(chan struct{}, 1)
	s.portal.OnRequest(func(r *http.Request) {
		if r.Header.Get("X-App-Token") == secret {
			select {
			case sent <- struct{}{}:
			default:
			}
		}
	})
	s.portal.Fail(
		portalsim.Fault{Path: "/resource/", Skip: 2, Times: 2, Status: http.StatusBadGateway, HTML: true},
		portalsim.Fault{Path: "/resource/", Skip: 2, Times: 3, Reset: true},
	)
	worker := s.worker()
	r := s.starter("run", "--wait", "-o", "json")
	require.Zero(t, r.code, r.errors)
	<-sent // the token was in use at all
	doctor := s.starter("doctor")
	left := map[string]string{
		"worker's log":    worker.errors.String() + worker.out.String(),
		"run's output":    r.out + r.errors,
		"doctor's output": doctor.out + doctor.errors,
		"dataset show":    s.ok("dataset", "show", "-o", "json"),
		"readyz":          get(t, worker.health()+"/readyz"),
		"metrics":         get(t, worker.health()+"/metrics"),
	}
	run, ok := s.newest()
	require.True(t, ok)
	left["history of the run"] = s.history(workflows.MirrorID(s.name, run.ID))
	left["history of the writing"] = s.history(workflows.WriteID(s.name))
	require.Contains(t, left["history of the writing"], "fetch_page", "payloads are searched as they are")
	for _, collection := range []string{mongodb.Runs, mongodb.Snapshots, "landing.files", "padron"} {
		cursor, err := s.mongo.Database(s.database()).Collection(collection).Find(t.Context(), bson.D{})
		require.NoError(t, err)
		var all []bson.Raw
		require.NoError(t, cursor.All(t.Context(), &all))
		require.NotEmpty(t, all, collection)
		for _, d := range all {
			left["collection "+collection] += string(d)
		}
	}
	for where, text := range left {
		require.NotEmpty(t, text, where)
		require.NotContains(t, text, secret, where)
	}
}

// history is all that Temporal keeps of a workflow, payloads not encoded.
func (s *stack) history(id string) string {
	s.t.Helper()
	var all bytes.Buffer
	for events := s.temporal.GetWorkflowHistory(s.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		require.NoError(s.t, err)
		wire, err := proto.Marshal(event)
		require.NoError(s.t, err)
		all.Write(wire)
	}
	return all.String()
}
