package activities

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mirror"
)

// Finish closes the record of a run, however it ended, and prunes the landing:
// cleaned pages go at once, raw pages stay for the newest crawls. It brings the
// alerts up to date, and says whether there is something to send.
func (a *Activities) Finish(ctx context.Context, in FinishInput) (AlertResult, error) {
	defer alive(ctx)()
	result, err := a.finish(ctx, in)
	return result, classify(err)
}

func (a *Activities) finish(ctx context.Context, in FinishInput) (result AlertResult, err error) {
	run := in.Run
	run.Spec = "" // a run that another build began must be closed all the same
	o, err := a.dataset(ctx, run)
	if err != nil {
		return AlertResult{}, err
	}
	now := time.Now().UTC()
	stats := mirror.Stats{PeakMemoryBytes: peakMemory(), PortalBytes: in.Bytes, TookMS: now.Sub(run.Started).Milliseconds()}
	if in.Rows > 0 {
		stats.RowsPerSecond = float64(in.Rows) / now.Sub(run.Started).Seconds()
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		if in.Status != mirror.StatusSkipped {
			if err := a.prune(ctx, o, in); err != nil {
				return err
			}
		}
		err := o.mirror.SetRun(ctx, run.ID, bson.D{
			{Key: "status", Value: in.Status},
			{Key: "outcome", Value: in.Outcome},
			{Key: "reason", Value: in.Why},
			{Key: "finished", Value: now},
			{Key: "stats", Value: stats},
			{Key: "steps", Value: in.Steps},
		})
		if err != nil && !errors.Is(err, mirror.ErrNoRun) { // one that failed before it was begun has no record
			return err
		}
		result, err = a.alert(ctx, o, in)
		return err
	})
	return result, err
}

// prune removes what no later step reads, of this run and of those before:
//
//   - cleaned pages, except those of a crawl that failed, from which a rerun can
//     go on;
//   - pages of missing keys, except those of the crawl whose removals are held;
//   - raw pages but those of the newest crawls. The pages of other jobs are no
//     crawls.
//
// The quarantined rows of crawls whose pages have gone go with them.
func (a *Activities) prune(ctx context.Context, o *opened, in FinishInput) error {
	last, err := orNone(o.mirror.LastCrawl(ctx))
	if err != nil {
		return err
	}
	pages, err := o.landing.List(ctx, "")
	if err != nil {
		return err
	}
	busy, err := others(ctx, o, in.Run.ID, pages)
	if err != nil {
		return err
	}
	crawl := in.Task.Job == JobMirror || in.Task.Job == ""
	failed := in.Status != mirror.StatusDone
	var gone []string
	for _, p := range pages {
		own := p.Run == in.Run.ID
		switch {
		case busy[p.Run]:
		case own && !crawl && (p.Kind != mirror.KindKeys || last.ID != p.Run):
			gone = append(gone, p.ID)
		case p.Kind == mirror.KindClean && (!own || !failed):
			gone = append(gone, p.ID)
		case p.Kind == mirror.KindKeys && (last.ID != p.Run || last.Held.Rows == 0):
			gone = append(gone, p.ID)
		}
	}
	if err := o.landing.Delete(ctx, gone...); err != nil {
		return err
	}
	if _, err := o.landing.Prune(ctx, a.KeepCrawls, in.Run.ID, last.ID); err != nil {
		return err
	}
	keep := []string{in.Run.ID, last.ID}
	if pages, err = o.landing.List(ctx, ""); err != nil {
		return err
	}
	for _, p := range pages {
		keep = append(keep, p.Run)
	}
	slices.Sort(keep)
	_, err = o.mirror.PruneQuarantine(ctx, slices.Compact(keep)...)
	return err
}

// abandonedAfter is how old the pages of a run must be that its record says is
// running, and that is not: one whose end was never recorded.
const abandonedAfter = 24 * time.Hour

// others are the other runs with pages that are still under way: the next run
// may have begun when this one closes its record.
func others(ctx context.Context, o *opened, own string, pages []mirror.Entry) (map[string]bool, error) {
	busy := map[string]bool{own: false}
	for _, p := range pages {
		if _, known := busy[p.Run]; known || time.Since(p.Created) > abandonedAfter {
			continue
		}
		run, err := orNone(o.mirror.Run(ctx, p.Run))
		if err != nil {
			return nil, err
		}
		busy[p.Run] = run.Status == mirror.StatusRunning
	}
	return busy, nil
}

// peakMemory is the largest resident set of this process so far, in bytes; 0
// where the system does not tell. It reads Linux's VmHWM: the maximum that
// getrusage reports goes over from a parent to the program that it starts.
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
