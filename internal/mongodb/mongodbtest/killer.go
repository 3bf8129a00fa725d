package mongodbtest

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Killer calls a function at a client's k-th write: while the write is on its
// way to the server, or when it is done and nobody has heard of it yet. Connect
// is to be given its Attach.
type Killer struct {
	mu     sync.Mutex
	left   int // writes until then; 0: never
	after  bool
	hit    func()
	writes int
}

// Attach makes the killer see a client's writes.
func (k *Killer) Attach(o *options.ClientOptions) {
	isWrite := func(name string) bool { return name == "insert" || name == "update" || name == "delete" }
	o.SetMonitor(&event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			if isWrite(e.CommandName) {
				k.count(false)
			}
		},
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			if isWrite(e.CommandName) {
				k.count(true)
			}
		},
	})
}

func (k *Killer) count(after bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if after {
		k.writes++
	}
	if k.left > 0 && after == k.after {
		if k.left--; k.left == 0 {
			k.hit()
		}
	}
}

// Writes is how many writes were done so far.
func (k *Killer) Writes() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.writes
}

// At calls hit once, at the k-th write from now on (0: never), before or after
// it.
func (k *Killer) At(write int, after bool, hit func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left, k.after, k.hit = write, after, hit
}

// During runs f with a context that ends at the k-th write (0: never), and
// reports whether it did.
func (k *Killer) During(ctx context.Context, write int, after bool, f func(ctx context.Context) error) (killed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.At(write, after, cancel)
	err = f(ctx)
	k.At(0, false, nil)
	return ctx.Err() != nil, err
}
