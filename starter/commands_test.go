package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/certificate"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/internal/statistics"
	"padron/workflows"
)

// TestTheMainJobByHand goes through what a newcomer does in the first hour.
func TestTheMainJobByHand(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(3000, 30))
	s.env["PADRON_PAGE_SIZE"] = "1000"
	for range 2 {
		require.Equal(t, "database "+s.database()+" is ready\nsearch attributes of namespace default were there already\n", s.ok("setup"))
	}
	require.Equal(t, "no runs yet; `starter run --wait` makes the first\n", s.ok("status"))
	require.Equal(t, "no snapshots yet; `starter run --wait` makes the first\n", s.ok("snapshots", "list"))
	s.worker()

	first := s.starter("run", "--wait")
	require.Zero(t, first.code, first.errors)
	for _, want := range []string{
		"outcome     green: ", "3,000 on the portal, 3,000 documents", "3,000 new, 0 changed, 0 unchanged",
		" rows/s", "MiB at most in the worker", "Temporal events", "plan ", "aggregate_snapshot ",
	} {
		require.Contains(t, first.out, want)
	}
	for line := range strings.Lines(first.errors) {
		require.Regexp(t, `^(planning|fetching|cleaning|writing|counting) 3,000 rows\n$`, line)
	}

	// Without --wait it returns at once and says how to look.
	started := s.ok("run", "--mode", "full")
	require.Regexp(t, "^started run manual-[^ ]+; `starter watch manual-[^ ]+` follows it\n$", started)
	id := strings.TrimSuffix(strings.Fields(started)[2], ";")
	var run runs.Run
	require.Eventually(t, func() bool {
		r := s.starter("status", id, "-o", "json")
		return r.code == 0 && json.Unmarshal([]byte(r.out), &run) == nil && run.Status == runs.StatusDone
	}, soon, 200*time.Millisecond)
	require.Equal(t, certificate.Green, run.Outcome)
	require.EqualValues(t, 3000, run.Counts.Unchanged)

	var sum summary
	s.readJSON(&sum, "run", "--wait")
	require.Equal(t, workflows.OutcomeSkipped, sum.Outcome)
	require.Equal(t, sum.Run, sum.Record.ID)
	require.Contains(t, sum.Why, "nothing new")
	require.Positive(t, sum.HistoryEvents)
	skipped := s.ok("run", "--wait")
	require.Contains(t, skipped, "outcome  skipped: nothing new")

	var listed []runs.Run
	s.readJSON(&listed, "status")
	require.Len(t, listed, 4)
	require.Equal(t, runs.StatusSkipped, listed[0].Status, "newest first")
	s.readJSON(&listed, "status", "-n", "2")
	require.Len(t, listed, 2)
	list := s.ok("status")
	require.Equal(t, 5, strings.Count(list, "\n"), list)
	for line := range strings.Lines(list) {
		require.Equal(t, strings.TrimRight(line, " \n")+"\n", line, "no white space at the end")
	}
	one := s.ok("status", id)
	for _, want := range []string{`status +done green\n`, `by hand \(full\)\n`, `gate keys +ok: `, `certificate consistent +ok: `, `probe +full: a full crawl was asked for\n`, `workflow +mirror/` + s.name + "/" + id} {
		require.Regexp(t, want, one)
	}
	requireOneLine(t, s.starter("status", "manual-1"), failed, `there is no run "manual-1"; `+"`starter status` lists them")

	var snapshots []statistics.Snapshot
	s.readJSON(&snapshots, "snapshots", "list")
	require.Len(t, snapshots, 2, "one of each run that mirrored, the last one first")
	require.Equal(t, id, snapshots[0].Run)
	require.Equal(t, snapshots[1].AsOf, snapshots[0].AsOf)
	require.Contains(t, s.ok("snapshots", "list"), snapshots[0].ID)
	var snapshot struct {
		statistics.Snapshot
		Neighborhoods []statistics.Tallied
		Sectors       []statistics.Tallied
		Districts     []statistics.TalliedDistrict
		Months        []statistics.Month
	}
	for _, name := range []string{"latest", snapshots[0].ID} {
		s.readJSON(&snapshot, "snapshots", "show", name)
		require.Equal(t, snapshots[0].ID, snapshot.ID)
		require.EqualValues(t, 3000, snapshot.Totals.Rows)
		var rows, open int64
		for _, n := range snapshot.Neighborhoods {
			rows, open = rows+n.Rows, open+n.Open
		}
		require.EqualValues(t, 3000, rows, "each location is in one neighborhood, or in none of known name")
		require.Equal(t, snapshot.Totals.Open, open)
		require.NotEmpty(t, snapshot.Sectors)
		require.NotEmpty(t, snapshot.Districts)
		require.NotEmpty(t, snapshot.Months)
	}
	shown := s.ok("snapshots", "show", "latest", "--top", "3")
	require.Contains(t, shown, "locations  3,000")
	require.Contains(t, shown, " others ")
	requireOneLine(t, s.starter("snapshots", "show", "1999-01-01-observed"), failed, `there is no snapshot "1999-01-01-observed"; `+"`starter snapshots list` lists them")

	doctor := s.ok("doctor")
	require.Contains(t, doctor, "3,000 documents")
	require.NotContains(t, doctor, "FAILED")
	var findings []struct {
		Name string
		OK   bool
	}
	s.readJSON(&findings, "doctor")
	require.Len(t, findings, 14)
}

func TestADrawingAndTheDatasets(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(200, 32))
	drawn := s.ok("dag")
	require.True(t, strings.HasPrefix(drawn, "flowchart TD\n"), drawn)
	for _, task := range []string{"probe", "fetch_page", "clean_page", "gate", "upsert_page", "reconcile", "aggregate_snapshot", "finish"} {
		require.Contains(t, drawn, task)
	}
	require.Regexp(t, `sf-business +data\.sf\.gov/g8m3-pdis +Registered Business Locations, San Francisco\n`, s.ok("dataset", "list"))
	var specs []struct{ Name string }
	s.readJSON(&specs, "dataset", "list")
	require.NotEmpty(t, specs)

	shown := s.ok("dataset", "show")
	for _, field := range s.openSpec().Fields {
		require.Contains(t, shown, "\n"+field.Path+" ")
	}
	var check struct {
		Rows    int64
		Columns int
	}
	s.readJSON(&check, "dataset", "check")
	require.EqualValues(t, 200, check.Rows)
	require.Contains(t, s.ok("dataset", "check"), "the spec fits\n")

	require.NoError(t, s.portal.Edit(portalsim.AddColumn("mood", "text"), portalsim.DropColumn("business_corridor")))
	changed := s.ok("dataset", "check")
	require.Contains(t, changed, "mood")
	require.Contains(t, changed, "business_corridor")
	require.NoError(t, s.portal.Edit(portalsim.DropColumn("ttxid")))
	r := s.starter("dataset", "check")
	require.Equal(t, failed, r.code)
	require.Contains(t, r.errors, "ttxid")
	require.Equal(t, 1, strings.Count(r.errors, "\n"))
	require.NotContains(t, r.out, "the spec fits")
}

// hold keeps the portal's answers to page requests back until let go: the run is
// in the middle for as long as a test likes.
func (s *stack) hold() (reached <-chan struct{}, release func()) {
	s.t.Helper()
	first, gate := make(chan struct{}), make(chan struct{})
	reach := sync.OnceFunc(func() { close(first) })
	s.portal.OnRequest(func(r *http.Request) {
		// Pages are the only requests with both a condition and a large limit.
		if q := r.URL.Query(); strings.HasPrefix(r.URL.Path, "/resource/") && q.Get("$where") != "" && len(q.Get("$limit")) > 2 {
			reach()
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
	})
	release = sync.OnceFunc(func() { close(gate) })
	s.t.Cleanup(release) // a server is closed only when it has answered
	return first, release
}

func TestCtrlCLeavesTheRunGoing(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(500, 33))
	s.worker()
	reached, release := s.hold()
	p := s.start(t, "starter", nil, "run", "--wait")
	<-reached
	require.NoError(t, p.signal(syscall.SIGINT))
	r := p.result()
	require.Equal(t, failed, r.code)
	run, ok := s.newest()
	require.True(t, ok)
	require.Empty(t, r.out)
	require.Contains(t, r.errors, "starter: no longer waiting; run "+run.ID+" goes on, `starter status "+run.ID+"` shows it\n")
	require.Regexp(t, `(?m)^status +running`, s.ok("status", run.ID))

	release()
	require.Eventually(t, func() bool {
		run, _ := s.newest()
		return run.Status == runs.StatusDone && run.Outcome == certificate.Green
	}, soon, 100*time.Millisecond)
}

func TestARunThatIsNotGreenExitsWithThree(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 34))
	s.maxRemovals("0")
	s.worker()
	s.load()
	var key string
	for row := range s.portal.SourceRows() {
		key, _ = row["ttxid"].(string)
		break
	}
	require.NoError(t, s.portal.Edit(portalsim.Delete(key)))
	r := s.starter("run", "--wait", "-o", "json")
	require.Equal(t, notGreen, r.code, r.errors)
	require.Contains(t, r.errors, " is red: ")
	require.Contains(t, r.errors, "more than the 0 that one run may remove")
	var sum summary
	require.NoError(t, json.Unmarshal([]byte(r.out), &sum), "what is printed stays JSON")
	require.Equal(t, "red", sum.Outcome)
}

// TestARunThatWaitsSaysWhatFor: an outage that begins after the start is
// outlasted, and whoever watches is told.
func TestARunThatWaitsSaysWhatFor(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 36))
	s.worker()
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Skip: 1, Status: http.StatusServiceUnavailable, Times: -1})
	p := s.start(t, "starter", nil, "run", "--wait")
	require.Eventually(t, func() bool { return strings.Contains(p.errors.String(), "trying again: ") }, soon, 100*time.Millisecond)
	s.portal.Heal()
	r := p.result()
	require.Zero(t, r.code, r.errors)
	require.Regexp(t, `trying again: [a-z_]+: .*(portal unavailable \(503\)|portal is down)`, r.errors)
	require.Contains(t, r.out, "green")
}

// TestAFailedRunSaysWhy and leaves the reason in the record.
func TestAFailedRunSaysWhy(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 35))
	s.worker()
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1})
	r := s.starter("run", "--wait")
	requireOneLine(t, r, failed, "starter: run manual-", " failed: ", "access refused (403)")
	run, ok := s.newest()
	require.True(t, ok)
	require.Equal(t, runs.StatusFailed, run.Status)
	require.Contains(t, run.Reason, "access refused (403)")
	require.Zero(t, s.documents())
}
