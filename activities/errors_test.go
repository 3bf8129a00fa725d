package activities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.temporal.io/sdk/activity"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"padron/internal/crawl"
	"padron/internal/guard"
	"padron/internal/landing"
	"padron/internal/mirror"
	"padron/internal/mongodb"
	"padron/internal/runs"
	"padron/internal/socrata"
	"padron/internal/statistics"
)

// TestWhatIsRetried holds every error that a step may meet against what becomes
// of it: what can never succeed must not be tried for hours.
func TestWhatIsRetried(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		kind  string
		retry bool
		delay time.Duration
	}{
		"open breaker":          {&guard.OpenError{Destination: "portal", RetryAfter: time.Minute}, guard.CircuitOpen, true, time.Minute},
		"throttled":             {&socrata.Error{Kind: socrata.Throttled, RetryAfter: 7 * time.Second}, runs.PortalUnavailable, true, 7 * time.Second},
		"throttled for a day":   {&socrata.Error{Kind: socrata.Throttled, RetryAfter: 24 * time.Hour}, runs.PortalUnavailable, true, longestWait},
		"portal in trouble":     {&socrata.Error{Kind: socrata.Unavailable}, runs.PortalUnavailable, true, 0},
		"garbage":               {&socrata.Error{Kind: socrata.Garbage}, runs.PortalUnavailable, true, 0},
		"still computing":       {&socrata.Error{Kind: socrata.Computing}, runs.PortalUnavailable, true, 0},
		"a bot check":           {&socrata.Error{Kind: socrata.BotCheck}, runs.BotCheck, true, botCheckDelay},
		"a maintenance page":    {&socrata.Error{Kind: socrata.Unavailable, Status: 302}, runs.PortalUnavailable, true, 0},
		"a column is gone":      {&socrata.Error{Kind: socrata.BadQuery}, runs.SchemaChanged, false, 0},
		"token refused":         {&socrata.Error{Kind: socrata.Refused}, runs.PortalRefused, false, 0},
		"no such dataset":       {&socrata.Error{Kind: socrata.NotFound}, runs.PortalRefused, false, 0},
		"moved elsewhere":       {&socrata.Error{Kind: socrata.Moved}, runs.PortalRefused, false, 0},
		"foreign database":      {mongodb.ErrForeign, runs.ForeignDatabase, false, 0},
		"foreign document":      {mirror.ErrForeignRow, runs.ForeignDatabase, false, 0},
		"no document landed":    {mirror.ErrNoDocument, runs.PageUnusable, false, 0},
		"the record is gone":    {runs.ErrNoRun, runs.NothingToDo, false, 0},
		"no such past":          {statistics.ErrAsOf, runs.NothingToDo, false, 0},
		"written while counted": {statistics.ErrUneven, runs.DatabaseFailed, true, 0},
		"page is corrupt":       {landing.ErrCorrupt, runs.LandingCorrupt, false, 0},
		"page is gone":          {landing.ErrNoPage, runs.LandingCorrupt, false, 0},
		"keys out of order":     {landing.ErrOrder, runs.PageUnusable, false, 0},
		"a key twice":           {landing.ErrDuplicateKey, runs.PageUnusable, false, 0},
		"row changed by other":  {mongodb.ErrConflict, runs.DatabaseFailed, true, 0},
		"database is away":      {mongodb.ErrUnreachable, runs.DatabaseFailed, true, 0},
		"another format":        {mongodb.ErrFormat, runs.ForeignDatabase, false, 0},
		"a job that cannot be":  {runs.ErrImpossible, runs.NothingToDo, false, 0},
		"pages are missing":     {crawl.ErrIncomplete, runs.NothingToDo, false, 0},
		"a summary is missing":  {crawl.ErrNoSummary, runs.LandingCorrupt, false, 0},
		"a row is no row":       {crawl.ErrUnusable, runs.PageUnusable, false, 0},
		"the spec has no rules": {crawl.ErrSpec, runs.SpecUnusable, false, 0},
		"anything else":         {errors.New("disk full"), runs.DatabaseFailed, true, 0},
	} {
		var app *temporal.ApplicationError
		require.ErrorAs(t, classify(fmt.Errorf("step: %w", c.err)), &app, name)
		require.Equal(t, c.kind, app.Type(), name)
		require.Equal(t, !c.retry, app.NonRetryable(), name)
		require.Equal(t, c.delay, app.NextRetryDelay(), name)
	}
	require.NoError(t, classify(nil))
	require.ErrorIs(t, classify(fmt.Errorf("step: %w", context.Canceled)), context.Canceled)
	require.Equal(t, refuse(runs.GateClosed, "no"), classify(refuse(runs.GateClosed, "no")), "what has its type keeps it")
}

// TestEverybodyIsToldTheKindOfAnError: what a step returns is read in histories,
// records, alerts and pages. It names no machine, no folder and no value.
func TestEverybodyIsToldTheKindOfAnError(t *testing.T) {
	const host, folder, value = "db7.internal:27017", "/srv/secret", "ZEBULON LEAKTEST"
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 27017}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	command := mongo.CommandError{Code: 11, Name: "Odd", Message: host + " " + value}
	missing := &fs.PathError{Op: "open", Path: folder + "/page", Err: syscall.ENOSPC}
	for want, err := range map[string]error{
		"write page: MongoDB answered with an error (11 Odd)": fmt.Errorf("write page: %w", command),
		"land page: open: no space left on device":            fmt.Errorf("land page: %w", missing),
		"ask: connection refused":                             fmt.Errorf("ask: %w", refused),
		"ask: no such host":                                   fmt.Errorf("ask: %w", &net.DNSError{Err: "no such host", Name: host, Server: "10.1.2.3:53", IsNotFound: true}),
		"asked https://data.example/x for rows: no answer: connection refused": &socrata.Error{
			Kind: socrata.Network, URL: "https://data.example/x", Asked: "rows", Err: &url.Error{Op: "Get", URL: "http://" + host, Err: refused},
		},
		"landed page is corrupt": fmt.Errorf("%w", landing.ErrCorrupt),
	} {
		said := classify(err).Error()
		if !errors.Is(err, landing.ErrCorrupt) {
			require.Contains(t, said, want)
		}
		for _, never := range []string{host, "internal", "10.1.2.3", folder, value, "LEAKTEST"} {
			require.NotContains(t, said, never)
		}
		open := classify(&guard.OpenError{Destination: "mongodb", Since: time.Now(), Cause: err, RetryAfter: time.Second}).Error()
		require.Contains(t, open, "mongodb is down since")
		for _, never := range []string{host, "10.1.2.3", folder, value} {
			require.NotContains(t, open, never)
		}
	}
	stopped := classify(fmt.Errorf("read: connection(%s): %w", host, fmt.Errorf("%w: %w", command, context.Canceled)))
	require.ErrorIs(t, stopped, context.Canceled)
	require.NotContains(t, stopped.Error(), value)

	// The operator's log has all of it.
	var suite testsuite.WorkflowTestSuite
	var log strings.Builder
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.NewTextHandler(&log, nil))))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivityWithOptions(func(ctx context.Context) (int, error) {
		return step(ctx, 0, func(context.Context, int) (int, error) { return 0, fmt.Errorf("write page: %w", command) })
	}, activity.RegisterOptions{Name: "fails"})
	_, err := env.ExecuteActivity("fails")
	require.ErrorContains(t, err, "write page: MongoDB answered with an error (11 Odd)")
	require.NotContains(t, err.Error(), host)
	require.Contains(t, log.String(), host)
}
