package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/landing"
	"padron/internal/mirror"
	"padron/internal/mongodb"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// removeBatch is how many missing keys one activity asks the portal for: one
// request, whose address stays far below what servers refuse.
const removeBatch = 100

// FindRemovedInput gives the documents that the crawl lacks.
type FindRemovedInput struct {
	Run        Run           `json:"run"`
	Job        JobSpec       `json:"job"`
	Consistent bool          `json:"consistent"`
	Ordered    bool          `json:"ordered"`
	Missing    []landing.Ref `json:"missing,omitempty"` // landed pages of their keys
	All        []landing.Ref `json:"all,omitempty"`     // or of all keys of the crawl, when they are not in the order of bytes
}

// FindRemovedResult says what is to become of them.
type FindRemovedResult struct {
	Missing int           `json:"missing"`
	Held    int           `json:"held,omitempty"`    // over the limit: they wait for approval
	Batches int           `json:"batches,omitempty"` // to confirm and remove; none when held or when the crawl is torn
	Pages   []landing.Ref `json:"pages,omitempty"`   // landed pages of the missing keys
	Why     string        `json:"why,omitempty"`     // why none is removed
}

// FindRemoved looks at the documents that the crawl lacks and decides what is to
// become of them (certificate.Removals). Absence alone proves nothing, so they
// are removed only after a consistent crawl, and only those that the portal
// denies when asked for by key (ConfirmRemoved). Over the spec's max_removals
// they are held: nothing is removed, later runs go on, and `starter approve`
// removes them.
//
// First it ends moves between the mirror and the removed rows that a crash
// interrupted.
func (a *Activities) FindRemoved(ctx context.Context, in FindRemovedInput) (FindRemovedResult, error) {
	return step(ctx, in, a.findRemoved)
}

func (a *Activities) findRemoved(ctx context.Context, in FindRemovedInput) (FindRemovedResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return FindRemovedResult{}, err
	}
	var result FindRemovedResult
	var documents int64
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		result = FindRemovedResult{} // counted from the start after a blip
		if _, err = o.mirror.Settle(ctx); err != nil {
			return err
		}
		if result.Pages, err = missingPages(ctx, o, in); err != nil || len(result.Pages) == 0 {
			return err
		}
		if documents, err = o.database.Count(ctx, mongodb.Businesses); err != nil {
			return err
		}
		return landing.EachKey(ctx, o.zone, result.Pages, func(keys []string) error {
			result.Missing += len(keys)
			return nil
		})
	})
	if err != nil {
		return FindRemovedResult{}, err
	}
	removals := certificate.Removals{
		Run: in.Run.ID, Missing: result.Missing, Documents: documents, Percent: o.spec.MaxRemovals.Percent, Rows: o.spec.MaxRemovals.Rows,
		Approved: in.Job.Name == runs.JobApprove, Rerun: in.Job.Name == runs.JobRerun, Consistent: in.Consistent,
	}
	confirm, held, why := removals.Decide()
	result.Why = why
	if confirm {
		result.Batches = (result.Missing + removeBatch - 1) / removeBatch
	}
	if held {
		result.Held = result.Missing
		err = a.Database.Do(ctx, func(ctx context.Context) error {
			return o.runs.SetRun(ctx, in.Run.ID, bson.D{{Key: "held", Value: runs.Held{Rows: int64(result.Held), Pages: result.Pages}}})
		})
	}
	return result, err
}

// missingPages are the landed pages of the keys that the crawl lacks: those that
// the upserts found, those that are held, or, of a crawl whose keys are not in
// byte order, what a merge of all its keys with the stored ones finds.
func missingPages(ctx context.Context, o *opened, in FindRemovedInput) ([]landing.Ref, error) {
	if in.Job.Name == runs.JobApprove {
		held, err := o.runs.Run(ctx, in.Job.Of)
		return held.Held.Pages, err
	}
	if in.Ordered {
		return in.Missing, nil
	}
	missing, err := o.mirror.MissingOf(ctx, o.zone, mirror.MissingInput{Run: in.Run.ID, Part: "missing", Pages: in.All})
	if err != nil || missing.Rows == 0 {
		return nil, err
	}
	return []landing.Ref{missing.Page}, nil
}

// ConfirmRemovedInput asks to confirm and remove one batch of missing keys.
type ConfirmRemovedInput struct {
	Run   Run           `json:"run"`
	Pages []landing.Ref `json:"pages"`
	Batch int           `json:"batch"`
}

// ConfirmRemovedResult counts what became of missing keys.
type ConfirmRemovedResult struct {
	Removed int `json:"removed"` // the portal denied them
	Present int `json:"present"` // the portal has them after all
	Lagging int `json:"lagging"` // the answer was that of an old copy: not removed
}

// Add adds another batch.
func (r *ConfirmRemovedResult) Add(other ConfirmRemovedResult) {
	r.Removed += other.Removed
	r.Present += other.Present
	r.Lagging += other.Lagging
}

// ConfirmRemoved asks the portal for one batch of missing keys and removes those
// that it denies. An answer of a copy that lags behind its master, or that is older
// than the crawl, decides nothing.
func (a *Activities) ConfirmRemoved(ctx context.Context, in ConfirmRemovedInput) (ConfirmRemovedResult, error) {
	return step(ctx, in, a.confirmRemoved)
}

func (a *Activities) confirmRemoved(ctx context.Context, in ConfirmRemovedInput) (ConfirmRemovedResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ConfirmRemovedResult{}, err
	}
	keys, err := a.batch(ctx, o, in)
	if err != nil {
		return ConfirmRemovedResult{}, err
	}
	var crawl runs.Run // that lacked them
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		crawl, err = o.runs.LastCrawl(ctx)
		return err
	})
	if err != nil {
		return ConfirmRemovedResult{}, err
	}
	var result ConfirmRemovedResult
	there := map[string]bool{} // on the portal, or not known not to be
	for some := range socrata.KeyBatches(keys) {
		var present []string
		var v socrata.Version
		err := a.Portal.Do(ctx, func(ctx context.Context) (err error) {
			present, v, err = o.portal.Present(ctx, o.spec.Key, some)
			return err
		})
		if err != nil {
			return ConfirmRemovedResult{}, err
		}
		if certificate.Lags(v, crawl.Crawl.Version) {
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
		if len(denied) == 0 {
			return nil
		}
		if err := o.runs.Writing(ctx, in.Run.ID); err != nil {
			return err
		}
		_, err := o.mirror.Remove(ctx, mirror.RemoveInput{
			Run: in.Run.ID, Part: fmt.Sprintf("removed%04d", in.Batch), At: in.Run.Started.Truncate(time.Millisecond), Keys: denied,
		})
		return err
	})
	result.Removed = len(denied) // a repeated attempt found some gone already
	return result, err
}

// batch reads the keys of a batch from the landed pages.
func (a *Activities) batch(ctx context.Context, o *opened, in ConfirmRemovedInput) ([]string, error) {
	first, last := in.Batch*removeBatch, (in.Batch+1)*removeBatch
	var keys []string
	err := a.Database.Do(ctx, func(ctx context.Context) error {
		keys = nil
		seen := 0
		return landing.EachKey(ctx, o.zone, in.Pages, func(some []string) error {
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
