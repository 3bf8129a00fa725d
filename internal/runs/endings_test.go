package runs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/mongodb/mongodbtest"
)

// TestRunsSince holds the lists against what the records say, for each ending
// and each time.
func TestRunsSince(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	var all []Run
	for i, end := range []struct {
		status  Status
		outcome certificate.Outcome
	}{
		{StatusDone, certificate.Green},
		{StatusFailed, ""},
		{StatusSkipped, ""},
		{StatusDone, certificate.Red},
		{StatusDone, certificate.Green},
		{StatusCancelled, ""},
		{StatusDone, certificate.Unproven},
		{StatusDone, certificate.Behind},
		{StatusRunning, ""},
		{StatusFailed, ""},
	} {
		run, err := store.BeginRun(ctx, Run{ID: "r" + string(rune('0'+i)), Job: "verify", Started: mongodbtest.Day(i + 1)})
		require.NoError(t, err)
		if end.status != StatusRunning {
			require.NoError(t, store.SetRun(ctx, run.ID, bson.D{{Key: "status", Value: end.status}, {Key: "outcome", Value: end.outcome}}))
		}
		run, err = store.Run(ctx, run.ID)
		require.NoError(t, err)
		all = append([]Run{run}, all...) // newest first
	}
	for _, ending := range append(Endings(), "") {
		for since := range len(all) + 2 {
			for _, limit := range []int{1, 2, 100} {
				at := time.Time{}
				if since > 0 {
					at = mongodbtest.Day(since)
				}
				want := []string{}
				for _, run := range all {
					if (ending == "" || run.Ending() == ending) && !run.Started.Before(at) && len(want) < limit {
						want = append(want, run.ID)
					}
				}
				found, err := store.RunsSince(ctx, ending, at, limit)
				require.NoError(t, err)
				got := []string{}
				for _, run := range found {
					got = append(got, run.ID)
				}
				require.Equal(t, want, got, "%q since %s, at most %d", ending, at, limit)
			}
		}
	}
}

// TestEndings: each is how some run ends, and each way to end is one.
func TestEndings(t *testing.T) {
	for _, status := range []Status{StatusFailed, StatusSkipped, StatusCancelled} {
		require.Contains(t, Endings(), (&Run{Status: status}).Ending())
	}
	for _, outcome := range []certificate.Outcome{certificate.Green, certificate.Red, certificate.Unproven, certificate.Behind} {
		require.Contains(t, Endings(), (&Run{Status: StatusDone, Outcome: outcome}).Ending())
	}
	require.Len(t, Endings(), 7)
	require.Empty(t, (&Run{Status: StatusRunning, Outcome: certificate.Green}).Ending(), "it goes on")
}
