package activities

import (
	"context"
	"fmt"

	"padron/internal/mirror"
	"padron/internal/socrata"
)

// Recall finds the landed pages of a run that is to be repeated: all raw pages
// of its crawl, and to start from the gate the cleaned ones as well, which are
// kept of a run that failed. A crawl that was never complete is refused.
func (a *Activities) Recall(ctx context.Context, in RecallInput) (RecallResult, error) {
	defer alive(ctx)()
	result, err := a.recall(ctx, in)
	return result, classify(err)
}

func (a *Activities) recall(ctx context.Context, in RecallInput) (RecallResult, error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return RecallResult{}, err
	}
	var record mirror.Run
	raw, clean := map[[2]int]RawPage{}, map[[2]int]CleanPage{}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		if record, err = o.mirror.Run(ctx, in.Of); err != nil {
			return err
		}
		pages, err := o.landing.List(ctx, in.Of)
		if err != nil {
			return err
		}
		// Of two attempts at a page either will do; the later one comes last.
		for _, p := range pages {
			switch p.Kind {
			case mirror.KindRaw:
				var s RawSummary
				if found, err := o.landing.Summary(ctx, p.ID, &s); err != nil || !found {
					return err
				}
				s.Page.Landed = Landed{ID: p.ID, SHA256: p.SHA256}
				raw[[2]int{s.Part, s.Nth}] = s.Page
			case mirror.KindClean:
				var s PageSummary
				if found, err := o.landing.Summary(ctx, p.ID, &s); err != nil || !found {
					return err
				}
				clean[[2]int{s.Part, s.Nth}] = s.page(p)
			}
		}
		return nil
	})
	if err != nil {
		return RecallResult{}, err
	}
	result := RecallResult{Raw: make([][]RawPage, len(record.Ranges)), Clean: make([][]CleanPage, len(record.Ranges))}
	for i, r := range record.Ranges {
		result.Ranges = append(result.Ranges, r.Range)
		rest := r.Range
		for nth := 0; ; nth++ {
			page, ok := raw[[2]int{i, nth}]
			if !ok || page.Range != rest {
				return RecallResult{}, refuse(NothingToDo, fmt.Sprintf("the crawl of run %s is not complete in the landing: %s is not there; start a new run", in.Of, rest))
			}
			result.Raw[i] = append(result.Raw[i], page)
			if in.From == FromGate {
				cleaned, ok := clean[[2]int{i, nth}]
				if !ok {
					return RecallResult{}, refuse(NothingToDo, fmt.Sprintf("the cleaned pages of run %s are no longer there: use --from %s", in.Of, FromClean))
				}
				result.Clean[i] = append(result.Clean[i], cleaned)
			}
			if !page.More {
				break
			}
			rest = socrata.Range{After: page.LastKey, UpTo: r.UpTo}
		}
	}
	return result, nil
}
