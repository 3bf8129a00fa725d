// Command worker executes Padron's workflows and activities. It is configured
// by the environment (docs/configuration.md), serves its health and metrics, and stops
// gracefully on SIGTERM: activities get time to let go, others take over.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"padron/activities"
	"padron/dashboard"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/guard"
	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/runs"
	"padron/internal/webhook"
	"padron/workflows"
)

// memoryLimit is what the Go runtime aims to stay under, in bytes, unless
// GOMEMLIMIT says otherwise. Rows stream through a worker, so what it holds does
// not grow with the register; left alone, the collector would let garbage grow
// to about twice this.
const memoryLimit = 160 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

const help = `Runs the steps of Padron's runs, until it is told to stop (SIGTERM, Ctrl-C).
Start as many as you like; what one leaves unfinished, another takes over.

The worker takes no arguments. It is configured by the environment, above all by
MONGODB_URI, TEMPORAL_ADDRESS and PADRON_DATASET; docs/configuration.md lists
all settings, and "starter doctor" checks them. PADRON_HEALTH_ADDR serves /healthz, /readyz
and /metrics, PADRON_DASHBOARD_ADDR the dashboard. Exit codes: 0 stopped, 1 failed, 2 wrong usage.
`

// execute runs the worker until ctx ends and returns the exit code.
func execute(ctx context.Context, args []string) int {
	if len(args) == 1 && (args[0] == "-h" || args[0] == "--help") {
		fmt.Print(help)
		return 0
	}
	err := run(ctx, args)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "worker:", strings.Join(strings.Fields(err.Error()), " "))
	var wrong *usageError
	if errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailed
}

// Exit codes, the same as the starter's.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is an error in what the worker was told: nothing was connected.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// settings are what the worker was told, checked.
type settings struct {
	config.Config
	specs    []*dataset.Spec
	landing  landing.Config
	receiver *webhook.Sender
	build    string
}

// load reads the settings from the environment. Nothing is connected yet.
func load(args []string) (*settings, error) {
	if len(args) > 0 {
		return nil, fmt.Errorf("%q: the worker takes no arguments; it is configured by the environment (see docs/configuration.md)", args[0])
	}
	c, err := config.Load(nil)
	if err != nil {
		return nil, err
	}
	s := &settings{Config: c}
	if s.specs, err = c.Specs(); err != nil {
		return nil, err
	}
	if err = onePortal(c, s.specs); err != nil {
		return nil, err
	}
	if s.landing, err = landing.ParseConfig(c.Landing); err != nil {
		return nil, err
	}
	if dir := s.landing.Dir; dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("PADRON_LANDING: %s cannot be made: choose a folder that the worker may write to (%w)", dir, err)
		}
	}
	if s.receiver, err = webhook.New(c.WebhookURL, c.WebhookSecret); err != nil {
		return nil, err
	}
	s.build, err = buildOf(c, s.specs)
	return s, err
}

// onePortal is an error when PADRON_PORTAL_URL would have datasets of different
// portals asked for at one.
func onePortal(c config.Config, specs []*dataset.Spec) error {
	for _, spec := range specs {
		if c.PortalURL != "" && spec.Portal.Host != specs[0].Portal.Host {
			return fmt.Errorf("PADRON_PORTAL_URL: replaces the portal of all datasets, and %s and %s have different ones (%s, %s):"+
				" leave it out, or start a worker for each", specs[0].Name, spec.Name, specs[0].Portal.Host, spec.Portal.Host)
		}
	}
	return nil
}

func run(ctx context.Context, args []string) error {
	c, err := load(args)
	if err != nil {
		return &usageError{err}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	unknown, err := config.Unknown()
	if err != nil {
		return err
	}
	for _, warning := range unknown {
		log.Warn(warning)
	}
	metrics, err := newMetrics()
	if err != nil {
		return err
	}
	temporal, o, err := c.DialTemporal(ctx, log, func(o *client.Options) { o.MetricsHandler = metrics.handler })
	if err != nil {
		return err
	}
	defer temporal.Close()
	if err := config.CheckSearchAttributes(ctx, temporal, o.Namespace, workflows.SearchAttributes()); err != nil {
		return err
	}
	database, err := mongodb.Connect(ctx, c.MongoURI, metrics.observe)
	if err != nil {
		return err
	}
	defer database.Disconnect(context.WithoutCancel(ctx)) //nolint:errcheck // on the way out
	if err := convert(ctx, database, c.MongoDatabase, c.specs); err != nil {
		return err
	}

	a := &activities.Activities{
		Mongo: database, MongoDatabase: c.MongoDatabase, Landing: c.landing, KeepCrawls: c.KeepCrawls, PageSize: c.PageSize, RecrawlAfter: c.RecrawlAfter,
		RequestsPerSecond: c.RequestsPerSecond,
		PortalURL:         c.PortalURL, AppToken: c.AppToken, UserAgent: c.UserAgent, Temporal: temporal, Log: log,
		Portal:   guard.New(guard.Options{Name: "portal", Down: activities.PortalDown, Pause: activities.PortalPause, Log: log}),
		Database: guard.New(guard.Options{Name: "mongodb", Down: mongodb.IsDown, Log: log}),
		Webhook:  c.receiver,
		Receiver: guard.New(guard.Options{Name: "webhook", Down: webhook.Down, Log: log}),
	}
	a.Serve(c.specs...)

	guards := []*guard.Guard{a.Portal, a.Database}
	if c.receiver.Configured() {
		guards = append(guards, a.Receiver)
	}
	server, err := serve(c.HealthAddr, c.Pprof, metrics, health{temporal: temporal, database: database, guards: guards, log: log})
	if err != nil {
		return err
	}
	defer server.Close() //nolint:errcheck // on the way out

	pages := ""
	if c.Dashboard.Addr != "" {
		l, err := dashboard.Serve(c.Config, c.specs[0], database, log)
		if err != nil {
			return err
		}
		defer l.Stop(ctx) //nolint:errcheck // on the way out
		pages = l.URL
	}

	workers := newWorkers(temporal, c.Config, c.specs, c.build, a)
	var started []worker.Worker
	defer func() { stopAll(started) }()
	for _, w := range workers {
		if err := w.Start(); err != nil {
			return fmt.Errorf("start worker: %w", err)
		}
		started = append(started, w)
	}
	log.Info("worker is ready", "datasets", names(c.specs), "temporal", o.HostPort, "mongodb", mongodb.Address(c.MongoURI),
		"queue", c.TaskQueue, "roles", strings.Join(c.Workers.Roles, ","), "build", c.build, "health", "http://"+server.Addr, "dashboard", pages)
	<-ctx.Done()
	log.Info("worker is stopping: activities have up to " + stopTimeout.String())
	return nil
}

// convert brings what an older version stored into this one's format, so that
// commands and pages can read it before the next run. Any other trouble with a
// database is left to the run that meets it.
func convert(ctx context.Context, client *mongo.Client, prefix string, specs []*dataset.Spec) error {
	for _, spec := range specs {
		if _, err := mongodb.Open(ctx, client, prefix, spec.Name, mongodb.ReadOnly()); !errors.Is(err, mongodb.ErrFormat) {
			continue
		}
		db, err := mongodb.Open(ctx, client, prefix, spec.Name)
		if err != nil {
			return err
		}
		if err := runs.NewStore(db).Convert(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stopAll stops workers side by side, so that stopTimeout holds for all of them
// together.
func stopAll(workers []worker.Worker) {
	var stopped sync.WaitGroup
	for _, w := range workers {
		stopped.Go(w.Stop)
	}
	stopped.Wait()
}

func names(specs []*dataset.Spec) []string {
	var all []string
	for _, s := range specs {
		all = append(all, s.Name)
	}
	return all
}

// health answers whether this process can do its work.
type health struct {
	temporal client.Client
	database *mongo.Client
	guards   []*guard.Guard
	log      *slog.Logger
}

const (
	// readyTimeout bounds the checks of one /readyz, and the wait for a request.
	readyTimeout = 3 * time.Second
	// healthTimeout bounds an answer, and the wait for the next request. A CPU
	// profile takes 30 s unless its request says how long.
	healthTimeout = 2 * time.Minute
	// healthHeader bounds a request, in bytes.
	healthHeader = 16 << 10
)

// ready says what does not answer, without the names of machines, which its
// callers need not know; the log has them.
func (h health) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var told []error
	if _, err := h.temporal.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		h.log.Warn("not ready: Temporal does not answer", "error", err)
		told = append(told, errors.New("Temporal is not reachable")) //nolint:staticcheck // a name
	}
	if err := h.database.Ping(ctx, nil); err != nil {
		h.log.Warn("not ready: MongoDB does not answer", "error", err)
		told = append(told, errors.New(cmp.Or(mongodb.Kind(err), mongodb.ErrUnreachable.Error())))
	}
	return errors.Join(told...)
}

// serve starts the health endpoint: /healthz says that the process lives,
// /readyz that Temporal and MongoDB answer it, /metrics is for Prometheus;
// /debug/pprof/ exists only when profiling was asked for.
func serve(addr string, profiling bool, m *metrics, h health) (*http.Server, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := h.ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		for _, g := range h.guards {
			fmt.Fprintf(w, "%s: breaker %s\n", g.Name(), g.State())
		}
	})
	mux.Handle("GET /metrics", m.endpoint)
	if profiling {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	}
	listener, err := net.Listen("tcp", addr) //nolint:noctx // binding a port is immediate
	if err != nil {
		return nil, fmt.Errorf("PADRON_HEALTH_ADDR: %s cannot be listened on: choose a free address (%w)", addr, err)
	}
	server := &http.Server{
		Addr: listener.Addr().String(), Handler: mux, ReadHeaderTimeout: readyTimeout, ReadTimeout: readyTimeout,
		WriteTimeout: healthTimeout, IdleTimeout: healthTimeout, MaxHeaderBytes: healthHeader,
	}
	go server.Serve(listener) //nolint:errcheck // returns when the worker closes it
	return server, nil
}
