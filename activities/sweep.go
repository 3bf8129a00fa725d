package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mirror"
	"padron/internal/socrata"
)

// removeBatch is how many missing keys one activity asks the portal for: one
// request, whose address stays far below what servers refuse.
const removeBatch = 100

// Sweep looks at the documents that the crawl lacks and decides what is to
// become of them. Absence alone proves nothing, so they are removed only after
// a whole crawl, and only those that the portal denies when asked for by key
// (Remove). Over the spec's brake they are held: nothing is removed, later runs
// go on, and `starter approve` removes them.
//
// First it ends moves between the mirror and the removed rows that a crash
// interrupted.
func (a *Activities) Sweep(ctx context.Context, in SweepInput) (SweepResult, error) {
	defer alive(ctx)()
	result, err := a.sweep(ctx, in)
	return result, classify(err)
}

func (a *Activities) sweep(ctx context.Context, in SweepInput) (SweepResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return SweepResult{}, err
	}
	var result SweepResult
	var documents int64
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		result = SweepResult{Pages: in.Missing} // counted from the start after a blip
		if _, err = o.mirror.Settle(ctx); err != nil {
			return err
		}
		if in.Task.Job == JobApprove {
			held, err := o.mirror.Run(ctx, in.Task.Of)
			if err != nil {
				return err
			}
			result.Pages = held.Held.Pages
		} else if !in.Ordered {
			missing, err := o.mirror.MissingOf(ctx, o.landing, mirror.MissingInput{Run: in.Run.ID, Part: "missing", Pages: in.All})
			if err != nil {
				return err
			}
			result.Pages = nil
			if missing.Rows > 0 {
				result.Pages = []mirror.PageRef{missing.Page}
			}
		}
		if len(result.Pages) == 0 {
			return nil
		}
		documents, err = o.mirror.Count(ctx)
		if err != nil {
			return err
		}
		return o.mirror.EachKey(ctx, o.landing, result.Pages, func(keys []string) error {
			result.Missing += len(keys)
			return nil
		})
	})
	if err != nil {
		return SweepResult{}, err
	}
	brake := max(int(float64(documents)*o.spec.Brake.Percent/100), o.spec.Brake.Rows)
	switch {
	case result.Missing == 0:
	case in.Task.Job == JobApprove:
		result.Batches = batches(result.Missing)
	case in.Task.Job == JobRerun:
		result.Why = "a rerun removes nothing: the next run does"
	case !in.Whole:
		result.Why = "nothing is removed after a torn crawl"
	case result.Missing > brake:
		result.Held = result.Missing
		result.Why = fmt.Sprintf("more than the %s that one run may remove; `starter approve %s` removes them", humanize.Comma(int64(brake)), in.Run.ID)
	default:
		result.Batches = batches(result.Missing)
	}
	if result.Held > 0 {
		err = a.Database.Do(ctx, func(ctx context.Context) error {
			return o.mirror.SetRun(ctx, in.Run.ID, bson.D{{Key: "held", Value: mirror.Held{Rows: int64(result.Held), Pages: result.Pages}}})
		})
	}
	return result, err
}

func batches(keys int) int { return (keys + removeBatch - 1) / removeBatch }

// Remove asks the portal for one batch of missing keys and removes those that it
// denies. An answer of a copy that lags behind its master decides nothing.
func (a *Activities) Remove(ctx context.Context, in RemoveInput) (RemoveResult, error) {
	defer alive(ctx)()
	result, err := a.remove(ctx, in)
	return result, classify(err)
}

func (a *Activities) remove(ctx context.Context, in RemoveInput) (RemoveResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return RemoveResult{}, err
	}
	keys, err := a.batch(ctx, o, in)
	if err != nil {
		return RemoveResult{}, err
	}
	var result RemoveResult
	there := map[string]bool{} // on the portal, or not known not to be
	for some := range socrata.KeyBatches(keys) {
		var present []string
		var v Version
		err := a.Portal.Do(ctx, func(ctx context.Context) (err error) {
			present, v, err = o.portal.Present(ctx, o.spec.Key, some)
			return err
		})
		if err != nil {
			return RemoveResult{}, err
		}
		if lags(v) {
			result.Lagging += len(some)
			present = some
		} else {
			result.Present += len(present)
		}
		for _, key := range present {
			there[key] = true
		}
	}
	var denied []string
	for _, key := range keys {
		if !there[key] {
			denied = append(denied, key)
		}
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		_, err := o.mirror.Remove(ctx, mirror.RemoveInput{
			Run: in.Run.ID, Part: fmt.Sprintf("removed%04d", in.Batch), At: in.Run.Started.Truncate(time.Millisecond), Keys: denied,
		})
		return err
	})
	result.Removed = len(denied) // a repeated attempt found some gone already
	return result, err
}

// batch reads the keys of a batch from the landed pages.
func (a *Activities) batch(ctx context.Context, o *opened, in RemoveInput) ([]string, error) {
	first, last := in.Batch*removeBatch, (in.Batch+1)*removeBatch
	var keys []string
	seen := 0
	err := a.Database.Do(ctx, func(ctx context.Context) error {
		keys, seen = nil, 0
		return o.mirror.EachKey(ctx, o.landing, in.Pages, func(some []string) error {
			from, to := min(max(first-seen, 0), len(some)), min(max(last-seen, 0), len(some))
			keys = append(keys, some[from:to]...)
			if seen += len(some); seen >= last {
				return errEnough
			}
			return nil
		})
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return keys, err
}

// errEnough ends a reading whose rest is not needed.
var errEnough = errors.New("enough was read")

// lags says that an answer need not be the master's.
func lags(v Version) bool { return v.OutOfDate || v.Served.IsZero() || !v.Truth.Equal(v.Served) }
