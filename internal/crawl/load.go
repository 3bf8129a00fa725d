package crawl

import (
	"context"
	"errors"
	"fmt"

	"padron/internal/landing"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// Loaded are the landed pages of an earlier crawl, by part of its plan.
type Loaded struct {
	Ranges []socrata.Range `json:"ranges"`
	Raw    [][]RawPage     `json:"raw"`
	Clean  [][]CleanPage   `json:"clean"`
}

// pageKey names a page of a crawl.
type pageKey struct{ part, nth int }

// Load finds the landed pages of a run that is to be repeated: all raw pages of
// its crawl, and to start from the gate the cleaned ones as well, which are kept
// of a run that failed. ErrIncomplete when one is not there.
func (p *Pages) Load(ctx context.Context, run runs.Run, from string) (Loaded, error) {
	raw, clean, err := p.landed(ctx, run.ID)
	if err != nil {
		return Loaded{}, err
	}
	loaded := Loaded{Raw: make([][]RawPage, len(run.Ranges)), Clean: make([][]CleanPage, len(run.Ranges))}
	for i, r := range run.Ranges {
		loaded.Ranges = append(loaded.Ranges, r.Range)
		rest := r.Range
		for nth := 0; ; nth++ {
			page, ok := raw[pageKey{i, nth}]
			if !ok || page.Range != rest {
				return Loaded{}, fmt.Errorf("%w: %s of run %s is not there; start a new run", ErrIncomplete, rest, run.ID)
			}
			loaded.Raw[i] = append(loaded.Raw[i], page)
			if from == runs.FromGate {
				cleaned, ok := clean[pageKey{i, nth}]
				if !ok {
					return Loaded{}, fmt.Errorf("%w: the cleaned pages of run %s are no longer there; use --from %s", ErrIncomplete, run.ID, runs.FromClean)
				}
				loaded.Clean[i] = append(loaded.Clean[i], cleaned)
			}
			if !page.More {
				break
			}
			rest = socrata.Range{After: page.LastKey, UpTo: r.UpTo}
		}
	}
	return loaded, nil
}

// landed reads the summaries of a run's landed pages. Of two attempts at a page
// either will do; the later one comes last in the listing.
func (p *Pages) landed(ctx context.Context, run string) (map[pageKey]RawPage, map[pageKey]CleanPage, error) {
	entries, err := p.Zone.List(ctx, run)
	if err != nil {
		return nil, nil, err
	}
	raw, clean := map[pageKey]RawPage{}, map[pageKey]CleanPage{}
	for _, e := range entries {
		switch e.Kind {
		case landing.KindRaw:
			var s RawSummary
			found, err := p.Zone.Summary(ctx, e.ID, &s)
			if err != nil {
				return nil, nil, err
			}
			if found {
				s.Page.Landed = Landed{ID: e.ID, SHA256: e.SHA256}
				raw[pageKey{s.Part, s.Nth}] = s.Page
			}
		case landing.KindClean:
			s, err := p.Summary(ctx, e.ID)
			if errors.Is(err, ErrNoSummary) {
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			clean[pageKey{s.Part, s.Nth}] = s.page(e, 0)
		}
	}
	return raw, clean, nil
}
