package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"padron/internal/mirror"
	"padron/internal/socrata/socratatest"
)

const (
	// benchRows is the size of San Francisco's register.
	benchRows = 368_000
	// benchDataset is the dataset that is mirrored; its name ends the database's.
	benchDataset = "sf-business"
	// benchRequests lifts the limit on page requests, which is there for the sake of real portals.
	benchRequests = "PADRON_REQUESTS_PER_SECOND=1000"
	// answerBytes is how much of the simulated portal's answers is kept, per row of the register: a row takes some 130
	// bytes on the wire, and a first load and later crawls may ask in different ways.
	answerBytes = 600
	// indexStep is the activity after which the mirror is fully indexed.
	indexStep = "index"
	// profileSeconds is the length of one CPU profile; a phase gives as many as it lasts.
	profileSeconds = 5
)

// Databases of a benchmark: of the load that comes before it, of what is measured, and of the raw limits.
const (
	benchWarm = "bench_warm"
	benchReal = "bench"
	benchRaw  = "bench_raw" // prefix of several
)

func benchCommand() *cobra.Command {
	b := &bench{}
	var format string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure loads and crawls against the raw limits of driver and engine",
		Long: "Starts its own servers on fresh data, loads a simulated register, crawls it again with and without changes, and\n" +
			"holds that against what the bare driver can do on the same engine. Prints one table, then the targets.\n" +
			"Progress goes to stderr. Nothing is left behind.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "table" && format != "json" {
				return fmt.Errorf("%w: -o %s: use table or json", errUsage, format)
			}
			if b.rows < 1000 {
				return fmt.Errorf("%w: --rows %d: at least 1000 are needed to measure anything", errUsage, b.rows)
			}
			err := b.run(cmd.Context())
			if len(b.report.Lines) == 0 {
				return err
			}
			// What was measured before a failure, or Ctrl-C, took its time too.
			b.report.finish()
			if format == "json" {
				return errors.Join(err, b.report.printJSON(os.Stdout))
			}
			return errors.Join(err, b.report.printTable(os.Stdout))
		},
	}
	cmd.Flags().IntVar(&b.rows, "rows", benchRows, "how many rows the simulated portal has")
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	cmd.Flags().BoolVar(&b.noRaw, "no-raw", false, "leave out the raw limits, and with them the ratios")
	cmd.Flags().StringVar(&b.profiles, "profile", "", "write CPU profiles of the worker to this `folder`; go tool pprof takes all of a phase together")
	return cmd
}

// bench is one benchmark.
type bench struct {
	rows     int
	noRaw    bool
	profiles string

	stack    *Stack
	product  *Product
	portal   *socratatest.Portal
	url      string // the portal's
	version  time.Time
	mongo    *mongo.Client
	temporal client.Client
	asked    askedFor
	report   report
}

// askedFor remembers what the portal was asked, so that its answers can be rendered before they are asked for again.
type askedFor struct {
	mu   sync.Mutex
	uris map[string]bool
}

func (a *askedFor) hear(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.uris[r.URL.RequestURI()] = true
}

func (b *bench) run(ctx context.Context) (err error) {
	start := time.Now()
	if b.profiles != "" {
		if b.profiles, err = filepath.Abs(b.profiles); err != nil {
			return err
		}
		if err := os.MkdirAll(b.profiles, 0o755); err != nil {
			return fmt.Errorf("make the folder of the profiles: %w", err)
		}
	}
	dirs, err := findDirs("")
	if err != nil {
		return err
	}
	// Beside those of tests, so that one that was killed is swept up as theirs are.
	dirs.Data = filepath.Join(dirs.Cache, "tests", fmt.Sprintf("bench-%d", os.Getpid()))
	sweepTests(dirs)
	if err := os.MkdirAll(dirs.Logs(), 0o755); err != nil {
		return fmt.Errorf("make the benchmark's data folder: %w", err)
	}
	steps := newSteps(os.Stderr)
	if b.stack, err = newStack(dirs, steps, true); err != nil {
		return err
	}
	b.stack.Apart = true
	func() {
		defer shutDown(b.stack, &err)
		if err = b.start(ctx); err == nil {
			err = b.measure(ctx)
		}
	}()
	if err != nil {
		return fmt.Errorf("%w (logs: %s)", err, dirs.Logs())
	}
	steps.Say("Bench", "took %s", took(start))
	if err := os.RemoveAll(dirs.Data); err != nil {
		return fmt.Errorf("delete the benchmark's data: %w", err)
	}
	return nil
}

// start starts the servers and the portal, builds the product and connects to everything.
func (b *bench) start(ctx context.Context) error {
	addresses, err := startServers(ctx, b.stack)
	if err != nil {
		return err
	}
	err = b.stack.Steps.Do("Portal", "making the simulated portal's rows", func() (string, error) {
		b.version = time.Now().UTC().Add(-settled).Truncate(time.Second)
		b.portal, b.url, err = servePortal(b.stack, socratatest.Options{
			Table: socratatest.Generate(b.rows, portalSeed), Seed: portalSeed, Updated: b.version, CacheBytes: int64(b.rows) * answerBytes,
		})
		b.asked.uris = map[string]bool{}
		return fmt.Sprintf("%s (%s rows)", b.url, thousands(b.rows)), err
	})
	if err != nil {
		return err
	}
	b.product = &Product{stack: b.stack, starter: b.stack.Dirs.File("bin/starter")}
	err = b.stack.Steps.Do("Build", "building the worker and the starter", func() (string, error) {
		return "the worker and the starter", b.product.build(ctx)
	})
	if err != nil {
		return err
	}
	if err := b.product.setup(ctx); err != nil {
		return err
	}
	if b.mongo, err = mirror.Connect(ctx, addresses.MongoDB); err != nil {
		return err
	}
	b.stack.onStop("the client of MongoDB", func(ctx context.Context) error { return b.mongo.Disconnect(ctx) })
	if b.temporal, err = client.DialContext(ctx, client.Options{HostPort: addresses.Temporal, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))}); err != nil {
		return err
	}
	b.stack.onStop("the client of Temporal", func(context.Context) error { b.temporal.Close(); return nil })
	b.report.Rows = b.rows
	b.report.Machine = fmt.Sprintf("%d cores (%s/%s), shared by the worker, all servers and the simulated portal", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	b.report.Engine = redacted(addresses.MongoDB)
	for _, p := range b.stack.watched {
		switch p.name {
		case "FerretDB":
			b.report.Engine = "DocumentDB on PostgreSQL, FerretDB in front"
		case "mongod":
			b.report.Engine = "mongod"
		}
	}
	return nil
}

// measure runs all phases in the order of the table.
func (b *bench) measure(ctx context.Context) error {
	b.portal.OnRequest(b.asked.hear)
	var err error
	if _, err = b.crawl(ctx, "warm-up load", benchWarm, crawlNow...); err != nil {
		return err
	}
	if !b.noRaw {
		if err := b.raw(ctx); err != nil {
			return err
		}
	}
	if err := b.mongo.Database(benchWarm + "_" + benchDataset).Drop(ctx); err != nil {
		return fmt.Errorf("drop the mirror of the warm-up: %w", err)
	}
	first, err := b.crawl(ctx, lineFirst, benchReal, crawlNow...)
	if err != nil {
		return err
	}
	if first.indexed > 0 {
		indexed := first.measurement
		indexed.Name, indexed.CPU, indexed.Outcome = lineFirstIndexed, usage{}, ""
		indexed.Steps, indexed.Portal, indexed.Commands, indexed.Events, indexed.Actions, indexed.WorkerPeak = nil, traffic{}, nil, 0, nil, 0
		indexed.over(b.rows, first.indexed.Seconds())
		b.report.Lines = append(b.report.Lines, indexed)
	}
	b.report.Lines = append(b.report.Lines, first.measurement)
	keys := b.everyTenthKey()
	for _, phase := range []struct {
		name string
		args []string // of the starter
		keys []string
	}{
		{lineUnchanged, crawlNow, nil},
		{lineChangedFew, crawlNew, everyNth(keys, 100)},
		{lineChangedMany, crawlNew, keys},
		{lineSkip, crawlNew, nil},
		{lineBackfill, backfill, nil},
	} {
		if err := b.edit(ctx, phase.keys); err != nil {
			return err
		}
		measured, err := b.crawl(ctx, phase.name, benchReal, phase.args...)
		if err != nil {
			return err
		}
		if len(phase.keys) > 0 {
			measured.Note = fmt.Sprintf("%s rows edited, half of them renamed, half closed", thousands(len(phase.keys)))
		}
		b.report.Lines = append(b.report.Lines, measured.measurement)
	}
	b.report.Notes = append(b.report.Notes,
		"Times of loads and crawls are from the start of the run's workflow to the end; the starter's own time is in the JSON, and skips are judged by it.",
		"The page request limit that real portals are given is lifted ("+benchRequests+"); the portal's answers were rendered before.",
		"CPU of the database is the engine's and the gateway's. The worker is started anew for each phase.",
		"Actions are those of the run's histories, plus heartbeats and queries that the worker sent.")
	if !b.noRaw {
		b.report.Notes = append(b.report.Notes,
			"CPU of raw limits is this command's, the client's. Raw replaces are of documents spread over all keys, each replaced once, with a new hash, version and time.")
	}
	return nil
}

// everyTenthKey lists the keys of every tenth row.
func (b *bench) everyTenthKey() []string {
	var keys []string
	n := 0
	for row := range b.portal.SourceRows() {
		if key, ok := row["ttxid"].(string); ok && n%10 == 0 {
			keys = append(keys, key)
		}
		n++
	}
	return keys
}

func everyNth(all []string, n int) []string {
	var some []string
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// edit renames and closes rows on the portal, and renders its answers anew.
func (b *bench) edit(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	return b.stack.Steps.Do("Edit", "editing rows on the portal", func() (string, error) {
		ops := make([]socratatest.Op, len(keys))
		for i, key := range keys {
			if i%2 == 0 {
				ops[i] = socratatest.Rename(key, fmt.Sprintf("Renamed %d of %d", i, len(keys)))
			} else {
				ops[i] = socratatest.Close(key, b.version.Truncate(24*time.Hour))
			}
		}
		// Published a second after the last version, long ago: a fresh version would not be trusted to be settled.
		if err := b.portal.EditAt(b.version, ops...); err != nil {
			return "", fmt.Errorf("edit the portal's rows: %w", err)
		}
		return thousands(len(keys)) + " rows of the portal changed", b.render(ctx)
	})
}

// render asks the portal what it was asked before, so that its answers are at hand when they are asked for again.
func (b *bench) render(ctx context.Context) error {
	b.portal.OnRequest(nil)
	defer b.portal.OnRequest(b.asked.hear)
	for uri := range b.asked.uris {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+uri, http.NoBody)
		if err != nil {
			return err
		}
		req.Header.Set("Accept-Encoding", "gzip")
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("render the portal's answers: %w", err)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return fmt.Errorf("render the portal's answers: %w", err)
		}
	}
	return nil
}

// crawled is a run of the product, measured.
type crawled struct {
	measurement
	indexed time.Duration // from the start of the run to the end of its index step; 0 when it had none
}

// crawl runs the product once, by its starter, in a worker of its own.
func (b *bench) crawl(ctx context.Context, name, database string, args ...string) (c crawled, err error) {
	c.Name = name
	err = b.stack.Steps.Do("Run", name, func() (string, error) {
		settings := []string{"MONGODB_DATABASE=" + database}
		if b.stack.getenv("PADRON_REQUESTS_PER_SECOND") == "" {
			settings = append(settings, benchRequests)
		}
		if b.profiles != "" {
			settings = append(settings, "PADRON_PPROF=1")
		}
		worker, err := b.product.startWorker(ctx, settings...)
		if err != nil {
			return "", err
		}
		before, err := readCounters(ctx, worker.Health)
		if err != nil {
			return "", err
		}
		stopProfiles := b.profile(ctx, name, worker)
		asked, served, used := b.portal.Requests(), b.portal.BytesServed(), readUsage(b.stack, worker.pid)
		start := time.Now()
		run, err := b.startRun(ctx, database, args...)
		c.Starter = time.Since(start).Seconds()
		c.CPU = readUsage(b.stack, worker.pid).since(used)
		c.WorkerPeak = peakMemory(worker.pid)
		c.Portal = traffic{b.portal.Requests() - asked, b.portal.BytesServed() - served}
		if err = errors.Join(err, stopProfiles()); err != nil {
			return "", err
		}
		after, err := readCounters(ctx, worker.Health)
		if err != nil {
			return "", err
		}
		if err := worker.stop(); err != nil {
			return "", err
		}
		if err := b.account(ctx, run, after.since(before), &c); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s: %s, %.2f s", name, c.Outcome, c.Seconds), nil
	})
	return c, err
}

// finishedRun is what the starter says of a run, as far as it is used here.
type finishedRun struct {
	Run     string `json:"run"`
	Outcome string `json:"outcome"`
	Why     string `json:"why"`
	Record  struct {
		WorkflowID string `json:"workflow_id"`
		TemporalID string `json:"temporal_run_id"`
		Steps      []step `json:"steps"`
	} `json:"record"`
	Backfill struct {
		Done int   `json:"done"`
		Rows int64 `json:"rows"`
	} `json:"backfill"`
}

// Command lines of the starter that are measured. The span of the backfill is
// the one of a register that goes back to 1990.
var (
	crawlNow = []string{"run", "--wait", "--mode", "full"}
	crawlNew = []string{"run", "--wait", "--mode", "auto"}
	backfill = []string{"backfill", "--since", "1990-01-01", "--until", "2026-09-01", "--every", "month", "--max-active", "4"}
)

// startRun starts a run with the starter and waits for its end.
func (b *bench) startRun(ctx context.Context, database string, args ...string) (run finishedRun, err error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, b.product.starter, append(slices.Clone(args), "-o", "json")...)
	cmd.Dir = b.stack.Dirs.Root
	cmd.Env = append(append(os.Environ(), b.stack.env...), "MONGODB_DATABASE="+database)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		return run, context.Cause(ctx)
	}
	// A run that finished without being green is measured all the same; the table says so.
	var status *exec.ExitError
	if err != nil && (!errors.As(err, &status) || status.ExitCode() != exitNotGreen) {
		return run, fmt.Errorf("starter %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	if err := json.Unmarshal(stdout.Bytes(), &run); err != nil {
		return run, fmt.Errorf("read what starter %s says: %w", args[0], err)
	}
	return run, nil
}

// account fills in what the run's histories and the worker's counters tell.
func (b *bench) account(ctx context.Context, run finishedRun, counted counters, c *crawled) error {
	all, err := histories(ctx, b.temporal, execution{run.Record.WorkflowID, run.Record.TemporalID})
	if err != nil {
		return err
	}
	c.Outcome, c.Why, c.Steps = run.Outcome, run.Why, run.Record.Steps
	c.over(b.rows, span(all[0]).Seconds())
	if n := run.Backfill.Done; n > 0 {
		c.over(int(run.Backfill.Rows), c.Seconds)
		c.Note = fmt.Sprintf("%d windows, %.1f a second, snapshots included", n, float64(n)/c.Seconds)
	}
	if c.Outcome == "skipped" {
		c.over(0, c.Seconds) // it reads none
	}
	c.Actions = map[string]int{}
	for _, events := range all {
		c.Events += len(events)
		for kind, n := range actions(events) {
			c.Actions[kind] += n
		}
		if done := activityDone(events, indexStep); !done.IsZero() {
			c.indexed = done.Sub(all[0][0].GetEventTime().AsTime())
		}
	}
	if n := run.Backfill.Done; n > 0 {
		c.Note += fmt.Sprintf("; %.1f events and %.1f actions for each", float64(c.Events)/float64(n), float64(total(c.Actions))/float64(n))
	}
	// They leave no event, but the worker counts what it sends.
	for kind, n := range map[string]int{"heartbeat": counted.heartbeats, "query": counted.queries} {
		if n > 0 {
			c.Actions[kind] = n
		}
	}
	c.Commands, c.MongoSent, c.MongoReceived = counted.commands, counted.sent, counted.received
	return nil
}

// counters are the numbers that a worker's metrics tell.
type counters struct {
	commands            map[string]int64
	sent, received      int64
	heartbeats, queries int
}

func readCounters(ctx context.Context, health string) (counters, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, health+"/metrics", http.NoBody)
	if err != nil {
		return counters{}, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return counters{}, fmt.Errorf("read the worker's metrics: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it is read to its end
	return parseCounters(answer.Body)
}

// parseCounters reads metrics in Prometheus' text format.
func parseCounters(r io.Reader) (counters, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return counters{}, fmt.Errorf("read the worker's metrics: %w", err)
	}
	c := counters{commands: map[string]int64{}}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			n := int64(m.GetCounter().GetValue() + m.GetGauge().GetValue())
			switch {
			case name == "padron_mongodb_commands_total":
				c.commands[labels["command"]] += n
			case name == "padron_mongodb_bytes_total" && labels["direction"] == "sent":
				c.sent += n
			case name == "padron_mongodb_bytes_total":
				c.received += n
			// The SDK's counters may fall, as far as OpenTelemetry knows: they are gauges.
			case name == "temporal_request" && labels["operation"] == "RecordActivityTaskHeartbeat":
				c.heartbeats += int(n)
			case name == "temporal_request" && labels["operation"] == "RespondQueryTaskCompleted":
				c.queries += int(n)
			}
		}
	}
	return c, nil
}

func (c counters) since(before counters) counters {
	commands := map[string]int64{}
	for name, n := range c.commands {
		if n -= before.commands[name]; n > 0 {
			commands[name] = n
		}
	}
	return counters{commands, c.sent - before.sent, c.received - before.received, c.heartbeats - before.heartbeats, c.queries - before.queries}
}

// profile takes CPU profiles of a worker, one after the other, until the returned function is called.
func (b *bench) profile(ctx context.Context, phase string, worker Worker) (stop func() error) {
	if b.profiles == "" {
		return func() error { return nil }
	}
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := 1; ; n++ {
			name := strings.NewReplacer(" ", "-", ",", "", "%", "percent").Replace(phase)
			err := saveProfile(ctx, worker.Health, filepath.Join(b.profiles, fmt.Sprintf("%s.%03d.pprof", name, n)))
			select {
			case <-done:
				ended <- err
				return
			default:
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	return func() error { close(done); return <-ended }
}

func saveProfile(ctx context.Context, health, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", health, profileSeconds), http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("take a CPU profile: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it is read to its end
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("take a CPU profile: %s", answer.Status)
	}
	profile, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("take a CPU profile: %w", err)
	}
	return os.WriteFile(file, profile, 0o644)
}

// raw measures the raw limits with the documents of the warm-up load.
func (b *bench) raw(ctx context.Context) error {
	r := &rawLimits{
		client: b.mongo, rows: b.rows, source: b.mongo.Database(benchWarm + "_" + benchDataset).Collection(mirror.Businesses),
		use: func() usage { return readUsage(b.stack, 0) },
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) (meter, string, error)
	}{
		{"", r.prepare},
		{lineInsert, r.bare},
		{lineInsertMany, r.usual},
		{lineIndexed, r.indexed},
		{lineReplaceBare, r.replaceBare},
		{lineReplace, r.replaceIndexed},
		{"", r.drop},
	} {
		err := b.stack.Steps.Do("Raw", step.name, func() (string, error) {
			measured, note, err := step.do(ctx)
			if err != nil || step.name == "" {
				return note, err
			}
			line := measurement{Name: step.name, CPU: measured.cpu, Note: note}
			line.over(measured.rows, measured.took.Seconds())
			b.report.Lines = append(b.report.Lines, line)
			return fmt.Sprintf("%s: %s rows/s (%s)", step.name, thousands(int(line.RowsPerSecond)), note), nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", cmp.Or(step.name, "raw limits"), err)
		}
	}
	return nil
}
