package crawl

import (
	"context"
	"errors"
	"fmt"

	"padron/internal/profile"
)

// Describe says what the columns of a crawl hold, from the sketches that lie
// beside its cleaned pages. They are read and merged one by one, so that memory
// does not grow with the pages; no row is read.
//
// Errors: ErrNoSummary, ErrUndescribed when a page has no sketch, or one that
// does not add up with those of this version and spec.
func (p *Pages) Describe(ctx context.Context, pages []string) (profile.Description, error) {
	all := profile.New(profile.Of(p.Spec))
	for _, id := range pages {
		page, err := p.Summary(ctx, id)
		if err != nil {
			return profile.Description{}, err
		}
		err = all.Merge(page.Sketch)
		switch {
		case page.Sketch == nil && page.Unsketched != "":
			err = errors.New(page.Unsketched)
		case page.Sketch == nil:
			err = errors.New("it was cleaned by a version of Padron that did not describe it")
		}
		if err != nil {
			return profile.Description{}, fmt.Errorf("%w: page %s.%d: %w", ErrUndescribed, Label(page.Part), page.Nth, err)
		}
	}
	return all.Describe(), nil
}
