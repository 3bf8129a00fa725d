package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"padron/activities"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mirror"
	"padron/internal/socrata"
)

// backfillPlan is what a backfill would do, exactly: its rows are counted by the
// portal.
type backfillPlan struct {
	On        string                 `json:"on"`
	Columns   activities.DateColumns `json:"columns"`
	Since     activities.Day         `json:"since"`
	Until     activities.Day         `json:"until"` // the day after the last
	Every     activities.Every       `json:"every"`
	Windows   []plannedWindow        `json:"windows"`
	Todo      int                    `json:"todo"` // windows to be reloaded
	Rows      int64                  `json:"rows"` // of these; a row counts in each of its windows
	Requests  int64                  `json:"requests"`
	Estimate  time.Duration          `json:"estimate_ns"`
	Snapshots int                    `json:"snapshots"`

	Total   int64 `json:"total"`   // rows on the portal
	Undated int64 `json:"undated"` // of these, without such a date: in no window, whatever the span
	Before  int64 `json:"before"`  // in no window, all dates before the span
	After   int64 `json:"after"`   // in no window, a date after the span
}

// plannedWindow is one window and what belongs to it.
type plannedWindow struct {
	activities.Window
	Name     string `json:"name"`
	Rows     int64  `json:"rows"`
	Requests int64  `json:"requests"`
	State    string `json:"state"` // to do, or what became of it before
}

// planBackfill asks the portal how many rows belong to each window, in a
// handful of requests, whatever the number of windows; of a column of points in
// time in one for each window.
func planBackfill(ctx context.Context, c config.Config, spec *dataset.Spec, m *mirror.Mirror, f backfillFlags) (*backfillPlan, error) {
	portal, err := openPortal(c, spec)
	if err != nil {
		return nil, err
	}
	live, _, err := metadata(ctx, portal)
	if err != nil {
		return nil, err
	}
	p := &backfillPlan{On: f.on, Since: f.since.day, Until: f.until.day, Every: activities.Every(f.every)}
	if p.Columns, err = activities.ColumnsOn(f.on, spec, activities.Columns(live)); err != nil {
		return nil, usage(err)
	}
	windows, err := activities.Windows(p.Since, p.Until, p.Every)
	if err != nil {
		return nil, usage(err)
	}
	for _, w := range windows {
		p.Windows = append(p.Windows, plannedWindow{Window: w, Name: w.String()})
	}
	if p.Columns.Fixed {
		err = p.countEach(ctx, portal)
	} else {
		err = p.countGrouped(ctx, portal)
	}
	if err != nil {
		return nil, err
	}
	if err := p.countOutside(ctx, portal); err != nil {
		return nil, err
	}
	return p, p.finish(ctx, c, m, activities.Reprocess(f.reprocess))
}

// countEach counts one window after the other.
func (p *backfillPlan) countEach(ctx context.Context, portal *socrata.Client) (err error) {
	for i := range p.Windows {
		w := &p.Windows[i]
		if w.Rows, _, err = portal.Count(ctx, p.Columns.Where(w.Window)); err != nil {
			return err
		}
	}
	return nil
}

// countGrouped has the portal count by start and by end. A row that starts and
// ends in one window is in both counts: these are counted by both, and since
// windows do not reach over the end of a year (of days: of a month), of such
// rows only that have both within it.
func (p *backfillPlan) countGrouped(ctx context.Context, portal *socrata.Client) error {
	unit, around := "date_trunc_ym", "date_trunc_y"
	if p.Every == activities.EveryDay {
		unit, around = "date_trunc_ymd", "date_trunc_ym"
	}
	of := func(column string) string { return unit + "(" + column + ")" }
	within := func(column string) string {
		return activities.DateColumns{Start: column}.Where(activities.Window{Since: p.Since, Until: p.Until})
	}
	count := func(sign int64, where []string, by ...string) error {
		counts, _, err := portal.CountBy(ctx, strings.Join(where, " and "), by...)
		if err != nil {
			return err
		}
		for _, c := range counts {
			i, ok := p.window(c.Values[0])
			if !ok {
				return fmt.Errorf("the portal counts rows of %q, which lies outside the dates asked for", c.Values[0])
			}
			if j, _ := p.window(c.Values[len(by)-1]); i == j {
				p.Windows[i].Rows += sign * c.Rows
			}
		}
		return nil
	}
	start := p.Columns.Start
	if err := count(1, []string{within(start)}, of(start)); err != nil {
		return err
	}
	var before []string // ends that a row must lack for the next one to be its end
	for _, end := range p.Columns.Ends {
		if err := count(1, append([]string{within(end)}, before...), of(end)); err != nil {
			return err
		}
		both := append([]string{within(start), within(end), around + "(" + start + ") = " + around + "(" + end + ")"}, before...)
		if err := count(-1, both, of(start), of(end)); err != nil {
			return err
		}
		before = append(before, end+" is null")
	}
	return nil
}

// window finds the window of a date as the portal writes it.
func (p *backfillPlan) window(date string) (int, bool) {
	day := activities.Day(date[:min(len(date), len(time.DateOnly))])
	i, found := slices.BinarySearchFunc(p.Windows, day, func(w plannedWindow, day activities.Day) int {
		return strings.Compare(string(w.Since), string(day))
	})
	if !found {
		i--
	}
	return i, i >= 0 && day < p.Windows[i].Until
}

// countOutside counts the rows that are in no window.
func (p *backfillPlan) countOutside(ctx context.Context, portal *socrata.Client) error {
	span := p.Columns.Where(activities.Window{Since: p.Since, Until: p.Until})
	var inSpan, spanOrLater int64
	for where, n := range map[string]*int64{
		"": &p.Total, p.Columns.Undated(): &p.Undated, span: &inSpan,
		"(" + span + ") or (" + p.Columns.From(p.Until) + ")": &spanOrLater,
	} {
		var err error
		if *n, _, err = portal.Count(ctx, where); err != nil {
			return err
		}
	}
	p.After = spanOrLater - inSpan
	p.Before = p.Total - p.Undated - spanOrLater
	return nil
}

// finish marks what is to be done, and estimates how long it takes: what the
// slower one of the portal's request limit and of this mirror's speed allows.
func (p *backfillPlan) finish(ctx context.Context, c config.Config, m *mirror.Mirror, reprocess activities.Reprocess) error {
	stored, err := m.Windows(ctx, p.On, string(p.Since), string(p.Until))
	if err != nil {
		return err
	}
	for i := range p.Windows {
		w := &p.Windows[i]
		w.Requests = w.Rows/int64(c.PageSize) + 1
		known, ok := stored[mirror.WindowID(p.On, string(w.Since), string(w.Until))]
		w.State = "to do"
		if ok && (reprocess == activities.ReprocessNone || reprocess == activities.ReprocessFailed && known.Status == mirror.StatusDone) {
			w.State = string(known.Status) + " by " + known.Run
			continue
		}
		p.Todo++
		p.Rows += w.Rows
		p.Requests += w.Requests
	}
	for _, w := range p.Windows {
		if w.Until.Time().Day() == 1 && w.Until.Time().Before(time.Now()) {
			p.Snapshots++
		}
	}
	seconds := float64(p.Requests) / c.RequestsPerSecond
	if last, err := m.LastDone(ctx); err == nil && last.Stats.RowsPerSecond > 0 {
		seconds = max(seconds, float64(p.Rows)/last.Stats.RowsPerSecond)
	}
	p.Estimate = time.Duration(seconds * float64(time.Second)).Round(time.Second)
	return nil
}

// print shows the plan to people.
func (p *backfillPlan) print(w io.Writer) {
	var rows []table.Row
	for _, planned := range p.Windows {
		rows = append(rows, table.Row{planned.Name, planned.Since, planned.Until, count(planned.Rows), count(planned.Requests), planned.State})
	}
	grid(w, table.Row{"window", "since", "until", "rows", "requests", "state"}, rows, 4, 5)
	fmt.Fprintln(w)
	facts(w, [][2]string{
		{"on", p.On + ": " + strings.Join(p.Columns.All(), ", ")},
		{"windows", fmt.Sprintf("%s from %s until before %s, %s to be reloaded", count(len(p.Windows)), p.Since, p.Until, count(p.Todo))},
		{"rows", fmt.Sprintf("%s to be reloaded; a row counts in each of its windows", count(p.Rows))},
		{"outside", fmt.Sprintf("%s of %s rows are in no window: %s have no such date, %s only earlier ones, %s a later one",
			count(p.Undated+p.Before+p.After), count(p.Total), count(p.Undated), count(p.Before), count(p.After))},
		{"requests", count(p.Requests) + " to the portal"},
		{"estimate", "about " + p.Estimate.String()},
		{"snapshots", fmt.Sprintf("%s to be reconstructed, as of the ends of the windows", count(p.Snapshots))},
		{"started", "nothing: this was a dry run"},
	})
}
