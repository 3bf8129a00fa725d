package activities

import (
	"context"

	"padron/internal/crawl"
	"padron/internal/socrata"
)

// CleanInput asks to clean one raw page.
type CleanInput struct {
	Run  Run           `json:"run"`
	Part int           `json:"part"`
	Nth  int           `json:"nth,omitempty"` // page of the part, 0 for the first
	Page crawl.RawPage `json:"page"`
	// Compare, Pass, Repair and Of are those of crawl.CleanInput.
	Compare bool   `json:"compare,omitempty"`
	Pass    bool   `json:"pass,omitempty"`
	Repair  bool   `json:"repair,omitempty"`
	Of      string `json:"of,omitempty"`
}

// CleanPage turns a landed raw page into a landed page of documents with their
// hashes. What the gate must know of it lies beside it in the landing.
func (a *Activities) CleanPage(ctx context.Context, in CleanInput) (crawl.CleanPage, error) {
	return step(ctx, in, a.clean)
}

func (a *Activities) clean(ctx context.Context, in CleanInput) (page crawl.CleanPage, err error) {
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return page, err
	}
	shown := a.progress(o, in.Run, "clean", in.Part)
	err = a.Database.Do(ctx, func(ctx context.Context) (err error) {
		page, err = o.pages.Clean(ctx, crawl.CleanInput{
			Run: in.Run.ID, At: in.Run.Started, Part: in.Part, Nth: in.Nth, Page: in.Page, Compare: in.Compare, Pass: in.Pass,
			Repair: in.Repair, Of: in.Of,
			Progress: func(rows int) { shown.rows(ctx, rows) },
		})
		return err
	})
	if err == nil {
		shown.set(ctx, page.Rows)
	}
	return page, err
}

// CompareInput names the cleaned pages of one part of an earlier crawl.
type CompareInput struct {
	Run   Run               `json:"run"`
	Part  int               `json:"part"`
	Range socrata.Range     `json:"range"`
	Pages []crawl.CleanPage `json:"pages"`
}

// ComparePage holds cleaned pages of an earlier run, which were compared with what
// was stored then, against what is stored now. The gate finds the result beside
// the pages in the landing.
func (a *Activities) ComparePage(ctx context.Context, in CompareInput) error {
	_, err := step(ctx, in, func(ctx context.Context, in CompareInput) (any, error) {
		o, err := a.dataset(ctx, in.Run)
		if err != nil {
			return nil, err
		}
		return nil, a.Database.Do(ctx, func(ctx context.Context) error { return o.pages.Compare(ctx, in.Part, in.Range, in.Pages) })
	})
	return err
}
