package workflows_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"padron/activities"
	"padron/internal/dataset"
	"padron/internal/guard"
	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/internal/testenv"
	"padron/workflows"
)

// fast is a whole Padron in which Temporal is the SDK's test environment: the
// product's workflows and activities with a real database and a simulated
// portal, where waiting takes no time. A run of a small table takes some tens of
// milliseconds.
type fast struct {
	spec     *dataset.Spec   // the one that the worker serves
	specs    []*dataset.Spec // others, under the same name
	portal   *portalsim.Portal
	mirror   *query.Reader // read by the test, past the wire
	db       *mongodb.Database
	stored   *mongo.Database // the same, for what neither can do
	wire     *wire           // between the worker and the database
	loss     *loss           // of what activities answer
	activity *activities.Activities
	oracle   oracle

	served atomic.Pointer[portalsim.Portal]
	name   string
	runs   int
	clock  time.Time // of the last execution, at its end
	ended  string    // what the Web UI says of the last execution
}

// fastPage is the page size: a table of some 60 rows is several ranges.
const fastPage = 24

// newFast skips the test when the database's address is not set. Changes are
// pairs of old and new text of the spec.
func newFast(t testing.TB, zone landing.Config, changes ...string) *fast {
	t.Helper()
	uri := testenv.MongoDB(t)
	ctx := t.Context()
	name := strings.ToLower("f" + bson.NewObjectID().Hex()[14:])
	f := &fast{spec: specNamed(t, name, changes...), wire: &wire{}, loss: &loss{}, name: name}
	f.oracle = oracle{spec: f.spec}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.served.Load().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)

	plain, err := mongodb.Connect(ctx, uri)
	require.NoError(t, err)
	f.db, err = mongodb.Open(ctx, plain, "padrontest", name)
	require.NoError(t, err)
	f.mirror, f.stored = query.New(f.db), plain.Database(f.db.Name())
	wired, err := mongodb.Connect(ctx, uri, func(o *options.ClientOptions) { o.SetDialer(f.wire) })
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		require.NoError(t, f.stored.Drop(ctx))
		require.NoError(t, wired.Disconnect(ctx))
		require.NoError(t, plain.Disconnect(ctx))
	})

	never := func(error) bool { return false } // each try again is Temporal's: it costs no time
	f.activity = &activities.Activities{
		Mongo: wired, MongoDatabase: "padrontest", Landing: zone, KeepCrawls: 2, PageSize: fastPage, PortalURL: server.URL,
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
func (f *fast) begin(ctx context.Context, t require.TestingT, o portalsim.Options) {
	f.restore(ctx, t, nil)
	var err error
	o.HideComputed, o.NoMetadataContents = true, true
	f.portal, err = portalsim.New(o)
	require.NoError(t, err)
	f.oracle.ties = o.ShuffleTies
	f.served.Store(f.portal)
	f.wire.arm()
}

// save reads all collections.
func (f *fast) save(ctx context.Context, t require.TestingT) map[string][]bson.Raw {
	names, err := f.stored.ListCollectionNames(ctx, bson.D{{Key: "name", Value: bson.D{{Key: "$ne", Value: "padron"}}}})
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
		_, err := f.db.Collection(name).DeleteMany(ctx, bson.D{})
		require.NoError(t, err)
	}
	for name, documents := range saved {
		if len(documents) > 0 {
			_, err := f.db.Collection(name).InsertMany(ctx, documents)
			require.NoError(t, err)
		}
	}
}

// run makes a run.
func (f *fast) run(in workflows.MirrorInput) (result workflows.MirrorResult, err error) {
	in.Dataset = f.name
	if in.Mode == "" {
		in.Mode = runs.ModeAuto
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
	if answer, err := env.QueryWorkflow("__temporal_workflow_metadata"); err == nil {
		var shown sdkpb.WorkflowMetadata
		if err := answer.Get(&shown); err != nil {
			return err
		}
		f.ended = shown.CurrentDetails
	}
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
	last    string // activity after which the run fails for good
	zombies sync.WaitGroup
}

// endAfter makes runs fail for good after an activity; empty: none does.
func (l *loss) endAfter(activity string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = activity
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
	last := l.loss.last == activity.GetInfo(ctx).ActivityType.Name
	l.loss.mu.Unlock()
	switch {
	case last:
		_, _ = l.Next.ExecuteActivity(ctx, in)
		return nil, temporal.NewNonRetryableApplicationError("the test ended the run", "Ended", nil)
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
	return dump(ctx, t, f.db, collection)
}

func dump(ctx context.Context, t require.TestingT, db *mongodb.Database, collection string) []bson.Raw {
	cursor, err := db.Collection(collection).Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	require.NoError(t, err)
	var all []bson.Raw
	require.NoError(t, cursor.All(ctx, &all))
	return all
}

// TestFastRunsAreRuns holds the fast runs against what runs on the real servers
// do in the tests beside this one.
func TestFastRunsAreRuns(t *testing.T) {
	t.Parallel()
	f := newFast(t, landing.Config{})
	f.begin(t.Context(), t, portalsim.Options{Table: register.Generate(60, 1)})
	f.portal.Fail(portalsim.Fault{Path: "/resource/", Skip: 3, Times: 6, Status: http.StatusServiceUnavailable})
	began := time.Now()
	result, err := f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Zero(t, f.portal.PendingFaults())
	require.Greater(t, result.Write.Pages, 3, "several ranges")
	require.Less(t, time.Since(began), 10*time.Second, "waiting takes no time")
	f.oracle.require(t, f.dump(t.Context(), t, mongodb.Businesses), f.oracle.read(f.portal.SourceRows()))

	result, err = f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, workflows.OutcomeSkipped, result.Outcome, result.Why)
}

// TestDetailsBeginWithTheOutcome: to Temporal every run that came to its end is
// completed, red ones included.
func TestDetailsBeginWithTheOutcome(t *testing.T) {
	t.Parallel()
	f := newFast(t, landing.Config{})
	ctx := t.Context()
	f.begin(ctx, t, portalsim.Options{Table: register.Generate(60, 1), Updated: time.Now().Add(-48 * time.Hour)})
	requireBegins := func(want string) {
		t.Helper()
		require.True(t, strings.HasPrefix(f.ended, want), f.ended)
		require.NotContains(t, f.ended, "****")
	}
	_, err := f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	requireBegins("**GREEN**: 60 rows on the portal")
	_, err = f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	requireBegins("**SKIPPED**: nothing new")
	_, err = f.db.Collection(mongodb.Businesses).DeleteOne(ctx, bson.D{})
	require.NoError(t, err)
	_, err = f.run(workflows.MirrorInput{Job: runs.JobVerify})
	require.NoError(t, err)
	requireBegins("**RED**: ")
	_, err = f.run(workflows.MirrorInput{Job: runs.JobApprove, Of: "no-such-run"})
	require.Error(t, err)
	requireBegins("**FAILED**: there is no run")
}

// TestAPageThatEndsAmongDoublesLosesNone makes keys that several rows have, more of
// them than a page holds: where it is full, further rows may have its last key.
func TestAPageThatEndsAmongDoublesLosesNone(t *testing.T) {
	t.Parallel()
	f := newFast(t, landing.Config{}, "max_quarantined: {percent: 5, rows: 10}", "max_quarantined: {percent: 100, rows: 0}")
	f.begin(t.Context(), t, portalsim.Options{Table: register.Generate(60, 1)})
	result, err := f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)

	keys := slices.Sorted(maps.Keys(f.oracle.read(f.portal.SourceRows()).rows))
	const each = 5
	require.NotZero(t, fastPage%each, "a page ends among the rows of a key")
	double := func(key string, times int) {
		for n := range times {
			require.NoError(t, f.portal.Edit(portalsim.Open(row{"ttxid": key, "dba_name": fmt.Sprintf("Double %d", n)})))
		}
	}
	for _, key := range keys[:20] {
		double(key, each-1)
	}
	result, err = f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	quarantined, err := f.mirror.Quarantine.Count(t.Context(), result.Run)
	require.NoError(t, err)
	require.EqualValues(t, 20*(each-1), quarantined)
	f.oracle.require(t, f.dump(t.Context(), t, mongodb.Businesses), f.oracle.read(f.portal.SourceRows()))

	double(keys[30], fastPage)
	before := f.dump(t.Context(), t, mongodb.Businesses)
	_, err = f.run(workflows.MirrorInput{})
	require.Equal(t, runs.GateClosed, kindOf(err), "a page cannot end anywhere: %v", err)
	require.ErrorContains(t, err, "this is not the register that the spec describes")
	require.Equal(t, before, f.dump(t.Context(), t, mongodb.Businesses))
}
