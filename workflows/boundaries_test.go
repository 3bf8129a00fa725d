package workflows_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/activities"
	"padron/internal/boundaries"
	"padron/internal/mirror"
	"padron/internal/socrata/socratatest"
	"padron/workflows"
)

const boundariesData = "/resource/" + socratatest.DefaultBoundariesID + ".geojson"

// boundaryRequests counts the requests for boundaries from now on.
func (s *stack) boundaryRequests() (since func() int) {
	asked := make(chan string, 1000)
	s.portal.OnRequest(func(r *http.Request) {
		if strings.Contains(r.URL.Path, socratatest.DefaultBoundariesID) {
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
func (s *stack) step(run, name string) (mirror.Step, mirror.Run) {
	s.t.Helper()
	record, err := s.mirror.Run(s.t.Context(), run)
	require.NoError(s.t, err)
	i := slices.IndexFunc(record.Steps, func(step mirror.Step) bool { return step.Name == name })
	if i < 0 {
		return mirror.Step{}, record
	}
	return record.Steps[i], record
}

// TestBoundariesAreFetchedWhenTheyChanged counts what each job asks of the
// portal: two requests when they changed, one when not, and none where the
// portal's rows are not looked at.
func TestBoundariesAreFetchedWhenTheyChanged(t *testing.T) {
	s := newStack(t, socratatest.Generate(600, 31))
	asked := s.boundaryRequests()
	first := s.run(activities.Auto)
	require.Equal(t, "green", first.Outcome, first.Why)
	require.Equal(t, 2, asked(), "when they changed, and what they are")
	read := func() mirror.BoundarySet {
		set, err := s.mirror.Boundaries(t.Context(), s.spec.Boundaries.ID)
		require.NoError(t, err)
		return set
	}
	stored := read()
	require.Equal(t, 41, stored.Features)
	require.Equal(t, boundaries.Points(socratatest.Neighborhoods()), stored.Of)
	require.LessOrEqual(t, stored.Points, stored.Of)
	require.Equal(t, stored.Updated, stored.Version.Served)
	require.NotEmpty(t, stored.Run)
	require.WithinDuration(t, time.Now(), stored.Fetched, time.Minute)

	require.Equal(t, workflows.OutcomeSkipped, s.run(activities.Auto).Outcome)
	require.Zero(t, asked(), "a skipped run asks for none")
	full := s.run(activities.Full)
	require.Equal(t, "green", full.Outcome, full.Why)
	require.Equal(t, 1, asked(), "they have not changed")
	require.Equal(t, stored, read())

	s.portal.PublishBoundaries(socratatest.Neighborhoods()[:40])
	for _, job := range []workflows.MirrorInput{
		{Job: workflows.JobVerify},
		{Job: workflows.JobRerun, Of: full.Run, From: activities.FromClean},
		{Job: workflows.JobRerun, Of: full.Run, From: activities.FromSnapshot},
	} {
		require.Equal(t, "green", s.job(job).Outcome)
		require.Zero(t, asked(), "%s asks for none", job.Job)
	}
	require.Equal(t, "green", s.run(activities.Full).Outcome)
	require.Equal(t, 2, asked())
	require.Equal(t, 40, read().Features)
	require.NotEqual(t, stored.Run, read().Run)
}

// TestBoundariesThatFailTakeNothingFromTheRun: it is green, raises no alert,
// keeps what is stored, and says what is the matter.
func TestBoundariesThatFailTakeNothingFromTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		fault socratatest.Fault
		want  string
		most  int // requests
	}{
		"down":             {socratatest.Fault{Path: boundariesData, Status: http.StatusServiceUnavailable, Times: -1}, "portal unavailable (503)", 6},
		"metadata down":    {socratatest.Fault{Path: "/api/views/" + socratatest.DefaultBoundariesID, HTML: true, Times: -1}, "an HTML page", 4},
		"refused":          {socratatest.Fault{Path: boundariesData, Status: http.StatusForbidden, Times: -1}, "access refused (403)", 2},
		"no outlines":      {socratatest.Fault{Path: boundariesData, Body: `{"type":"FeatureCollection","features":[]}`, Times: -1}, "there is no feature", 2},
		"a point":          {socratatest.Fault{Path: boundariesData, Body: `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"nhood":"A"},"geometry":{"type":"Point","coordinates":[1,2]}}]}`, Times: -1}, "A is a Point", 2},
		"cut in the midst": {socratatest.Fault{Path: boundariesData, TruncateAfter: 300, Times: -1}, "a body that is no JSON", 6},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, socratatest.Generate(300, 32))
			require.Equal(t, "green", s.run(activities.Auto).Outcome)
			stored := s.dump(mirror.Boundaries)
			require.Len(t, stored, 1)
			s.portal.PublishBoundaries(socratatest.Neighborhoods()[:7])
			s.portal.Fail(c.fault)
			asked := s.boundaryRequests()
			run := s.start(workflows.MirrorInput{Mode: activities.Full})
			var result workflows.MirrorResult
			require.NoError(t, run.Get(t.Context(), &result))
			require.Equal(t, "green", result.Outcome, result.Why)
			require.LessOrEqual(t, asked(), c.most)
			step, record := s.step(workflows.RunID(run.GetID()), "fetch_boundaries")
			require.Equal(t, "skipped", step.State)
			require.Contains(t, step.Why, "the boundaries were not brought up to date: ")
			require.Contains(t, step.Why, c.want)
			require.Empty(t, record.Warnings, "no word of a schema that changed")
			require.Equal(t, mirror.StatusDone, record.Status)
			alerts, err := s.mirror.Alerts(t.Context())
			require.NoError(t, err)
			require.False(t, slices.ContainsFunc(alerts, func(a mirror.Alert) bool { return a.Open }))
			require.Equal(t, stored, s.dump(mirror.Boundaries), "what is stored stays")

			s.portal.Heal()
			require.Equal(t, "green", s.run(activities.Full).Outcome)
			set, err := s.mirror.BoundariesHeader(t.Context(), s.spec.Boundaries.ID)
			require.NoError(t, err)
			require.Equal(t, 7, set.Features, "the next run makes it good")
		})
	}
}

// TestARegisterWithoutBoundaries has no such step.
func TestARegisterWithoutBoundaries(t *testing.T) {
	s := newStack(t, socratatest.Generate(300, 33))
	s.spec.Boundaries.ID = ""
	asked := s.boundaryRequests()
	run := s.start(workflows.MirrorInput{})
	var result workflows.MirrorResult
	require.NoError(t, run.Get(t.Context(), &result))
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Zero(t, asked())
	step, _ := s.step(workflows.RunID(run.GetID()), "fetch_boundaries")
	require.Zero(t, step)
	require.Empty(t, s.dump(mirror.Boundaries))
}
