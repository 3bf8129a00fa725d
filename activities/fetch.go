package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"padron/internal/certificate"
	"padron/internal/crawl"
	"padron/internal/landing"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// FetchInput asks for one page: the first PageSize rows of a range.
type FetchInput struct {
	Run   Run           `json:"run"`
	Part  int           `json:"part"`          // index of the range in the plan
	Nth   int           `json:"nth,omitempty"` // page of the part, 0 for the first
	Range socrata.Range `json:"range"`
	// Where limits the page to rows for which this SoQL condition holds.
	Where string `json:"where,omitempty"`
	// NotBefore refuses an answer that is of an older version, or of a copy that
	// lags behind its master, until a newer one comes: what is stored is newer.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Columns to ask for, as the probe found them.
	Columns []string `json:"columns"`
}

const (
	// smallestPage is where halving stops: a portal that cannot serve this many
	// rows in time is in trouble of another kind.
	smallestPage = 1000
	// schemaPatience is how often a page is asked for one of whose columns, none
	// that the spec requires, the portal says that it does not have.
	schemaPatience = 3
)

// FetchPage fetches the first page of a range and lands it verbatim. It makes
// one page request; a portal that times out on it (408), fails on it (5xx) or is
// too slow with it is asked for half as many rows at the next attempt.
func (a *Activities) FetchPage(ctx context.Context, in FetchInput) (crawl.RawPage, error) {
	return attempted(ctx, func(ctx context.Context) (crawl.RawPage, error) {
		return drainable(ctx, func(ctx context.Context) (crawl.RawPage, error) { return a.fetch(ctx, in) })
	})
}

func (a *Activities) fetch(ctx context.Context, in FetchInput) (crawl.RawPage, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return crawl.RawPage{}, err
	}
	limit := attemptOf(ctx).pageSize(a.PageSize, o.smaller.Load())
	page, info, err := a.land(ctx, o, in.Run, in.Part, in.Range, func(ctx context.Context, to io.Writer) (socrata.PageInfo, error) {
		return o.portal.PageWhere(ctx, o.spec.Key, in.Columns, in.Range, in.Where, limit, to)
	})
	if err != nil {
		return crawl.RawPage{}, a.fetchFailed(ctx, in, o.spec.RequiredColumns(), limit, err)
	}
	o.smaller.Store(attemptOf(ctx).served(limit, o.smaller.Load()))
	served := page.Version.Served
	if !in.NotBefore.IsZero() && certificate.Lags(page.Version, socrata.Version{Served: in.NotBefore}) {
		return crawl.RawPage{}, later(runs.PortalLagging, fmt.Errorf("fetch %s: the portal answered from a copy of %s, and what is stored is of %s",
			in.Range, served.UTC().Format(time.RFC3339), in.NotBefore.UTC().Format(time.RFC3339)), a.RecrawlAfter)
	}
	switch {
	case page.Rows < limit:
	case in.Range.NullKeys:
		return crawl.RawPage{}, refuse(runs.GateClosed, fmt.Sprintf("%d rows or more have no %s: this is not the register that the spec describes", page.Rows, o.spec.Key))
	case info.KeyBefore == "":
		return crawl.RawPage{}, refuse(runs.GateClosed, fmt.Sprintf("%d rows or more have the %s %q: this is not the register that the spec describes", page.Rows, o.spec.Key, page.LastKey))
	default:
		// More rows may have the last key. The next page begins with it, and this one
		// ends before it.
		page.More, page.Rows, page.LastKey = true, page.Rows-info.LastRows, info.KeyBefore
	}
	err = o.zone.Attach(ctx, page.ID, crawl.RawSummary{Part: in.Part, Nth: in.Nth, Page: page})
	a.progress(o, in.Run, "fetch", in.Part).set(ctx, page.Rows)
	return page, err
}

// fetchFailed is the error of a failed request, after what the next attempt must
// know of it was left for it.
func (a *Activities) fetchFailed(ctx context.Context, in FetchInput, required []string, limit int, err error) error {
	err = fmt.Errorf("fetch %s: %w", in.Range, err)
	soda, ok := errors.AsType[*socrata.Error](err)
	switch {
	case ok && soda.TooMuch() && limit > smallestPage:
		attemptOf(ctx).halve(limit)
	case ok && soda.Column != "" && !slices.Contains(required, soda.Column) && activity.GetInfo(ctx).Attempt < schemaPatience:
		// The portal had the column a moment ago: a copy that lags behind may not
		// have it yet.
		return later(runs.SchemaChanged, err, a.RecrawlAfter)
	}
	return err
}

// land fetches a page into the landing.
func (a *Activities) land(ctx context.Context, o *opened, run Run, part int, of socrata.Range, fetch func(context.Context, io.Writer) (socrata.PageInfo, error)) (crawl.RawPage, socrata.PageInfo, error) {
	var info socrata.PageInfo
	var entry landing.Entry
	err := a.Portal.Do(ctx, func(ctx context.Context) error {
		to, err := o.zone.Create(ctx, landing.Meta{Run: run.ID, Kind: landing.KindRaw, Page: crawl.Label(part)})
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
	return crawl.RawPage{
		Landed: crawl.Landed{ID: entry.ID, SHA256: entry.SHA256}, Range: of,
		Rows: info.Rows, LastKey: info.LastKey, Version: info.Version, Bytes: info.WireBytes,
	}, info, err
}
