package activities

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"padron/internal/guard"
	"padron/internal/mirror"
	"padron/internal/socrata"
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
		"throttled":             {&socrata.Error{Kind: socrata.Throttled, RetryAfter: 7 * time.Second}, PortalUnavailable, true, 7 * time.Second},
		"portal in trouble":     {&socrata.Error{Kind: socrata.Unavailable}, PortalUnavailable, true, 0},
		"garbage":               {&socrata.Error{Kind: socrata.Garbage}, PortalUnavailable, true, 0},
		"still computing":       {&socrata.Error{Kind: socrata.Computing}, PortalUnavailable, true, 0},
		"a column is gone":      {&socrata.Error{Kind: socrata.BadQuery}, SchemaChanged, false, 0},
		"token refused":         {&socrata.Error{Kind: socrata.Refused}, PortalRefused, false, 0},
		"no such dataset":       {&socrata.Error{Kind: socrata.NotFound}, PortalRefused, false, 0},
		"moved elsewhere":       {&socrata.Error{Kind: socrata.Moved}, PortalRefused, false, 0},
		"foreign database":      {mirror.ErrForeign, ForeignDatabase, false, 0},
		"foreign document":      {mirror.ErrForeignRow, ForeignDatabase, false, 0},
		"no document landed":    {mirror.ErrNoDocument, PageUnusable, false, 0},
		"the record is gone":    {mirror.ErrNoRun, NothingToDo, false, 0},
		"no such past":          {mirror.ErrAsOf, NothingToDo, false, 0},
		"written while counted": {mirror.ErrUneven, DatabaseFailed, true, 0},
		"page is corrupt":       {mirror.ErrCorrupt, LandingCorrupt, false, 0},
		"page is gone":          {mirror.ErrNoPage, LandingCorrupt, false, 0},
		"keys out of order":     {mirror.ErrOrder, PageUnusable, false, 0},
		"a key twice":           {mirror.ErrDuplicateKey, PageUnusable, false, 0},
		"row changed by other":  {mirror.ErrConflict, DatabaseFailed, true, 0},
		"database is away":      {mirror.ErrUnreachable, DatabaseFailed, true, 0},
		"anything else":         {errors.New("disk full"), DatabaseFailed, true, 0},
	} {
		var app *temporal.ApplicationError
		require.ErrorAs(t, classify(fmt.Errorf("step: %w", c.err)), &app, name)
		require.Equal(t, c.kind, app.Type(), name)
		require.Equal(t, !c.retry, app.NonRetryable(), name)
		require.Equal(t, c.delay, app.NextRetryDelay(), name)
	}
	require.NoError(t, classify(nil))
	require.ErrorIs(t, classify(fmt.Errorf("step: %w", context.Canceled)), context.Canceled)
	require.Equal(t, refuse(GateClosed, "no"), classify(refuse(GateClosed, "no")), "what has its type keeps it")
}
