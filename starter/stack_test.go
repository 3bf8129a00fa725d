package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/store"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/internal/testenv"
	"padron/workflows"
)

const (
	// soon is how long anything may take that takes a moment: this is generous,
	// for a machine that is busy with other tests.
	soon = time.Minute
	// runTakes is the same for a whole run, a worker's death included.
	runTakes = 10 * time.Minute
	// prefix is that of the databases.
	prefix = "padroncli"
)

// stack is what a test gives to the real binaries: a dataset with a name, a
// database and a task queue of the test's own, on real servers, and a simulated
// portal in this process.
type stack struct {
	t        *testing.T
	name     string
	spec     string // path of the spec
	portal   *portalsim.Portal
	env      map[string]string
	temporal client.Client
	mongo    *mongo.Client
}

// newStack skips the test when the servers' addresses are not set.
func newStack(t *testing.T, table *store.Table) *stack {
	t.Helper()
	return newStackAt(t, table, testenv.Temporal(t))
}

// newStackAt is newStack with a Temporal server of the test's choice.
func newStackAt(t *testing.T, table *store.Table, address string) *stack {
	t.Helper()
	uri := testenv.MongoDB(t)
	name := "c" + bson.NewObjectID().Hex()[14:]
	s := &stack{t: t, name: name, spec: specFile(t, name, nil)}

	portal, err := portalsim.New(portalsim.Options{Table: table})
	require.NoError(t, err)
	server := httptest.NewServer(portal)
	t.Cleanup(server.Close)
	s.portal = portal

	s.temporal, err = client.DialContext(t.Context(), client.Options{HostPort: address, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(s.temporal.Close)
	registerSearchAttributes(t, s.temporal)
	s.mongo, err = mongodb.Connect(t.Context(), uri)
	require.NoError(t, err)

	s.env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": t.TempDir(),
		"MONGODB_URI": uri, "MONGODB_DATABASE": prefix, "TEMPORAL_ADDRESS": address,
		"PADRON_DATASET": s.spec, "PADRON_PORTAL_URL": server.URL, "PADRON_TASK_QUEUE": name,
		"PADRON_HEALTH_ADDR": "127.0.0.1:0", "PADRON_REQUESTS_PER_SECOND": "50",
	}
	t.Cleanup(s.clean)
	return s
}

// clean drops the database and ends what a failed test left running.
func (s *stack) clean() {
	ctx := context.WithoutCancel(s.t.Context())
	running, err := s.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("PadronDataset = '%s' AND ExecutionStatus = 'Running'", s.name),
	})
	require.NoError(s.t, err)
	for _, e := range running.Executions {
		// One that ended by itself meanwhile is as good.
		_ = s.temporal.TerminateWorkflow(ctx, e.Execution.WorkflowId, "", "the test is over")
	}
	for _, id := range []string{"mirror/" + s.name, "freshness/" + s.name} {
		_ = s.temporal.ScheduleClient().GetHandle(ctx, id).Delete(ctx) // most tests have none
	}
	require.NoError(s.t, s.mongo.Database(s.database()).Drop(ctx))
	require.NoError(s.t, s.mongo.Disconnect(ctx))
}

func (s *stack) database() string { return prefix + "_" + s.name }

// specFile writes the embedded spec of San Francisco under another name.
func specFile(t *testing.T, name string, edit func(string) string) string {
	t.Helper()
	renamed := strings.Replace(specText, "name: sf-business", "name: "+name, 1)
	if edit != nil {
		renamed = edit(renamed)
	}
	file := filepath.Join(t.TempDir(), name+".yaml")
	require.NoError(t, os.WriteFile(file, []byte(renamed), 0o600))
	return file
}

// registerSearchAttributes does what `starter setup` does, without a database.
func registerSearchAttributes(t *testing.T, c client.Client) {
	t.Helper()
	want := workflows.SearchAttributes()
	require.Eventually(t, func() bool {
		missing, err := config.MissingSearchAttributes(t.Context(), c, client.DefaultNamespace, want)
		if err == nil && len(missing) > 0 {
			_ = config.AddSearchAttributes(t.Context(), c, client.DefaultNamespace, want) // seen by the next look
			return false
		}
		return err == nil
	}, soon, 200*time.Millisecond)
}

// openSpec parses the test's spec.
func (s *stack) openSpec() *dataset.Spec {
	s.t.Helper()
	spec, err := dataset.Open(s.spec)
	require.NoError(s.t, err)
	return spec
}

// reader opens the database for reading; it must exist.
func (s *stack) reader() *query.Reader {
	s.t.Helper()
	reader, err := query.Open(s.t.Context(), s.mongo, prefix, s.name)
	require.NoError(s.t, err)
	return reader
}

// db opens the database for what a reader cannot do.
func (s *stack) db() *mongodb.Database {
	s.t.Helper()
	db, err := mongodb.Open(s.t.Context(), s.mongo, prefix, s.name)
	require.NoError(s.t, err)
	return db
}

// newest is the record of the newest run, if there is one.
func (s *stack) newest() (runs.Run, bool) {
	reader, err := query.Open(s.t.Context(), s.mongo, prefix, s.name)
	if err != nil {
		return runs.Run{}, false
	}
	listed, err := reader.Runs.Runs(s.t.Context(), 1, time.Time{})
	if err != nil || len(listed) == 0 {
		return runs.Run{}, false
	}
	return listed[0], true
}

// requireNothingWritten makes sure that no database was created and no run begun.
func (s *stack) requireNothingWritten() {
	s.t.Helper()
	found, err := s.mongo.ListDatabaseNames(s.t.Context(), bson.D{{Key: "name", Value: s.database()}})
	require.NoError(s.t, err)
	require.Empty(s.t, found, "no database is created")
}

// process is one of the binaries, running.
type process struct {
	t           *testing.T
	cmd         *exec.Cmd
	out, errors buffer
	done        chan struct{}
}

// buffer collects output that is read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start starts a binary with the stack's environment, and env (NAME=value) on
// top.
func (s *stack) start(t *testing.T, binary string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(binaries, binary), args...), done: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	for name, value := range s.env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errors
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code is what counts
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // most have ended
		<-p.done
	})
	return p
}

// exits waits for the end and returns the exit code.
func (p *process) exits(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(within):
		require.FailNow(p.t, "still running", "%v after %s, stdout:\n%s\nstderr:\n%s", p.cmd.Args, within, &p.out, &p.errors)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// worker starts a worker and waits until it is ready.
func (s *stack) worker(env ...string) *process {
	s.t.Helper()
	p := s.start(s.t, "worker", env)
	require.Eventually(s.t, func() bool { return p.ended() || strings.Contains(p.errors.String(), "worker is ready") },
		soon, 20*time.Millisecond, "the worker never became ready")
	require.False(s.t, p.ended(), "the worker ended: %s", &p.errors)
	return p
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// health is the address of a worker's health endpoint, from its log.
func (p *process) health() string {
	p.t.Helper()
	found := regexp.MustCompile(`health=(http://\S+)`).FindStringSubmatch(p.errors.String())
	require.NotNil(p.t, found, "%s", &p.errors)
	return found[1]
}

// result is what a command line came to.
type result struct {
	out, errors string
	code        int
}

// starter runs a command line to its end. Its output goes to no terminal, so
// nothing decorative may be in it.
func (s *stack) starter(args ...string) result {
	s.t.Helper()
	return s.starterWith(s.t, nil, args...)
}

func (s *stack) starterWith(t *testing.T, env []string, args ...string) result {
	t.Helper()
	return s.start(t, "starter", env, args...).result()
}

func (p *process) result() result {
	p.t.Helper()
	r := result{code: p.exits(runTakes), out: p.out.String(), errors: p.errors.String()}
	require.NotContains(p.t, r.out+r.errors, "\x1b", "no terminal codes for pipes")
	return r
}

// ok runs a command line that must succeed and returns its output.
func (s *stack) ok(args ...string) string {
	s.t.Helper()
	r := s.starter(args...)
	require.Zero(s.t, r.code, "starter %s: %s\n%s", strings.Join(args, " "), r.errors, r.out)
	return r.out
}

// readJSON runs a command line with -o json and decodes what it prints.
func (s *stack) readJSON(v any, args ...string) {
	s.t.Helper()
	out := s.ok(append(args, "-o", "json")...)
	require.NoError(s.t, json.Unmarshal([]byte(out), v), out)
}

// summary is what `run --wait -o json` prints, as far as tests look at it.
type summary struct {
	Run           string   `json:"run"`
	Outcome       string   `json:"outcome"`
	Why           string   `json:"why"`
	Record        runs.Run `json:"record"`
	HistoryEvents int64    `json:"history_events"`
}

// load makes a run that must be green.
func (s *stack) load() summary {
	s.t.Helper()
	var sum summary
	s.readJSON(&sum, "run", "--wait")
	require.Equal(s.t, "green", sum.Outcome, sum.Why)
	return sum
}

// requireOneLine holds an error to what every error must be: one line on stderr
// that says what is wrong and what to do, nothing on stdout, the right code.
func requireOneLine(t *testing.T, r result, code int, words ...string) {
	t.Helper()
	require.Equal(t, code, r.code, "stdout: %s\nstderr: %s", r.out, r.errors)
	require.Empty(t, r.out)
	require.Equal(t, 1, strings.Count(r.errors, "\n"), "one line: %s", r.errors)
	require.True(t, strings.HasSuffix(r.errors, "\n"))
	for _, word := range words {
		require.Contains(t, r.errors, word)
	}
}

// pending says whether an activity is under way in the dataset's write.
func (s *stack) pending(activity string) bool {
	d, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), workflows.WriteID(s.name), "")
	if err != nil {
		return false
	}
	for _, p := range d.PendingActivities {
		if p.ActivityType.GetName() == activity && p.LastStartedTime != nil {
			return true
		}
	}
	return false
}

// documents counts businesses; 0 when it cannot.
func (s *stack) documents() int64 {
	n, err := s.mongo.Database(s.database()).Collection(mongodb.Businesses).CountDocuments(s.t.Context(), bson.D{})
	if err != nil && !errors.Is(err, context.Canceled) {
		return 0
	}
	return n
}
