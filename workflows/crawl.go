package workflows

import (
	"fmt"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/crawl"
	"padron/internal/runs"
	"padron/internal/socrata"
)

// part is one key range of the plan and what became of it. It has more than one
// page only when it grew.
type part struct {
	socrata.Range
	raw      []crawl.RawPage
	clean    []crawl.CleanPage
	upserted activities.UpsertResult
}

func (w *write) plan(ctx workflow.Context) error {
	w.result.Crawls++
	w.result.Rows, w.result.Bytes, w.result.Pages = 0, 0, 0
	var planned activities.PlanResult
	err := callPortal(ctx, a.Plan, "Cuts "+humanize.Comma(w.before.Rows)+" rows into key ranges",
		activities.PlanInput{Run: w.in.Run, Crawl: w.result.Crawls, Before: w.before}, &planned)
	w.before, w.pass = planned.Before, planned.Pass
	w.setParts(planned.Ranges)
	return err
}

func (w *write) setParts(ranges []socrata.Range) {
	w.parts = make([]part, len(ranges))
	for i, r := range ranges {
		w.parts[i].Range = r
	}
}

// fetchPage fetches a part: one page, and further ones while they come full.
func (w *write) fetchPage(ctx workflow.Context, i int) error {
	p := &w.parts[i]
	rest := p.Range
	for {
		var page crawl.RawPage
		err := callPortal(ctx, a.FetchPage, w.label("Fetch", i, rest),
			activities.FetchInput{Run: w.in.Run, Part: i, Nth: len(p.raw), Range: rest, Columns: w.before.Columns}, &page)
		if err != nil {
			return err
		}
		w.fetched(p, page)
		if !page.More {
			return nil
		}
		rest.After = page.LastKey
	}
}

func (w *write) fetched(p *part, page crawl.RawPage) {
	p.raw = append(p.raw, page)
	w.result.Bytes += page.Bytes
	w.result.Rows += int64(page.Rows)
	w.result.Pages++
}

// fetchKeys fetches one batch of the quarantined rows.
func (w *write) fetchKeys(ctx workflow.Context, i int) error {
	var page crawl.RawPage
	err := callPortal(ctx, a.FetchKeys, fmt.Sprintf("Fetch quarantined rows, batch %d of %d", i+1, w.in.Probe.Batches),
		activities.FetchKeysInput{Run: w.in.Run, Of: w.in.Probe.Of, Keys: w.in.Job.Keys, Batch: i, Columns: w.in.Probe.Columns}, &page)
	if err == nil {
		w.fetched(&w.parts[i], page)
	}
	return err
}

// loadLanded finds the landed pages of the run that is repeated.
func (w *write) loadLanded(ctx workflow.Context) error {
	var landed crawl.Loaded
	err := call(ctx, a.LoadLanded, "Finds the landed pages of run "+w.in.Job.Of,
		activities.LoadLandedInput{Run: w.in.Run, Of: w.in.Job.Of, From: w.in.Job.From}, &landed)
	if err != nil {
		return err
	}
	w.result.Crawls = 1
	w.setParts(landed.Ranges)
	for i := range w.parts {
		for _, page := range landed.Raw[i] {
			page.Bytes = 0 // nothing was fetched for this run
			w.fetched(&w.parts[i], page)
		}
		w.parts[i].clean = landed.Clean[i]
	}
	return nil
}

func (w *write) cleanPage(ctx workflow.Context, i int) error {
	p := &w.parts[i]
	for nth, raw := range p.raw {
		var cleaned crawl.CleanPage
		err := call(ctx, a.CleanPage, fmt.Sprintf("%s: %s rows", w.label("Clean", i, raw.Range), humanize.Comma(int64(raw.Rows))),
			activities.CleanInput{
				Run: w.in.Run, Part: i, Nth: nth, Page: raw, Compare: w.compares(), Pass: w.pass, Repair: w.in.Job.Deep,
			}, &cleaned)
		if err != nil {
			return err
		}
		p.clean = append(p.clean, cleaned)
	}
	return nil
}

// compares says whether rows are held against what is stored while they are
// cleaned: an empty mirror has nothing to compare with, and of a retry only
// some rows are there.
func (w *write) compares() bool {
	return !w.in.Probe.Empty && w.in.Job.Name != runs.JobRetry && w.in.Job.Name != runs.JobReload
}

// comparePage compares cleaned pages of an earlier run.
func (w *write) comparePage(ctx workflow.Context, i int) error {
	p := &w.parts[i]
	return call(ctx, a.ComparePage, w.label("Compare", i, p.Range), activities.CompareInput{Run: w.in.Run, Part: i, Range: p.Range, Pages: p.clean}, nil)
}

// gate decides on the crawl, and has it made again when the portal moved.
func (w *write) gate(ctx workflow.Context) error {
	for {
		var gated activities.GateResult // a fresh one: decoding leaves fields that are absent as they are
		err := callPortal(ctx, a.Gate, "May this crawl of "+humanize.Comma(w.result.Rows)+" rows be written?", w.gateInput(), &gated)
		if w.gated = gated; err != nil || !gated.Again {
			return err
		}
		if err := wait(ctx, w.gated.After, fmt.Sprintf("Crawl %d was torn; waits before the next", w.result.Crawls)); err != nil {
			return err
		}
		if err := w.dag.Repeat(ctx, "gate"); err != nil {
			return err
		}
	}
}

func (w *write) gateInput() activities.GateInput {
	return activities.GateInput{Run: w.in.Run, Job: w.in.Job, Before: w.before, Pages: w.cleanPages(), Last: w.result.Crawls >= maxCrawls}
}

// cleanPages are the landing ids of all cleaned pages, in key order.
func (w *write) cleanPages() []string {
	var pages []string
	for i := range w.parts {
		for _, page := range w.parts[i].clean {
			pages = append(pages, page.ID)
		}
	}
	return pages
}

// label names a part the way people count: "Fetch 3 of 8 (0123, 0456]".
func (w *write) label(verb string, i int, r socrata.Range) string {
	return fmt.Sprintf("%s %d of %d %s", verb, i+1, len(w.parts), r)
}
