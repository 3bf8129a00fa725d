package activities

import (
	"context"

	"padron/internal/crawl"
)

// LoadLandedInput asks for the landed pages of an earlier run.
type LoadLandedInput struct {
	Run  Run    `json:"run"`
	Of   string `json:"of"`
	From string `json:"from"` // runs.FromClean: the raw pages; FromGate: the cleaned ones as well
}

// LoadLanded finds the landed pages of a run that is to be repeated. A crawl that
// was never complete is refused.
func (a *Activities) LoadLanded(ctx context.Context, in LoadLandedInput) (crawl.Loaded, error) {
	return step(ctx, in, a.loadLanded)
}

func (a *Activities) loadLanded(ctx context.Context, in LoadLandedInput) (loaded crawl.Loaded, err error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return loaded, err
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		record, err := o.runs.Run(ctx, in.Of)
		if err == nil {
			loaded, err = o.pages.Load(ctx, record, in.From)
		}
		return err
	})
	return loaded, err
}
