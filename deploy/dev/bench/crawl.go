package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"padron/deploy/dev/product"
)

// crawled is a run of the product, measured.
type crawled struct {
	measurement
	indexed time.Duration // from the start of the run to the end of its index step; 0 when it had none
}

// crawl runs the product once, through its starter, in a worker of its own.
func (r *run) crawl(ctx context.Context, name, database string, args ...string) (c crawled, err error) {
	c.Name = name
	err = r.stack.Steps.Do("Run", name, func() (string, error) {
		settings := []string{"MONGODB_DATABASE=" + database}
		if os.Getenv("PADRON_REQUESTS_PER_SECOND") == "" {
			settings = append(settings, requestLimit)
		}
		if r.PageSize > 0 {
			settings = append(settings, fmt.Sprintf("PADRON_PAGE_SIZE=%d", r.PageSize))
		}
		if r.Profiles != "" {
			settings = append(settings, "PADRON_PPROF=1")
		}
		worker, err := r.product.StartWorker(ctx, settings...)
		if err != nil {
			return "", err
		}
		before, err := readCounters(ctx, worker.Health)
		if err != nil {
			return "", err
		}
		stopProfiles := r.profile(ctx, name, worker)
		asked, served, used := r.portal.Requests(), r.portal.BytesServed(), readUsage(r.stack, worker.PID)
		start := time.Now()
		run, err := r.startRun(ctx, database, args...)
		c.Starter = time.Since(start).Seconds()
		c.CPU = readUsage(r.stack, worker.PID).since(used)
		c.WorkerPeak = peakMemory(worker.PID)
		c.Portal = traffic{r.portal.Requests() - asked, r.portal.BytesServed() - served}
		if err = errors.Join(err, stopProfiles()); err != nil {
			return "", err
		}
		after, err := readCounters(ctx, worker.Health)
		if err != nil {
			return "", err
		}
		if run.History != "" { // or the next phase would wait for it
			if err := r.temporal.GetWorkflow(ctx, "mirror/"+dataset+"/"+run.History, "").Get(ctx, nil); err != nil {
				return "", fmt.Errorf("run %s: %w", run.History, err)
			}
		}
		if err := worker.Stop(); err != nil {
			return "", err
		}
		if err := r.account(ctx, run, after.since(before), &c); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s: %s, %.2f s", name, c.Outcome, c.Seconds), nil
	})
	return c, err
}

// finishedRun is the part of the starter's answer that is used here.
type finishedRun struct {
	Run     string `json:"run"`
	Outcome string `json:"outcome"`
	Why     string `json:"why"`
	History string `json:"history"` // the run that it started, to reconstruct the past
	Record  struct {
		WorkflowID string `json:"workflow_id"`
		TemporalID string `json:"temporal_run_id"`
		Steps      []step `json:"steps"`
	} `json:"record"`
	Backfill struct {
		Windows int   `json:"windows"` // reloaded, or proven as they are
		Rows    int64 `json:"rows"`    // reloaded
	} `json:"backfill"`
}

// Command lines of the starter that are measured.
var (
	crawlNow = []string{"run", "--wait", "--mode", "full"}
	crawlNew = []string{"run", "--wait", "--mode", "auto"}
)

// backfill is the command line of a backfill. Its span is the 440 months of a
// register that goes back to 1990; a brief one has the last two years.
func (r *run) backfill(more ...string) []string {
	since := "1990-01-01"
	if r.Brief {
		since = "2024-09-01"
	}
	return append([]string{"backfill", "--since", since, "--until", "2026-09-01", "--every", "month", "--max-active", "4"}, more...)
}

// startRun starts a run with the starter and waits for its end.
func (r *run) startRun(ctx context.Context, database string, args ...string) (run finishedRun, err error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, r.product.Starter(), append(slices.Clone(args), "-o", "json")...)
	cmd.Dir = r.stack.Dirs.Root
	cmd.Env = append(append(os.Environ(), r.stack.Env()...), "MONGODB_DATABASE="+database)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		return run, context.Cause(ctx)
	}
	// A run that finished without being green is measured too; the table says
	// so.
	var status *exec.ExitError
	if err != nil && (!errors.As(err, &status) || status.ExitCode() != product.ExitNotGreen) {
		return run, fmt.Errorf("starter %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	if err := json.Unmarshal(stdout.Bytes(), &run); err != nil {
		return run, fmt.Errorf("read what starter %s says: %w", args[0], err)
	}
	return run, nil
}

// account fills in what the run's histories and the worker's counters show.
func (r *run) account(ctx context.Context, run finishedRun, counted counters, c *crawled) error {
	all, err := histories(ctx, r.temporal, execution{run.Record.WorkflowID, run.Record.TemporalID})
	if err != nil {
		return err
	}
	c.Fastest = fastest(all)
	c.Outcome, c.Why, c.Steps = run.Outcome, run.Why, run.Record.Steps
	c.over(r.Rows, span(all[0]).Seconds())
	if n := run.Backfill.Windows; n > 0 {
		c.Windows = n
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
	if n := run.Backfill.Windows; n > 0 {
		c.Note += fmt.Sprintf("; %.1f events and %.1f actions for each", float64(c.Events)/float64(n), float64(total(c.Actions))/float64(n))
	}
	// Heartbeats and queries leave no events, but the worker counts them.
	for kind, n := range map[string]int{"heartbeat": counted.heartbeats, "query": counted.queries} {
		if n > 0 {
			c.Actions[kind] = n
		}
	}
	c.Commands, c.MongoSent, c.MongoReceived = counted.commands, counted.sent, counted.received
	return nil
}
