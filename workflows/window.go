package workflows

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/backfill"
	"padron/internal/crawl"
	"padron/internal/runs"
)

// WindowInput asks to reload one window, or a stretch of them.
type WindowInput struct {
	Run    activities.Run  `json:"run"`
	Of     string          `json:"of"` // the run whose crawl the mirror was written from
	Part   int             `json:"part"`
	On     string          `json:"on"`
	Window backfill.Window `json:"window"` // from the first day of a stretch to its last
	// Stretch are the windows, where they are more than one.
	Stretch   *backfill.Stretch `json:"stretch,omitempty"`
	Where     string            `json:"where"` // SoQL condition of its rows
	Columns   []string          `json:"columns"`
	NotBefore time.Time         `json:"not_before"` // version of what is stored
}

// Window reloads the rows that belong to one window of a backfill, or to a stretch
// of windows that are fetched together:
//
//	fetch_page, as long as pages come full ─▶ clean_page ─▶ upsert
//
// It runs as a child of Write, which is the one writer. Rows that a window lacks
// are left alone: nothing is removed.
func Window(ctx workflow.Context, in WindowInput) (*runs.Window, error) {
	refuseOlder(ctx)
	upsert := activities.UpsertWindowInput{
		UpsertInput: activities.UpsertInput{Run: in.Run, Part: in.Part, Partial: true},
		On:          in.On, Window: in.Window, Stretch: in.Stretch,
	}
	fetch := activities.FetchInput{Run: in.Run, Part: in.Part, Where: in.Where, Columns: in.Columns, NotBefore: in.NotBefore}
	for more := true; more; {
		var raw crawl.RawPage
		if err := callPortal(ctx, a.FetchPage, "Fetch "+in.Window.String()+" "+fetch.Range.String(), fetch, &raw); err != nil {
			return nil, failure(err)
		}
		var cleaned crawl.CleanPage
		err := call(ctx, a.CleanPage, fmt.Sprintf("Clean %s: %s rows", in.Window, humanize.Comma(int64(raw.Rows))),
			activities.CleanInput{Run: in.Run, Part: in.Part, Nth: fetch.Nth, Page: raw, Of: in.Of}, &cleaned)
		if err != nil {
			return nil, failure(err)
		}
		upsert.Raw, upsert.Pages, upsert.Version = append(upsert.Raw, raw.Landed), append(upsert.Pages, cleaned), raw.Version
		fetch.Nth, fetch.Range.After, more = fetch.Nth+1, raw.LastKey, raw.More
	}
	var done runs.Window
	if err := call(ctx, a.UpsertWindow, "Upsert "+in.Window.String(), upsert, &done); err != nil {
		return nil, failure(err)
	}
	return &done, nil
}
