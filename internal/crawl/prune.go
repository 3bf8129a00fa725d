package crawl

import (
	"context"
	"slices"
	"time"

	"padron/internal/landing"
)

// abandonedAfter is how old the pages of a run must be that its record says is
// running, and that is not: one whose end was never recorded.
const abandonedAfter = 24 * time.Hour

// PruneInput says which run has ended, and what later steps may still need.
type PruneInput struct {
	Run     string
	IsCrawl bool   // its job was to mirror; the pages of other jobs are no crawls
	Failed  bool   // it did not come to its end
	Last    string // run that the mirror was last written from; empty: none
	Holds   bool   // that run holds removals
	Keep    int    // crawls whose raw pages are kept
	// UnderWay reports whether a run has not ended: the next run may have begun
	// when this one closes its record.
	UnderWay func(ctx context.Context, run string) (bool, error)
}

// Prune removes from the landing what no later step reads:
//
//   - cleaned pages, except those of a crawl that failed, from which a rerun can
//     go on;
//   - pages of missing keys, except those of the crawl whose removals are held;
//   - raw pages but those of the newest crawls.
//
// It returns the runs whose quarantined rows are still of use: those with pages
// left, the run itself and the last crawl.
func (p *Pages) Prune(ctx context.Context, in PruneInput) (kept []string, err error) {
	pages, err := p.Zone.List(ctx, "")
	if err != nil {
		return nil, err
	}
	busy, err := in.busy(ctx, pages)
	if err != nil {
		return nil, err
	}
	var gone []string
	for _, page := range pages {
		if !busy[page.Run] && in.unused(page) {
			gone = append(gone, page.ID)
		}
	}
	if err := p.Zone.Delete(ctx, gone...); err != nil {
		return nil, err
	}
	if _, err := p.Zone.Prune(ctx, in.Keep, in.Run, in.Last); err != nil {
		return nil, err
	}
	kept = []string{in.Run, in.Last}
	if pages, err = p.Zone.List(ctx, ""); err != nil {
		return nil, err
	}
	for _, page := range pages {
		kept = append(kept, page.Run)
	}
	slices.Sort(kept)
	return slices.Compact(kept), nil
}

// unused reports whether no later step reads a page.
func (in *PruneInput) unused(page landing.Entry) bool {
	own, last := page.Run == in.Run, page.Run == in.Last
	switch {
	case own && !in.IsCrawl && (page.Kind != landing.KindKeys || !last):
		return true
	case page.Kind == landing.KindClean:
		return !own || !in.Failed
	case page.Kind == landing.KindKeys:
		return !last || !in.Holds
	}
	return false
}

// busy are the other runs with pages that are still under way.
func (in *PruneInput) busy(ctx context.Context, pages []landing.Entry) (map[string]bool, error) {
	busy := map[string]bool{in.Run: false}
	for _, page := range pages {
		if _, known := busy[page.Run]; known || time.Since(page.Created) > abandonedAfter {
			continue
		}
		underWay, err := in.UnderWay(ctx, page.Run)
		if err != nil {
			return nil, err
		}
		busy[page.Run] = underWay
	}
	return busy, nil
}
