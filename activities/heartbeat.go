package activities

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.temporal.io/sdk/activity"

	"padron/internal/runs"
)

// HeartbeatEvery is how often a step tells Temporal that it lives: three times
// within the heartbeat timeout of 15 s. Workers must be told as well: by
// themselves they send a heartbeat after four fifths of the timeout only.
const HeartbeatEvery = 5 * time.Second

// heartbeat sends heartbeats until the returned function is called, for steps that
// wait for one long call.
func heartbeat(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(HeartbeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				activity.RecordHeartbeat(ctx, attemptOf(ctx).details()) // an empty one would wipe out what an attempt left
			}
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}

// step is attempted for a step with an input.
func step[In, Out any](ctx context.Context, in In, do func(context.Context, In) (Out, error)) (Out, error) {
	return attempted(ctx, func(ctx context.Context) (Out, error) { return do(ctx, in) })
}

// progressEvery is how often a step writes its progress into the run's record.
const progressEvery = 500 * time.Millisecond

// progress shows how many rows of a part a step has done. It is set, not added
// up, so that a repeated attempt counts once. Losing one is no failure.
type progress struct {
	a     *Activities
	runs  *runs.Store
	run   string
	field string
	last  time.Time
}

func (a *Activities) progress(o *opened, run Run, step string, part int) *progress {
	return &progress{a: a, runs: o.runs, run: run.ID, field: fmt.Sprintf("progress.%s.%d", step, part)}
}

// rows reports that n rows are done, at most every progressEvery.
func (p *progress) rows(ctx context.Context, n int) {
	if now := time.Now(); now.Sub(p.last) >= progressEvery {
		p.last = now
		p.set(ctx, n)
	}
}

func (p *progress) set(ctx context.Context, n int) {
	if err := p.runs.SetRun(ctx, p.run, bson.D{{Key: p.field, Value: n}}); err != nil {
		p.a.Log.Warn("progress was not recorded", "run", p.run, "error", err)
	}
}
