package backfill

import (
	"fmt"
	"slices"
	"time"
)

// Window is a half-open span of days [Since, Until) of a backfill, in the
// portal's wall dates.
type Window struct {
	Since Day `json:"since"`
	Until Day `json:"until"`
}

// Day is a date as people write it: 2026-09-01.
type Day string

// DayOf is the date of a time, in its own zone.
func DayOf(t time.Time) Day { return Day(t.Format(time.DateOnly)) }

// ParseDay reads a date.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return "", fmt.Errorf("%q is not a date such as 2026-09-01", s)
	}
	return DayOf(t), nil
}

// Time is midnight UTC of the date; the zero time of one that is none.
func (d Day) Time() time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}

// String names the window: 1990-01 for a month, 1990 for a year, else both
// days.
func (w Window) String() string {
	since, until := w.Since.Time(), w.Until.Time()
	switch {
	case since.Day() == 1 && since.AddDate(0, 1, 0).Equal(until):
		return since.Format("2006-01")
	case since.YearDay() == 1 && since.AddDate(1, 0, 0).Equal(until):
		return since.Format("2006")
	case since.AddDate(0, 0, 1).Equal(until):
		return string(w.Since)
	default:
		return string(w.Since) + "_" + string(w.Until)
	}
}

// Every is how long the windows of a backfill are.
type Every string

// The lengths of windows.
const (
	EveryDay     Every = "day"
	EveryMonth   Every = "month"
	EveryQuarter Every = "quarter"
	EveryYear    Every = "year"
)

// Everies lists the lengths of windows, shortest first.
func Everies() []Every { return []Every{EveryDay, EveryMonth, EveryQuarter, EveryYear} }

// OnLifecycle says that a row belongs to the windows in which it started and
// ended. The other values of on name a date column of the portal.
const OnLifecycle = "lifecycle"

// maxWindows bounds one backfill: its list of windows goes through Temporal,
// at some 30 bytes each.
const maxWindows = 5000

// Windows cuts the span [since, until) at the beginnings of months, years and
// so on: the first and the last window are shorter when the span begins or
// ends between two of them. It is an error when there are none, or too many.
func Windows(since, until Day, every Every) ([]Window, error) {
	if !slices.Contains(Everies(), every) {
		return nil, fmt.Errorf("windows of a %q: use day, month, quarter or year", every)
	}
	from, to := since.Time(), until.Time()
	if !from.Before(to) {
		return nil, fmt.Errorf("the span from %s to %s is empty: it ends before its last day", since, until)
	}
	var windows []Window
	for at := from; at.Before(to); {
		next := every.after(at)
		if next.After(to) {
			next = to
		}
		if windows = append(windows, Window{DayOf(at), DayOf(next)}); len(windows) > maxWindows {
			return nil, fmt.Errorf("more than %d windows from %s to %s: use longer ones, or backfill one part after the other", maxWindows, since, until)
		}
		at = next
	}
	return windows, nil
}

// after is the first beginning of such a window after a day.
func (e Every) after(t time.Time) time.Time {
	year, month, day := t.Date()
	switch e {
	case EveryDay:
		day++
	case EveryMonth:
		month, day = month+1, 1
	case EveryQuarter:
		month, day = month+3-(month-1)%3, 1
	case EveryYear:
		year, month, day = year+1, 1, 1
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}
