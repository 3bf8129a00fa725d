package cli_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"padron/starter/cli"
)

// ended is a run that comes to an end once it is shown.
type ended struct {
	client.WorkflowRun
	shown chan struct{}
	err   error
}

// Get waits until the run is shown, or its context ends.
func (e ended) Get(ctx context.Context, _ any) error {
	select {
	case <-e.shown:
		return e.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestAwaitSaysHowARunEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"done":      {},
		"cancelled": {temporal.NewCanceledError(), "backfill b was cancelled; the next run ends what it left"},
		"failed":    {temporal.NewApplicationError("all windows failed", "Stopped"), "backfill b failed: all windows failed (Stopped)"},
		"gone":      {errors.New("no such workflow"), "backfill b failed: no such workflow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run, hidden := ended{shown: make(chan struct{}), err: c.err}, false
			err := cli.Await(t.Context(), run, nil, "backfill b", "starter backfill status b", func(ctx context.Context) {
				close(run.shown)
				<-ctx.Done()
				hidden = true
			})
			require.True(t, hidden, "nothing is shown any longer")
			require.Equal(t, name == "cancelled", errors.Is(err, cli.ErrCancelled))
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.want)
			}
		})
	}
}

func TestAwaitThatIsCutShortSaysThatTheRunGoesOn(t *testing.T) {
	t.Parallel()
	ctx, cut := context.WithCancel(t.Context())
	err := cli.Await(ctx, ended{shown: make(chan struct{})}, nil, "run r", "starter status r", func(ctx context.Context) {
		cut()
		<-ctx.Done()
	})
	require.EqualError(t, err, "no longer waiting; run r goes on, `starter status r` shows it")
}
