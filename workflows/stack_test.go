package workflows_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"padron/activities"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/guard"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/store"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/internal/testenv"
	"padron/workflows"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// stack is a whole Padron on real servers with a simulated portal: a worker in
// this process, a database and a task queue of the test's own.
type stack struct {
	t         *testing.T
	portal    *portalsim.Portal
	spec      *dataset.Spec
	temporal  client.Client
	database  *mongo.Client
	prefix    string
	queue     string
	portalURL string
	mirror    *query.Reader
	db        *mongodb.Database
	writes    *monitor
	log       *logBuffer // of the worker
}

// logBuffer is a log that several goroutines write.
type logBuffer struct {
	mu      sync.Mutex
	written bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written.Write(p)
}

// Bytes is what was written so far.
func (l *logBuffer) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.written.Bytes())
}

// pageSize makes a few thousand rows a crawl of several ranges.
const pageSize = 1000

// newStack skips the test when the servers' addresses are not set. Tests with a
// stack run in parallel: each has its own database, queue and portal, and spends
// its time waiting for the servers.
func newStack(t *testing.T, table *store.Table, adjust ...func(*activities.Activities)) *stack {
	t.Helper()
	return newStackOf(t, table, nil, adjust...)
}

// newStackOf is newStack with a changed spec: pairs of old and new text.
func newStackOf(t *testing.T, table *store.Table, changes []string, adjust ...func(*activities.Activities)) *stack {
	t.Helper()
	t.Parallel()
	uri, address := testenv.MongoDB(t), testenv.Temporal(t)
	ctx := t.Context()
	// The dataset has a name of the test's own, for the one writer's id is made
	// of it.
	name := strings.ToLower("t" + bson.NewObjectID().Hex()[14:])
	s := &stack{t: t, spec: specNamed(t, name, changes...), prefix: "padrontest", queue: name, writes: &monitor{}, log: &logBuffer{}}

	portal, err := portalsim.New(portalsim.Options{Table: table, HideComputed: true})
	require.NoError(t, err)
	server := httptest.NewServer(portal)
	t.Cleanup(server.Close)
	s.portal = portal

	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.temporal, err = client.DialContext(ctx, client.Options{HostPort: address, Logger: sdklog.NewStructuredLogger(log)})
	require.NoError(t, err)
	t.Cleanup(s.temporal.Close)
	registerSearchAttributes(t, s.temporal)

	s.database, err = mongodb.Connect(ctx, uri, func(o *options.ClientOptions) { o.SetMonitor(s.writes.commands()) })
	require.NoError(t, err)
	s.db, err = mongodb.Open(ctx, s.database, s.prefix, s.spec.Name)
	require.NoError(t, err)
	s.mirror = query.New(s.db)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		require.NoError(t, s.database.Database(s.db.Name()).Drop(ctx))
		require.NoError(t, s.database.Disconnect(ctx))
	})

	a := &activities.Activities{
		Mongo: s.database, MongoDatabase: s.prefix, KeepCrawls: 2, PageSize: pageSize, RecrawlAfter: time.Second, PortalURL: server.URL,
		Temporal: s.temporal, Log: log,
		Portal:   guard.New(guard.Options{Name: "portal", Down: activities.PortalDown, OpenFor: time.Second}),
		Database: guard.New(guard.Options{Name: "mongodb", Down: mongodb.IsDown}),
	}
	for _, f := range adjust {
		f(a)
	}
	a.Serve(s.spec)
	s.portalURL = a.PortalURL
	s.works(a)
	return s
}

// works starts a worker on the test's queues.
func (s *stack) works(a *activities.Activities) {
	s.t.Helper()
	for _, queue := range []string{s.queue, workflows.PortalQueue(s.queue)} {
		w := worker.New(s.temporal, queue, worker.Options{WorkerStopTimeout: 5 * time.Second})
		workflows.Register(w)
		activities.Register(w, a)
		require.NoError(s.t, w.Start())
		s.t.Cleanup(w.Stop)
	}
}

func quiet() sdklog.Logger { return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

// specNamed is the embedded spec of San Francisco under another name, with
// changes: pairs of old and new text. It asks for no history.
func specNamed(t testing.TB, name string, changes ...string) *dataset.Spec {
	t.Helper()
	text, err := os.ReadFile("../internal/dataset/specs/sf-business.yaml")
	require.NoError(t, err)
	changed := string(text)
	for pair := range slices.Chunk(append([]string{"\nhistory: {since: 1990-01-01, every: month}\n", "\n# no history\n", "name: sf-business", "name: " + name}, changes...), 2) {
		require.Contains(t, changed, pair[0])
		changed = strings.Replace(changed, pair[0], pair[1], 1)
	}
	spec, err := dataset.Parse([]byte(changed), name+".yaml")
	require.NoError(t, err)
	require.Equal(t, name, spec.Name)
	return spec
}

// registerSearchAttributes does what `starter setup` does. Several test
// binaries may do so at once.
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
	}, time.Minute, 200*time.Millisecond)
}

// start starts a run by hand.
func (s *stack) start(in workflows.MirrorInput) client.WorkflowRun {
	s.t.Helper()
	in.Dataset = s.spec.Name
	if in.Mode == "" {
		in.Mode = runs.ModeAuto
	}
	run, err := s.temporal.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID:        workflows.MirrorID(s.spec.Name, "manual-"+bson.NewObjectID().Hex()),
		TaskQueue: s.queue,
	}, workflows.Mirror, in)
	require.NoError(s.t, err)
	return run
}

// finished waits for a run that must not fail.
func (s *stack) finished(run client.WorkflowRun) workflows.MirrorResult {
	s.t.Helper()
	var result workflows.MirrorResult
	require.NoError(s.t, run.Get(s.t.Context(), &result))
	return result
}

func (s *stack) run(mode string) workflows.MirrorResult {
	s.t.Helper()
	return s.finished(s.start(workflows.MirrorInput{Mode: mode}))
}

// fails waits for a run that must fail and returns its error.
func (s *stack) fails(run client.WorkflowRun) *temporal.ApplicationError {
	s.t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(s.t, run.Get(s.t.Context(), nil), &app)
	return app
}

// dump reads a whole collection, by _id.
func (s *stack) dump(collection string) []bson.Raw {
	s.t.Helper()
	cursor, err := s.db.Collection(collection).Find(s.t.Context(), bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	require.NoError(s.t, err)
	var all []bson.Raw
	require.NoError(s.t, cursor.All(s.t.Context(), &all))
	return all
}

// monitor notes the driver's writing commands by collection.
type monitor struct {
	mu     sync.Mutex
	writes map[string]int
}

func (m *monitor) commands() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if !slices.Contains([]string{"insert", "update", "delete", "findAndModify"}, e.CommandName) {
			return
		}
		collection, _ := e.Command.Lookup(e.CommandName).StringValueOK()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.writes == nil {
			m.writes = map[string]int{}
		}
		m.writes[collection]++
	}}
}

// since returns the writing commands by collection since the last call.
func (m *monitor) since() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	writes := m.writes
	m.writes = nil
	return writes
}
