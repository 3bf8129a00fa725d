package main_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/portalsim/register"
	"padron/internal/runs"
)

// fleet is what `starter workers` prints, as far as tests look at it.
type fleet struct {
	Workers []struct {
		Identity, Deployment, Build string
		Roles                       []string
		RequestsPerSecond           float64 `json:"requests_per_second"`
	}
	Deployments []struct {
		Name, Current string
		Builds        []struct {
			Build, Status string
			Workers       int
		}
	}
}

func (s *stack) fleet() fleet {
	s.t.Helper()
	var f fleet
	s.readJSON(&f, "workers")
	return f
}

// workersOf lists which processes did a run: all that answered its workflows'
// tasks, or only its steps.
func (s *stack) workersOf(run string) (deciding, doing []string) {
	s.t.Helper()
	for _, e := range s.events(run) {
		if a := e.GetWorkflowTaskCompletedEventAttributes(); a != nil {
			deciding = append(deciding, worker(a.Identity))
		}
		if a := e.GetActivityTaskStartedEventAttributes(); a != nil {
			doing = append(doing, worker(a.Identity))
		}
	}
	slices.Sort(deciding)
	slices.Sort(doing)
	return slices.Compact(deciding), slices.Compact(doing)
}

// TestARunEndsWithTheBuildThatItBeganWith rolls out a build while a run of the
// old one is held at the portal, and another run is started.
func TestARunEndsWithTheBuildThatItBeganWith(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(600, 45))
	s.env["PADRON_DEPLOYMENT"] = s.name
	requireOneLine(t, s.starterWith(t, nil, "workers", "promote", "a"), failed, "Temporal knows no deployment "+s.name)

	old := s.worker("PADRON_BUILD_ID=a")
	var refused result
	require.Eventually(t, func() bool { // until Temporal sees the worker's polls
		refused = s.starter("run")
		return strings.Contains(refused.errors, "none is current")
	}, soon, 100*time.Millisecond)
	requireOneLine(t, refused, failed, "none is current; `starter workers promote` makes one")
	require.Contains(t, s.ok("workers", "promote", "a"), "new runs start on a, before: workers without a build")
	reached, release := s.hold()
	s.ok("run")
	<-reached
	first, ok := s.newest()
	require.True(t, ok)

	requireOneLine(t, s.starter("workers", "promote", "b"), failed, "has no build b: start a worker of it first")
	fresh := s.worker("PADRON_BUILD_ID=b")
	var done struct{ Deployment, Build, Before string }
	require.Eventually(t, func() bool { // Temporal hears of a build when it polls
		return s.starterWith(t, []string{"PADRON_BUILD_ID=b"}, "workers", "promote").code == 0
	}, soon, time.Second)
	s.readJSON(&done, "workers", "promote", "b")
	require.Equal(t, []string{s.name, "b", "b"}, []string{done.Deployment, done.Build, done.Before}, "doing it again changes nothing")
	s.ok("run")
	var second runs.Run
	require.Eventually(t, func() bool {
		second, ok = s.newest()
		return ok && second.ID != first.ID
	}, soon, 50*time.Millisecond, "the second run never began")

	var seen fleet
	require.Eventually(t, func() bool {
		seen = s.fleet()
		return len(seen.Workers) == 2 && len(seen.Deployments) == 1 && len(seen.Deployments[0].Builds) == 2
	}, soon, time.Second, "%+v", &seen)
	d := seen.Deployments[0]
	require.Equal(t, s.name, d.Name)
	require.Equal(t, "b", d.Current)
	require.Equal(t, "b current 1, a draining 1", d.Builds[0].Build+" "+d.Builds[0].Status+" "+string(rune('0'+d.Builds[0].Workers))+", "+
		d.Builds[1].Build+" "+d.Builds[1].Status+" "+string(rune('0'+d.Builds[1].Workers)))
	for _, w := range seen.Workers {
		require.Equal(t, map[string]string{old.identity(): "a", fresh.identity(): "b"}[worker(w.Identity)], w.Build)
		require.ElementsMatch(t, []string{"workflows", "activities", "portal"}, w.Roles)
		require.InDelta(t, 50, w.RequestsPerSecond, 0.1)
	}
	require.Regexp(t, `(?m)^b +current +1 `, s.ok("workers"))

	release()
	for _, run := range []struct {
		id string
		by *process
	}{{first.ID, old}, {second.ID, fresh}} {
		require.Eventually(t, func() bool {
			record, err := s.reader().Runs.Run(t.Context(), run.id)
			return err == nil && record.Status != runs.StatusRunning
		}, runTakes, 100*time.Millisecond)
		deciding, doing := s.workersOf(run.id)
		require.Equal(t, []string{run.by.identity()}, deciding)
		require.Equal(t, []string{run.by.identity()}, doing)
	}
	require.EqualValues(t, 600, s.documents())

	require.Contains(t, s.ok("workers", "promote", "a"), "new runs start on a, before: b", "the way back")
}

// TestAFleetOfRoles shares a run out to three processes of one role each.
func TestAFleetOfRoles(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(500, 46))
	of := map[string]string{}
	var processes []*process
	for _, role := range []string{"workflows", "activities", "portal"} {
		env := []string{"PADRON_ROLES=" + role, "PADRON_POLLERS=4", "PADRON_WORKFLOW_SLOTS=10", "PADRON_ACTIVITY_SLOTS=2", "PADRON_PORTAL_SLOTS=2"}
		if role != "portal" {
			env = append(env, "PADRON_PORTAL_URL=http://127.0.0.1:1") // who has another role never asks the portal
		}
		p := s.worker(env...)
		of[p.identity()] = role
		processes = append(processes, p)
	}
	run := s.load()
	deciding, doing := s.workersOf(run.Run)
	require.Equal(t, []string{processes[0].identity()}, deciding)
	steps := []string{processes[1].identity(), processes[2].identity()}
	slices.Sort(steps)
	require.Equal(t, steps, doing)
	for _, w := range s.fleet().Workers {
		require.Equal(t, []string{of[worker(w.Identity)]}, w.Roles)
	}
	require.Contains(t, s.ok("verify", "--deep"), "green: ")
}

// TestNobodyPolls says so.
func TestNobodyPolls(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(10, 47))
	require.Equal(t, "no worker polls the task queues of "+s.name+": start one with `worker`\n\n"+
		"no worker serves "+s.name+" with the role workflows, activities, portal: start one with `worker`, its PADRON_DATASET naming "+s.name+"\n", s.ok("workers"))
	require.Empty(t, s.fleet().Workers)
	requireOneLine(t, s.starter("workers", "promote", "a"), usage, "PADRON_DEPLOYMENT: is not set")
	s.env["PADRON_DEPLOYMENT"] = s.name
	requireOneLine(t, s.starter("workers", "promote", "a b"), usage, `"a b" is no build's id`)
	requireOneLine(t, s.starter("workers", "promote", "a", "--unversioned"), usage, "names no build")
}
