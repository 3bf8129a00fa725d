package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/activity"

	"padron/internal/mirror"
	"padron/internal/socrata"
)

// FetchPage fetches the first page of a range and lands it verbatim. It makes
// one page request; a portal that times out on it (408) is asked for half as
// many rows at the next attempt.
func (a *Activities) FetchPage(ctx context.Context, in FetchInput) (RawPage, error) {
	defer alive(ctx)()
	// A page that the portal is slow to send must not hold up a stopping
	// worker: nothing is lost by asking again from another one.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopping := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	page, err := a.fetch(ctx, in)
	select {
	case <-stopping:
		if err != nil {
			return page, retry(WorkerStopping, "the worker is stopping; another one fetches this page")
		}
	default:
	}
	return page, classify(err)
}

// smallestPage is where halving stops: a portal that cannot serve this many
// rows in time is in trouble of another kind.
const smallestPage = 1000

func (a *Activities) fetch(ctx context.Context, in FetchInput) (RawPage, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return RawPage{}, err
	}
	limit := a.PageSize
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &limit); err != nil {
			return RawPage{}, fmt.Errorf("read the page size of the last attempt: %w", err)
		}
	}
	var info socrata.PageInfo
	var entry mirror.Entry
	err = a.Portal.Do(ctx, func(ctx context.Context) error {
		to, err := o.landing.Create(ctx, mirror.Meta{Run: in.Run.ID, Kind: mirror.KindRaw, Page: label(in.Part)})
		if err != nil {
			return err
		}
		defer to.Abort()
		if info, err = o.portal.Page(ctx, o.spec.Key, in.Columns, in.Range, limit, to); err != nil {
			return err
		}
		entry, err = to.Commit(ctx)
		return err
	})
	var soda *socrata.Error
	if errors.As(err, &soda) && soda.Kind == socrata.Timeout && limit > smallestPage {
		// The last heartbeat of a failed attempt is what the next one reads.
		activity.RecordHeartbeat(ctx, max(limit/2, smallestPage))
	}
	if err != nil {
		return RawPage{}, fmt.Errorf("fetch %s: %w", in.Range, err)
	}
	more := info.Rows == limit
	if more && in.Range.NullKeys {
		return RawPage{}, refuse(GateClosed, fmt.Sprintf("%d rows or more have no %s: this is not the register that the spec describes", info.Rows, o.spec.Key))
	}
	a.progress(o, in.Run, "fetch", in.Part).set(ctx, info.Rows)
	return RawPage{
		Landed: Landed{ID: entry.ID, SHA256: entry.SHA256},
		Rows:   info.Rows, LastKey: info.LastKey, More: more, Version: info.Version, Bytes: info.WireBytes,
	}, nil
}

// label is the landing's name for the pages of a part.
func label(part int) string { return fmt.Sprintf("%04d", part) }
