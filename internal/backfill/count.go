package backfill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"padron/internal/socrata"
)

// Counter counts rows of the portal. *socrata.Client is one.
type Counter interface {
	Count(ctx context.Context, where string) (int64, socrata.Version, error)
	CountBy(ctx context.Context, where string, by ...string) ([]socrata.CountRow, socrata.Version, error)
}

// Counts is how many rows of the portal belong to the windows of a backfill.
type Counts struct {
	Windows []int64 // of each window; a row counts in each of its windows

	Total   int64 // rows on the portal
	Undated int64 // without such a date: in no window, whatever the span
	Before  int64 // in no window, and all dates are before the span
	After   int64 // in no window, with a date after the span
}

// Count asks the portal how many rows belong to each window. windows are those
// that [Windows] returned for every, so there is at least one. It takes a few
// requests, whatever the number of windows; for a column of points in time, one
// for each window.
func Count(ctx context.Context, portal Counter, columns DateColumns, windows []Window, every Every) (Counts, error) {
	c := counting{
		portal: portal, columns: columns, windows: windows, every: every,
		span: Window{windows[0].Since, windows[len(windows)-1].Until}, counts: Counts{Windows: make([]int64, len(windows))},
	}
	count := c.grouped
	if columns.Fixed {
		count = c.each
	}
	if err := count(ctx); err != nil {
		return Counts{}, err
	}
	if err := c.outside(ctx); err != nil {
		return Counts{}, err
	}
	return c.counts, nil
}

// counting is one call of Count.
type counting struct {
	portal  Counter
	columns DateColumns
	windows []Window
	every   Every
	span    Window // from the first window to the last
	counts  Counts
}

// each counts one window after the other.
func (c *counting) each(ctx context.Context) (err error) {
	for i, w := range c.windows {
		if c.counts.Windows[i], _, err = c.portal.Count(ctx, c.columns.Where(w)); err != nil {
			return err
		}
	}
	return nil
}

// grouped has the portal count by start and by end. A row that starts and ends
// in the same window is in both counts, so these rows are counted by both dates
// and subtracted. No window reaches over the end of a year (one of a day: of a
// month), so only rows with both dates in the same year (month) are asked for.
func (c *counting) grouped(ctx context.Context) error {
	unit, around := "date_trunc_ym", "date_trunc_y"
	if c.every == EveryDay {
		unit, around = "date_trunc_ymd", "date_trunc_ym"
	}
	truncated := func(column string) string { return unit + "(" + socrata.Name(column) + ")" }
	inSpan := func(column string) string { return DateColumns{Start: column}.Where(c.span) }

	start := c.columns.Start
	if err := c.add(ctx, 1, []string{inSpan(start)}, truncated(start)); err != nil {
		return err
	}
	var earlier []string // a row ends in a column only if the ones before it are null
	for _, end := range c.columns.Ends {
		if err := c.add(ctx, 1, append([]string{inSpan(end)}, earlier...), truncated(end)); err != nil {
			return err
		}
		both := append([]string{inSpan(start), inSpan(end), around + "(" + socrata.Name(start) + ") = " + around + "(" + socrata.Name(end) + ")"}, earlier...)
		if err := c.add(ctx, -1, both, truncated(start), truncated(end)); err != nil {
			return err
		}
		earlier = append(earlier, nulls([]string{end})...)
	}
	return nil
}

// add has the portal count rows by one date or two, and adds each count, times
// the sign, to the window of its dates. Rows with two dates in different windows
// are left out.
func (c *counting) add(ctx context.Context, sign int64, where []string, by ...string) error {
	groups, _, err := c.portal.CountBy(ctx, strings.Join(where, " and "), by...)
	if err != nil {
		return err
	}
	for _, g := range groups {
		i, ok := c.window(g.Values[0])
		if !ok && i >= 0 && i < len(c.windows)-1 {
			continue // between two windows: a part of the span's were asked about
		}
		if !ok {
			return fmt.Errorf("the portal counts rows of %q, which lies outside the dates asked for", g.Values[0])
		}
		if j, within := c.window(g.Values[len(by)-1]); within && i == j {
			c.counts.Windows[i] += sign * g.Rows
		}
	}
	return nil
}

// window finds the window of a date as the portal writes it, cut to its month
// or day.
func (c *counting) window(date string) (int, bool) {
	day := Day(date[:min(len(date), len(time.DateOnly))])
	// A span may begin within a month, which the portal cuts to its first day.
	if since := c.span.Since.Time(); day == DayOf(since.AddDate(0, 0, 1-since.Day())) {
		day = c.span.Since
	}
	i, found := slices.BinarySearchFunc(c.windows, day, func(w Window, day Day) int {
		return strings.Compare(string(w.Since), string(day))
	})
	if !found {
		i--
	}
	return i, i >= 0 && day < c.windows[i].Until
}

// outside counts the rows that are in no window.
func (c *counting) outside(ctx context.Context) error {
	span := c.columns.Where(c.span)
	var inSpan, spanOrLater int64
	for where, n := range map[string]*int64{
		"": &c.counts.Total, c.columns.Undated(): &c.counts.Undated, span: &inSpan,
		"(" + span + ") or (" + c.columns.From(c.span.Until) + ")": &spanOrLater,
	} {
		var err error
		if *n, _, err = c.portal.Count(ctx, where); err != nil {
			return err
		}
	}
	c.counts.After = spanOrLater - inSpan
	c.counts.Before = c.counts.Total - c.counts.Undated - spanOrLater
	return nil
}
