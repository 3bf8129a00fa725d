package backfill

import (
	"context"
	"slices"
	"strings"
)

// Stretch is one window, or some that follow each other, whose rows are reloaded
// together.
type Stretch struct {
	Windows []Window `json:"windows"` // in the order in which they are begun
	// Rows are how many the portal counts in each window; nil of a stretch of one,
	// whose rows are counted when they are there.
	Rows []int64 `json:"rows,omitempty"`
}

// Alone makes a stretch of each window.
func Alone(windows []Window) []Stretch {
	alone := make([]Stretch, len(windows))
	for i, w := range windows {
		alone[i] = Stretch{Windows: []Window{w}}
	}
	return alone
}

// Stretches joins windows that follow each other, forwards or backwards, as long
// as their rows together are fewer than a page. rows are those of each window.
func Stretches(windows []Window, rows []int64, page int) []Stretch {
	var all []Stretch
	var sum int64
	for i, w := range windows {
		if last := len(all) - 1; last >= 0 && all[last].joins(w) && sum+rows[i] < int64(page) {
			all[last].Windows, all[last].Rows = append(all[last].Windows, w), append(all[last].Rows, rows[i])
			sum += rows[i]
			continue
		}
		all, sum = append(all, Stretch{Windows: []Window{w}, Rows: []int64{rows[i]}}), rows[i]
	}
	for i := range all {
		if len(all[i].Windows) == 1 {
			all[i].Rows = nil
		}
	}
	return all
}

// joins says whether a window follows the last one of the stretch, or is followed
// by it.
func (s *Stretch) joins(w Window) bool {
	last := s.Windows[len(s.Windows)-1]
	return last.Until == w.Since || w.Until == last.Since
}

// Span is from the first day of the stretch to its last.
func (s Stretch) Span() Window {
	span := s.Windows[0]
	for _, w := range s.Windows[1:] {
		span.Since, span.Until = min(span.Since, w.Since), max(span.Until, w.Until)
	}
	return span
}

// Halves cuts a stretch of several windows in two.
func (s Stretch) Halves() []Stretch {
	half := len(s.Windows) / 2
	halves := []Stretch{{Windows: s.Windows[:half]}, {Windows: s.Windows[half:]}}
	for i, rows := range [][]int64{s.Rows[:half], s.Rows[half:]} {
		if len(rows) > 1 {
			halves[i].Rows = rows
		}
	}
	return halves
}

// CountEach asks the portal how many rows belong to each window, of some of those
// that [Windows] returned for every, in any order. It takes a few requests,
// whatever the number of windows. Columns of points in time cannot be counted so:
// then there are no counts.
func CountEach(ctx context.Context, portal Counter, columns DateColumns, windows []Window, every Every) ([]int64, error) {
	if columns.Fixed || len(windows) == 0 {
		return nil, nil
	}
	bySince := func(a, b Window) int { return strings.Compare(string(a.Since), string(b.Since)) }
	sorted := slices.SortedFunc(slices.Values(windows), bySince)
	c := counting{
		portal: portal, columns: columns, windows: sorted, every: every,
		span: Window{sorted[0].Since, sorted[len(sorted)-1].Until}, counts: Counts{Windows: make([]int64, len(sorted))},
	}
	if err := c.grouped(ctx); err != nil {
		return nil, err
	}
	rows := make([]int64, len(windows))
	for i, w := range windows {
		at, _ := slices.BinarySearchFunc(sorted, w, bySince)
		rows[i] = c.counts.Windows[at]
	}
	return rows, nil
}
