package main_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"padron/internal/certificate"
	"padron/internal/portalsim/register"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/workflows"
)

// beside is another dataset on the task queue of the first, with a portal of its
// own.
func (s *stack) beside(seed uint64) *stack {
	s.t.Helper()
	other := newStack(s.t, register.Generate(50, seed))
	other.env["PADRON_TASK_QUEUE"] = s.env["PADRON_TASK_QUEUE"]
	return other
}

// every has the dataset's schedule come due this often.
func (s *stack) every(d time.Duration) {
	s.t.Helper()
	h := s.temporal.ScheduleClient().GetHandle(s.t.Context(), "mirror/"+s.name)
	require.NoError(s.t, h.Update(s.t.Context(), client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		in.Description.Schedule.Spec = &client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: d}}}
		return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
	}}))
}

// TestTwoDatasetsOnTwoWorkers has two datasets come due again and again, each
// served by a worker of its own, with default settings but for the dataset. None
// of the runs fails, and none is made by the other's worker.
func TestTwoDatasetsOnTwoWorkers(t *testing.T) {
	t.Parallel()
	const want = 10
	s := newStack(t, register.Generate(50, 201))
	both := []*stack{s, s.beside(202)}
	for _, s := range both {
		worker := s.worker()
		s.ok("schedule", "apply")
		s.every(2 * time.Second)
		t.Cleanup(func() { require.NotContains(t, worker.errors.String(), "does not serve") })
	}
	for _, s := range both {
		var made []runs.Run
		require.Eventually(t, func() bool {
			reader, err := query.Open(t.Context(), s.mongo, prefix, s.name)
			if err != nil {
				return false
			}
			made, err = reader.Runs.Runs(t.Context(), 100, time.Time{})
			return err == nil && len(made) > want // the newest may still be going
		}, 2*soon, time.Second)
		for _, run := range made[1:] {
			require.True(t, run.Status == runs.StatusSkipped || run.Outcome == certificate.Green, "%s: %s: %s", run.ID, run.Status, run.Reason)
		}
	}
	require.Contains(t, s.starter("doctor").out, "ok      served      "+min(both[0].name, both[1].name)+" by ")
}

// TestADatasetThatNobodyServes is refused, by all that would start a run of it,
// and said; unless it is told to wait.
func TestADatasetThatNobodyServes(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 203))
	s.worker()
	s.ok("doctor")
	other := s.beside(204)
	nobody := "no worker serves " + other.name + ": none with the role workflows polls the task queue " + s.name + "/" + other.name
	for _, line := range []string{"run", "run --wait", "verify", "schedule apply", "backfill --since 2026-01-01"} {
		requireOneLine(t, other.starter(strings.Fields(line)...), failed, nobody, "PADRON_DATASET naming "+other.name, "`starter workers` says who serves what")
	}
	other.requireNothingWritten()
	require.Contains(t, other.starter("run").errors, "; --without-worker does it all the same")
	require.Contains(t, other.ok("schedule", "apply", "--without-worker"), "created")
	requireOneLine(t, other.starter("schedule", "trigger"), failed, nobody)

	// Everybody on the task queue is told of the schedule that nobody serves.
	for _, s := range []*stack{s, other} {
		doctor := s.starter("doctor")
		require.Equal(t, failed, doctor.code)
		require.Regexp(t, `(?m)^FAILED  served      no worker serves `+other.name, doctor.out)
		require.Contains(t, s.ok("workers"), "no worker serves "+other.name+" with the role workflows, activities, portal: start one")
	}
	require.Contains(t, other.ok("run", "--without-worker"), "started run ")
	other.worker()
	require.Equal(t, certificate.Green, other.awaitRun(1).Outcome, "it waited for its worker")
	require.NotContains(t, s.starter("doctor").out, "FAILED  served")
	requireOneLine(t, s.starter("run", "--task-queue", s.name+"-idle"), failed, "no worker serves "+s.name, "task queue "+s.name+"-idle/"+s.name)
}

// TestOneWorkerOfManyDatasets serves those of a folder; what is about one must say
// which.
func TestOneWorkerOfManyDatasets(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 205))
	second := s.name + "-b"
	folder := filepath.Dir(s.spec)
	require.NoError(t, os.Rename(specFile(t, second, nil), filepath.Join(folder, second+".yaml")))
	t.Cleanup(func() {
		require.NoError(t, s.mongo.Database(prefix+"_"+second).Drop(context.WithoutCancel(t.Context())))
	})
	s.env["PADRON_DATASET"] = folder
	requireOneLine(t, s.starter("run", "--wait"), usage, "names 2 datasets ("+s.name+", "+second+"): choose one with --dataset")
	worker := s.worker()
	require.Contains(t, worker.errors.String(), s.name+" "+second)
	for _, name := range []string{s.name, second} {
		require.Contains(t, s.ok("run", "--wait", "--dataset", name), "green")
	}
	require.Equal(t, 2, strings.Count(s.ok("setup"), " is ready\n"))
	require.Equal(t, 4, strings.Count(s.ok("schedule", "apply", "--all"), " created\n"))
	t.Cleanup(func() { s.ok("schedule", "delete", "--dataset", second) })
	requireOneLine(t, s.starter("schedule", "apply"), usage, "names 2 datasets: choose one with --dataset, or all with --all")
	doctor := s.ok("doctor")
	require.Regexp(t, `(?m)^ok      served      `+s.name+` by (\S+); `+second+` by (\S+)$`, doctor)
	require.Regexp(t, `(?m)^ok      mongodb     `+second+`: `, doctor)
	require.Contains(t, s.ok("workers"), s.name+" "+second+"  ")
	require.NotContains(t, s.ok("schedule", "apply", "--all", "--prune", "--dry-run"), "deleted")

	requireOneLine(t, s.start(t, "worker", []string{"PADRON_DATASET=" + s.spec + "," + specFile(t, "oakland", func(spec string) string {
		return strings.Replace(spec, "host: data.sf.gov", "host: data.oaklandca.gov", 1)
	})}).result(), usage, "PADRON_PORTAL_URL: replaces the portal of all datasets", "start a worker for each")
}

// TestOldQueuesAreServed: runs and schedules of the release before are on a queue
// that all datasets share. They go on, and applying the schedule moves it.
func TestOldQueuesAreServed(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 206))
	s.worker()
	run, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: workflows.MirrorID(s.name, "manual-old"), TaskQueue: s.name,
		TypedSearchAttributes: temporal.NewSearchAttributes(workflows.SearchDataset.ValueSet(s.name)),
	}, workflows.Mirror, workflows.MirrorInput{Dataset: s.name, Mode: runs.ModeAuto})
	require.NoError(t, err)
	var result workflows.MirrorResult
	require.NoError(t, run.Get(t.Context(), &result))
	require.Equal(t, "green", result.Outcome)

	s.ok("schedule", "apply")
	h := s.temporal.ScheduleClient().GetHandle(t.Context(), "mirror/"+s.name)
	require.NoError(t, h.Update(t.Context(), client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		in.Description.Schedule.Action.(*client.ScheduleWorkflowAction).TaskQueue = s.name
		return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
	}}))
	s.ok("schedule", "trigger")
	require.NotEqual(t, runs.StatusFailed, s.awaitRun(2).Status)
	require.Contains(t, s.starter("doctor").out, "FAILED  schedule    it is not what the spec says")
	require.Contains(t, s.ok("schedule", "apply"), "  task queue: "+s.name+" → "+s.name+"/"+s.name+"\n")
}
