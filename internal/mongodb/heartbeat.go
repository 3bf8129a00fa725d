package mongodb

import (
	"context"
	"sync/atomic"
	"time"
)

// heartbeatInterval is how often a long read reports that it goes on; the
// activities' heartbeat timeout is 15 s.
const heartbeatInterval = 500 * time.Millisecond

// Progress counts what a long read has done. It is safe for concurrent use.
type Progress struct{ done atomic.Int64 }

// Add adds to the count.
func (p *Progress) Add(n int) { p.done.Add(int64(n)) }

// WithHeartbeat runs a long read and meanwhile calls heartbeat, unless it is
// nil, from the calling goroutine with the progress so far.
func WithHeartbeat(ctx context.Context, heartbeat func(done int64), read func(context.Context, *Progress) error) error {
	var (
		p    Progress
		done = make(chan error, 1)
	)
	go func() { done <- read(ctx, &p) }()
	tick := time.NewTicker(heartbeatInterval)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if heartbeat != nil {
				heartbeat(p.done.Load())
			}
		}
	}
}
