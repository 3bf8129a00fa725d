package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"padron/internal/lineage"
)

func TestParseStat(t *testing.T) {
	// A program may call itself anything.
	p, err := parseStat("4242 (post) gres: (a b) S 17 4242 4242 0 -1 4194560 1 2 3 4 150 25 1000 500 20 0 1 0 100 1 1")
	require.NoError(t, err)
	assert.Equal(t, processTimes{pid: 4242, parent: 17, used: 16750 * time.Millisecond}, p)
	for _, bad := range []string{"", "17", "17 (x", "x (y) S 1", "17 (x) S 1 2 3", "17 (x) S 1 1 1 0 -1 0 1 2 3 4 a 25 0 0 20"} {
		_, err := parseStat(bad)
		assert.Error(t, err, "%q", bad)
	}
}

func TestTreeTimeTakesDescendantsOnce(t *testing.T) {
	all := []processTimes{
		{1, 0, 1000}, {10, 1, 1}, {11, 10, 20}, {12, 10, 300}, {13, 12, 4000}, {20, 1, 50000}, {0, 0, 7},
	}
	assert.EqualValues(t, 4321, treeTime(all, 10))
	assert.EqualValues(t, 4300, treeTime(all, 12))
	assert.Zero(t, treeTime(all, 99))
}

func TestParsePeakMemory(t *testing.T) {
	peak, err := parsePeakMemory("Name:\tworker\nVmPeak:\t  900 kB\nVmHWM:\t  163840 kB\nVmRSS:\t  1 kB\n")
	require.NoError(t, err)
	assert.EqualValues(t, 160<<20, peak)
	for _, bad := range []string{"", "VmRSS: 1 kB\n", "VmHWM: much kB\n"} {
		_, err := parsePeakMemory(bad)
		assert.Error(t, err, "%q", bad)
	}
}

func TestParseBusyLeavesOutIdleTime(t *testing.T) {
	assert.Equal(t, 1230*time.Millisecond, parseBusy("cpu  100 10 5 9999 8888 3 5 7777 0 0\ncpu0 1 1 1 1\n"))
	assert.Zero(t, parseBusy("cpu 1 2\n"))
	assert.Zero(t, parseBusy("intr 1 2 3 4 5 6 7 8 9\n"))
}

// history numbers events and dates them a second apart.
func history(events ...*historypb.HistoryEvent) []*historypb.HistoryEvent {
	for i, e := range events {
		e.EventId = int64(i + 1)
		e.EventTime = timestamppb.New(time.Unix(int64(i), 0))
	}
	return events
}

func event(kind enumspb.EventType) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventType: kind}
}

func started(parent int64) *historypb.HistoryEvent {
	e := event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
	e.Attributes = &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{ParentInitiatedEventId: parent},
	}
	return e
}

func activity(name string) *historypb.HistoryEvent {
	e := event(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
	e.Attributes = &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
		ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{ActivityType: &commonpb.ActivityType{Name: name}},
	}
	return e
}

func attempt(n int32) *historypb.HistoryEvent {
	e := event(enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED)
	e.Attributes = &historypb.HistoryEvent_ActivityTaskStartedEventAttributes{
		ActivityTaskStartedEventAttributes: &historypb.ActivityTaskStartedEventAttributes{Attempt: n},
	}
	return e
}

func completed(scheduled int64) *historypb.HistoryEvent {
	e := event(enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
	e.Attributes = &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: scheduled},
	}
	return e
}

func marker(task int64) *historypb.HistoryEvent {
	e := event(enumspb.EVENT_TYPE_MARKER_RECORDED)
	e.Attributes = &historypb.HistoryEvent_MarkerRecordedEventAttributes{
		MarkerRecordedEventAttributes: &historypb.MarkerRecordedEventAttributes{WorkflowTaskCompletedEventId: task},
	}
	return e
}

func upsert(names ...string) *historypb.HistoryEvent {
	fields := map[string]*commonpb.Payload{}
	for _, n := range names {
		fields[n] = &commonpb.Payload{}
	}
	e := event(enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)
	e.Attributes = &historypb.HistoryEvent_UpsertWorkflowSearchAttributesEventAttributes{
		UpsertWorkflowSearchAttributesEventAttributes: &historypb.UpsertWorkflowSearchAttributesEventAttributes{
			SearchAttributes: &commonpb.SearchAttributes{IndexedFields: fields},
		},
	}
	return e
}

func localRetries(n uint32) *historypb.HistoryEvent {
	e := event(enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
	e.Attributes = &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{
		WorkflowTaskCompletedEventAttributes: &historypb.WorkflowTaskCompletedEventAttributes{
			SdkMetadata: &sdkpb.WorkflowTaskCompletedMetadata{}, MeteringMetadata: &commonpb.MeteringMetadata{NonfirstLocalActivityExecutionAttempts: n},
		},
	}
	return e
}

func TestActionsOfAHistory(t *testing.T) {
	for name, c := range map[string]struct {
		events []*historypb.HistoryEvent
		want   map[string]int
	}{
		"started by a client":           {history(started(0)), map[string]int{"workflow": 1}},
		"started by a parent, who pays": {history(started(7)), map[string]int{}},
		"child: intent and attempt":     {history(event(enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED)), map[string]int{"child_workflow": 2}},
		"activity, third attempt":       {history(activity("a"), attempt(3)), map[string]int{"activity": 1, "activity_retry": 2}},
		"activity, first attempt":       {history(activity("a"), attempt(1)), map[string]int{"activity": 1}},
		"markers of two tasks":          {history(marker(4), marker(4), marker(9)), map[string]int{"marker": 2}},
		"local retries":                 {history(localRetries(5)), map[string]int{"local_activity_retry": 5}},
		"upsert of several":             {history(upsert("A", "B")), map[string]int{"search_attributes": 1}},
		"upsert of the version":         {history(upsert(changeVersion)), map[string]int{}},
		"timer, signal, update, options": {
			history(event(enumspb.EVENT_TYPE_TIMER_STARTED), event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED),
				event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED), event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED)),
			map[string]int{"timer": 1, "signal": 1, "update": 1, "options_update": 1},
		},
		"the rest is free": {
			history(event(enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED), event(enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED), localRetries(0),
				completed(1), event(enumspb.EVENT_TYPE_TIMER_FIRED), event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)),
			map[string]int{},
		},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, actions(c.events)) })
	}
}

func TestTimesOfAHistory(t *testing.T) {
	events := history(started(0), activity("clean"), activity("index"), completed(2), completed(3), activity("index"), completed(6), event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED))
	assert.Equal(t, 7*time.Second, span(events))
	assert.Equal(t, time.Unix(3, 0).UTC(), activityDone(events, "clean"))
	assert.Equal(t, time.Unix(6, 0).UTC(), activityDone(events, "index"), "the last of several")
	assert.True(t, activityDone(events, "none").IsZero())
	assert.Zero(t, span(nil))
}

func TestCountersOfAWorker(t *testing.T) {
	text := `# TYPE padron_mongodb_commands_total counter
padron_mongodb_commands_total{command="insert",result="ok"} 5
padron_mongodb_commands_total{command="insert",result="failed"} 2
padron_mongodb_commands_total{command="find",result="ok"} 3
# TYPE padron_mongodb_bytes_total counter
padron_mongodb_bytes_total{direction="sent"} 1.5e+06
padron_mongodb_bytes_total{direction="received"} 70
# TYPE temporal_request gauge
temporal_request{operation="RecordActivityTaskHeartbeat",namespace="default"} 4
temporal_request{operation="RespondQueryTaskCompleted",namespace="default"} 1
temporal_request{operation="RespondActivityTaskCompleted",namespace="default"} 100
`
	after, err := parseCounters(strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, counters{map[string]int64{"insert": 7, "find": 3}, 1_500_000, 70, 4, 1}, after)
	before := counters{map[string]int64{"insert": 6, "find": 3}, 500_000, 60, 1, 1}
	assert.Equal(t, counters{map[string]int64{"insert": 1}, 1_000_000, 10, 3, 0}, after.since(before))
	_, err = parseCounters(strings.NewReader("{{{"))
	assert.Error(t, err)
}

// measured is a report of the size that times are judged at, in which every
// target is met, barely.
func measured() Report {
	const rows = DefaultRows
	line := func(name string, rows int, seconds float64) measurement {
		m := measurement{Name: name}
		m.over(rows, seconds)
		return m
	}
	crawl := func(name string, seconds float64) measurement {
		m := line(name, rows, seconds)
		m.Outcome, m.WorkerPeak = "green", 100<<20
		m.Steps = []step{{"plan", 40}, {snapshotStep, 3000}}
		return m
	}
	skip := line(lineSkip, 0, 0.4)
	skip.Starter, skip.Outcome, skip.Portal.Requests, skip.Actions = 0.99, "skipped", 3, map[string]int{"activity": 5, "workflow": 3}
	unchanged := crawl(lineUnchanged, 10)
	unchanged.CPU, unchanged.WorkerPeak = usage{Postgres: 4, Gateway: 1}, 192<<20
	back := line(lineBackfill, 0, 12)
	back.Windows, back.Actions = 440, map[string]int{"activity": 60}
	reloaded := line(lineReloaded, 0, 44)
	reloaded.Windows, reloaded.Actions = 440, map[string]int{"activity": 880}
	return Report{Rows: rows, Lines: []measurement{
		line(lineIndexed, rows, 7), line(lineReplace, rows, 80), line(lineFirstIndexed, rows, 10),
		crawl(lineFirst, 14), unchanged, crawl(lineChangedFew, 80./6), crawl(lineChangedMany, 32), skip, back, reloaded,
	}}
}

func TestTargets(t *testing.T) {
	r := measured()
	r.finish()
	require.Len(t, r.Targets, 16)
	for _, a := range r.Targets {
		assert.True(t, a.Reached, "%s: %s", a.Name, a.Detail)
	}
	for name, spoil := range map[string]func(r *Report){
		"first load to fully indexed":                       func(r *Report) { r.Lines[2].RowsPerSecond *= 0.99 },
		"first load with certificate, snapshot and profile": func(r *Report) { r.Lines[3].RowsPerSecond *= 0.99 },
		"unchanged full crawl":                              func(r *Report) { r.Lines[4].RowsPerSecond *= 0.99 },
		"full crawl, 0.1 % changed":                         func(r *Report) { r.Lines[5].RowsPerSecond *= 0.99 },
		"full crawl, 10 % changed":                          func(r *Report) { r.Lines[6].RowsPerSecond *= 0.99 },
		"unchanged full crawl: CPU of the database":         func(r *Report) { r.Lines[4].CPU.Gateway += 0.1 },
		"snapshot":                         func(r *Report) { r.Lines[5].Steps[1].TookMS++ },
		"worker memory":                    func(r *Report) { r.Lines[4].WorkerPeak++ },
		"skip: time":                       func(r *Report) { r.Lines[7].Starter = 1 },
		"skip: portal requests":            func(r *Report) { r.Lines[7].Portal.Requests++ },
		"skip: billable actions":           func(r *Report) { r.Lines[7].Actions["heartbeat"] = 1 },
		"skip: it was one":                 func(r *Report) { r.Lines[7].Outcome = "green" },
		"backfill of what is proven: time": func(r *Report) { r.Lines[8].Seconds += 0.1 },
		"backfill of what is proven: billable actions": func(r *Report) { r.Lines[8].Actions["activity"]++ },
	} {
		r := measured()
		spoil(&r)
		r.finish()
		for _, a := range r.Targets {
			assert.Equal(t, a.Name != name, a.Reached, "%s spoiled: %s: %s", name, a.Name, a.Detail)
		}
	}
}

func TestTimesAreJudgedAtTheRealSizeOnly(t *testing.T) {
	r := measured()
	r.Rows = 60_000
	r.finish()
	assert.Len(t, r.Targets, 12)
	for _, a := range r.Targets {
		assert.NotContains(t, []string{"unchanged full crawl: CPU of the database", "snapshot", "backfill of what is proven: time", "reloading backfill: windows"}, a.Name)
	}
}

func TestWithoutRawLimitsThereAreNoRatios(t *testing.T) {
	r := measured()
	r.Lines = r.Lines[2:]
	r.finish()
	assert.Len(t, r.Targets, 11)
	assert.Zero(t, r.Lines[0].OfInsert)
}

func TestOtherProgramsAreTold(t *testing.T) {
	r := measured()
	r.Lines[0].CPU = usage{Postgres: 3, Bench: 1, Machine: 5}
	r.Lines[4].CPU = usage{Worker: 2, Temporal: 1, Gateway: 1, Machine: 5}
	r.finish()
	assert.InDelta(t, 0.2, r.Elsewhere, 1e-9)
	assert.Contains(t, strings.Join(r.Notes, "\n"), "other programs used 20 %")
}

func TestTableAndJSON(t *testing.T) {
	r := measured()
	r.Machine, r.Engine, r.Notes = "2 cores", "an engine", []string{"A note."}
	r.Lines[1].Note = "a sample"
	r.finish()
	var out bytes.Buffer
	require.NoError(t, r.PrintTable(&out))
	assert.Equal(t, `368,000 rows · 2 cores · an engine

                                              × raw insert  × raw replace  worker  worker  database  portal    portal   MongoDB  Temporal  billable
                               rows/s      s    to indexed        indexed     MiB   CPU s     CPU s     MiB  requests  commands    events   actions  outcome
`, strings.Join(strings.SplitAfter(out.String(), "\n")[:4], ""))
	text := out.String()
	assert.Regexp(t, `(?m)^full crawl, unchanged +36,800 +10\.00 +0\.70 +8\.00 +192 .* green$`, text)
	assert.Regexp(t, `(?m)^skip +0\.40 .* 3 .* 8 +skipped$`, text)
	assert.Contains(t, text, "raw replace, indexes in place: a sample\nfirst load: seconds of its steps: plan 0.0, aggregate_snapshot 3.0\n")
	assert.Contains(t, text, "\nA note.\n")
	assert.Contains(t, text, "reached  skip: portal requests: 3, at most 3\n")

	out.Reset()
	require.NoError(t, r.PrintJSON(&out))
	var back Report
	require.NoError(t, json.Unmarshal(out.Bytes(), &back))
	assert.Equal(t, r, back)
}

func TestMarkdown(t *testing.T) {
	r := measured()
	r.Machine, r.Engine, r.Notes = "2 cores", "an engine", []string{"A note."}
	r.Lines[1].Note = "a sample"
	r.Lines[5].Steps = append(r.Lines[5].Steps, step{"index", 1540})
	r.Lines[8].Actions["activity"]++
	r.finish()
	var out bytes.Buffer
	require.NoError(t, r.PrintMarkdown(&out))
	text := out.String()
	assert.True(t, strings.HasPrefix(text, "368,000 rows · 2 cores · an engine.\n\n|  | rows/s | s | × raw insert to indexed |"), text)
	assert.Contains(t, text, "\n| full crawl, unchanged | 36,800 | 10.00 | 0.70 | 8.00 | 192 |  | 5.00 |")
	assert.Contains(t, text, "\n| seconds of each step | first load | full crawl, unchanged | full crawl, 0.1 % changed | full crawl, 10 % changed |\n|---|---|---|---|---|\n")
	assert.Contains(t, text, "\n| aggregate_snapshot | 3.0 | 3.0 | 3.0 | 3.0 |\n| index |  |  | 1.5 |  |\n")
	assert.Contains(t, text, "\n| skip: portal requests | reached | 3, at most 3 |\n")
	assert.Contains(t, text, "\n| backfill of what is proven: billable actions | **missed** | 61, at most 60 |\n")
	assert.Contains(t, text, "\n- raw replace, indexes in place: a sample.\n- A note.\n")
	// Every line of a table has as many cells as its head.
	cells := 0
	for line := range strings.Lines(text) {
		switch n := strings.Count(line, "|"); {
		case n == 0:
			cells = 0
		case cells == 0:
			cells = n
		default:
			assert.Equal(t, cells, n, line)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 368000: "368,000", 3680000: "3,680,000", -1234: "-1,234", -123: "-123"} {
		assert.Equal(t, want, thousands(n))
	}
}

func TestEveryNth(t *testing.T) {
	assert.Equal(t, []string{"a", "d"}, everyNth([]string{"a", "b", "c", "d"}, 3))
	assert.Empty(t, everyNth(nil, 3))
}

func document(t *testing.T, key string) bson.Raw {
	t.Helper()
	canonical, err := bson.Marshal(bson.D{{Key: "_id", Value: key}, {Key: "dba_name", Value: "Cafe"}})
	require.NoError(t, err)
	stored, err := lineage.Append(nil, canonical, &lineage.Lineage{Hash: [32]byte{1, 2}, Version: 4, Run: "r", FirstSeen: time.UnixMilli(1), ChangedAt: time.UnixMilli(2), Spec: "s"})
	require.NoError(t, err)
	return stored
}

func TestAChangedDocumentIsTheSameButForItsLineage(t *testing.T) {
	stored := document(t, "7")
	changed, err := asChanged(stored)
	require.NoError(t, err)
	before, err := lineage.Canonical(nil, stored)
	require.NoError(t, err)
	after, err := lineage.Canonical(nil, changed)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	lineage := func(doc bson.Raw, field string) bson.RawValue { return doc.Lookup("lineage", field) }
	assert.EqualValues(t, 5, lineage(changed, "version").Int32())
	assert.Equal(t, lineage(stored, "first_seen"), lineage(changed, "first_seen"))
	assert.NotEqual(t, lineage(stored, "hash"), lineage(changed, "hash"))
	assert.NotEqual(t, lineage(stored, "changed_at"), lineage(changed, "changed_at"))
}

func TestWriteCommands(t *testing.T) {
	docs := []bson.Raw{document(t, "1"), document(t, "2"), document(t, "3")}
	for _, c := range inserts(docs, 2) {
		require.NoError(t, c.body.Validate())
	}
	all := inserts(docs, 2)
	require.Len(t, all, 2)
	assert.Equal(t, []int{2, 1}, []int{all[0].rows, all[1].rows})
	assert.Equal(t, docs[2], all[1].body.Lookup("documents", "0").Document())
	update := replaces(docs, 3)[0].body.Lookup("updates", "1").Document()
	assert.Equal(t, "2", update.Lookup("q", "_id").StringValue())
	assert.Equal(t, docs[1], update.Lookup("u").Document())
}

func TestTheDocumentationShowsTheCurrentTable(t *testing.T) {
	text, err := os.ReadFile("../../../docs/performance.md")
	require.NoError(t, err)
	_, after, begins := strings.Cut(string(text), "<!-- bench: begin -->\n")
	shown, _, ends := strings.Cut(after, "<!-- bench: end -->\n")
	require.True(t, begins && ends, "performance.md has no marks around what `bench -o md` prints")
	var printed bytes.Buffer
	require.NoError(t, (&Report{Rows: DefaultRows}).PrintMarkdown(&printed))
	_, head, _ := strings.Cut(printed.String(), "\n\n")
	assert.Contains(t, shown, strings.TrimRight(head, "\n")+"\n", "paste what `bench --rows 368000 -o md` prints between the marks")
	assert.Contains(t, shown, "\n368,000 rows · ", "it is of the real size")
}
