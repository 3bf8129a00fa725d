package workflows_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"padron/activities"
	"padron/internal/backfill"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

// record makes real runs and writes their histories, rather than replay only
// those that are there. From the repository's root:
//
//	go run -C deploy/dev . exec -- go test ./workflows -run 'TestReplay$' -record first-load
//	go run -C deploy/dev . exec -- go test ./workflows -run 'TestReplay$' -record .
var record = flag.String("record", "", "record the histories of the scenarios that this `pattern` matches")

// histories is the folder of the recorded histories, one file for each workflow
// of a scenario: `<scenario>.<Workflow>[-<number>].json.gz`, the JSON being that
// of `temporal workflow show -o json`.
const histories = "testdata/histories"

// oldHistories is the folder of some histories that the release before workflow
// version 2 recorded; they stay as they are.
const oldHistories = "testdata/before-2"

// louderHistories is the folder of a backfill that was paused before the change
// quiet-backfill: it goes on in the way that it began.
const louderHistories = "testdata/before-quiet-backfill"

// aloneHistories is the folder of a backfill before the changes proven-windows and
// shared-windows: it reloads each window by itself, whatever the mirror proves.
const aloneHistories = "testdata/before-shared-windows"

// mostBytes bounds the recorded histories together.
const mostBytes = 500 << 10

// scenarios are the runs whose histories are kept: each way through the
// workflows once. A new one is a line here and one call with -record. A scenario
// gets a stack of its own and returns the run that counts, which has ended; the
// histories of its children, and of what they continue as, are kept with it.
var scenarios = []struct {
	name string
	rows int
	run  func(s *stack) client.WorkflowRun
}{
	{"first-load", 2500, func(s *stack) client.WorkflowRun {
		return s.ends("green", workflows.MirrorInput{})
	}},
	{"unchanged-skip", 1100, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		return s.ends(workflows.OutcomeSkipped, workflows.MirrorInput{})
	}},
	{"edits", 1500, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		require.NoError(s.t, s.portal.Edit(
			portalsim.Rename(s.keys(1)[0], "Renamed Books"),
			portalsim.Open(map[string]any{"ttxid": "9999999-01-001", "certificate_number": "9999999", "dba_name": "New Cafe"})))
		return s.ends("green", workflows.MirrorInput{})
	}},
	{"torn-crawl", 2500, func(s *stack) client.WorkflowRun {
		s.moveOnce()
		run := s.ends("green", workflows.MirrorInput{})
		require.Equal(s.t, 2, s.finished(run).Write.Crawls, "the first crawl was torn")
		return run
	}},
	{"removal", 1100, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		require.NoError(s.t, s.portal.Edit(deletions(s.keys(3))...))
		return s.ends("green", workflows.MirrorInput{})
	}},
	{"held-removal", 2100, func(s *stack) client.WorkflowRun {
		return s.held()
	}},
	{"approve", 2100, func(s *stack) client.WorkflowRun {
		held := s.held()
		return s.ends("green", workflows.MirrorInput{Job: runs.JobApprove, Of: workflows.RunID(held.GetID())})
	}},
	{"rerun-clean", 1500, func(s *stack) client.WorkflowRun {
		first := s.ends("green", workflows.MirrorInput{})
		return s.ends("green", workflows.MirrorInput{Job: runs.JobRerun, Of: workflows.RunID(first.GetID()), From: runs.FromClean})
	}},
	{"rerun-snapshot", 1100, func(s *stack) client.WorkflowRun {
		first := s.ends("green", workflows.MirrorInput{})
		return s.ends("green", workflows.MirrorInput{Job: runs.JobRerun, Of: workflows.RunID(first.GetID()), From: runs.FromSnapshot})
	}},
	{"retry-quarantine", 1100, func(s *stack) client.WorkflowRun {
		key := s.keys(1)[0]
		require.NoError(s.t, s.portal.Edit(portalsim.SetField(key, "dba_end_date", noDate)))
		s.ends("green", workflows.MirrorInput{})
		require.NoError(s.t, s.portal.Edit(portalsim.SetField(key, "dba_end_date", nil)))
		return s.ends("behind", workflows.MirrorInput{Job: runs.JobRetry, Keys: []string{key}})
	}},
	{"verify", 1100, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		return s.ends("green", workflows.MirrorInput{Job: runs.JobVerify, Deep: true})
	}},
	{"outage", 1500, func(s *stack) client.WorkflowRun {
		s.portal.Fail(portalsim.Fault{Path: "/resource/", Skip: 4, Status: http.StatusServiceUnavailable, Times: 12})
		return s.ends("green", workflows.MirrorInput{})
	}},
	{"writer-busy", 1500, func(s *stack) client.WorkflowRun {
		release := s.holdPages()
		first := s.start(workflows.MirrorInput{})
		s.awaitWriting()
		second := s.start(workflows.MirrorInput{})
		s.awaitActivity(second, "await_writer")
		release()
		require.Equal(s.t, "green", s.finished(first).Outcome)
		s.finished(second)
		return second
	}},
	{"cancelled", 1500, func(s *stack) client.WorkflowRun {
		release := s.holdPages()
		run := s.start(workflows.MirrorInput{})
		s.awaitWriting()
		require.NoError(s.t, s.temporal.CancelWorkflow(s.t.Context(), run.GetID(), run.GetRunID()))
		release()
		require.Error(s.t, run.Get(s.t.Context(), nil))
		return run
	}},
	{"failed-gate", 2000, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		require.NoError(s.t, s.portal.Edit(portalsim.BlankColumn("dba_name")))
		run := s.start(workflows.MirrorInput{})
		require.Equal(s.t, runs.GateClosed, s.fails(run).Type())
		return run
	}},
	{"late", 1100, func(s *stack) client.WorkflowRun {
		release := s.holdPages()
		run := s.start(workflows.MirrorInput{Deadline: time.Second})
		s.awaitWriting()
		time.Sleep(2 * time.Second)
		release()
		s.finished(run)
		s.quiet()
		return run
	}},
	{"stale", 300, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		run := s.freshness(time.Nanosecond)
		s.quiet()
		return run
	}},
	{"backfill", 600, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		run := s.backfill(workflows.BackfillInput{Since: "2001-01-01", Until: "2006-01-01", MaxActive: 2})
		require.Equal(s.t, 5, s.backfilled(run).Backfill.Done)
		return run
	}},
	{"backfill-proven", 600, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		run := s.backfill(workflows.BackfillInput{Since: "2001-01-01", Until: "2006-01-01", Reload: backfill.ReloadNeeded})
		require.Equal(s.t, 5, s.backfilled(run).Backfill.Proven)
		return run
	}},
	{"history", 300, func(s *stack) client.WorkflowRun {
		run := s.ends("green", workflows.MirrorInput{})
		s.reconstructed(s.finished(run).History)
		return run
	}},
	{"backfill-paused", 600, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		reached, release := s.hold(2)
		run := s.backfill(workflows.BackfillInput{Since: "2001-01-01", Until: "2006-01-01", MaxActive: 2})
		<-reached
		paused := s.update(run, workflows.UpdatePause, "a reason")
		release()
		require.NoError(s.t, paused.Get(s.t.Context(), nil))
		require.NoError(s.t, s.update(run, workflows.UpdateResume).Get(s.t.Context(), nil))
		require.Equal(s.t, 5, s.backfilled(run).Backfill.Done)
		return run
	}},
	{"backfill-paused-waiting", 600, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		release := s.holdPages()
		other := s.start(workflows.MirrorInput{Mode: runs.ModeFull})
		s.awaitWriting()
		run := s.backfill(workflows.BackfillInput{Since: "2001-01-01", Until: "2003-01-01", MaxActive: 2})
		require.Eventually(s.t, func() bool {
			return s.under(workflows.MirrorID(s.spec.Name, workflows.ReloadID(workflows.RunID(run.GetID()), 1)), "", "await_writer")
		}, time.Minute, 20*time.Millisecond)
		require.NoError(s.t, s.update(run, workflows.UpdatePause, "a reason").Get(s.t.Context(), nil))
		release()
		require.Equal(s.t, "green", s.finished(other).Outcome)
		require.NoError(s.t, s.update(run, workflows.UpdateResume).Get(s.t.Context(), nil))
		require.Equal(s.t, 2, s.backfilled(run).Backfill.Done)
		return run
	}},
	{"backfill-yields", 600, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		reached, release := s.hold(2)
		run := s.backfill(workflows.BackfillInput{Since: "2001-01-01", Until: "2006-01-01", MaxActive: 2})
		<-reached
		other := s.start(workflows.MirrorInput{Mode: runs.ModeFull})
		s.awaitActivity(other, "await_writer")
		release()
		require.Equal(s.t, "green", s.finished(other).Outcome)
		require.Equal(s.t, 5, s.backfilled(run).Backfill.Done)
		return run
	}},
	{"backfill-cancelled", 600, func(s *stack) client.WorkflowRun {
		s.ends("green", workflows.MirrorInput{})
		reached, release := s.hold(2)
		run := s.backfill(workflows.BackfillInput{Since: "2001-01-01", Until: "2006-01-01", MaxActive: 2})
		<-reached
		require.NoError(s.t, s.temporal.CancelWorkflow(s.t.Context(), run.GetID(), ""))
		release()
		require.Error(s.t, run.Get(s.t.Context(), nil))
		return run
	}},
	{"failed-probe", 1100, func(s *stack) client.WorkflowRun {
		require.NoError(s.t, s.portal.Edit(portalsim.DropColumn("ttxid")))
		run := s.start(workflows.MirrorInput{})
		require.Equal(s.t, runs.SchemaChanged, s.fails(run).Type())
		return run
	}},
}

// TestOldHistories: executions of an older version are refused with one clear
// message; those of workflows that did not change are not.
func TestOldHistories(t *testing.T) {
	for name, refused := range map[string]bool{
		"first-load.Mirror": true, "first-load.Write": true, "backfill.Backfill": true, "backfill.Window": true,
		"stale.Freshness": false, "stale.Notify": false,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := replay(workflows.Register, readHistory(t, filepath.Join(oldHistories, name+".json.gz")))
			if refused {
				require.EqualError(t, err, older)
			} else {
				require.NoError(t, err)
			}
		})
	}
	_, err := replay(workflows.Register, readHistory(t, filepath.Join(louderHistories, "backfill-paused.Backfill.json.gz")))
	require.NoError(t, err)
	alone, err := filepath.Glob(filepath.Join(aloneHistories, "*.json.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, alone)
	for _, file := range alone {
		_, err := replay(workflows.Register, readHistory(t, file))
		require.NoError(t, err, file)
	}
}

// ends makes a run that must end with an outcome.
func (s *stack) ends(outcome string, in workflows.MirrorInput) client.WorkflowRun {
	s.t.Helper()
	run := s.start(in)
	result := s.finished(run)
	require.Equal(s.t, outcome, result.Outcome, result.Why)
	return run
}

// held ends with a run whose removals are over max_removals.
func (s *stack) held() client.WorkflowRun {
	s.t.Helper()
	s.ends("green", workflows.MirrorInput{})
	require.NoError(s.t, s.portal.Edit(deletions(s.keys(520))...))
	return s.ends("red", workflows.MirrorInput{})
}

// isPage says whether a request is one for a page of rows.
func isPage(r *http.Request) bool {
	q := r.URL.Query()
	return strings.HasPrefix(r.URL.Path, "/resource/") && q.Get("$where") != "" && len(q.Get("$limit")) > 2
}

// moveOnce edits the portal while the first crawl is under way.
func (s *stack) moveOnce() {
	var pages int
	moved := make(chan struct{}, 1)
	moved <- struct{}{}
	s.portal.OnRequest(func(r *http.Request) {
		if !isPage(r) {
			return
		}
		select {
		case <-moved: // one request at a time counts, and the second one moves the portal
			if pages++; pages == 2 {
				_ = s.portal.Edit(portalsim.Rename(s.keys(1)[0], "Moved Meanwhile")) // a run that is not torn fails the scenario
				return
			}
			moved <- struct{}{}
		default:
		}
	})
}

// holdPages holds requests for pages back until they are released.
func (s *stack) holdPages() (release func()) {
	gate := make(chan struct{})
	s.portal.OnRequest(func(r *http.Request) {
		if isPage(r) {
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
	})
	return func() { close(gate) }
}

// awaitActivity waits until a run is at an activity.
func (s *stack) awaitActivity(run client.WorkflowRun, name string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.under(run.GetID(), run.GetRunID(), name) }, time.Minute, 20*time.Millisecond)
}

func (s *stack) under(id, run, activity string) bool {
	d, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), id, run)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(d.PendingActivities, func(p *workflowpb.PendingActivityInfo) bool {
		return p.GetActivityType().GetName() == activity
	})
}

// TestReplay holds today's workflows against recorded histories: a change that
// would break runs that are under way is found here. After a change that is
// meant, keep the old behaviour for old runs with workflow.GetVersion, or refuse
// them by a new version in version.go; only what no run can still be in is
// recorded anew.
func TestReplay(t *testing.T) {
	if *record != "" {
		t.Run("record", recordHistories)
	}
	files, err := filepath.Glob(filepath.Join(histories, "*.json.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var bytes int64
	replayed := map[string]int{} // by workflow
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		bytes += info.Size()
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			kind, err := replay(workflows.Register, readHistory(t, file))
			require.NoError(t, err)
			replayed[kind]++
		})
	}
	require.LessOrEqual(t, bytes, int64(mostBytes), "record smaller tables")
	for _, kind := range registered() {
		require.NotZero(t, replayed[kind], "no history of the workflow %s: add a scenario and record it", kind)
	}
	for _, s := range scenarios {
		require.True(t, slices.ContainsFunc(files, func(file string) bool { return strings.HasPrefix(filepath.Base(file), s.name+".") }),
			"no history of the scenario %s: go run -C deploy/dev . exec -- go test ./workflows -run 'TestReplay$' -record %s", s.name, s.name)
	}
	t.Log(len(files), "histories,", bytes, "bytes,", replayed)
}

// TestReplayNoticesAChange replays histories against workflows that do
// something else than those that were recorded.
func TestReplayNoticesAChange(t *testing.T) {
	under := func(name string, f any) func(worker.WorkflowRegistry) {
		return func(r worker.WorkflowRegistry) {
			r.RegisterWorkflowWithOptions(f, workflow.RegisterOptions{Name: name})
		}
	}
	for name, c := range map[string]struct {
		file     string
		register func(worker.WorkflowRegistry)
	}{
		"another step first": {"first-load.Mirror", under("Mirror", func(ctx workflow.Context, in workflows.MirrorInput) (*workflows.MirrorResult, error) {
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return nil, err
			}
			return workflows.Mirror(ctx, in)
		})},
		"another step last": {"first-load.Write", under("Write", func(ctx workflow.Context, in workflows.WriteInput) (*workflows.WriteResult, error) {
			result, err := workflows.Write(ctx, in)
			if err == nil {
				err = workflow.Sleep(ctx, time.Second)
			}
			return result, err
		})},
		"fewer steps": {"first-load.Write", under("Write", func(ctx workflow.Context, in workflows.WriteInput) (*workflows.WriteResult, error) {
			in.Job = activities.JobSpec{Name: runs.JobVerify}
			return workflows.Write(ctx, in)
		})},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := replay(c.register, readHistory(t, filepath.Join(histories, c.file+".json.gz")))
			require.Error(t, err)
		})
	}
}

// replay replays one history with the workflows that register registers, and
// returns the workflow's name.
func replay(register func(worker.WorkflowRegistry), history *historypb.History) (kind string, err error) {
	started := history.Events[0].GetWorkflowExecutionStartedEventAttributes()
	names := activityNames{}
	activities.Register(&names, &activities.Activities{})
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: []interceptor.WorkerInterceptor{&naming{names: names.registered}}})
	if err != nil {
		return "", err
	}
	register(replayerRegistry{replayer})
	return started.WorkflowType.Name, replayer.ReplayWorkflowHistoryWithOptions(quiet(), history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: started.WorkflowId, RunID: started.OriginalExecutionRunId},
	})
}

// replayerRegistry lets a replayer be given the same workflows as a worker.
type replayerRegistry struct{ worker.WorkflowReplayer }

func (r replayerRegistry) RegisterDynamicWorkflow(any, workflow.DynamicRegisterOptions) {
	panic("Padron has no dynamic workflows")
}

// activityNames are the names that activities are registered with, by those of
// their methods. A replayer has no activities and does not know.
type activityNames struct {
	worker.ActivityRegistry
	registered map[string]string
}

func (n *activityNames) RegisterActivityWithOptions(f any, o activity.RegisterOptions) {
	if n.registered == nil {
		n.registered = map[string]string{}
	}
	n.registered[functionName(f)] = o.Name
}

// functionName is the name of a function or method, without its package.
func functionName(f any) string {
	full := strings.TrimSuffix(runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name(), "-fm")
	return full[strings.LastIndexByte(full, '.')+1:]
}

// naming gives replayed activities their registered names.
type naming struct {
	interceptor.WorkerInterceptorBase
	names map[string]string
}

func (n *naming) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &namingInbound{names: n.names}
	in.Next = next
	return in
}

type namingInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	names map[string]string
}

func (n *namingInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &namingOutbound{names: n.names}
	out.Next = next
	return n.Next.Init(out)
}

type namingOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	names map[string]string
}

func (n *namingOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if registered, ok := n.names[name]; ok {
		name = registered
	}
	return n.Next.ExecuteActivity(ctx, name, args...)
}

// registered lists the names of all workflows.
func registered() []string {
	var names nameList
	workflows.Register(&names)
	return names
}

type nameList []string

func (l *nameList) RegisterWorkflow(f any) {
	l.RegisterWorkflowWithOptions(f, workflow.RegisterOptions{})
}

func (l *nameList) RegisterWorkflowWithOptions(f any, o workflow.RegisterOptions) {
	name := o.Name
	if name == "" {
		name = functionName(f)
	}
	*l = append(*l, name)
}

func (l *nameList) RegisterDynamicWorkflow(any, workflow.DynamicRegisterOptions) {}

func readHistory(t *testing.T, file string) *historypb.History {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // read
	unpacked, err := gzip.NewReader(f)
	require.NoError(t, err)
	history, err := client.HistoryFromJSON(unpacked, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return history
}

// recordHistories makes the runs of the scenarios that -record names.
func recordHistories(t *testing.T) {
	pattern, err := regexp.Compile(*record)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(histories, 0o755))
	found := false
	for _, c := range scenarios {
		if !pattern.MatchString(c.name) {
			continue
		}
		found = true
		t.Run(c.name, func(t *testing.T) {
			adjust := []func(*activities.Activities){newReceiver(t).telling}
			if strings.HasPrefix(c.name, "backfill") {
				adjust = append(adjust, func(a *activities.Activities) { a.PageSize = 60 }) // or all windows would share one
			}
			var changes []string
			if c.name == "history" {
				changes = yearly
			}
			s := newStackOf(t, register.Generate(c.rows, 90), changes, adjust...)
			run := c.run(s)
			old, err := filepath.Glob(filepath.Join(histories, c.name+".*"))
			require.NoError(t, err)
			for _, file := range old {
				require.NoError(t, os.Remove(file))
			}
			nth := map[string]int{}
			for _, history := range s.family(run.GetID(), run.GetRunID()) {
				kind := history.Events[0].GetWorkflowExecutionStartedEventAttributes().WorkflowType.Name
				name := c.name + "." + kind
				if nth[kind]++; nth[kind] > 1 {
					name += "-" + string(rune('0'+nth[kind]/10)) + string(rune('0'+nth[kind]%10))
				}
				s.write(filepath.Join(histories, name+".json.gz"), history)
			}
		})
	}
	require.True(t, found, "no scenario matches %q", *record)
}

// family is a run's history with those of its children, and of the runs that
// each was continued as.
func (s *stack) family(id, run string) []*historypb.History {
	s.t.Helper()
	history := &historypb.History{}
	var others []*historypb.History
	for events := s.temporal.GetWorkflowHistory(s.t.Context(), id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		require.NoError(s.t, err)
		history.Events = append(history.Events, event)
		if child := event.GetChildWorkflowExecutionStartedEventAttributes(); child != nil {
			others = append(others, s.family(child.WorkflowExecution.WorkflowId, child.WorkflowExecution.RunId)...)
		}
		if next := event.GetWorkflowExecutionContinuedAsNewEventAttributes(); next != nil {
			others = append(others, s.family(id, next.NewExecutionRunId)...)
		}
	}
	return append([]*historypb.History{history}, others...)
}

// write writes a history without what tells of the machine or of the test: the
// names of processes, hosts and addresses, and the dataset's made-up name.
func (s *stack) write(file string, history *historypb.History) {
	s.t.Helper()
	host, err := os.Hostname()
	require.NoError(s.t, err)
	portal := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	identity := regexp.MustCompile(`\d+@` + regexp.QuoteMeta(host) + `@?`)
	sticky := regexp.MustCompile(regexp.QuoteMeta(host) + `:[0-9a-f-]{36}`)
	scrub(history.ProtoReflect(), func(text string) string {
		text = strings.ReplaceAll(text, s.spec.Name, "register")
		text = portal.ReplaceAllString(text, "portal.example")
		text = identity.ReplaceAllString(text, "worker@host")
		return sticky.ReplaceAllString(text, "sticky")
	})
	text, err := protojson.Marshal(history)
	require.NoError(s.t, err)
	for _, mine := range []string{s.spec.Name, "127.0.0.1", "@" + host, s.prefix} {
		require.NotContains(s.t, string(text), mine, file)
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	require.NoError(s.t, err)
	_, err = io.Copy(w, bytes.NewReader(text))
	require.NoError(s.t, err)
	require.NoError(s.t, w.Close())
	require.NoError(s.t, os.WriteFile(file, packed.Bytes(), 0o644))
}

// scrub rewrites every text in a message, in payloads too.
func scrub(m protoreflect.Message, rewrite func(string) string) {
	value := func(f protoreflect.FieldDescriptor, v protoreflect.Value) (protoreflect.Value, bool) {
		switch f.Kind() {
		case protoreflect.StringKind:
			return protoreflect.ValueOfString(rewrite(v.String())), true
		case protoreflect.BytesKind:
			return protoreflect.ValueOfBytes([]byte(rewrite(string(v.Bytes())))), true
		case protoreflect.MessageKind:
			scrub(v.Message(), rewrite)
		default:
		}
		return v, false
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, item protoreflect.Value) bool {
				if changed, ok := value(f.MapValue(), item); ok {
					v.Map().Set(k, changed)
				}
				return true
			})
		case f.IsList():
			for i := range v.List().Len() {
				if changed, ok := value(f, v.List().Get(i)); ok {
					v.List().Set(i, changed)
				}
			}
		default:
			if changed, ok := value(f, v); ok {
				m.Set(f, changed)
			}
		}
		return true
	})
}
