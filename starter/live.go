package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"padron/activities"
	"padron/internal/guard"
	"padron/internal/mirror"
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

// rowsView is how far a run is, in rows.
type rowsView struct {
	Total     int64   `json:"total"` // on the portal
	Fetched   int64   `json:"fetched"`
	Cleaned   int64   `json:"cleaned"`
	Written   int64   `json:"written"`              // rows without a change are not counted
	PerSecond float64 `json:"per_second,omitempty"` // through all three, at the present pace
	ETA       float64 `json:"eta_seconds,omitempty"`
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
}

// noTemporal is what a run waits for when nobody can be asked.
const noTemporal = "Temporal, which does not answer; `starter doctor` says more"

// What an activity that has not ended does.
const (
	pendingRunning = "running"
	pendingQueued  = "queued"  // until a worker takes it
	pendingRetry   = "retry"   // failed, and is tried again at NextTry
	pendingWaiting = "waiting" // like pendingRetry, and nothing is wrong with it: its destination is down
)

// pendingView is one activity that has not ended.
type pendingView struct {
	Step      string    `json:"step"`
	State     string    `json:"state"`
	Attempt   int32     `json:"attempt"` // the present one or, between two, the next
	Since     time.Time `json:"since,omitzero"`
	NextTry   time.Time `json:"next_try,omitzero"`
	Error     string    `json:"error,omitempty"` // of the last attempt
	ErrorType string    `json:"error_type,omitempty"`
}

// looker looks at one run again and again.
type looker struct {
	*start
	id       string
	pace     pace
	declared map[string]workflows.DeclaredTask // by workflow and name
	last     map[string][]taskView             // that were answered, by workflow
	misses   int                               // queries without an answer, in a row
	missed   time.Time                         // when the last of these was
	noQuery  time.Time                         // no query before this
}

func newLooker(s *start, id string) *looker { return &looker{start: s, id: id} }

// look says what the run does now. record is its record as just read; a zero
// one when there is none yet. It makes the best of what answers.
func (l *looker) look(ctx context.Context, record mirror.Run) liveView {
	now := time.Now()
	v := liveView{At: now.UTC(), Source: sourceRecord, Rows: rowsOf(record)}
	l.declare(record)
	outer := l.workflowID(record, l.id)
	run, err := l.temporal.DescribeWorkflowExecution(ctx, outer, "")
	if err != nil {
		v.Doing, v.WaitsFor = doingText(record), noTemporal
		if notFound(err) {
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
	own := writer == l.id && record.Job != string(workflows.JobBackfill)
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
		answered = l.query(ctx, &v, workflows.InWrite, workflows.WriteID(l.spec.Name))
	}
	if answered {
		v.Source = sourceWorker
	}
	l.pace.add(now, &v)
	v.Doing = cmp.Or(v.at(), doingText(record))
	v.WaitsFor = cmp.Or(v.WaitsFor, v.waitsFor(writer, answered))
	return v
}

// declare finds out which task comes after which.
func (l *looker) declare(record mirror.Run) {
	if l.declared != nil || record.ID == "" {
		return
	}
	l.declared = map[string]workflows.DeclaredTask{}
	// A job that this build does not know is shown without what waits for what.
	tasks, _ := workflows.Declared(activities.Task{Job: activities.Job(record.Job), From: record.From})
	for _, t := range tasks {
		l.declared[t.Workflow+"/"+t.Name] = t
	}
}

// writing describes the writing that is going on, and names the run whose it
// is; empty when there is none.
func (l *looker) writing(ctx context.Context) (d *workflowservice.DescribeWorkflowExecutionResponse, run string) {
	d, err := l.temporal.DescribeWorkflowExecution(ctx, workflows.WriteID(l.spec.Name), "")
	if err != nil || d.WorkflowExecutionInfo.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil, ""
	}
	return d, workflows.RunID(d.WorkflowExecutionInfo.GetParentExecution().GetWorkflowId())
}

// answeredTask is what a worker of any build answers of a task: not each says
// for what it waits.
type answeredTask struct {
	dag.Status
	WaitsFor []string `json:"waits_for"`
	Why      string   `json:"why"` // of a skip
}

// query adds a workflow's tasks, and says whether it answered.
func (l *looker) query(ctx context.Context, v *liveView, workflow, id string) bool {
	if time.Now().Before(l.noQuery) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	var tasks []answeredTask
	answer, err := l.temporal.QueryWorkflow(ctx, id, "", workflows.QueryStatus)
	if err == nil {
		err = answer.Get(&tasks)
	}
	if err != nil {
		if l.misses++; l.misses >= queryMisses || l.last[workflow] == nil {
			l.misses, l.missed, l.noQuery, l.last = 0, time.Now(), time.Now().Add(queryAgain), nil
			return false
		}
		v.Tasks = append(v.Tasks, l.last[workflow]...)
		return true
	}
	l.misses = 0
	v.Tasks = append(v.Tasks, l.viewTasks(workflow, tasks)...)
	return true
}

// viewTasks adds what each task waits for to what a workflow answered.
func (l *looker) viewTasks(workflow string, tasks []answeredTask) []taskView {
	ended := map[string]bool{}
	for _, t := range tasks {
		ended[t.Name] = t.State != dag.Waiting && t.State != dag.Running
	}
	var views []taskView
	for _, t := range tasks {
		view := taskView{
			Workflow: workflow, Name: t.Name, State: t.State, Done: t.Done, Total: t.Total, Started: t.Started, TookMS: t.Took.Milliseconds(), Error: cmp.Or(t.Error, t.Why), WaitsFor: t.WaitsFor,
		}
		if t.State == dag.Waiting && t.WaitsFor == nil {
			of := l.declared[workflow+"/"+t.Name]
			for _, before := range of.After {
				if !ended[before] {
					view.WaitsFor = append(view.WaitsFor, before)
				}
			}
			if of.Per != "" && !ended[of.Per] {
				view.WaitsFor = append(view.WaitsFor, of.Per)
			}
		}
		views = append(views, view)
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
			return map[string]string{
				"probe": "asking what there is to do", "gate": "checking the crawl before anything is written",
				"index": "making sure that the indexes stand", "sweep": "looking for documents that the portal no longer has",
				"remove":  "asking the portal for missing rows, and removing those that it denies",
				"resolve": "taking out of quarantine what became a document", "verify": "proving that the mirror equals the portal",
				"reconcile": "proving that the mirror equals the portal", "aggregate_snapshot": "counting the mirror",
				"profile_columns": "describing the columns", "fetch_boundaries": "looking for newer boundaries", "finish": "closing the run's record",
			}[t.Name]
		}
	}
	return ""
}

// waitsFor says in one line what keeps the run from getting on.
func (v *liveView) waitsFor(writer string, answered bool) string {
	// A worker that has a step under way may only be too busy to answer.
	working := slices.ContainsFunc(v.Pending, func(p pendingView) bool { return p.State == pendingRunning })
	if !answered && !working {
		return "a worker: none answers; start one with `worker` if none runs"
	}
	if p, ok := v.trouble(); ok {
		return p.awaited()
	}
	for _, p := range v.Pending {
		switch {
		case p.Step == "await_writer" && p.State == pendingRunning:
			return strings.TrimSpace("run "+writer) + " to end: it writes, and one run writes at a time"
		case p.State == pendingQueued && time.Since(p.Since) > queryWithin:
			return "a worker to take " + p.Step + "; start one with `worker` if none runs"
		}
	}
	for _, t := range v.Tasks {
		// While it works it has an activity under way; between two crawls a timer.
		if t.Name == "gate" && t.State == dag.Running && len(v.Pending) == 0 {
			return "the portal to settle: it moved while it was crawled, and is crawled again"
		}
	}
	return ""
}

// trouble is the pending activity that is to be tried again next.
func (v *liveView) trouble() (pendingView, bool) {
	var next pendingView
	for _, p := range v.Pending {
		if p.Error != "" && (next.Error == "" || p.State != pendingRunning && p.NextTry.Before(next.NextTry)) {
			next = p
		}
	}
	return next, next.Error != ""
}

// String says how a step stands, and what went wrong with it last.
func (p pendingView) String() string {
	if p.Error == "" {
		return p.Step + ": " + p.State
	}
	next := ""
	if !p.NextTry.IsZero() {
		next = ", next try at " + p.NextTry.Local().Format(time.TimeOnly)
	}
	return fmt.Sprintf("%s: %s, attempt %d%s; last failure: %s", p.Step, p.State, p.Attempt, next, p.failure())
}

// awaited is the step as what a run waits for.
func (p pendingView) awaited() string {
	try := fmt.Sprintf("attempt %d of %s", p.Attempt, p.Step)
	if !p.NextTry.IsZero() {
		try += " at " + p.NextTry.Local().Format(time.TimeOnly)
	}
	return try + "; the one before failed: " + p.failure()
}

func (p pendingView) failure() string { return plain(p.Error) + " (" + p.ErrorType + ")" }

// pendingViews are a workflow's activities that have not ended, those in
// trouble first.
func pendingViews(d *workflowservice.DescribeWorkflowExecutionResponse) []pendingView {
	var all []pendingView
	for _, p := range d.GetPendingActivities() {
		all = append(all, viewPending(p))
	}
	slices.SortStableFunc(all, func(a, b pendingView) int {
		return cmp.Or(cmp.Compare(b.Attempt, a.Attempt), cmp.Compare(a.Step, b.Step), a.Since.Compare(b.Since), a.NextTry.Compare(b.NextTry))
	})
	return all
}

func viewPending(p *workflowpb.PendingActivityInfo) pendingView {
	v := pendingView{Step: p.GetActivityType().GetName(), Attempt: p.GetAttempt(), State: pendingQueued}
	if t := p.GetScheduledTime(); t != nil {
		v.Since = t.AsTime()
	}
	if f := cause(p.GetLastFailure()); f != nil {
		v.Error, v.ErrorType = strings.Join(strings.Fields(f.GetMessage()), " "), failureType(f)
	}
	switch {
	case p.GetState() != enumspb.PENDING_ACTIVITY_STATE_SCHEDULED:
		v.State = pendingRunning
		if t := p.GetLastStartedTime(); t != nil {
			v.Since = t.AsTime()
		}
	case v.Error != "":
		v.State = pendingRetry
		if v.ErrorType == guard.CircuitOpen {
			v.State = pendingWaiting
		}
		if t := p.GetNextAttemptScheduleTime(); t != nil {
			v.NextTry = t.AsTime()
		}
	}
	return v
}

// cause is the failure that says what went wrong: of a timeout's the one of
// the attempt before it, if it tells of one.
func cause(f *failurepb.Failure) *failurepb.Failure {
	for f != nil && f.GetApplicationFailureInfo() == nil && f.GetCause() != nil {
		f = f.GetCause()
	}
	return f
}

func failureType(f *failurepb.Failure) string {
	switch {
	case f.GetApplicationFailureInfo() != nil:
		return f.GetApplicationFailureInfo().GetType()
	case f.GetTimeoutFailureInfo() != nil:
		return "Timeout"
	default:
		return "Failed"
	}
}

// rowsOf is how far a record says that its run is.
func rowsOf(record mirror.Run) rowsView {
	return rowsView{
		Total: record.Probe.Rows, Fetched: record.Progress.Rows("fetch"), Cleaned: record.Progress.Rows("clean"), Written: record.Progress.Rows("upsert"),
	}
}

// doingText says what a record says that its run does.
func doingText(record mirror.Run) string {
	switch {
	case record.ID == "":
		return "not begun yet"
	case record.Job == string(workflows.JobBackfill):
		return backfillText(record.Backfill)
	case record.Probe.Decision == "":
		return "asking what there is to do"
	case record.Job == string(workflows.JobReload):
		return "reloading windows, " + count(record.Progress.Rows("upsert")) + " rows so far"
	case record.Job != "" && record.Job != mirror.JobMirror && len(record.Progress) == 0:
		return jobTitle(activities.Job(record.Job), record.Of, record.From)
	}
	what, n := doing(record)
	if what == "planning" {
		return "planning " + count(record.Probe.Rows) + " rows"
	}
	return fmt.Sprintf("%s, %s of %s rows", what, count(n), count(record.Probe.Rows))
}

// backfillText says how far a backfill is.
func backfillText(b mirror.Backfill) string {
	switch {
	case b.Paused != "":
		return fmt.Sprintf("paused after %s of %s windows: %s", count(b.Done), count(b.Todo), b.Paused)
	case b.Todo == 0:
		return "planning the windows from " + b.Since + " until before " + b.Until
	default:
		return fmt.Sprintf("reloading windows, %s of %s done in runs that have ended", count(b.Done), count(b.Todo))
	}
}

// summary is what a listing shows of a running run.
func (v *liveView) summary() string {
	if v.WaitsFor != "" {
		return v.Doing + "; waits for " + v.WaitsFor
	}
	return v.Doing
}

// pace takes rates over the last looks.
type pace struct{ seen []paceMark }

type paceMark struct {
	at   time.Time
	done float64 // of the run's reading and writing, from 0 to 1
}

// add adds a look and sets its rate and how long reading and writing will take
// still, where that can be told.
func (p *pace) add(now time.Time, v *liveView) {
	if v.Rows.Total == 0 {
		return
	}
	done := v.done()
	if n := len(p.seen); n > 0 && done < p.seen[n-1].done {
		p.seen = nil // crawled again
	}
	p.seen = append(p.seen, paceMark{now, done})
	for len(p.seen) > 2 && now.Sub(p.seen[0].at) > paceOver {
		p.seen = p.seen[1:]
	}
	first := p.seen[0]
	took := now.Sub(first.at).Seconds()
	if done <= first.done || took <= 0 {
		return
	}
	perSecond := (done - first.done) / took
	v.Rows.PerSecond = perSecond * float64(v.Rows.Total)
	v.Rows.ETA = (1 - done) / perSecond
}

// done is the share of reading, cleaning and writing that is done. A page
// without changes is never written, so pages count where they tell more.
func (v *liveView) done() float64 {
	share := map[string]float64{
		"fetch_page":  float64(v.Rows.Fetched) / float64(v.Rows.Total),
		"clean_page":  float64(v.Rows.Cleaned) / float64(v.Rows.Total),
		"upsert_page": float64(v.Rows.Written) / float64(v.Rows.Total),
	}
	for _, t := range v.Tasks {
		if have, ok := share[t.Name]; ok && t.Total > 0 {
			share[t.Name] = max(have, float64(t.Done)/float64(t.Total))
		}
	}
	return min((share["fetch_page"]+share["clean_page"]+share["upsert_page"])/float64(len(share)), 1)
}

// runningRuns are the dataset's runs that have not ended, newest first, as
// Temporal lists them: a record whose run was ended from outside stays open
// until the next run.
func (s *start) runningRuns(ctx context.Context) ([]string, error) {
	found, err := s.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("%s = '%s' AND WorkflowType = 'Mirror' AND ExecutionStatus = 'Running'", workflows.SearchDataset.GetName(), s.spec.Name),
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
func (s *start) workflowID(record mirror.Run, id string) string {
	switch {
	case record.WorkflowID != "":
		return record.WorkflowID
	case strings.HasPrefix(id, string(workflows.JobBackfill)+"-") && workflows.BackfillOf(id) == "":
		return workflows.BackfillID(s.spec.Name, id)
	default:
		return workflows.MirrorID(s.spec.Name, id)
	}
}

// workflowOf describes a run's workflow; nil when Temporal does not know it.
func (s *start) workflowOf(ctx context.Context, record mirror.Run, id string) (*workflowpb.WorkflowExecutionInfo, error) {
	d, err := s.temporal.DescribeWorkflowExecution(ctx, s.workflowID(record, id), "")
	if notFound(err) {
		return nil, nil //nolint:nilnil // documented: there is none
	}
	if err != nil {
		return nil, fmt.Errorf("describe run %s: %w", id, err)
	}
	return d.GetWorkflowExecutionInfo(), nil
}

// recordOf reads a run's record, a zero one when there is none yet.
func (s *start) recordOf(ctx context.Context, id string) (mirror.Run, error) {
	record, err := s.record(ctx, id)
	if errors.Is(err, mirror.ErrNoRun) || errors.Is(err, mirror.ErrNoMirror) {
		return mirror.Run{}, nil
	}
	return record, err
}
