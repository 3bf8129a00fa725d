package dataset

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// BreakKind is the effect of a break on statistics.
type BreakKind string

// These are the kinds of breaks.
const (
	// BreakSurvivors: the register was restarted with the rows that were active
	// then. It holds only the survivors of the time before, so counts for that
	// time are too low.
	BreakSurvivors BreakKind = "survivors"
	// BreakCorrection: the publisher changed many rows at once. What the counts
	// show at that date did not happen then.
	BreakCorrection BreakKind = "correction"
)

// Break is a date at which a dataset's history breaks, so that the times before
// and after it cannot be compared directly. Charts mark it.
type Break struct {
	Date string    `yaml:"date" json:"date"` // as precisely as it is known: 2014, 2014-10 or 2014-10-13, in quotes
	Name string    `yaml:"name" json:"name"` // a few words, for a mark in a chart
	Kind BreakKind `yaml:"kind" json:"kind"`
	Note string    `yaml:"note" json:"note"` // what happened, in a sentence
}

// Span returns the days in which the break happened: its first day, and the day
// after its last one. Both are midnight UTC and stand for the date in the
// dataset's time zone.
func (b Break) Span() (from, until time.Time) {
	from, until, _ = parseSpan(b.Date)
	return from, until
}

// parseSpan reads a year, a month or a day.
func parseSpan(date string) (from, until time.Time, ok bool) {
	for _, precision := range []struct {
		layout              string
		years, months, days int
	}{{"2006", 1, 0, 0}, {"2006-01", 0, 1, 0}, {time.DateOnly, 0, 0, 1}} {
		if from, err := time.Parse(precision.layout, date); err == nil {
			return from, from.AddDate(precision.years, precision.months, precision.days), true
		}
	}
	return time.Time{}, time.Time{}, false
}

// SurvivorsBefore returns the date before which the dataset holds survivors
// only: the end of its last break of that kind, as Span returns it. It is zero
// when there is none.
func (s *Spec) SurvivorsBefore() time.Time {
	var before time.Time
	for _, b := range s.Breaks {
		if _, until := b.Span(); b.Kind == BreakSurvivors && until.After(before) {
			before = until
		}
	}
	return before
}

// validateBreaks checks the breaks.
func (s *Spec) validateBreaks(at errorAt) error {
	kinds := []BreakKind{BreakSurvivors, BreakCorrection}
	for i, b := range s.Breaks {
		where := "breaks[" + strconv.Itoa(i) + "]"
		_, _, ok := parseSpan(b.Date)
		switch {
		case !ok:
			return at(where+".date", "%q is no date: a year, a month or a day in quotes (\"2014\", \"2014-10\", \"2014-10-13\")", b.Date)
		case strings.TrimSpace(b.Name) == "":
			return at(where+".name", "is missing: a few words for a mark in a chart")
		case slices.ContainsFunc(s.Breaks[:i], func(o Break) bool { return o.Name == b.Name }):
			return at(where+".name", "%q is there twice", b.Name)
		case !slices.Contains(kinds, b.Kind):
			return at(where+".kind", "unknown kind %q; known kinds: %s", b.Kind, join(kinds))
		case strings.TrimSpace(b.Note) == "":
			return at(where+".note", "is missing: what happened, in a sentence")
		}
	}
	return nil
}
