package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/certificate"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// TestNoSnapshotIsOfTheFuture, whatever the portal, or the clock that dated its
// run, says: it would stay the newest until that day.
func TestNoSnapshotIsOfTheFuture(t *testing.T) {
	o := &opened{database: mongodbtest.Open(t)}
	now := time.Now()
	past, future := now.Add(-30*time.Hour), now.AddDate(1, 0, 0)
	for name, c := range map[string]struct {
		served, started, want time.Time
	}{
		"the portal's version":           {past, now, past},
		"no version":                     {time.Time{}, past, past},
		"a version of the future":        {future, now, now},
		"no version, and a clock ahead":  {time.Time{}, future, now},
		"a version, and the clock ahead": {past, future, past},
	} {
		seen, err := seenAt(t.Context(), o, &runs.Run{Started: c.started, Crawl: certificate.Crawl{Version: socrata.Version{Served: c.served}}})
		require.NoError(t, err)
		require.WithinDuration(t, c.want, seen, time.Minute, name)
	}
}
