package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
	"padron/internal/portalsim"
)

const (
	// latencySchedule is the shortest that a spec can have.
	latencySchedule = "* * * * *"
	// publications are made at times that fall into every part of the minute.
	publications = 3
	betweenRuns  = time.Minute
	// latencyPatience is how long a publication may take to be mirrored.
	latencyPatience = 10 * time.Minute
	// latencyLook is how often is looked whether something is there.
	latencyLook = 50 * time.Millisecond
	// scheduleActions are the actions that Temporal counts for each start by a
	// schedule, the start itself not counted
	// (https://docs.temporal.io/evaluate/cloud/actions#schedule).
	scheduleActions = 2
	daysAMonth      = 30
)

// Publication is what became of one edit of the portal: seconds from the moment
// it was to be seen there.
type Publication struct {
	Started  float64 `json:"started_seconds"`  // the run that found it had begun
	Mirrored float64 `json:"mirrored_seconds"` // its row was in the mirror
	Proven   float64 `json:"proven_seconds"`   // a run had ended green at its version
}

// scheduledRuns are runs of one kind that the schedule made.
type scheduledRuns struct {
	Runs    int     `json:"runs"`
	Seconds float64 `json:"seconds"` // of each; the middle of all
	Actions int     `json:"actions"` // billable, of each; the middle of all
}

// LatencyReport is what following a portal at the shortest schedule showed.
type LatencyReport struct {
	Rows         int           `json:"rows"`
	Machine      string        `json:"machine"`
	Schedule     string        `json:"schedule"`
	Publications []Publication `json:"publications"`
	Skips        scheduledRuns `json:"skips"`
	Crawls       scheduledRuns `json:"crawls"`
}

// Latency starts servers and a worker of its own whose spec has the shortest
// schedule, publishes edits, and measures how long each takes to be in the
// mirror and proven.
func Latency(ctx context.Context, rows int) (*LatencyReport, error) {
	l := &latency{run: run{Options: Options{Rows: rows}}, report: &LatencyReport{Rows: rows, Schedule: latencySchedule}}
	if err := l.onServers(ctx, l.measure); err != nil {
		return nil, err
	}
	l.report.Machine = l.run.report.Machine
	return l.report, nil
}

type latency struct {
	run
	report *LatencyReport
	env    []string // of worker and starter
}

func (l *latency) measure(ctx context.Context) error {
	spec, err := l.spec()
	if err != nil {
		return err
	}
	l.env = []string{"PADRON_DATASET=" + spec, "MONGODB_DATABASE=" + measuredDatabase}
	worker, err := l.product.StartWorker(ctx, append(slices.Clone(l.env), requestLimit)...)
	if err != nil {
		return err
	}
	if err := l.starter(ctx, "first load", "run", "--wait"); err != nil {
		return err
	}
	if err := l.starter(ctx, "schedule apply", "schedule", "apply"); err != nil {
		return err
	}
	began := time.Now()
	keys := everyNth(l.everyTenthKey(), max(1, l.Rows/10/publications))
	for i := range publications {
		err := l.stack.Steps.Do("Edit", "publishing an edit", func() (string, error) {
			p, err := l.publish(ctx, keys[i], fmt.Sprintf("Published as number %d", i+1))
			l.report.Publications = append(l.report.Publications, p)
			return fmt.Sprintf("publication %d of %d: mirrored after %.1f s, proven after %.1f s", i+1, publications, p.Mirrored, p.Proven), err
		})
		if err != nil {
			return err
		}
		// A run reads a version of the last minute again: let that pass, and a
		// skip, and come into another part of the minute.
		pause := 2*betweenRuns + time.Duration(i+1)*betweenRuns/publications
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
	if err := l.starter(ctx, "schedule pause", "schedule", "pause"); err != nil {
		return err
	}
	if err := l.count(ctx, began); err != nil {
		return err
	}
	return worker.Stop()
}

// spec writes the product's spec with the shortest schedule, as a user would.
func (l *latency) spec() (string, error) {
	text, err := os.ReadFile(filepath.Join(l.stack.Dirs.Root, "internal", "dataset", "specs", dataset+".yaml"))
	if err != nil {
		return "", fmt.Errorf("read the spec: %w", err)
	}
	if text, err = withSchedule(text, latencySchedule); err != nil {
		return "", err
	}
	file := l.stack.Dirs.File(dataset + ".yaml")
	return file, os.WriteFile(file, text, 0o600)
}

// withSchedule is a spec whose runs are due by this cron expression, to the
// second.
func withSchedule(spec []byte, cron string) ([]byte, error) {
	for pattern, line := range map[string]string{`(?m)^  cron: .*$`: `  cron: "` + cron + `"`, `(?m)^  jitter: .*$`: `  jitter: 0s`} {
		old := regexp.MustCompile(pattern)
		if len(old.FindAll(spec, 2)) != 1 {
			return nil, fmt.Errorf("the spec has no single line %s", pattern)
		}
		spec = old.ReplaceAll(spec, []byte(line))
	}
	return spec, nil
}

func (l *latency) starter(ctx context.Context, what string, args ...string) error {
	return l.stack.Steps.Do("Starter", what, func() (string, error) {
		cmd := exec.CommandContext(ctx, l.product.Starter(), args...)
		cmd.Dir = l.stack.Dirs.Root
		cmd.Env = slices.Concat(os.Environ(), l.stack.Env(), l.env)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("starter %s: %w: %s", strings.Join(args, " "), errors.Join(context.Cause(ctx), err), strings.TrimSpace(string(out)))
		}
		return what, nil
	})
}

// publish edits a row at the portal and waits until it is mirrored and proven.
func (l *latency) publish(ctx context.Context, key, name string) (p Publication, err error) {
	published := time.Now()
	if err := l.portal.Edit(portalsim.Rename(key, name)); err != nil {
		return p, fmt.Errorf("edit the portal's rows: %w", err)
	}
	version, _ := l.portal.Versions()
	since := func() float64 { return time.Since(published).Seconds() }
	db := l.mongo.Database(measuredDatabase + "_" + dataset)
	look := func(what, collection string, filter bson.D) (bson.Raw, error) {
		for {
			found, err := db.Collection(collection).FindOne(ctx, filter).Raw()
			if err == nil {
				return found, nil
			}
			if since() > latencyPatience.Seconds() {
				return nil, fmt.Errorf("%s is not %s after %s: %w", key, what, latencyPatience, err)
			}
			if err := wait(ctx, latencyLook); err != nil {
				return nil, err
			}
		}
	}
	if _, err = look("mirrored", mongodb.Businesses, bson.D{{Key: "_id", Value: key}, {Key: "dba_name", Value: name}}); err != nil {
		return p, err
	}
	p.Mirrored = since()
	found, err := look("proven", mongodb.Runs, bson.D{{Key: "outcome", Value: "green"}, {Key: "status", Value: "done"}, {Key: "version.served", Value: version}})
	if err != nil {
		return p, err
	}
	p.Proven = since()
	var run scheduledRun
	if err := bson.Unmarshal(found, &run); err != nil {
		return p, fmt.Errorf("read a run: %w", err)
	}
	p.Started = run.Started.Sub(published).Seconds()
	return p, nil
}

// scheduledRun is the part of a run's record that is used here.
type scheduledRun struct {
	Started    time.Time `bson:"started"`
	Finished   time.Time `bson:"finished"`
	WorkflowID string    `bson:"workflow_id"`
	TemporalID string    `bson:"temporal_run_id"`
	Probe      struct {
		Decision string `bson:"decision"`
	} `bson:"probe"`
}

// count sums up the runs that the schedule made.
func (l *latency) count(ctx context.Context, since time.Time) error {
	found, err := l.mongo.Database(measuredDatabase+"_"+dataset).Collection(mongodb.Runs).Find(ctx,
		bson.D{{Key: "trigger", Value: "schedule"}, {Key: "started", Value: bson.D{{Key: "$gte", Value: since}}}, {Key: "finished", Value: bson.D{{Key: "$exists", Value: true}}}},
		options.Find().SetSort(bson.D{{Key: "started", Value: 1}}))
	if err != nil {
		return fmt.Errorf("list the runs: %w", err)
	}
	var runs []scheduledRun
	if err := found.All(ctx, &runs); err != nil {
		return fmt.Errorf("list the runs: %w", err)
	}
	seconds, acted := map[bool][]float64{}, map[bool][]float64{}
	for _, r := range runs {
		all, err := histories(ctx, l.temporal, execution{r.WorkflowID, r.TemporalID})
		if err != nil {
			return err
		}
		n := 0
		for _, events := range all {
			n += total(actions(events))
		}
		skip := r.Probe.Decision == "skip"
		seconds[skip] = append(seconds[skip], span(all[0]).Seconds())
		acted[skip] = append(acted[skip], float64(n))
	}
	sum := func(skip bool) scheduledRuns {
		if len(seconds[skip]) == 0 {
			return scheduledRuns{}
		}
		slices.Sort(seconds[skip])
		slices.Sort(acted[skip])
		return scheduledRuns{Runs: len(seconds[skip]), Seconds: middle(seconds[skip]), Actions: int(middle(acted[skip]))}
	}
	l.report.Skips, l.report.Crawls = sum(true), sum(false)
	return nil
}

func middle(sorted []float64) float64 { return sorted[len(sorted)/2] }

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// monthly are the actions of a month of runs every so many minutes that find
// nothing new, the schedule's own included.
func (l *LatencyReport) monthly(minutes int) int {
	return daysAMonth * 24 * 60 / minutes * (l.Skips.Actions + scheduleActions)
}

// schedules are the minutes between runs that a month is reckoned for.
func schedules() []int { return []int{1, 5, 15, 60} }

// PrintTable writes the report for people.
func (l *LatencyReport) PrintTable(w io.Writer) error {
	fmt.Fprintf(w, "%s rows · %s · schedule %q\n\n", thousands(l.Rows), l.Machine, l.Schedule)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "seconds from the publication to\tthe start of its run\tits row in the mirror\tthe proof\t")
	for i, p := range l.Publications {
		fmt.Fprintf(t, "%d\t%.1f\t%.1f\t%.1f\t\n", i+1, p.Started, p.Mirrored, p.Proven)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d runs found nothing new: %.2f s and %d actions each\n", l.Skips.Runs, l.Skips.Seconds, l.Skips.Actions)
	fmt.Fprintf(w, "%d runs crawled: %.1f s and %d actions each\n", l.Crawls.Runs, l.Crawls.Seconds, l.Crawls.Actions)
	fmt.Fprintf(w, "\nActions of %d days in which nothing is published, with %d for each start by the schedule:\n", daysAMonth, scheduleActions)
	for _, minutes := range schedules() {
		fmt.Fprintf(w, "every %d min: %s\n", minutes, thousands(l.monthly(minutes)))
	}
	return nil
}

// PrintMarkdown writes the report for the documentation.
func (l *LatencyReport) PrintMarkdown(w io.Writer) error {
	fmt.Fprintf(w, "%s rows · %s · schedule `%s`.\n\n", thousands(l.Rows), l.Machine, l.Schedule)
	printHead(w, []string{"seconds from a publication to", "the start of its run", "its row in the mirror", "the proof"})
	for i, p := range l.Publications {
		printRow(w, []string{fmt.Sprintf("publication %d", i+1), fmt.Sprintf("%.1f", p.Started), fmt.Sprintf("%.1f", p.Mirrored), fmt.Sprintf("%.1f", p.Proven)})
	}
	fmt.Fprintln(w)
	printHead(w, []string{"runs of the schedule", "", "seconds", "actions"})
	for _, of := range []struct {
		what string
		runs scheduledRuns
	}{{"nothing new: skip", l.Skips}, {"crawl", l.Crawls}} {
		printRow(w, []string{of.what, fmt.Sprint(of.runs.Runs), fmt.Sprintf("%.2f", of.runs.Seconds), fmt.Sprint(of.runs.Actions)})
	}
	fmt.Fprintln(w)
	printHead(w, []string{"runs that find nothing new", "actions a month"})
	for _, minutes := range schedules() {
		printRow(w, []string{fmt.Sprintf("every %d min", minutes), thousands(l.monthly(minutes))})
	}
	return nil
}

// PrintJSON writes the report with every number that was taken.
func (l *LatencyReport) PrintJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(l)
}
