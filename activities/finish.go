package activities

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mirror"
)

// Finish closes the record of a run, however it ended, and prunes the landing:
// cleaned pages go at once, raw pages stay for the newest crawls.
func (a *Activities) Finish(ctx context.Context, in FinishInput) error {
	defer alive(ctx)()
	return classify(a.finish(ctx, in))
}

func (a *Activities) finish(ctx context.Context, in FinishInput) error {
	run := in.Run
	run.Spec = "" // a run that another build began must be closed all the same
	o, err := a.dataset(ctx, run)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	stats := mirror.Stats{PeakMemoryBytes: peakMemory(), PortalBytes: in.Bytes, TookMS: now.Sub(run.Started).Milliseconds()}
	if in.Rows > 0 {
		stats.RowsPerSecond = float64(in.Rows) / now.Sub(run.Started).Seconds()
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		if in.Status != mirror.StatusSkipped {
			if err := a.prune(ctx, o, run.ID); err != nil {
				return err
			}
		}
		return o.mirror.SetRun(ctx, run.ID, bson.D{
			{Key: "status", Value: in.Status},
			{Key: "outcome", Value: in.Outcome},
			{Key: "reason", Value: in.Why},
			{Key: "finished", Value: now},
			{Key: "stats", Value: stats},
			{Key: "steps", Value: in.Steps},
		})
	})
	if errors.Is(err, mirror.ErrNoRun) {
		return nil // it failed before it was begun: Temporal alone knows of it
	}
	return err
}

// prune removes what no later step reads.
func (a *Activities) prune(ctx context.Context, o *opened, run string) error {
	pages, err := o.landing.List(ctx, run)
	if err != nil {
		return err
	}
	var cleaned []string
	for _, p := range pages {
		if p.Kind == mirror.KindClean {
			cleaned = append(cleaned, p.ID)
		}
	}
	if err := o.landing.Delete(ctx, cleaned...); err != nil {
		return err
	}
	_, err = o.landing.Prune(ctx, a.KeepCrawls, run)
	return err
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
