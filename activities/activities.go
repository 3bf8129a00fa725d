// Package activities holds the steps of a run, one file each. They are thin:
// they bind Temporal (heartbeats, errors, retries) to the packages that do the
// work.
package activities

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"padron/internal/dataset"
	"padron/internal/guard"
	"padron/internal/mirror"
	"padron/internal/socrata"
	"padron/internal/webhook"
)

// Activities are the steps of a run with what they need. Its methods are
// registered by Register.
type Activities struct {
	Mongo         *mongo.Client
	MongoDatabase string // prefix of the databases
	Landing       mirror.LandingConfig
	KeepCrawls    int           // how many crawls' raw pages are kept
	RecrawlAfter  time.Duration // how long a torn crawl waits for the portal to settle before the next
	PageSize      int           // rows asked for in one page request, at most socrata.MaxPage
	PortalURL     string        // replaces the spec's portal; empty keeps it
	AppToken      string
	Temporal      client.Client
	Portal        *guard.Guard // around the portal
	Database      *guard.Guard // around MongoDB
	Webhook       *webhook.Sender
	Receiver      *guard.Guard // around the webhook's receiver
	Log           *slog.Logger

	specs map[string]*dataset.Spec

	mu   sync.Mutex
	open map[string]*opened
}

// opened is what is kept of a dataset from one activity to the next.
type opened struct {
	spec   *dataset.Spec
	portal *socrata.Client
	// boundaries asks for the spec's boundaries; nil where it names none.
	boundaries *socrata.Client
	mirror     *mirror.Mirror
	landing    mirror.Landing
}

// Serve names the datasets that this worker runs.
func (a *Activities) Serve(specs ...*dataset.Spec) {
	a.specs, a.open = map[string]*dataset.Spec{}, map[string]*opened{}
	for _, s := range specs {
		a.specs[s.Name] = s
	}
}

// dataset opens a run's dataset: its spec, its portal and its database. A
// database that is not Padron's is refused.
func (a *Activities) dataset(ctx context.Context, run Run) (*opened, error) {
	spec, ok := a.specs[run.Dataset]
	if !ok {
		return nil, refuse(UnknownDataset, fmt.Sprintf("this worker does not serve the dataset %q: start it with PADRON_DATASET naming its spec", run.Dataset))
	}
	if run.Spec != "" && run.Spec != spec.Digest() {
		return nil, retry(WrongBuild, fmt.Sprintf("run %s uses spec %.8s of %s, this worker has %.8s: waiting for a worker of the same build", run.ID, run.Spec, run.Dataset, spec.Digest()))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if o := a.open[run.Dataset]; o != nil {
		return o, nil
	}
	options := socrata.Options{BaseURL: spec.Portal.BaseURL(a.PortalURL), ID: spec.Portal.ID, AppToken: a.AppToken, UserAgent: "padron"}
	o := &opened{spec: spec}
	var err error
	if o.portal, err = socrata.New(options); err != nil {
		return nil, err
	}
	if options.ID = spec.Boundaries.ID; options.ID != "" {
		if o.boundaries, err = socrata.New(options); err != nil {
			return nil, err
		}
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		if o.mirror, err = mirror.Open(ctx, a.Mongo, a.MongoDatabase, spec.Name); err != nil {
			return err
		}
		o.landing, err = o.mirror.Landing(a.Landing)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.open[run.Dataset] = o
	return o, nil
}

// beatEvery is how often a step tells Temporal that it lives: three times
// within the heartbeat timeout of 15 s.
const beatEvery = 5 * time.Second

// alive heartbeats until the returned function is called, for steps that wait
// for one long call.
func alive(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}

// progressEvery is how often a step writes its progress into the run's record.
const progressEvery = 500 * time.Millisecond

// progress shows how many rows of a part a step has done. It is set, not added
// up, so that a repeated attempt counts once. Losing one is no failure.
type progress struct {
	a     *Activities
	m     *mirror.Mirror
	run   string
	field string
	last  time.Time
}

func (a *Activities) progress(o *opened, run Run, step string, part int) *progress {
	return &progress{a: a, m: o.mirror, run: run.ID, field: fmt.Sprintf("progress.%s.%d", step, part)}
}

// rows reports that n rows are done, at most every progressEvery.
func (p *progress) rows(ctx context.Context, n int) {
	if now := time.Now(); now.Sub(p.last) >= progressEvery {
		p.last = now
		p.set(ctx, n)
	}
}

func (p *progress) set(ctx context.Context, n int) {
	if err := p.m.SetRun(ctx, p.run, bson.D{{Key: p.field, Value: n}}); err != nil {
		p.a.Log.Warn("progress was not recorded", "run", p.run, "error", err)
	}
}
