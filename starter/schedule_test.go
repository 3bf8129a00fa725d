package main_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"padron/internal/certificate"
	"padron/internal/dataset"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/query"
	"padron/internal/runs"
)

// scheduleView is what `schedule list -o json` says of one, as far as tests look
// at it.
type scheduleView struct {
	ID     string
	Times  string
	Paused bool
	Note   string
	Next   []time.Time
	Recent []struct{ Run, Outcome string }
}

// listed waits until the list has a schedule as wanted: listings of Temporal
// follow its changes by a moment.
func (s *stack) listed(id string, want func(scheduleView) bool) scheduleView {
	s.t.Helper()
	var found scheduleView
	require.Eventually(s.t, func() bool {
		var all []scheduleView
		s.readJSON(&all, "schedule", "list")
		for _, v := range all {
			if v.ID == id {
				found = v
				return want(v)
			}
		}
		return false
	}, soon, 500*time.Millisecond)
	return found
}

// respec changes the spec that the binaries read: pairs of old and new text.
func (s *stack) respec(changes ...string) {
	s.t.Helper()
	text, err := os.ReadFile(s.spec)
	require.NoError(s.t, err)
	changed := string(text)
	for i := 0; i < len(changes); i += 2 {
		require.Contains(s.t, changed, changes[i])
		changed = strings.Replace(changed, changes[i], changes[i+1], 1)
	}
	require.NoError(s.t, os.WriteFile(s.spec, []byte(changed), 0o600))
}

// TestAScheduleOfEitherDay: Temporal's times are those of cron, and applying again
// finds nothing to change.
func TestAScheduleOfEitherDay(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 31))
	s.worker()
	s.respec(`cron: "0 6 * * *"`, `cron: "0 6 1,15 * mon"`, "jitter: 10m", "jitter: 0s")
	s.ok("schedule", "apply")
	v := s.listed("mirror/"+s.name, func(v scheduleView) bool { return len(v.Next) > 3 })
	require.Equal(t, "0 6 1,15 * mon", v.Times)
	cron, err := dataset.ParseCron(v.Times)
	require.NoError(t, err)
	zone, err := time.LoadLocation("America/Los_Angeles")
	require.NoError(t, err)
	at := time.Now().In(zone)
	for _, next := range v.Next {
		at = cron.Next(at)
		require.Equal(t, at, next.In(zone))
	}
	require.Contains(t, s.ok("schedule", "apply"), "schedule mirror/"+s.name+": nothing to change\n")
	s.respec(`cron: "0 6 1,15 * mon"`, `cron: "0 6 31 2 *"`)
	requireOneLine(t, s.starter("schedule", "apply"), usage, "schedule.cron", "never comes")
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(200, 31))
	s.worker()
	id, freshness := "mirror/"+s.name, "freshness/"+s.name
	nothing := "schedule " + id + ": nothing to change\nschedule " + freshness + ": nothing to change\n"

	dry := s.ok("schedule", "apply", "--dry-run")
	require.Contains(t, dry, "schedule "+id+" would be created\n")
	require.Contains(t, dry, "schedule "+freshness+" would be created\n")
	requireOneLine(t, s.starter("schedule", "show"), failed, s.name+" has no schedule yet: run `starter schedule apply`")
	created := s.ok("schedule", "apply")
	require.Equal(t, strings.ReplaceAll(dry, "would be created", "created"), created)
	for _, line := range []string{
		"  catch up: 12h0m0s\n", "  cron: 0 6 * * *\n", "  deadline: 2h0m0s\n", "  jitter: 10m0s\n", "  overlap: Skip\n", "  time zone: America/Los_Angeles\n",
		"  limit: 26h0m0s\n", "  times: every 1h0m0s\n",
	} {
		require.Contains(t, created, line)
	}
	require.Equal(t, nothing, s.ok("schedule", "apply"))

	v := s.listed(id, func(v scheduleView) bool { return !v.Paused && len(v.Next) > 1 })
	require.Equal(t, "0 6 * * *", v.Times)
	california, err := time.LoadLocation("America/Los_Angeles")
	require.NoError(t, err)
	require.Equal(t, 6, v.Next[0].In(california).Hour())
	require.Regexp(t, id+` +active +\w{3} \d{4}-\d\d-\d\d 06:0\d P[SD]T, \w{3} \d{4}-\d\d-\d\d 06:0\d P[SD]T`, s.ok("schedule", "list"))

	// Applying says what it changes, field by field, and leaves a pause as it is.
	require.Equal(t, "paused schedule "+id+"\n", s.ok("schedule", "pause", "--note", "portal is moving"))
	require.Equal(t, "portal is moving", s.listed(id, func(v scheduleView) bool { return v.Paused }).Note)
	require.Regexp(t, id+" +paused .*portal is moving", s.ok("schedule", "list"))
	s.respec(`cron: "0 6 * * *"`, `cron: "30 5 * * mon-fri"`, "jitter: 10m", "jitter: 5m", "  deadline: 2h", "  #", "freshness: 26h", "freshness: 80h")
	require.Contains(t, s.starter("doctor").out, "FAILED  schedule    it is not what the spec says: `starter schedule apply --dry-run` shows", "the schedule is that of the spec before")
	want := "schedule " + id + " updated, which stays paused: portal is moving\n" +
		"  cron: 0 6 * * * → 30 5 * * mon-fri\n  deadline: 2h0m0s → (none)\n  jitter: 10m0s → 5m0s\n" +
		"schedule " + freshness + " updated\n  limit: 26h0m0s → 80h0m0s\n"
	require.Equal(t, strings.ReplaceAll(want, " updated", " would be updated"), s.ok("schedule", "apply", "--dry-run"))
	require.Equal(t, want, s.ok("schedule", "apply"))
	require.Equal(t, strings.Replace(nothing, "change\n", "change, which stays paused: portal is moving\n", 1), s.ok("schedule", "apply"))
	require.True(t, s.listed(id, func(v scheduleView) bool { return v.Times == "30 5 * * mon-fri" }).Paused, "applying it anew does not wake it")
	require.Equal(t, "resumed schedule "+id+"\n", s.ok("schedule", "resume"))
	s.listed(id, func(v scheduleView) bool { return !v.Paused })
	require.Equal(t, nothing, s.ok("schedule", "apply"))

	// What somebody changed in the Web UI is seen and mended.
	h := s.temporal.ScheduleClient().GetHandle(t.Context(), id)
	require.NoError(t, h.Update(t.Context(), client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		in.Description.Schedule.Spec.Calendars[0].Hour = []client.ScheduleRange{{Start: 7}}
		in.Description.Schedule.Policy.Overlap = enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL
		return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
	}}))
	require.Contains(t, s.ok("schedule", "apply"), "  cron: 30 7 * * 1,2,3,4,5 → 30 5 * * mon-fri\n  overlap: AllowAll → Skip\n")
	var did []struct {
		ID, Did string
		Changes []struct{ Field, From, To string }
	}
	s.readJSON(&did, "schedule", "apply")
	require.Len(t, did, 2)
	require.Equal(t, "nothing", did[0].Did)

	require.Contains(t, s.ok("schedule", "trigger"), "triggered schedule "+id+"; `starter status` shows the run")
	var run runs.Run
	require.Eventually(t, func() bool {
		found, ok := s.newest()
		run = found
		return ok && run.Status == runs.StatusDone
	}, soon, 100*time.Millisecond)
	require.Equal(t, runs.TriggerSchedule, run.Trigger)
	require.Regexp(t, `^scheduled-\d{4}-\d\d-\d\dT`, run.ID)
	require.Equal(t, certificate.Green, run.Outcome)
	v = s.listed(id, func(v scheduleView) bool { return len(v.Recent) > 0 && v.Recent[0].Outcome == "green" })
	require.Equal(t, run.ID, v.Recent[0].Run)
	shown := s.ok("schedule", "show")
	require.Contains(t, shown, run.ID+"  green\n")
	require.Equal(t, 20, strings.Count(shown, "\nnext "), "ten times to come of each")

	// Only what no known dataset has the name of is pruned, and only of this queue.
	requireOneLine(t, s.starter("schedule", "apply", "--prune"), usage, "--prune goes with --all")
	stranger := func(id, queue string) {
		_, err := s.temporal.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
			ID: id, Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: 240 * time.Hour}}}, Paused: true,
			Action: &client.ScheduleWorkflowAction{ID: id, Workflow: "Mirror", TaskQueue: queue},
		})
		require.NoError(t, err)
		t.Cleanup(func() {
			ctx := context.WithoutCancel(t.Context())
			_ = s.temporal.ScheduleClient().GetHandle(ctx, id).Delete(ctx)
		})
		s.listed(id, func(scheduleView) bool { return true })
	}
	stranger("mirror/"+s.name+"-old", s.name)
	stranger("mirror/"+s.name+"-theirs", s.name+"-other")
	require.NotContains(t, s.ok("schedule", "apply", "--all", "--dry-run"), "deleted", "not without --prune")
	pruned := s.ok("schedule", "apply", "--all", "--prune", "--dry-run")
	require.Contains(t, pruned, "schedule mirror/"+s.name+"-old would be deleted\n")
	require.Equal(t, 1, strings.Count(pruned, "deleted"), pruned)

	require.Equal(t, "deleted schedule "+id+"\ndeleted schedule "+freshness+"\n", s.ok("schedule", "delete"))
	requireOneLine(t, s.starter("schedule", "delete"), failed, s.name+" has no schedule")
}

// TestMissedTimesMakeOneRun has a schedule come due many times while nobody
// works, while it is paused, and in times that are made up for.
func TestMissedTimesMakeOneRun(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(200, 37))
	s.respec("jitter: 10m", "jitter: 1s")
	p := s.worker()
	s.ok("schedule", "apply")
	require.NoError(t, p.cmd.Process.Kill())
	<-p.done
	id := "mirror/" + s.name
	h := s.temporal.ScheduleClient().GetHandle(t.Context(), id)
	// As applied, but due every two seconds.
	require.NoError(t, h.Update(t.Context(), client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		sc := in.Description.Schedule
		sc.Spec = &client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: 2 * time.Second}}, TimeZoneName: sc.Spec.TimeZoneName}
		return &client.ScheduleUpdate{Schedule: &sc}, nil
	}}))
	info := func() client.ScheduleInfo {
		d, err := h.Describe(t.Context())
		require.NoError(t, err)
		return d.Info
	}
	require.Eventually(t, func() bool { return info().NumActionsSkippedOverlap >= 4 }, soon, 200*time.Millisecond, "nobody works, and times pass")
	require.NoError(t, h.Pause(t.Context(), client.SchedulePauseOptions{Note: "enough"}))
	require.Equal(t, 1, info().NumActions, "one run stands for all of them")
	s.worker()
	run := s.awaitRun(1)
	require.Equal(t, certificate.Green, run.Outcome, run.Reason)

	// Its logical date is the time that it was due at, and names it; the snapshot
	// has the day of the portal's version.
	require.Equal(t, "scheduled-"+run.LogicalDate.Format("2006-01-02T15:04:05Z"), run.ID)
	require.Zero(t, run.LogicalDate.Unix()%2, "exactly a time it was due at")
	require.False(t, run.LogicalDate.After(run.Started))
	zone := s.openSpec().Location()
	require.Contains(t, run.Snapshot, run.Version.Served.In(zone).Format(time.DateOnly)+"-observed")

	// While it is paused nothing is due, and nothing is made up for afterwards.
	time.Sleep(5 * time.Second)
	require.Equal(t, 1, info().NumActions)

	// Times that are made up for at once are one run as well, named by the first
	// of them.
	start := time.Date(2026, 3, 8, 0, 0, 0, 0, zone) // clocks go forward
	require.NoError(t, h.Update(t.Context(), client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		sc := in.Description.Schedule
		sc.Spec = &client.ScheduleSpec{CronExpressions: []string{"0 * * * *"}, TimeZoneName: sc.Spec.TimeZoneName}
		return &client.ScheduleUpdate{Schedule: &sc}, nil
	}}))
	skipped := info().NumActionsSkippedOverlap
	require.NoError(t, s.portal.EditAt(time.Now().Add(-time.Hour), portalsim.Republish()))
	reached, release := s.hold()
	require.NoError(t, h.Backfill(t.Context(), client.ScheduleBackfillOptions{Backfill: []client.ScheduleBackfill{{
		Start: start.Add(-time.Second), End: start.Add(7 * time.Hour), Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
	}}}))
	<-reached
	require.Eventually(t, func() bool { return info().NumActionsSkippedOverlap == skipped+7 }, soon, 200*time.Millisecond,
		"from 0 to 8 o'clock it was due 8 times, as there was no 2 o'clock; 7 are left out")
	release()
	run = s.awaitRun(2)
	require.Equal(t, "2026-03-08T08:00:00Z", run.LogicalDate.Format(time.RFC3339))
	require.Equal(t, "scheduled-2026-03-08T08:00:00Z", run.ID)
	require.Contains(t, run.Snapshot, run.Version.Served.In(zone).Format(time.DateOnly)+"-observed", "what it saw is not of the day that names it")
}

// awaitRun waits until n runs have been made, all have ended, and returns the
// newest.
func (s *stack) awaitRun(n int) runs.Run {
	s.t.Helper()
	var newest runs.Run
	require.Eventually(s.t, func() bool {
		reader, err := query.Open(s.t.Context(), s.mongo, prefix, s.name)
		if err != nil {
			return false
		}
		listed, err := reader.Runs.Runs(s.t.Context(), 10, time.Time{})
		if err != nil || len(listed) == 0 {
			return false
		}
		newest = listed[0]
		require.LessOrEqual(s.t, len(listed), n)
		return len(listed) == n && newest.Status != runs.StatusRunning
	}, soon, 100*time.Millisecond)
	return newest
}

// TestDailyTimesWhenClocksChange asks Temporal when an applied schedule is due
// around the days when the clocks change.
func TestDailyTimesWhenClocksChange(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 38))
	s.respec("jitter: 10m", "jitter: 0s")
	s.ok("schedule", "apply", "--without-worker")
	zone := s.openSpec().Location()
	h := s.temporal.ScheduleClient().GetHandle(t.Context(), "mirror/"+s.name)
	for _, changes := range []time.Time{time.Date(2027, 3, 14, 0, 0, 0, 0, zone), time.Date(2027, 11, 7, 0, 0, 0, 0, zone)} {
		require.NoError(t, h.Update(t.Context(), client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			in.Description.Schedule.Spec.StartAt = changes.AddDate(0, 0, -3)
			return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
		}}))
		d, err := h.Describe(t.Context())
		require.NoError(t, err)
		require.Len(t, d.Info.NextActionTimes, 10)
		for i, at := range d.Info.NextActionTimes {
			require.Equal(t, changes.AddDate(0, 0, i-3).Format(time.DateOnly)+" 06:00:00", at.In(zone).Format(time.DateTime), "once a day, at six by the clock there")
		}
	}
	require.Contains(t, s.ok("schedule", "apply", "--without-worker"), fmt.Sprintf("times: from %s → (none)\n", time.Date(2027, 11, 4, 0, 0, 0, 0, zone).UTC().Format(time.RFC3339)))
}

// TestALateRunIsShown where people look.
func TestALateRunIsShown(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(200, 39))
	s.worker()
	requireOneLine(t, s.starter("run", "--deadline", "5s"), usage, "--deadline 5s: use 1m to 24h, or 0 for none")
	run := s.load()
	require.WithinDuration(t, run.Record.Started.Add(2*time.Hour), run.Record.Deadline, time.Second, "as the spec says")
	require.Regexp(t, `(?m)^deadline +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$`, s.ok("status", run.Run))
	var none summary
	s.readJSON(&none, "run", "--wait", "--deadline", "0")
	require.True(t, none.Record.Deadline.IsZero())

	key := temporal.NewSearchAttributeKeyKeyword("PadronDataset")
	_, release := s.hold()
	defer release()
	late, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "mirror/" + s.name + "/manual-late", TaskQueue: s.name, TypedSearchAttributes: temporal.NewSearchAttributes(key.ValueSet(s.name)),
	}, "Mirror", map[string]any{"dataset": s.name, "mode": "full", "deadline": time.Second})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return strings.Contains(s.starter("status", "manual-late").out, ", passed: the run is late and goes on")
	}, soon, 200*time.Millisecond)
	require.Regexp(t, `\nwrong: deadline_passed since .*; .starter alerts. says more\n$`, s.ok("status"))
	require.Contains(t, s.details(late.GetID()), "**Late**: it should have been done within 1s, by ")
	release()
	require.NoError(t, late.Get(t.Context(), nil))
	require.Contains(t, s.ok("status", "manual-late"), ", passed: the run was late\n")
	require.NotContains(t, s.ok("status"), "wrong:")
}

// details is what the Web UI shows of a workflow's state.
func (s *stack) details(workflowID string) string {
	s.t.Helper()
	answer, err := s.temporal.QueryWorkflow(s.t.Context(), workflowID, "", "__temporal_workflow_metadata")
	require.NoError(s.t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(s.t, answer.Get(&metadata))
	return metadata.CurrentDetails
}
