package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"padron/deploy/dev/engine"
	"padron/deploy/dev/product"
	"padron/deploy/dev/servers"
	"padron/deploy/dev/stack"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
)

const (
	// DefaultRows is the size of San Francisco's register.
	DefaultRows = 368_000
	// dataset is the dataset that is mirrored; its name ends the database's.
	dataset = "sf-business"
	// requestLimit lifts the limit on page requests, which protects real
	// portals.
	requestLimit = "PADRON_REQUESTS_PER_SECOND=1000"
	// answerBytes is how much of the simulated portal's answers is kept, per
	// row of the register. A row takes some 130 bytes on the wire, and a first
	// load and later crawls may ask for it in different ways.
	answerBytes = 600
	// indexStep is the activity after which the mirror is fully indexed.
	indexStep = "index"
)

// Databases of a benchmark.
const (
	warmDatabase     = "bench_warm" // of the load before everything is measured
	measuredDatabase = "bench"
	rawDatabase      = "bench_raw" // prefix of those of the raw limits
)

// Options of a benchmark of loads and crawls.
type Options struct {
	Rows     int    // of the simulated portal
	NoRaw    bool   // leave out the raw limits, and the ratios to them
	Profiles string // folder for CPU profiles of the worker; "" for none
	PageSize int    // rows that the worker asks for at once; 0: as it does by itself
	// Brief measures only what ratios are made of: the raw limits in one way of
	// writing each, and a short backfill.
	Brief bool
}

// run is one benchmark of loads and crawls.
type run struct {
	Options
	stack    *stack.Stack
	product  *product.Product
	portal   *portalsim.Portal
	url      string // the portal's
	version  time.Time
	mongo    *mongo.Client
	temporal client.Client
	asked    askedFor
	report   Report
}

// askedFor remembers what the portal was asked, so that its answers can be
// rendered before they are asked for again.
type askedFor struct {
	mu   sync.Mutex
	uris map[string]bool
}

func (a *askedFor) hear(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.uris[r.URL.RequestURI()] = true
}

// Run starts servers of its own on fresh data, measures, and deletes the data.
// The report has what was measured before an error or the end of ctx; it is nil
// when there is nothing.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := &run{Options: o}
	err := r.onServers(ctx, r.measure)
	if len(r.report.Lines) == 0 {
		return nil, err
	}
	r.report.finish()
	return &r.report, err
}

// onServers starts servers of its own, measures on them, and deletes their data.
func (r *run) onServers(ctx context.Context, measure func(context.Context) error) (err error) {
	start := time.Now()
	if r.Profiles != "" {
		if r.Profiles, err = filepath.Abs(r.Profiles); err != nil {
			return err
		}
		if err := os.MkdirAll(r.Profiles, 0o755); err != nil {
			return fmt.Errorf("make the folder of the profiles: %w", err)
		}
	}
	steps := stack.NewSteps(os.Stderr)
	if r.stack, err = servers.OpenTemporary(fmt.Sprintf("bench-%d", os.Getpid()), steps); err != nil {
		return err
	}
	r.stack.Apart = true
	func() {
		defer r.stack.ShutDown(&err)
		if err = r.start(ctx); err == nil {
			err = measure(ctx)
		}
	}()
	if err != nil {
		return fmt.Errorf("%w (logs: %s)", err, r.stack.Dirs.Logs())
	}
	steps.Say("Bench", "took %s", stack.Took(start))
	if err := os.RemoveAll(r.stack.Dirs.Data); err != nil {
		return fmt.Errorf("delete the benchmark's data: %w", err)
	}
	return nil
}

// start starts the servers and the portal, builds the product and connects to
// everything.
func (r *run) start(ctx context.Context) error {
	addresses, err := servers.Start(ctx, r.stack)
	if err != nil {
		return err
	}
	err = r.stack.Steps.Do("Portal", "making the simulated portal's rows", func() (string, error) {
		r.version = time.Now().UTC().Add(-servers.Settled).Truncate(time.Second)
		r.portal, r.url, err = servers.ServePortal(r.stack, portalsim.Options{
			Table: register.Generate(r.Rows, servers.Seed), Seed: servers.Seed, Updated: r.version, CacheBytes: int64(r.Rows) * answerBytes,
		})
		r.asked.uris = map[string]bool{}
		return fmt.Sprintf("%s (%s rows)", r.url, thousands(r.Rows)), err
	})
	if err != nil {
		return err
	}
	r.product = product.New(r.stack)
	if err := r.product.Build(ctx); err != nil {
		return err
	}
	if err := r.product.SetUp(ctx); err != nil {
		return err
	}
	if r.mongo, err = mongodb.Connect(ctx, addresses.MongoDB); err != nil {
		return err
	}
	r.stack.OnStop("the client of MongoDB", func(ctx context.Context) error { return r.mongo.Disconnect(ctx) })
	quiet := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	if r.temporal, err = client.DialContext(ctx, client.Options{HostPort: addresses.Temporal, Logger: quiet}); err != nil {
		return err
	}
	r.stack.OnStop("the client of Temporal", func(context.Context) error { r.temporal.Close(); return nil })
	r.report.Rows = r.Rows
	r.report.Machine = fmt.Sprintf("%d cores (%s/%s), shared by the worker, all servers and the simulated portal",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	r.report.Engine = mongodb.Address(addresses.MongoDB)
	for _, p := range r.stack.Processes() {
		switch p.Name() {
		case engine.FerretDB:
			r.report.Engine = "DocumentDB on PostgreSQL, FerretDB in front"
		case "mongod":
			r.report.Engine = "mongod"
		}
	}
	return nil
}

// measure runs all phases in the order of the table.
func (r *run) measure(ctx context.Context) error {
	r.portal.OnRequest(r.asked.hear)
	var err error
	if _, err = r.crawl(ctx, "warm-up load", warmDatabase, crawlNow...); err != nil {
		return err
	}
	if !r.NoRaw {
		if err := r.raw(ctx); err != nil {
			return err
		}
	}
	if err := r.mongo.Database(warmDatabase + "_" + dataset).Drop(ctx); err != nil {
		return fmt.Errorf("drop the mirror of the warm-up: %w", err)
	}
	first, err := r.crawl(ctx, lineFirst, measuredDatabase, crawlNow...)
	if err != nil {
		return err
	}
	if first.indexed > 0 {
		indexed := measurement{Name: lineFirstIndexed}
		indexed.over(r.Rows, first.indexed.Seconds())
		r.report.Lines = append(r.report.Lines, indexed)
	}
	r.report.Lines = append(r.report.Lines, first.measurement)
	keys := r.everyTenthKey()
	for _, phase := range []struct {
		name string
		args []string // of the starter
		keys []string
	}{
		{lineUnchanged, crawlNow, nil},
		{lineChangedFew, crawlNew, everyNth(keys, 100)},
		{lineChangedMany, crawlNew, keys},
		{lineSkip, crawlNew, nil},
		{lineBackfill, r.backfill(), nil},
		{lineReloaded, r.backfill("--reload", "always"), nil},
	} {
		if err := r.edit(ctx, phase.keys); err != nil {
			return err
		}
		measured, err := r.crawl(ctx, phase.name, measuredDatabase, phase.args...)
		if err != nil {
			return err
		}
		if len(phase.keys) > 0 {
			measured.Note = fmt.Sprintf("%s rows edited, half of them renamed, half closed", thousands(len(phase.keys)))
		}
		r.report.Lines = append(r.report.Lines, measured.measurement)
	}
	r.report.Notes = append(r.report.Notes,
		"Times of loads and crawls are from the start of the run's workflow to the end; "+
			"the starter's own time is in the JSON, and skips are judged by it.",
		"The page request limit that real portals are given is lifted ("+requestLimit+"); the portal's answers were rendered before.",
		"CPU of the database is the engine's and the gateway's. The worker is started anew for each phase.",
		"Actions are those of the run's histories, plus heartbeats and queries that the worker sent.")
	if !r.NoRaw {
		r.report.Notes = append(r.report.Notes,
			"CPU of raw limits is this command's, the client's. "+
				"Raw replaces are of documents spread over all keys, each replaced once, with a new hash, version and time.")
	}
	return nil
}
