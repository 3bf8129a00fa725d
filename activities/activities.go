// Package activities binds the steps of a run to Temporal, one file each, with its
// input and result: it opens the dataset, sends heartbeats, guards portal and
// database with their breakers, and gives errors their types.
//
// It judges nothing and knows no SoQL and no BSON of rows: the packages under
// internal do the work. Only workflows, the two programs and tests may import it.
package activities

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"padron/internal/alerts"
	"padron/internal/boundaries"
	"padron/internal/crawl"
	"padron/internal/dataset"
	"padron/internal/guard"
	"padron/internal/landing"
	"padron/internal/mirror"
	"padron/internal/mongodb"
	"padron/internal/quarantine"
	"padron/internal/runs"
	"padron/internal/socrata"
	"padron/internal/statistics"
	"padron/internal/webhook"
)

// Activities are the steps of a run with what they need. Its methods are
// registered by Register.
type Activities struct {
	Mongo         *mongo.Client
	MongoDatabase string // prefix of the databases
	Landing       landing.Config
	KeepCrawls    int           // how many crawls' raw pages are kept
	RecrawlAfter  time.Duration // how long a torn crawl waits for the portal to settle before the next
	PageSize      int           // rows asked for in one page request, at most socrata.MaxPage
	// RequestsPerSecond is the limit on requests to one dataset's portal, for steps
	// that make many; 0: none. The starts of steps are limited by their queue.
	RequestsPerSecond float64
	PortalURL         string // replaces the spec's portal; empty keeps it
	AppToken          string
	UserAgent         string // what the portal is told who asks; empty: socrata.DefaultUserAgent
	Temporal          client.Client
	Portal            *guard.Guard // around the portal
	Database          *guard.Guard // around MongoDB
	Webhook           *webhook.Sender
	Receiver          *guard.Guard // around the webhook's receiver
	Log               *slog.Logger

	specs map[string]*dataset.Spec

	opening singleflight.Group // by dataset

	mu   sync.Mutex
	open map[string]*opened
}

// Run identifies a run in every activity's input.
type Run struct {
	ID      string `json:"id"`      // "manual-2026-11-23T16:11:58.123Z"
	Dataset string `json:"dataset"` // a spec's name
	// Spec is the digest of the spec that the run's first activity used. An
	// activity on a worker with another spec refuses (WrongBuild). Empty until
	// the probe has answered.
	Spec string `json:"spec,omitempty"`
	// Started is the run's time: first_seen and changed_at of what it writes.
	Started time.Time `json:"started"`
}

// JobSpec says what a run is to do, and about what.
type JobSpec struct {
	Name runs.Job `json:"name,omitempty"`
	Of   string   `json:"of,omitempty"`   // approve, rerun: the run that it is about
	From string   `json:"from,omitempty"` // rerun: runs.FromClean, FromGate or FromSnapshot
	Keys []string `json:"keys,omitempty"` // retry: only these; empty: all
	Deep bool     `json:"deep,omitempty"` // hash every document anew; mirror: and repair those that another hand changed
}

// opened is what is kept of a dataset from one activity to the next.
type opened struct {
	spec   *dataset.Spec
	portal *socrata.Client
	// outlines asks for the spec's boundaries; nil where it names none.
	outlines *socrata.Client

	// smaller is the page size that the portal served where it failed on larger
	// ones; nil when there is none.
	smaller atomic.Pointer[smallerPage]
	limit   *rate.Limiter // see requests

	database   *mongodb.Database
	zone       landing.Zone
	mirror     *mirror.Mirror
	runs       *runs.Store
	quarantine *quarantine.Store
	statistics *statistics.Store
	alerts     *alerts.Store
	boundaries *boundaries.Store
	pages      *crawl.Pages
}

// Serve names the datasets that this worker runs.
func (a *Activities) Serve(specs ...*dataset.Spec) {
	a.specs, a.open = map[string]*dataset.Spec{}, map[string]*opened{}
	for _, s := range specs {
		a.specs[s.Name] = s
	}
}

// retryServedAfter is how soon a step is tried again that came to a worker which
// does not serve its dataset: nothing is wrong, and the next offer may go to one
// that does.
const retryServedAfter = time.Second

// dataset opens a run's dataset: its spec, its portal and its database. A
// database that is not Padron's is refused.
func (a *Activities) dataset(ctx context.Context, run Run) (*opened, error) {
	spec, ok := a.specs[run.Dataset]
	if !ok {
		return nil, later(runs.UnknownDataset, fmt.Errorf("this worker does not serve the dataset %q, which its queue is shared with:"+
			" waiting for one that does, whose PADRON_DATASET names it", run.Dataset), retryServedAfter)
	}
	if run.Spec != "" && run.Spec != spec.Digest() {
		return nil, retry(runs.WrongBuild, fmt.Sprintf("run %s uses spec %.8s of %s, this worker has %.8s: waiting for a worker of the same build", run.ID, run.Spec, run.Dataset, spec.Digest()))
	}
	a.mu.Lock()
	o := a.open[run.Dataset]
	a.mu.Unlock()
	if o == nil {
		// Others wait for the result, so the end of this step must not cancel it.
		// Steps of other datasets do not wait.
		ctx := context.WithoutCancel(ctx)
		made, err, _ := a.opening.Do(run.Dataset, func() (any, error) { return a.openDataset(ctx, spec) })
		if err != nil {
			return nil, err
		}
		o = made.(*opened)
	}
	isOf(ctx, o, run)
	return o, nil
}

// openDataset makes what is kept of a dataset.
func (a *Activities) openDataset(ctx context.Context, spec *dataset.Spec) (*opened, error) {
	options := socrata.Options{BaseURL: spec.Portal.BaseURL(a.PortalURL), ID: spec.Portal.ID, Hosts: spec.Portal.Hosts(), AppToken: a.AppToken, UserAgent: a.UserAgent}
	o := &opened{spec: spec, limit: perSecond(a.RequestsPerSecond)}
	var err error
	if o.portal, err = socrata.New(options); err != nil {
		return nil, err
	}
	if options.ID = spec.Boundaries.ID; options.ID != "" {
		if o.outlines, err = socrata.New(options); err != nil {
			return nil, err
		}
	}
	if err := a.Database.Do(ctx, func(ctx context.Context) error { return a.openDatabase(ctx, o) }); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[spec.Name] = o
	return o, nil
}

// openDatabase opens the dataset's database and everything that is kept there. One
// of an older format is converted.
func (a *Activities) openDatabase(ctx context.Context, o *opened) error {
	db, err := mongodb.Open(ctx, a.Mongo, a.MongoDatabase, o.spec.Name)
	if err != nil {
		return err
	}
	o.database, o.mirror, o.runs = db, mirror.New(db), runs.NewStore(db)
	if err := o.runs.Convert(ctx); err != nil {
		return err
	}
	if o.zone, err = landing.Open(a.Landing, db); err != nil {
		return err
	}
	o.quarantine, o.statistics, o.alerts, o.boundaries = quarantine.NewStore(db), statistics.NewStore(db), alerts.NewStore(db), boundaries.NewStore(db)
	o.pages = &crawl.Pages{Spec: o.spec, Zone: o.zone, Mirror: o.mirror, Quarantine: &o.quarantine.Reader}
	return nil
}
