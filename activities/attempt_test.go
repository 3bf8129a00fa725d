package activities

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"padron/internal/runs"
	"padron/internal/socrata"
)

// attempting makes one attempt of a step after another, as Temporal does: what the
// last heartbeat of one carried is given to the next.
type attempting struct {
	t    *testing.T
	last atomic.Pointer[any] // details of the last heartbeat
}

func (r *attempting) carries(details any) { r.last.Store(&details) }

func (r *attempting) attempt(do func(context.Context) error) error {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	if last := r.last.Load(); last != nil {
		env.SetHeartbeatDetails(*last)
	}
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var c carried
		require.NoError(r.t, details.Get(&c))
		r.carries(c)
	})
	env.RegisterActivityWithOptions(func(ctx context.Context) error {
		_, err := attempted(ctx, func(ctx context.Context) (any, error) { return nil, do(ctx) })
		return err
	}, activity.RegisterOptions{Name: "step"})
	_, err := env.ExecuteActivity("step")
	return err
}

// TestPageSize halves what is asked for while the portal fails on it, down to where
// it is in trouble of another kind.
func TestPageSize(t *testing.T) {
	a := &Activities{PageSize: 50_000, RecrawlAfter: time.Minute}
	for name, c := range map[string]struct {
		err  socrata.Error
		want []int
	}{
		"408":               {socrata.Error{Kind: socrata.Timeout, Status: 408}, []int{50_000, 25_000, 12_500, 6250, 3125, 1562, 1000, 1000}},
		"500":               {socrata.Error{Kind: socrata.Unavailable, Status: 500}, []int{50_000, 25_000, 12_500}},
		"502":               {socrata.Error{Kind: socrata.Unavailable, Status: 502}, []int{50_000, 25_000, 12_500}},
		"503":               {socrata.Error{Kind: socrata.Unavailable, Status: 503}, []int{50_000, 25_000, 12_500}},
		"504":               {socrata.Error{Kind: socrata.Unavailable, Status: 504}, []int{50_000, 25_000, 12_500}},
		"a maintenance":     {socrata.Error{Kind: socrata.Unavailable, Status: 302}, []int{50_000, 50_000}},
		"throttled":         {socrata.Error{Kind: socrata.Throttled, Status: 429}, []int{50_000, 50_000}},
		"nothing is served": {socrata.Error{Kind: socrata.Network}, []int{50_000, 50_000}},
	} {
		r := &attempting{t: t}
		var got []int
		for range c.want {
			_ = r.attempt(func(ctx context.Context) error {
				limit := attemptOf(ctx).pageSize(a.PageSize, nil)
				got = append(got, limit)
				return a.fetchFailed(ctx, FetchInput{}, nil, limit, &c.err)
			})
		}
		require.Equal(t, c.want, got, name)
	}
	var served *smallerPage
	r := &attempting{t: t}
	for _, want := range []int{50_000, 25_000} {
		_ = r.attempt(func(ctx context.Context) error {
			at := attemptOf(ctx)
			limit := at.pageSize(a.PageSize, served)
			require.Equal(t, want, limit)
			if limit > 30_000 {
				return a.fetchFailed(ctx, FetchInput{}, nil, limit, &socrata.Error{Kind: socrata.Timeout})
			}
			served = at.served(limit, served)
			return nil
		})
	}
	require.Equal(t, 25_000, (&attempt{}).pageSize(a.PageSize, served), "the page that comes next need not learn it")
	require.Same(t, served, (&attempt{}).served(25_000, served), "nor does it keep the size any longer")
	served.until = time.Now()
	require.Equal(t, 50_000, (&attempt{}).pageSize(a.PageSize, served))

	r = &attempting{t: t}
	r.carries(25_000) // as builds before this one left it
	_ = r.attempt(func(ctx context.Context) error {
		require.Equal(t, 50_000, attemptOf(ctx).pageSize(a.PageSize, nil))
		return nil
	})
}

// TestTheSameGarbageIsNotAskedForForEver counts an answer that is always the same,
// whatever else fails between, and begins anew with every other.
func TestTheSameGarbageIsNotAskedForForEver(t *testing.T) {
	garbage := func(digest string) error {
		return fmt.Errorf("fetch: %w", &socrata.Error{Kind: socrata.Garbage, Status: 200, URL: "https://data.sf.gov", Asked: "rows", Message: "no JSON", Digest: digest})
	}
	var app *temporal.ApplicationError
	r := &attempting{t: t}
	answer := func(err error) *temporal.ApplicationError {
		t.Helper()
		require.ErrorAs(t, r.attempt(func(context.Context) error { return err }), &app)
		return app
	}
	for range samePatience - 1 {
		require.Equal(t, runs.PortalUnavailable, answer(garbage("a")).Type())
		require.Equal(t, runs.DatabaseFailed, answer(errors.New("blip")).Type())
	}
	for range samePatience - 1 {
		require.Equal(t, runs.PortalUnavailable, answer(garbage("b")).Type())
	}
	ended := answer(garbage("b"))
	require.Equal(t, runs.PageUnusable, ended.Type())
	require.True(t, ended.NonRetryable())
	require.Equal(t, "fetch: asked https://data.sf.gov for rows: unusable body: no JSON; the same answer came 8 times, so it is not asked for any more:"+
		" tell the portal's owner, the next run asks anew", ended.Message())
	for range 3 * samePatience {
		require.Equal(t, runs.PortalUnavailable, answer(garbage("")).Type(), "a proxy's page says nothing of the data")
	}
}

// TestTheHalvedPageSizeSurvivesHeartbeats has an attempt fail long after it learned
// of a smaller page, and the one after it for another reason.
func TestTheHalvedPageSizeSurvivesHeartbeats(t *testing.T) {
	t.Parallel()
	r := &attempting{t: t}
	_ = r.attempt(func(ctx context.Context) error {
		attemptOf(ctx).halve(50_000)
		return &socrata.Error{Kind: socrata.Timeout}
	})
	beats := false
	_ = r.attempt(func(ctx context.Context) error {
		require.Equal(t, 25_000, attemptOf(ctx).pageSize(50_000, nil))
		r.last.Store(nil)
		for range 100 {
			time.Sleep(HeartbeatEvery / 50)
			if last := r.last.Load(); last != nil {
				beats = true
				require.Equal(t, carried{PageSize: 25_000}, *last)
				break
			}
		}
		return errors.New("the worker was killed")
	})
	require.True(t, beats, "a heartbeat while the step was at work")
	_ = r.attempt(func(ctx context.Context) error {
		require.Equal(t, 25_000, attemptOf(ctx).pageSize(50_000, nil))
		return nil
	})
}

// TestWaitsEndBeforeTheDeadline caps what a portal asks to wait: by what is sensible,
// and by what is left of the step's time, so that the step does not fail at once.
func TestWaitsEndBeforeTheDeadline(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct{ asked, left, want time.Duration }{
		"short":                    {30 * time.Second, 6 * time.Hour, 30 * time.Second},
		"a day":                    {24 * time.Hour, 6 * time.Hour, time.Hour},
		"beyond the deadline":      {24 * time.Hour, 40 * time.Minute, 39 * time.Minute},
		"nothing is left":          {24 * time.Hour, 30 * time.Second, 0},
		"longer than there is":     {2 * time.Minute, 90 * time.Second, 30 * time.Second},
		"no deadline to mind, yet": {time.Minute, 0, time.Minute},
	} {
		info := activity.Info{ScheduledTime: now.Add(-time.Hour), ScheduleToCloseTimeout: time.Hour + c.left}
		if c.left == 0 {
			info.ScheduleToCloseTimeout = 0
		}
		var app *temporal.ApplicationError
		require.ErrorAs(t, inTime(classify(&socrata.Error{Kind: socrata.Throttled, RetryAfter: c.asked}), info, now), &app, name)
		require.Equal(t, c.want, app.NextRetryDelay(), name)
		require.Equal(t, runs.PortalUnavailable, app.Type(), name)
		if c.want > 0 && c.want != c.asked {
			require.Contains(t, app.Message(), fmt.Sprintf("it is asked again in %s", c.want), name)
		}
	}
}
