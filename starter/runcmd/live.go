package runcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"padron/internal/mongodb"
	"padron/internal/runs"
	"padron/starter/cli"
	"padron/workflows"
	"padron/workflows/dag"
)

const (
	// queryWithin is how long a worker may take to answer a query. One that
	// works takes milliseconds; where none runs, the call waits in vain.
	queryWithin = 3 * time.Second
	// queryMisses is how many queries in a row a busy worker may leave
	// unanswered; until then what it said last is shown.
	queryMisses = 3
	// queryAgain is how long after these the next one is made, so that watching
	// a run without a worker does not stutter.
	queryAgain = 10 * time.Second
	// pollLasts is after how long a worker that has not polled again is gone: a poll
	// lasts up to a minute, and Temporal remembers those who polled for five.
	pollLasts = 75 * time.Second
	// paceOver is over how long rates are taken: long enough to smooth what
	// comes page by page, short enough to follow the steps.
	paceOver = 20 * time.Second
)

// Where a liveView comes from.
const (
	sourceWorker = "worker" // the run itself told, by the query workflows.QueryStatus
	sourceRecord = "record" // no worker answered: only the run's record is known
)

// liveView is what a running run does, and waits for, at a moment.
type liveView struct {
	At       time.Time     `json:"at"`
	Source   string        `json:"source"`              // sourceWorker or sourceRecord
	Doing    string        `json:"doing"`               // "fetching 120,000 of 368,000 rows"
	WaitsFor string        `json:"waits_for,omitempty"` // what keeps the run from getting on; empty when nothing does
	Rows     rowsView      `json:"rows"`
	Tasks    []taskView    `json:"tasks,omitempty"`   // of the run, then of its writing; none when no worker answered
	Pending  []pendingView `json:"pending,omitempty"` // steps under way or to be tried again
}

// taskView is one task of the run's graph.
type taskView struct {
	Workflow string    `json:"workflow"` // workflows.InMirror or workflows.InWrite
	Name     string    `json:"name"`
	State    dag.State `json:"state"`
	Done     int       `json:"done,omitempty"`  // items
	Total    int       `json:"total,omitempty"` // items in all; 0 until known, or not done in items
	Started  time.Time `json:"started,omitzero"`
	TookMS   int64     `json:"took_ms,omitempty"`
	Error    string    `json:"error,omitempty"`
	WaitsFor []string  `json:"waits_for,omitempty"` // tasks that have not ended yet
	doing    string    // what it does while it runs; empty where the run's record says more
}

// noTemporal is what a run waits for when nobody can be asked.
func noTemporal(err error) string {
	return "Temporal, which does not answer (" + cli.OneLine(err) + "); `starter doctor` says more"
}

// looker looks at one run again and again.
type looker struct {
	*session
	id      string
	pace    pace
	last    map[string][]taskView // that were answered, by workflow
	misses  int                   // queries without an answer, in a row
	missed  time.Time             // when the last of these was
	noQuery time.Time             // no query before this
	silent  error                 // why the last query had no answer; nil when it had
	quiet   time.Time             // since when
}

func newLooker(s *session, id string) *looker { return &looker{session: s, id: id} }

// look says what the run does now. record is its record as just read; a zero
// one when there is none yet. It makes the best of what answers.
func (l *looker) look(ctx context.Context, record runs.Run) liveView {
	now := time.Now()
	v := liveView{At: now.UTC(), Source: sourceRecord, Rows: rowsOf(record)}
	outer := l.workflowID(record, l.id)
	run, err := l.Temporal.DescribeWorkflowExecution(ctx, outer, "")
	if err != nil {
		v.Doing, v.WaitsFor = doingText(record), noTemporal(err)
		if cli.NotFound(err) {
			v.WaitsFor = "nothing: Temporal does not know it any longer; the next run mends what it left"
		}
		return v
	}
	switch ended := run.WorkflowExecutionInfo.GetStatus(); ended {
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		v.WaitsFor = "nothing: it was ended from outside (" + ended.String() + ") before its record was closed; the next run mends what it left"
	default:
	}
	v.Pending = pendingViews(run)
	writing, writer := l.writing(ctx)
	own := writer == l.id && record.Job != runs.JobBackfill
	if own {
		v.Pending = append(v.Pending, pendingViews(writing)...)
	}
	for _, p := range v.Pending {
		if p.State == pendingRunning && p.Since.After(l.missed) {
			l.noQuery = time.Time{} // a worker has come
		}
	}
	answered := l.query(ctx, &v, workflows.InMirror, outer)
	if answered && own {
		answered = l.query(ctx, &v, workflows.InWrite, workflows.WriteID(l.Spec.Name))
	}
	if answered {
		v.Source = sourceWorker
	}
	l.pace.add(now, &v)
	v.Doing = cmp.Or(v.at(), doingText(record))
	v.WaitsFor = cmp.Or(v.WaitsFor, v.waitsFor(writer, answered))
	if v.WaitsFor == someWorker {
		v.WaitsFor = l.worker(ctx)
	}
	return v
}

// worker says which worker a run waits for that nobody answers for: one that is to
// start, or one that polls and does not answer.
func (l *looker) worker(ctx context.Context) string {
	q := cli.Queues(l.Config.TaskQueue, l.Spec.Name)[0]
	d, err := cli.DescribeQueue(ctx, l.Temporal, l.Namespace, q.Name, q.Kind)
	if err != nil {
		return noTemporal(err)
	}
	var last time.Time
	var who string
	for _, p := range d.GetPollers() {
		if at := p.GetLastAccessTime().AsTime(); at.After(last) {
			last, who = at, p.GetIdentity()
		}
	}
	since := " since " + cli.Clock(l.quiet)
	switch {
	case who == "":
		return "a worker: none answers" + since + ", and none serves " + l.Spec.Name + "; start one with `worker`"
	case time.Since(last) > pollLasts:
		return "a worker: none answers" + since + ", and the last that served " + l.Spec.Name + " polled at " + cli.Clock(last) + "; start one with `worker`"
	}
	why := ""
	if _, late := errors.AsType[*serviceerror.DeadlineExceeded](l.silent); l.silent != nil && !late {
		why = ": " + cli.Plain(cli.OneLine(l.silent))
	}
	return "worker " + who + " to answer, which polled at " + cli.Clock(last) + " and does not" + since + why + "; it is busy, or has just ended: then start one with `worker`"
}

// writing describes the writing that is going on, and names the run whose it
// is; empty when there is none.
func (l *looker) writing(ctx context.Context) (d *workflowservice.DescribeWorkflowExecutionResponse, run string) {
	d, err := l.Temporal.DescribeWorkflowExecution(ctx, workflows.WriteID(l.Spec.Name), "")
	if err != nil || d.WorkflowExecutionInfo.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil, ""
	}
	return d, workflows.RunID(d.WorkflowExecutionInfo.GetParentExecution().GetWorkflowId())
}

// query adds a workflow's tasks, and says whether it answered.
func (l *looker) query(ctx context.Context, v *liveView, workflow, id string) bool {
	if time.Now().Before(l.noQuery) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	var tasks []dag.Status
	answer, err := l.Temporal.QueryWorkflow(ctx, id, "", workflows.QueryStatus)
	if err == nil {
		err = answer.Get(&tasks)
	}
	if err != nil {
		if l.misses++; l.misses >= queryMisses || l.last[workflow] == nil {
			l.misses, l.missed, l.noQuery, l.last = 0, time.Now(), time.Now().Add(queryAgain), nil
			if l.silent == nil {
				l.quiet = time.Now()
			}
			l.silent = err
			return false
		}
		v.Tasks = append(v.Tasks, l.last[workflow]...)
		return true
	}
	l.misses, l.silent = 0, nil
	v.Tasks = append(v.Tasks, l.viewTasks(workflow, tasks)...)
	return true
}

// viewTasks are the tasks that a workflow answered.
func (l *looker) viewTasks(workflow string, tasks []dag.Status) []taskView {
	var views []taskView
	for _, t := range tasks {
		views = append(views, taskView{
			Workflow: workflow, Name: t.Name, State: t.State, Done: t.Done, Total: t.Total, Started: t.Started,
			TookMS: t.Took.Milliseconds(), Error: cmp.Or(t.Error, t.Why), WaitsFor: t.WaitsFor, doing: t.Doing,
		})
	}
	if l.last == nil {
		l.last = map[string][]taskView{}
	}
	l.last[workflow] = views
	return views
}

// at says what a run is at that its record does not count in rows; empty while
// it reads, cleans or writes them, and when nobody tells.
func (v *liveView) at() string {
	for _, t := range slices.Backward(v.Tasks) {
		if t.State == dag.Running && !t.isWrite() {
			return t.doing
		}
	}
	return ""
}

// waitsFor says in one line what keeps the run from getting on.
func (v *liveView) waitsFor(writer string, answered bool) string {
	// A worker that has a step under way may only be too busy to answer.
	working := slices.ContainsFunc(v.Pending, func(p pendingView) bool { return p.State == pendingRunning })
	if !answered && !working {
		return someWorker
	}
	if p, ok := v.trouble(); ok {
		return p.awaited()
	}
	for _, p := range v.Pending {
		switch {
		case p.Step == "await_writer" && p.State == pendingRunning:
			return strings.TrimSpace("run "+writer) + " to end, since " + cli.Clock(p.Since) + ": it writes, and one run writes at a time"
		case p.State == pendingQueued && time.Since(p.Since) > queryWithin:
			return "a worker to take " + p.Step + ", since " + cli.Clock(p.Since) + "; `starter workers` says who serves what"
		}
	}
	for _, t := range v.Tasks {
		// While it works it has an activity under way; between two crawls a timer.
		if t.Name == "gate" && t.State == dag.Running && len(v.Pending) == 0 {
			return "the portal to settle, since " + cli.Clock(t.Started) + ": it moved while it was crawled, and is crawled again"
		}
	}
	return ""
}

// someWorker stands for what looker.worker says.
const someWorker = "a worker"

// summary is what a listing shows of a running run.
func (v *liveView) summary() string {
	if v.WaitsFor != "" {
		return v.Doing + "; waits for " + v.WaitsFor
	}
	return v.Doing
}

// runningRuns are the dataset's runs that have not ended, newest first, as
// Temporal lists them: a record whose run was ended from outside stays open
// until the next run.
func (s *session) runningRuns(ctx context.Context) ([]string, error) {
	found, err := s.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("%s = '%s' AND WorkflowType = 'Mirror' AND ExecutionStatus = 'Running'", workflows.SearchDataset.GetName(), s.Spec.Name),
	})
	if err != nil {
		return nil, fmt.Errorf("list the running runs: %w", err)
	}
	slices.SortFunc(found.Executions, func(a, b *workflowpb.WorkflowExecutionInfo) int {
		return b.GetStartTime().AsTime().Compare(a.GetStartTime().AsTime())
	})
	var ids []string
	for _, e := range found.Executions {
		ids = append(ids, workflows.RunID(e.GetExecution().GetWorkflowId()))
	}
	return ids, nil
}

// workflowID is the id of a run's workflow, or of a backfill's. The record is a
// zero one when there is none yet.
func (s *session) workflowID(record runs.Run, id string) string {
	switch {
	case record.WorkflowID != "":
		return record.WorkflowID
	case strings.HasPrefix(id, string(runs.JobBackfill)+"-") && workflows.BackfillOf(id) == "":
		return workflows.BackfillID(s.Spec.Name, id)
	default:
		return workflows.MirrorID(s.Spec.Name, id)
	}
}

// workflowOf describes a run's workflow; nil when Temporal does not know it.
func (s *session) workflowOf(ctx context.Context, record runs.Run, id string) (*workflowpb.WorkflowExecutionInfo, error) {
	d, err := s.Temporal.DescribeWorkflowExecution(ctx, s.workflowID(record, id), "")
	if cli.NotFound(err) {
		return nil, nil //nolint:nilnil // documented: there is none
	}
	if err != nil {
		return nil, fmt.Errorf("describe run %s: %w", id, err)
	}
	return d.GetWorkflowExecutionInfo(), nil
}

// recordOf reads a run's record, a zero one when there is none yet.
func (s *session) recordOf(ctx context.Context, id string) (runs.Run, error) {
	record, err := s.Record(ctx, id)
	if errors.Is(err, runs.ErrNoRun) || errors.Is(err, mongodb.ErrNoMirror) {
		return runs.Run{}, nil
	}
	return record, err
}
