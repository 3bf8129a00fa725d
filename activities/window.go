package activities

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"padron/internal/dataset"
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

// DateColumns are the columns of the portal that say in which windows a row
// belongs.
type DateColumns struct {
	// Start is the column itself, or that of the row's start.
	Start string `json:"start"`
	// Ends are the columns of the row's end: the first that has a value is it.
	Ends []string `json:"ends,omitempty"`
	// Fixed says that the column holds points in time, such as :updated_at,
	// and not wall dates.
	Fixed bool `json:"fixed,omitempty"`
}

// Socrata's types of dates.
const (
	calendarDate   = "calendar_date"
	fixedTimestamp = "fixed_timestamp"
)

// systemDates are the date columns that every dataset has and none lists.
func systemDates() []string { return []string{":updated_at", ":created_at"} }

// ColumnsOn finds the columns of a backfill on the lifecycle or on a column
// among those of the portal.
func ColumnsOn(on string, spec *dataset.Spec, live []dataset.Column) (DateColumns, error) {
	typeOf := map[string]string{}
	for _, name := range systemDates() {
		typeOf[name] = fixedTimestamp
	}
	var dates []string
	for _, c := range live {
		typeOf[c.Name] = c.Type
		if c.Type == calendarDate {
			dates = append(dates, c.Name)
		}
	}
	if on != OnLifecycle {
		switch typeOf[on] {
		case calendarDate:
			return DateColumns{Start: on}, nil
		case fixedTimestamp:
			return DateColumns{Start: on, Fixed: true}, nil
		case "":
			return DateColumns{}, fmt.Errorf("the portal has no column %q: use %s, or one of its dates: %s", on, OnLifecycle, strings.Join(append(dates, systemDates()...), ", "))
		}
		return DateColumns{}, fmt.Errorf("the column %s is of type %s: use %s, or one of the portal's dates: %s", on, typeOf[on], OnLifecycle, strings.Join(append(dates, systemDates()...), ", "))
	}
	column := func(path string) (string, error) {
		field, _ := spec.Field(path)
		for _, name := range field.From {
			if typeOf[name] == calendarDate {
				return name, nil
			}
		}
		return "", fmt.Errorf("the portal keeps no dates in %s, which the lifecycle needs: use --on with one of its dates: %s", strings.Join(field.From, ", "), strings.Join(dates, ", "))
	}
	start, err := column(spec.Lifecycle.Start)
	if err != nil {
		return DateColumns{}, err
	}
	columns := DateColumns{Start: start}
	for _, end := range spec.Lifecycle.End {
		name, err := column(end.Path)
		if err != nil {
			return DateColumns{}, err
		}
		columns.Ends = append(columns.Ends, name)
	}
	return columns, nil
}

// All are the columns, for people.
func (c DateColumns) All() []string { return append([]string{c.Start}, c.Ends...) }

// Where is the SoQL condition for the rows that belong to a window.
func (c DateColumns) Where(w Window) string {
	zone := ""
	if c.Fixed {
		zone = "Z" // days of UTC: the portal stores these in it
	}
	within := func(column string) string {
		return fmt.Sprintf("%s >= '%sT00:00:00%s' and %s < '%sT00:00:00%s'", column, w.Since, zone, column, w.Until, zone)
	}
	if len(c.Ends) == 0 {
		return within(c.Start)
	}
	all := []string{"(" + within(c.Start) + ")"}
	for i, end := range c.Ends {
		all = append(all, "("+strings.Join(append([]string{within(end)}, nulls(c.Ends[:i])...), " and ")+")")
	}
	return strings.Join(all, " or ")
}

// Undated is the SoQL condition for the rows that belong to no window ever.
func (c DateColumns) Undated() string { return strings.Join(nulls(c.All()), " and ") }

// From is the SoQL condition for the rows that have a date on a day or later.
func (c DateColumns) From(day Day) string {
	return c.Where(Window{Since: day, Until: endOfTime})
}

// endOfTime is a day after all others that a portal may hold.
const endOfTime Day = "9999-12-31"

// nulls are conditions that columns have no value.
func nulls(columns []string) []string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c + " is null"
	}
	return all
}
