package workflows_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/alerts"
	"padron/internal/boundaries"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

const boundariesData = "/resource/" + portalsim.DefaultBoundariesID + ".geojson"

// boundaryRequests counts the requests for boundaries from now on.
func (s *stack) boundaryRequests() (since func() int) {
	asked := make(chan string, 1000)
	s.portal.OnRequest(func(r *http.Request) {
		if strings.Contains(r.URL.Path, portalsim.DefaultBoundariesID) {
			asked <- r.URL.Path
		}
	})
	return func() (n int) {
		for len(asked) > 0 {
			<-asked
			n++
		}
		return n
	}
}

// step is a step of a run's record.
func (s *stack) step(run, name string) (runs.Step, runs.Run) {
	s.t.Helper()
	record, err := s.mirror.Runs.Run(s.t.Context(), run)
	require.NoError(s.t, err)
	i := slices.IndexFunc(record.Steps, func(step runs.Step) bool { return step.Name == name })
	if i < 0 {
		return runs.Step{}, record
	}
	return record.Steps[i], record
}

// TestBoundariesAreFetchedWhenTheyChanged counts what each job asks of the
// portal: two requests when they changed, one when not, and none where the
// portal's rows are not looked at.
func TestBoundariesAreFetchedWhenTheyChanged(t *testing.T) {
	s := newStack(t, register.Generate(600, 31))
	asked := s.boundaryRequests()
	first := s.run(runs.ModeAuto)
	require.Equal(t, "green", first.Outcome, first.Why)
	require.Equal(t, 2, asked(), "when they changed, and what they are")
	read := func() boundaries.Set {
		set, err := s.mirror.Boundaries.Get(t.Context(), s.spec.Boundaries.ID)
		require.NoError(t, err)
		return set
	}
	stored := read()
	require.Equal(t, 41, stored.Features)
	require.Equal(t, boundaries.Points(register.Neighborhoods()), stored.Of)
	require.LessOrEqual(t, stored.Points, stored.Of)
	require.Equal(t, stored.Updated, stored.Version.Served)
	require.NotEmpty(t, stored.Run)
	require.WithinDuration(t, time.Now(), stored.Fetched, time.Minute)

	require.Equal(t, workflows.OutcomeSkipped, s.run(runs.ModeAuto).Outcome)
	require.Zero(t, asked(), "a skipped run asks for none")
	full := s.run(runs.ModeFull)
	require.Equal(t, "green", full.Outcome, full.Why)
	require.Equal(t, 1, asked(), "they have not changed")
	require.Equal(t, stored, read())

	s.portal.PublishBoundaries(register.Neighborhoods()[:40])
	for _, job := range []workflows.MirrorInput{
		{Job: runs.JobVerify},
		{Job: runs.JobRerun, Of: full.Run, From: runs.FromClean},
		{Job: runs.JobRerun, Of: full.Run, From: runs.FromSnapshot},
	} {
		require.Equal(t, "green", s.job(job).Outcome)
		require.Zero(t, asked(), "%s asks for none", job.Job)
	}
	require.Equal(t, "green", s.run(runs.ModeFull).Outcome)
	require.Equal(t, 2, asked())
	require.Equal(t, 40, read().Features)
	require.NotEqual(t, stored.Run, read().Run)
}

// TestBoundariesThatFailTakeNothingFromTheRun: it is green, raises no alert,
// keeps what is stored, and says what is the matter.
func TestBoundariesThatFailTakeNothingFromTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		fault portalsim.Fault
		want  string
		most  int // requests
	}{
		"down":             {portalsim.Fault{Path: boundariesData, Status: http.StatusServiceUnavailable, Times: -1}, "portal unavailable (503)", 6},
		"metadata down":    {portalsim.Fault{Path: "/api/views/" + portalsim.DefaultBoundariesID, HTML: true, Times: -1}, "an HTML page", 4},
		"refused":          {portalsim.Fault{Path: boundariesData, Status: http.StatusForbidden, Times: -1}, "access refused (403)", 2},
		"no outlines":      {portalsim.Fault{Path: boundariesData, Body: `{"type":"FeatureCollection","features":[]}`, Times: -1}, "there is no feature", 2},
		"a point":          {portalsim.Fault{Path: boundariesData, Body: `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"nhood":"A"},"geometry":{"type":"Point","coordinates":[1,2]}}]}`, Times: -1}, "A is a Point", 2},
		"cut in the midst": {portalsim.Fault{Path: boundariesData, TruncateAfter: 300, Times: -1}, "a body that is no JSON", 6},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, register.Generate(300, 32))
			require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
			stored := s.dump(mongodb.Boundaries)
			require.Len(t, stored, 1)
			s.portal.PublishBoundaries(register.Neighborhoods()[:7])
			s.portal.Fail(c.fault)
			asked := s.boundaryRequests()
			run := s.start(workflows.MirrorInput{Mode: runs.ModeFull})
			var result workflows.MirrorResult
			require.NoError(t, run.Get(t.Context(), &result))
			require.Equal(t, "green", result.Outcome, result.Why)
			require.LessOrEqual(t, asked(), c.most)
			step, record := s.step(workflows.RunID(run.GetID()), "fetch_boundaries")
			require.Equal(t, "skipped", step.State)
			require.Contains(t, step.Why, "the boundaries were not brought up to date: ")
			require.Contains(t, step.Why, c.want)
			require.Empty(t, record.Warnings, "no word of a schema that changed")
			require.Equal(t, runs.StatusDone, record.Status)
			raised, err := s.mirror.Alerts.All(t.Context())
			require.NoError(t, err)
			require.False(t, slices.ContainsFunc(raised, func(a alerts.Alert) bool { return a.Open }))
			require.Equal(t, stored, s.dump(mongodb.Boundaries), "what is stored stays")

			s.portal.Heal()
			require.Equal(t, "green", s.run(runs.ModeFull).Outcome)
			set, err := s.mirror.Boundaries.Header(t.Context(), s.spec.Boundaries.ID)
			require.NoError(t, err)
			require.Equal(t, 7, set.Features, "the next run makes it good")
		})
	}
}

// TestARegisterWithoutBoundaries has no such step.
func TestARegisterWithoutBoundaries(t *testing.T) {
	s := newStack(t, register.Generate(300, 33))
	s.spec.Boundaries.ID = ""
	asked := s.boundaryRequests()
	run := s.start(workflows.MirrorInput{})
	var result workflows.MirrorResult
	require.NoError(t, run.Get(t.Context(), &result))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Zero(t, asked())
	step, _ := s.step(workflows.RunID(run.GetID()), "fetch_boundaries")
	require.Zero(t, step)
	require.Empty(t, s.dump(mongodb.Boundaries))
}
