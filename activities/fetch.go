package activities

import (
	"context"
	"errors"
	"fmt"
	"io"

	"go.temporal.io/sdk/activity"

	"padron/internal/mirror"
	"padron/internal/socrata"
)

// FetchPage fetches the first page of a range and lands it verbatim. It makes
// one page request; a portal that times out on it (408) is asked for half as
// many rows at the next attempt.
func (a *Activities) FetchPage(ctx context.Context, in FetchInput) (RawPage, error) {
	page, err := untilStop(ctx, func(ctx context.Context) (RawPage, error) { return a.fetch(ctx, in) })
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
	page, info, err := a.land(ctx, o, in.Run, in.Part, in.Range, func(ctx context.Context, to io.Writer) (socrata.PageInfo, error) {
		return o.portal.PageWhere(ctx, o.spec.Key, in.Columns, in.Range, in.Where, limit, to)
	})
	var soda *socrata.Error
	if errors.As(err, &soda) && soda.Kind == socrata.Timeout && limit > smallestPage {
		// The last heartbeat of a failed attempt is what the next one reads.
		activity.RecordHeartbeat(ctx, max(limit/2, smallestPage))
	}
	if errors.As(err, &soda) && soda.Kind == socrata.BadQuery && activity.GetInfo(ctx).Attempt < schemaPatience {
		// The columns were just read from the portal's metadata, which are the
		// master's: a copy that lags behind may not have them yet.
		return RawPage{}, later(SchemaChanged, fmt.Errorf("fetch %s: %w", in.Range, err), a.RecrawlAfter)
	}
	if err != nil {
		return RawPage{}, fmt.Errorf("fetch %s: %w", in.Range, err)
	}
	if !in.NotBefore.IsZero() && (lags(page.Version) || page.Version.Served.Before(in.NotBefore)) {
		return RawPage{}, later(PortalLagging, fmt.Errorf("fetch %s: the portal answered from a copy of %s, and what is stored is of %s", in.Range, stamp(page.Version.Served), stamp(in.NotBefore)), a.RecrawlAfter)
	}
	switch {
	case page.Rows < limit:
	case in.Range.NullKeys:
		return RawPage{}, refuse(GateClosed, fmt.Sprintf("%d rows or more have no %s: this is not the register that the spec describes", page.Rows, o.spec.Key))
	case info.KeyBefore == "":
		return RawPage{}, refuse(GateClosed, fmt.Sprintf("%d rows or more have the %s %q: this is not the register that the spec describes", page.Rows, o.spec.Key, page.LastKey))
	default:
		// More rows may have the last key. The next page begins with it, and this one
		// ends before it.
		page.More, page.Rows, page.LastKey = true, page.Rows-info.LastRows, info.KeyBefore
	}
	err = o.landing.Attach(ctx, page.ID, RawSummary{Part: in.Part, Nth: in.Nth, Page: page})
	a.progress(o, in.Run, "fetch", in.Part).set(ctx, page.Rows)
	return page, err
}

// schemaPatience is how often a page is asked for whose columns the portal says
// it does not have.
const schemaPatience = 3

// RawSummary lies beside a raw page in the landing: what a rerun needs to know
// of it.
type RawSummary struct {
	Part int     `json:"part"`
	Nth  int     `json:"nth,omitempty"`
	Page RawPage `json:"page"` // its id and hash are those of the landing's entry
}

// land fetches a page into the landing.
func (a *Activities) land(ctx context.Context, o *opened, run Run, part int, of socrata.Range, fetch func(context.Context, io.Writer) (socrata.PageInfo, error)) (RawPage, socrata.PageInfo, error) {
	var info socrata.PageInfo
	var entry mirror.Entry
	err := a.Portal.Do(ctx, func(ctx context.Context) error {
		to, err := o.landing.Create(ctx, mirror.Meta{Run: run.ID, Kind: mirror.KindRaw, Page: label(part)})
		if err != nil {
			return err
		}
		defer to.Abort()
		if info, err = fetch(ctx, to); err != nil {
			return err
		}
		entry, err = to.Commit(ctx)
		return err
	})
	return RawPage{
		Landed: Landed{ID: entry.ID, SHA256: entry.SHA256}, Range: of,
		Rows: info.Rows, LastKey: info.LastKey, Version: info.Version, Bytes: info.WireBytes,
	}, info, err
}

// FetchKeys fetches one batch of quarantined rows by their keys.
func (a *Activities) FetchKeys(ctx context.Context, in FetchKeysInput) (RawPage, error) {
	page, err := untilStop(ctx, func(ctx context.Context) (RawPage, error) {
		o, err := a.dataset(ctx, in.Run)
		if err != nil {
			return RawPage{}, err
		}
		batches, err := a.quarantined(ctx, o, in.Of, in.Keys)
		if err != nil {
			return RawPage{}, err
		}
		if in.Batch >= len(batches) {
			return RawPage{}, refuse(NothingToDo, "the quarantine changed while it was being replayed")
		}
		keys := batches[in.Batch]
		page, _, err := a.land(ctx, o, in.Run, in.Batch, socrata.Range{}, func(ctx context.Context, to io.Writer) (socrata.PageInfo, error) {
			return o.portal.PageOfKeys(ctx, o.spec.Key, in.Columns, keys, to)
		})
		if err != nil {
			return RawPage{}, fmt.Errorf("fetch %d rows by key: %w", len(keys), err)
		}
		return page, nil
	})
	return page, classify(err)
}

// label is the landing's name for the pages of a part.
func label(part int) string { return fmt.Sprintf("%04d", part) }
