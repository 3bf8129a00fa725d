package activities

import (
	"context"
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

// Missing keys are confirmed in batches, each on a landed page of its own.
const (
	// leastBatch keeps the batches of a day's removals to one: 50 requests of 200
	// keys, 13 s at four requests a second.
	leastBatch = 10_000
	// mostBatches bounds the batches of a run, and with them its history and the
	// references that steps hand on, whatever the size of the register.
	mostBatches = 1000
)

// batchOf is how many of so many missing keys one batch has.
func batchOf(missing int) int { return max(leastBatch, (missing+mostBatches-1)/mostBatches) }

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
	Batches int           `json:"batches,omitempty"` // to confirm and remove: all pages, or none when held or when the crawl is torn
	Pages   []landing.Ref `json:"pages,omitempty"`   // landed pages of the missing keys, one for each batch
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
		err = landing.EachKey(ctx, o.zone, result.Pages, func(keys []string) error {
			result.Missing += len(keys)
			return nil
		})
		if err != nil || in.Job.Name == runs.JobApprove {
			return err // what is held lies in batches
		}
		result.Pages, err = landing.BatchKeys(ctx, o.zone, in.Run.ID, "missing", batchOf(result.Missing), result.Pages)
		return err
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
		result.Batches = len(result.Pages)
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
	missing, err := o.mirror.MissingOf(ctx, o.zone, mirror.MissingInput{Run: in.Run.ID, Part: "unseen", Pages: in.All})
	if err != nil || missing.Rows == 0 {
		return nil, err
	}
	return []landing.Ref{missing.Page}, nil
}

// ConfirmRemovedInput asks to confirm and remove one batch of missing keys.
type ConfirmRemovedInput struct {
	Run   Run         `json:"run"`
	Page  landing.Ref `json:"page"` // of its keys
	Batch int         `json:"batch"`
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
// than the crawl, decides nothing. It makes several requests, within the request
// limit as long as one batch is confirmed at a time.
func (a *Activities) ConfirmRemoved(ctx context.Context, in ConfirmRemovedInput) (ConfirmRemovedResult, error) {
	return step(ctx, in, a.confirmRemoved)
}

func (a *Activities) confirmRemoved(ctx context.Context, in ConfirmRemovedInput) (ConfirmRemovedResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return ConfirmRemovedResult{}, err
	}
	var keys []string
	var crawl runs.Run // that lacked them
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		keys = nil // read from the start after a blip
		err = landing.EachKey(ctx, o.zone, []landing.Ref{in.Page}, func(some []string) error {
			keys = append(keys, some...)
			return nil
		})
		if err != nil {
			return err
		}
		crawl, err = o.runs.LastCrawl(ctx)
		return err
	})
	if err != nil {
		return ConfirmRemovedResult{}, err
	}
	var result ConfirmRemovedResult
	there := map[string]bool{} // on the portal, or not known not to be
	requests := o.requests()
	for some := range socrata.KeyBatches(keys) {
		if err := requests.wait(ctx); err != nil {
			return ConfirmRemovedResult{}, err
		}
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
