package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"padron/internal/certificate"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
)

// told is one line of `watch -o json`, as far as tests look at it.
type told struct {
	Event, Run, Status, Outcome, Why string
	Live                             struct {
		Source, Doing string
		WaitsFor      string `json:"waits_for"`
		Rows          struct {
			Total, Fetched int64
		}
		Tasks []struct {
			Workflow, Name, State string
			Done, Total           int
			WaitsFor              []string `json:"waits_for"`
		}
		Pending []struct {
			Step, State, Error string
			ErrorType          string `json:"error_type"`
			Began, Since       time.Time
			NextTry            time.Time `json:"next_try"`
			Attempt            int
		}
	}
	Record *runs.Run
}

// events are the lines that were printed so far; each must be an event.
func (p *process) events() []told {
	p.t.Helper()
	var all []told
	for line := range strings.Lines(p.out.String()) {
		if !strings.HasSuffix(line, "\n") {
			break // being written
		}
		var e told
		require.NoError(p.t, json.Unmarshal([]byte(line), &e), line)
		all = append(all, e)
	}
	return all
}

// awaitEvent waits for an event like the one wanted.
func (p *process) awaitEvent(what string, want func(e told) bool) told {
	p.t.Helper()
	var found told
	require.Eventually(p.t, func() bool {
		for _, e := range p.events() {
			if want(e) {
				found = e
				return true
			}
		}
		return false
	}, soon, 50*time.Millisecond, "no event: %s\n%s\n%s", what, &p.out, &p.errors)
	return found
}

func (e told) task(name string) (state string, waitsFor []string) {
	for _, t := range e.Live.Tasks {
		if t.Name == name {
			return t.State, t.WaitsFor
		}
	}
	return "", nil
}

// TestWatchFollowsARunToItsEnd by two watchers, one for people and one for
// programs.
func TestWatchFollowsARunToItsEnd(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(3000, 80))
	s.env["PADRON_PAGE_SIZE"] = "1000"
	s.worker()
	next := s.start(t, "starter", nil, "watch", "--next", "-o", "json")
	require.Eventually(t, func() bool { return strings.Contains(next.errors.String(), "waiting for the next run of "+s.name) }, soon, 50*time.Millisecond)
	reached, release := s.hold()
	id := strings.TrimSuffix(strings.Fields(s.ok("run"))[2], ";")
	<-reached
	people := s.start(t, "starter", nil, "watch")
	programs := s.start(t, "starter", nil, "watch", id, "-o", "json")

	fetching := programs.awaitEvent("fetching", func(e told) bool { state, _ := e.task("fetch_page"); return state == "running" })
	require.Equal(t, "worker", fetching.Live.Source)
	require.Equal(t, "running", fetching.Status)
	require.EqualValues(t, 3000, fetching.Live.Rows.Total)
	for task, want := range map[string][]string{
		"clean_page": {"fetch_page"}, "gate": {"clean_page"}, "upsert_page": {"gate"}, "reconcile": {"confirm_removed"}, "finish": {"write"},
	} {
		state, waitsFor := fetching.task(task)
		require.Equal(t, "waiting", state, task)
		require.Equal(t, want, waitsFor, task)
	}
	require.Eventually(t, func() bool {
		return regexp.MustCompile(`\dZ  fetch_page +running, 0 of \d\n`).MatchString(people.out.String())
	}, soon, 50*time.Millisecond)
	// What it does now is in the listings too.
	require.Regexp(t, id+` .* running .* planning 3,000 rows`, s.ok("status"))
	one := s.ok("status", id)
	require.Regexp(t, `\ndoing +planning 3,000 rows\n`, one)
	require.Regexp(t, `\nstep +fetch_page: running\n`, one)
	require.Contains(t, one, "`starter watch "+id+"` follows it, `starter cancel "+id+"` ends it")

	release()
	for name, p := range map[string]*process{"given": programs, "next": next} {
		r := p.result()
		require.Zero(t, r.code, "%s: %s", name, r.errors)
		events := p.events()
		end := events[len(events)-1]
		require.Equal(t, "end", end.Event, name)
		require.Equal(t, id, end.Run, name)
		require.Equal(t, "green", end.Outcome, name)
		require.EqualValues(t, 3000, end.Record.Counts.Documents, name)
		for _, e := range events[:len(events)-1] {
			require.Equal(t, "status", e.Event, name)
		}
	}
	r := people.result()
	require.Zero(t, r.code, r.errors)
	require.Empty(t, r.errors)
	require.Regexp(t, `^\d\d:\d\d:\d\dZ  watching run `+id+" of "+s.name+"\n", r.out)
	require.Contains(t, r.out, "\noutcome     green: 3,000 rows on the portal, 3,000 documents here\n")
}

// TestWatchShowsAnOutageAsWaiting: the breaker is open, and nobody should take
// that for a failure.
func TestWatchShowsAnOutageAsWaiting(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(3000, 81))
	s.env["PADRON_PAGE_SIZE"] = "500"
	s.worker()
	s.portal.Fail(portalsim.Fault{
		Path: "/resource/", Status: http.StatusServiceUnavailable, Times: -1,
		Match: func(r *http.Request) bool {
			return len(r.URL.Query().Get("$limit")) > 2 && r.URL.Query().Get("$where") != ""
		},
	})
	id := strings.TrimSuffix(strings.Fields(s.ok("run"))[2], ";")
	watch := s.start(t, "starter", nil, "watch", id, "-o", "json")
	lines := s.start(t, "starter", nil, "watch", id)
	open := watch.awaitEvent("the breaker is open", func(e told) bool {
		if state, _ := e.task("fetch_page"); state != "running" {
			return false // the worker was too busy to answer, or answered a moment ago
		}
		for _, p := range e.Live.Pending {
			if p.ErrorType == "CircuitOpen" && p.State == "waiting" {
				return true
			}
		}
		return false
	})
	for _, p := range open.Live.Pending {
		if p.ErrorType == "CircuitOpen" && p.State == "waiting" {
			require.Equal(t, "fetch_page", p.Step)
			require.Regexp(t, `portal is down since \d\d:\d\d:\d\dZ: .*503`, p.Error, "the cause is behind it")
			require.WithinRange(t, p.Began, time.Now().Add(-runTakes), time.Now())
			require.WithinRange(t, p.Since, p.Began, time.Now(), "no time to come")
			require.Greater(t, p.Attempt, 1)
			require.False(t, p.NextTry.IsZero())
		}
	}
	require.Regexp(t, `^attempt \d+ of fetch_page( at \d\d:\d\d:\d\dZ)?, tried since \d\d:\d\d:\d\dZ; the one before failed: .*\((CircuitOpen|PortalUnavailable)\)$`, open.Live.WaitsFor)
	require.Regexp(t, id+` .*waits for attempt \d+ of fetch_page`, s.ok("status"))
	one := s.ok("status", id)
	require.Regexp(t, `\nwaits for +attempt \d+ of fetch_page`, one)
	require.Regexp(t, `\nstep +fetch_page: (waiting|retry|running), attempt \d+.*; last failure: `, one)
	var shown struct {
		Live struct {
			Pending []struct{ State string }
		}
	}
	s.readJSON(&shown, "status", id)
	require.NotEmpty(t, shown.Live.Pending)

	s.portal.Heal()
	r := watch.result()
	require.Zero(t, r.code, r.errors)
	r = lines.result()
	require.Zero(t, r.code, r.errors)
	require.Regexp(t, `\dZ  waits for attempt \d+ of fetch_page`, r.out)
	require.Regexp(t, `\dZ  goes on\n`, r.out)
	require.NotRegexp(t, `\dZ  [a-z_]+ +failed`, r.out, "an outage that is outlasted is no failure")
}

// TestWatchingEndsAndTheRunGoesOn on Ctrl-C.
func TestWatchingEndsAndTheRunGoesOn(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 82))
	s.worker()
	reached, release := s.hold()
	id := strings.TrimSuffix(strings.Fields(s.ok("run"))[2], ";")
	<-reached
	watch := s.start(t, "starter", nil, "watch", id)
	require.Eventually(t, func() bool { return strings.Contains(watch.out.String(), "fetch_page") }, soon, 50*time.Millisecond)
	require.NoError(t, watch.signal(syscall.SIGINT))
	r := watch.result()
	require.Equal(t, failed, r.code)
	require.Equal(t, "starter: no longer watching; run "+id+" goes on: `starter watch "+id+"` looks again, `starter cancel "+id+"` ends it\n", r.errors)

	next := s.start(t, "starter", nil, "watch", "--next")
	require.Eventually(t, func() bool { return next.errors.String() != "" }, soon, 50*time.Millisecond)
	require.NoError(t, next.signal(syscall.SIGINT))
	require.Equal(t, failed, next.exits(soon))
	require.Contains(t, next.errors.String(), "no longer waiting: no run has started meanwhile\n", "the one that runs is not the next")

	release()
	require.Eventually(t, func() bool { run, _ := s.newest(); return run.Outcome == certificate.Green }, soon, 100*time.Millisecond)
}

// TestWatchWithoutAWorker shows what the record and Temporal say.
func TestWatchWithoutAWorker(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 83))
	worker := s.worker()
	reached, release := s.hold()
	id := strings.TrimSuffix(strings.Fields(s.ok("run"))[2], ";")
	<-reached
	require.NoError(t, worker.signal(syscall.SIGKILL))
	<-worker.done
	watch := s.start(t, "starter", nil, "watch", "-o", "json")
	alone := watch.awaitEvent("no worker", func(e told) bool { return strings.HasPrefix(e.Live.WaitsFor, "worker ") })
	require.Equal(t, "record", alone.Live.Source)
	require.Equal(t, "planning 300 rows", alone.Live.Doing)
	const silent = `worker \d+@\S* to answer, which polled at [0-9:]+Z and does not since [0-9:]+Z; it is busy, or has just ended: then start one with `
	require.Regexp(t, "^"+silent, alone.Live.WaitsFor, "Temporal cannot tell one that was just killed from a busy one")
	require.Regexp(t, `waits for +`+silent, s.ok("status", id))

	release()
	s.worker()
	r := watch.result()
	require.Zero(t, r.code, r.errors)
	watch.awaitEvent("a worker", func(e told) bool { return e.Live.Source == "worker" })
}

// TestOnATerminal a run is drawn in place and in colour; the test of every
// other command line is that of a pipe, which gets neither.
func TestOnATerminal(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(3000, 84))
	s.env["PADRON_PAGE_SIZE"] = "1000"
	s.worker()
	reached, release := s.hold()
	bar := s.terminal("run", "--wait")
	<-reached
	watch := s.terminal("watch")
	require.Eventually(t, func() bool { return strings.Count(watch.out.String(), "\x1b[J") > 2 }, soon, 50*time.Millisecond, "%s", &watch.out)
	drawn := watch.out.String()
	require.Regexp(t, `\x1b\[\d+A\r\x1b\[J`, drawn, "it goes back to the top and clears")
	require.Contains(t, drawn, "\x1b[1m  ▶ fetch_page", "what runs is bold")
	require.Contains(t, drawn, "\x1b[32m✓ probe", "what is done is green")
	require.Contains(t, drawn, "· gate               waiting                        for clean_page")
	for line := range strings.Lines(drawn) {
		plain := regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`).ReplaceAllString(line, "")
		require.LessOrEqual(t, len([]rune(strings.TrimRight(plain, "\r\n"))), terminalWidth-1, "a wrapped line would spoil the picture: %q", plain)
	}
	release()
	require.Zero(t, watch.exits(runTakes), "%s", &watch.out)
	require.Contains(t, watch.out.String(), "green: 3,000 rows")
	require.Zero(t, bar.exits(runTakes), "%s", &bar.out)
	require.Contains(t, bar.out.String(), "\x1b", "the progress bar")

	// The wish for no colour is respected.
	list := s.terminal("status")
	require.Zero(t, list.exits(soon))
	require.NotContains(t, list.out.String(), "\x1b")
}

// terminalWidth is narrow, so that lines must be cut.
const terminalWidth = 72

// terminal starts a command line on a terminal of its own.
func (s *stack) terminal(args ...string) *process {
	s.t.Helper()
	p := &process{t: s.t, cmd: exec.CommandContext(s.t.Context(), filepath.Join(binaries, "starter"), args...), done: make(chan struct{})}
	p.cmd.Dir = s.t.TempDir()
	for name, value := range s.env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Env = append(p.cmd.Env, "TERM=xterm")
	master, err := pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 40, Cols: terminalWidth})
	require.NoError(s.t, err)
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&p.out, master) // ends with an error when the program has ended
	}()
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code is what counts
		<-read
	}()
	s.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // most have ended
		<-p.done
		_ = master.Close()
	})
	return p
}
