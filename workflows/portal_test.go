package workflows_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/activities"
	"padron/internal/guard"
	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

// TestAColumnThatIsListedOnly has the metadata promise columns that no row has: one
// that nobody maps, then one that may be empty, then one that must be there.
func TestAColumnThatIsListedOnly(t *testing.T) {
	s := newStack(t, register.Generate(1100, 41))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	s.portal.ListOnly("permit_valuation")
	green := s.run(runs.ModeFull)
	require.Equal(t, "green", green.Outcome, green.Why)
	record, err := s.mirror.Runs.Run(t.Context(), green.Run)
	require.NoError(t, err)
	require.Equal(t, []string{"column permit_valuation is listed by the portal, but denied when it is asked for: it is left out"}, record.Warnings)

	require.NoError(t, s.portal.Edit(portalsim.DropColumn("dba_name")))
	s.portal.ListOnly("dba_name")
	green = s.run(runs.ModeAuto)
	require.Equal(t, "green", green.Outcome, green.Why)
	requireMirrors(t, s)

	require.NoError(t, s.portal.Edit(portalsim.DropColumn("location_end_date")))
	s.portal.ListOnly("location_end_date")
	before := s.portal.Requests()
	failed := s.fails(s.start(workflows.MirrorInput{}))
	require.Equal(t, runs.SchemaChanged, failed.Type())
	require.Contains(t, failed.Message(), "required column location_end_date is listed by the portal, but denied when it is asked for")
	require.LessOrEqual(t, s.portal.Requests()-before, int64(4), "nothing is tried again")
}

// larger matches requests for pages of more rows than this.
func larger(than int) func(*http.Request) bool {
	return func(r *http.Request) bool {
		n, _ := strconv.Atoi(r.URL.Query().Get("$limit"))
		return n > than && r.URL.Query().Get("$order") != ""
	}
}

// TestBigPagesAreHalved has the portal fail on pages of 4,000 rows and serve those of
// 1,000.
func TestBigPagesAreHalved(t *testing.T) {
	s := newStack(t, register.Generate(4500, 42), func(a *activities.Activities) {
		a.PageSize = 4000
		a.Portal = guard.New(guard.Options{Name: "portal", Down: func(error) bool { return false }}) // what it costs to wait for the breaker is tested elsewhere
	})
	s.portal.Fail(portalsim.Fault{Match: larger(1000), Status: http.StatusBadGateway, Times: -1})
	result := s.run(runs.ModeAuto)
	require.Equal(t, "green", result.Outcome, result.Why)
	requireMirrors(t, s)
}

// TestAMaintenancePageIsOutlasted sends every request to a page that is not the
// portal's, for a while.
func TestAMaintenancePageIsOutlasted(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"302": http.StatusFound, "307": http.StatusTemporaryRedirect} {
		t.Run(name, func(t *testing.T) {
			f := newFast(t, landing.Config{})
			f.begin(t.Context(), t, portalsim.Options{Table: register.Generate(60, 1)})
			f.portal.Fail(portalsim.Fault{Skip: 2, Times: 6, Status: status, HTML: true, Location: "https://maintenance.example.org/"})
			result, err := f.run(workflows.MirrorInput{})
			require.NoError(t, err)
			require.Equal(t, "green", result.Outcome, result.Why)
			require.Zero(t, f.portal.PendingFaults())
		})
	}
}

// TestABotCheckIsNamed looks at a run that waits for one: what is said of it, and
// when it is tried again.
func TestABotCheckIsNamed(t *testing.T) {
	s := newStack(t, register.Generate(100, 43))
	s.portal.Fail(portalsim.Fault{Status: http.StatusAccepted, HTML: true, Times: -1})
	run := s.start(workflows.MirrorInput{})
	require.Eventually(t, func() bool {
		d, err := s.temporal.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
		require.NoError(t, err)
		for _, p := range d.PendingActivities {
			if f := p.GetLastFailure(); f != nil && p.GetCurrentRetryInterval().AsDuration() >= 5*time.Minute {
				require.Equal(t, runs.BotCheck, f.GetApplicationFailureInfo().GetType())
				require.Contains(t, f.GetMessage(), "refused by a bot check in front of the portal (202); set PADRON_APP_TOKEN, and PADRON_USER_AGENT with a contact in it")
				return true
			}
		}
		return false
	}, 30*time.Second, 100*time.Millisecond)
	require.NoError(t, s.temporal.CancelWorkflow(t.Context(), run.GetID(), ""))
	require.Error(t, run.Get(t.Context(), nil))
}

// TestGarbageThatStaysEndsTheRun breaks one page, always in the same way.
func TestGarbageThatStaysEndsTheRun(t *testing.T) {
	t.Parallel()
	f := newFast(t, landing.Config{})
	f.begin(t.Context(), t, portalsim.Options{Table: register.Generate(60, 1)})
	asked := 0
	f.portal.Fail(portalsim.Fault{Times: -1, Body: `[{"ttxid":"1"},{"ttxid":nonsense}]`, Match: func(r *http.Request) bool {
		if !strings.Contains(r.URL.Query().Get("$where"), "is null") {
			return false
		}
		asked++
		return true
	}})
	_, err := f.run(workflows.MirrorInput{})
	require.Equal(t, runs.PageUnusable, kindOf(err), "%v", err)
	require.ErrorContains(t, err, "the same answer came 8 times, so it is not asked for any more: tell the portal's owner")
	require.Equal(t, 8, asked)
	require.Empty(t, f.dump(t.Context(), t, mongodb.Businesses))
}

// TestARetryAfterBeyondTheDeadlineIsWaitedFor has the portal ask to wait for a day,
// which is longer than a run may take.
func TestARetryAfterBeyondTheDeadlineIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFast(t, landing.Config{})
	f.begin(t.Context(), t, portalsim.Options{Table: register.Generate(60, 1)})
	f.portal.Fail(portalsim.Fault{Skip: 2, Times: 3, Status: http.StatusTooManyRequests, RetryAfter: "86400"})
	result, err := f.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.Zero(t, f.portal.PendingFaults())
}
