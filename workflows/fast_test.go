package workflows_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"padron/activities"
	"padron/internal/dataset"
	"padron/internal/guard"
	"padron/internal/mirror"
	"padron/internal/socrata/socratatest"
	"padron/workflows"
)

// fast is a whole Padron in which Temporal is the SDK's test environment: the
// product's workflows and activities with a real database and a simulated
// portal, where waiting takes no time. A run of a small table takes some tens of
// milliseconds.
type fast struct {
	spec     *dataset.Spec   // the one that the worker serves
	specs    []*dataset.Spec // others, under the same name
	portal   *socratatest.Portal
	mirror   *mirror.Mirror // read by the test, past the wire
	wire     *wire          // between the worker and the database
	loss     *loss          // of what activities answer
	activity *activities.Activities
	oracle   oracle

	served atomic.Pointer[socratatest.Portal]
	name   string
	runs   int
	clock  time.Time // of the last execution, at its end
}

// fastPage is the page size: a table of some 60 rows is several ranges.
const fastPage = 24

// newFast skips the test when the database's address is not set. Changes are
// pairs of old and new text of the spec.
func newFast(t testing.TB, landing mirror.LandingConfig, changes ...string) *fast {
	t.Helper()
	uri := os.Getenv("MONGODB_URI")
	if uri == "" {
		t.Skip("needs a server: MONGODB_URI is not set")
	}
	ctx := t.Context()
	name := strings.ToLower("f" + bson.NewObjectID().Hex()[14:])
	f := &fast{spec: specNamed(t, name, changes...), wire: &wire{}, loss: &loss{}, name: name}
	f.oracle = oracle{spec: f.spec}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.served.Load().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)

	plain, err := mirror.Connect(ctx, uri)
	require.NoError(t, err)
	f.mirror, err = mirror.Open(ctx, plain, "padrontest", name)
	require.NoError(t, err)
	wired, err := mirror.Connect(ctx, uri, func(o *options.ClientOptions) { o.SetDialer(f.wire) })
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		require.NoError(t, f.mirror.Database().Drop(ctx))
		require.NoError(t, wired.Disconnect(ctx))
		require.NoError(t, plain.Disconnect(ctx))
	})

	never := func(error) bool { return false } // each try again is Temporal's: it costs no time
	f.activity = &activities.Activities{
		Mongo: wired, MongoDatabase: "padrontest", Landing: landing, KeepCrawls: 2, PageSize: fastPage, PortalURL: server.URL,
		Log:      slog.New(slog.DiscardHandler),
		Portal:   guard.New(guard.Options{Name: "portal", Down: never}),
		Database: guard.New(guard.Options{Name: "mongodb", Down: never}),
	}
	f.serve(f.spec)
	return f
}

// serve gives the worker a spec.
func (f *fast) serve(spec *dataset.Spec) {
	f.spec, f.oracle.spec = spec, spec
	f.activity.Serve(spec)
}

// begin empties the mirror and serves a new portal.
func (f *fast) begin(ctx context.Context, t require.TestingT, o socratatest.Options) {
	f.restore(ctx, t, nil)
	var err error
	o.HideComputed, o.NoMetadataContents = true, true
	f.portal, err = socratatest.New(o)
	require.NoError(t, err)
	f.oracle.ties = o.ShuffleTies
	f.served.Store(f.portal)
	f.wire.arm()
}

// save reads all collections.
func (f *fast) save(ctx context.Context, t require.TestingT) map[string][]bson.Raw {
	names, err := f.mirror.Database().ListCollectionNames(ctx, bson.D{{Key: "name", Value: bson.D{{Key: "$ne", Value: "padron"}}}})
	require.NoError(t, err)
	all := map[string][]bson.Raw{}
	for _, name := range names {
		all[name] = f.dump(ctx, t, name)
	}
	return all
}

// restore makes all collections what they were when saved; nil empties them.
func (f *fast) restore(ctx context.Context, t require.TestingT, saved map[string][]bson.Raw) {
	for name := range f.save(ctx, t) {
		_, err := f.mirror.Database().Collection(name).DeleteMany(ctx, bson.D{})
		require.NoError(t, err)
	}
	for name, documents := range saved {
		if len(documents) > 0 {
			_, err := f.mirror.Database().Collection(name).InsertMany(ctx, documents)
			require.NoError(t, err)
		}
	}
}

// run makes a run.
func (f *fast) run(in workflows.MirrorInput) (result workflows.MirrorResult, err error) {
	in.Dataset = f.name
	if in.Mode == "" {
		in.Mode = activities.Auto
	}
	err = f.execute(workflows.MirrorID(f.name, "manual-"+bson.NewObjectID().Hex()), workflows.Mirror, in, &result)
	return result, err
}

// backfill makes a backfill.
func (f *fast) backfill(in workflows.BackfillInput) (result workflows.BackfillResult, err error) {
	in.Dataset = f.name
	err = f.execute(workflows.BackfillID(f.name, "backfill-"+bson.NewObjectID().Hex()+"Z"), workflows.Backfill, in, &result)
	return result, err
}

func (f *fast) execute(id string, workflow, in, result any) error {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet())
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	f.runs++
	// Waiting took no time in the execution before, but its clock went on: of its
	// runs the last must not come after this one's.
	if f.clock.After(time.Now()) {
		env.SetStartTime(f.clock)
	}
	defer func() { f.clock = env.Now().Add(time.Millisecond) }()
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: f.name})
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{f.loss}})
	workflows.Register(env)
	activities.Register(env, f.activity)
	env.ExecuteWorkflow(workflow, in)
	if err := env.GetWorkflowError(); err != nil {
		return err
	}
	return env.GetWorkflowResult(result)
}

// together runs a test n times at once, however many the flag -parallel allows:
// they wait for the database more than they compute.
func together(t *testing.T, n int, test func(t *testing.T, i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { t.Run(fmt.Sprint(i), func(t *testing.T) { test(t, i) }) })
	}
	all.Wait()
}

// loss loses what an activity answers: Temporal has another worker do it again.
type loss struct {
	interceptor.WorkerInterceptorBase

	mu      sync.Mutex
	at      int // which of the coming activities, counted from 1
	alive   bool
	zombies sync.WaitGroup
}

// arm picks a coming activity. Its worker loses the answer; or, when it is to
// stay alive, it has only lost Temporal, and goes on while another one begins.
func (l *loss) arm(at int, alive bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.alive = at, alive
}

// end picks none, and waits for workers that are still alive.
func (l *loss) end() {
	l.arm(0, false)
	l.zombies.Wait()
}

// InterceptActivity is called for each activity.
func (l *loss) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &losing{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, loss: l}
}

type losing struct {
	interceptor.ActivityInboundInterceptorBase
	loss *loss
}

// ExecuteActivity does the activity.
func (l *losing) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	l.loss.mu.Lock()
	l.loss.at--
	hit, alive := l.loss.at == 0, l.loss.alive
	l.loss.mu.Unlock()
	switch {
	case !hit:
		return l.Next.ExecuteActivity(ctx, in)
	case alive:
		l.loss.zombies.Go(func() {
			_, _ = l.Next.ExecuteActivity(context.WithoutCancel(ctx), in) // nobody hears it
		})
	default:
		_, _ = l.Next.ExecuteActivity(ctx, in)
	}
	return nil, temporal.NewApplicationError("the test lost the answer", "Lost")
}

// dump reads a whole collection, by _id.
func (f *fast) dump(ctx context.Context, t require.TestingT, collection string) []bson.Raw {
	return dump(ctx, t, f.mirror, collection)
}

func dump(ctx context.Context, t require.TestingT, m *mirror.Mirror, collection string) []bson.Raw {
	cursor, err := m.Database().Collection(collection).Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	require.NoError(t, err)
	var all []bson.Raw
	require.NoError(t, cursor.All(ctx, &all))
	return all
}

// TestFastRunsAreRuns holds the fast runs against what runs on the real servers
// do in the tests beside this one.
func TestFastRunsAreRuns(t *testing.T) {
	t.Parallel()
	f := newFast(t, mirror.LandingConfig{})
	f.begin(t.Context(), t, socratatest.Options{Table: socratatest.Generate(60, 1)})
	f.portal.Fail(socratatest.Fault{Path: "/resource/", Skip: 3, Times: 6, Status: http.StatusServiceUnavailable})
	began := time.Now()
	result, err := f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Zero(t, f.portal.PendingFaults())
	require.Greater(t, result.Write.Pages, 3, "several ranges")
	require.Less(t, time.Since(began), 10*time.Second, "waiting takes no time")
	f.oracle.require(t, f.dump(t.Context(), t, mirror.Businesses), f.oracle.read(f.portal.SourceRows()))

	result, err = f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, workflows.OutcomeSkipped, result.Outcome, result.Why)
}

// TestAPageThatEndsAmongDoublesLosesNone makes keys that several rows have, more of
// them than a page holds: where it is full, further rows may have its last key.
func TestAPageThatEndsAmongDoublesLosesNone(t *testing.T) {
	t.Parallel()
	f := newFast(t, mirror.LandingConfig{})
	f.begin(t.Context(), t, socratatest.Options{Table: socratatest.Generate(60, 1)})
	result, err := f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)

	keys := slices.Sorted(maps.Keys(f.oracle.read(f.portal.SourceRows()).rows))
	const each = 5
	require.NotZero(t, fastPage%each, "a page ends among the rows of a key")
	double := func(key string, times int) {
		for n := range times {
			require.NoError(t, f.portal.Edit(socratatest.Open(row{"ttxid": key, "dba_name": fmt.Sprintf("Double %d", n)})))
		}
	}
	for _, key := range keys[:20] {
		double(key, each-1)
	}
	result, err = f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	quarantined, err := f.mirror.CountQuarantine(t.Context(), result.Run)
	require.NoError(t, err)
	require.EqualValues(t, 20*(each-1), quarantined)
	f.oracle.require(t, f.dump(t.Context(), t, mirror.Businesses), f.oracle.read(f.portal.SourceRows()))

	double(keys[30], fastPage)
	before := f.dump(t.Context(), t, mirror.Businesses)
	_, err = f.run(workflows.MirrorInput{})
	require.Equal(t, activities.GateClosed, kindOf(err), "a page cannot end anywhere: %v", err)
	require.ErrorContains(t, err, "this is not the register that the spec describes")
	require.Equal(t, before, f.dump(t.Context(), t, mirror.Businesses))
}
