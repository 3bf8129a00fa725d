package dashboard_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"padron/activities"
	"padron/dashboard"
	"padron/internal/dataset"
	"padron/internal/guard"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/internal/statistics"
	"padron/internal/testenv"
	"padron/workflows"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// stack is a mirror on a real database, filled by real runs from a simulated
// portal, and a dashboard over it.
type stack struct {
	t        *testing.T
	name     string
	spec     *dataset.Spec
	portal   *portalsim.Portal
	reader   *query.Reader
	db       *mongodb.Database
	activity *activities.Activities
	options  dashboard.Options
	server   *httptest.Server
}

// prefix begins the names of the tests' databases.
const prefix = "padrondash"

// newStack skips the test when the database's address is not set.
func newStack(t *testing.T, rows int) *stack {
	t.Helper()
	uri := testenv.MongoDB(t)
	s := &stack{t: t, name: "d" + bson.NewObjectID().Hex()[14:]}
	text, err := os.ReadFile("../internal/dataset/specs/sf-business.yaml")
	require.NoError(t, err)
	renamed := strings.NewReplacer("name: sf-business", "name: "+s.name, "\nhistory: ", "\n# history: ").Replace(string(text)) // the tests make their own
	s.spec, err = dataset.Parse([]byte(renamed), s.name+".yaml")
	require.NoError(t, err)
	s.portal, err = portalsim.New(portalsim.Options{Table: register.Generate(rows, 5)})
	require.NoError(t, err)
	portal := httptest.NewServer(s.portal)
	t.Cleanup(portal.Close)

	database, err := mongodb.Connect(t.Context(), uri)
	require.NoError(t, err)
	s.db, err = mongodb.Open(t.Context(), database, prefix, s.name)
	require.NoError(t, err)
	s.reader = query.New(s.db)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		require.NoError(t, database.Database(s.db.Name()).Drop(ctx))
		require.NoError(t, database.Disconnect(ctx))
	})
	never := func(error) bool { return false } // Temporal retries at once in tests
	s.activity = &activities.Activities{
		Mongo: database, MongoDatabase: prefix, KeepCrawls: 2, PageSize: 500, PortalURL: portal.URL, Log: slog.New(slog.DiscardHandler),
		Portal:   guard.New(guard.Options{Name: "portal", Down: never}),
		Database: guard.New(guard.Options{Name: "mongodb", Down: never}),
	}
	s.activity.Serve(s.spec)
	s.options = dashboard.Options{Spec: s.spec, Open: func(context.Context) (*query.Reader, error) { return s.reader, nil }}
	s.server = s.serve(nil)
	return s
}

// serve serves a dashboard over the mirror with other options.
func (s *stack) serve(change func(*dashboard.Options)) *httptest.Server {
	o := s.options
	o.Log = slog.New(slog.NewTextHandler(s.t.Output(), nil))
	if change != nil {
		change(&o)
	}
	d, err := dashboard.New(o)
	require.NoError(s.t, err)
	server := httptest.NewServer(d.Handler())
	s.t.Cleanup(server.Close)
	return server
}

// load makes a run, which must be green, and returns its id.
func (s *stack) load() string {
	s.t.Helper()
	made := s.run()
	require.NoError(s.t, made.err)
	require.Equal(s.t, "green", made.result.Outcome, made.result.Why)
	return made.id
}

// madeRun is a run, and how it ended.
type madeRun struct {
	id     string
	result workflows.MirrorResult
	err    error
}

// run makes a run, however it ends.
func (s *stack) run() (made madeRun) {
	s.t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(2 * time.Minute)
	made.id = "manual-" + bson.NewObjectID().Hex()
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflows.MirrorID(s.name, made.id), TaskQueue: s.name})
	workflows.Register(env)
	activities.Register(env, s.activity)
	env.ExecuteWorkflow(workflows.Mirror, workflows.MirrorInput{Dataset: s.name, Mode: runs.ModeFull})
	if made.err = env.GetWorkflowError(); made.err == nil {
		require.NoError(s.t, env.GetWorkflowResult(&made.result))
	}
	return made
}

// reconstruct makes snapshots of the past, as a backfill does.
func (s *stack) reconstruct(run string, dates ...time.Time) {
	s.t.Helper()
	snap, err := s.reader.Statistics.Snapshot(s.t.Context(), "latest")
	require.NoError(s.t, err)
	_, err = statistics.NewStore(s.db).Reconstruct(s.t.Context(), statistics.ReconstructInput{
		AsOf: dates, Date: snap.AsOf, SurvivorsBefore: s.spec.SurvivorsBefore(), Version: snap.Version, Run: run, Spec: snap.Spec,
		Outcome: snap.Outcome,
	})
	require.NoError(s.t, err)
}

// documents reads all documents of the mirror.
func (s *stack) documents() []bson.Raw {
	s.t.Helper()
	cursor, err := s.db.Collection(mongodb.Businesses).Find(s.t.Context(), bson.D{})
	require.NoError(s.t, err)
	var all []bson.Raw
	require.NoError(s.t, cursor.All(s.t.Context(), &all))
	return all
}

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// get asks for an address of a server; headers are names and values in turn.
func get(t *testing.T, base, path string, headers ...string) answer {
	t.Helper()
	return ask(t, http.MethodGet, base, path, headers...)
}

func ask(t *testing.T, method, base, path string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, http.NoBody)
	require.NoError(t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	c := http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer c.CloseIdleConnections()
	resp, err := c.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// ok asks for an address that must answer with 200.
func (s *stack) ok(path string, headers ...string) answer {
	s.t.Helper()
	a := get(s.t, s.server.URL, path, headers...)
	require.Equal(s.t, http.StatusOK, a.status, "%s: %.200s", path, a.body)
	return a
}

// readJSON asks for data.
func (s *stack) readJSON(v any, path string) {
	s.t.Helper()
	a := s.ok(path)
	require.NoError(s.t, json.Unmarshal([]byte(a.body), v), a.body)
}
