package cleaning

import (
	"strings"
	"time"
)

// These bound plausible years. They are fixed because a document must not
// depend on the day it was made. San Francisco was founded in 1776, and the
// register's dates beyond 2100 (up to 2205) are typing errors.
const (
	firstYear = 1776
	lastYear  = 2100
)

const (
	dayMillis  = 24 * 60 * 60 * 1000
	portalDate = "2006-01-02T15:04:05.000"
)

// parseDate reads a date as portals write them: 2014-10-13T00:00:00.000, with
// or without a time of day, or in one of the spec's forms (dataset.Forms), with
// one digit or two for month and day. The result is UTC midnight of the written
// day in milliseconds since 1970, in whatever zone it was meant. canonical:
// written as the portal does; midnight: without a time of day.
func parseDate(s string, forms ...string) (ms int64, canonical, midnight, ok bool) {
	day, rest, ok := parseDay(s, "YYYY-MM-DD")
	canonical = ok && rest == "T00:00:00.000"
	for i := 0; i < len(forms) && !ok; i++ {
		day, rest, ok = parseDay(s, forms[i])
	}
	if !ok || canonical {
		return day.UnixMilli(), canonical, true, ok
	}
	clock, ok := parseClock(rest)
	if !ok {
		return 0, false, false, false
	}
	const midnightPart = "T00:00:00.000"
	midnight = clock.Hour() == 0 && clock.Minute() == 0 && clock.Second() == 0 && clock.Nanosecond() == 0
	canonical = len(rest) == len(midnightPart) && rest[9] == '.' && rest[0] == 'T' && s[4] == '-'
	return day.UnixMilli(), canonical, midnight, true
}

// parseDay reads the day that s begins with in a form such as MM/DD/YYYY, and
// returns what follows it.
func parseDay(s, form string) (day time.Time, rest string, ok bool) {
	var year, month, date int
	strict := form == "YYYY-MM-DD" || form == "YYYYMMDD" // two digits, as there is no sign between or ISO 8601 asks for it
	for len(form) > 0 {
		n := 1
		for n < len(form) && form[n] == form[0] {
			n++
		}
		switch form[0] {
		case 'Y', 'M', 'D':
			width := min(n, digits(s))
			if width == 0 || width < n && (strict || form[0] == 'Y') {
				return time.Time{}, "", false
			}
			value, _ := number(s[:width])
			switch form[0] {
			case 'Y':
				year = value
			case 'M':
				month = value
			default:
				date = value
			}
			s = s[width:]
		default:
			if s == "" || s[0] != form[0] {
				return time.Time{}, "", false
			}
			s = s[1:]
		}
		form = form[n:]
	}
	if year < 1 || month < 1 || month > 12 || date < 1 || date > 31 {
		return time.Time{}, "", false
	}
	day = time.Date(year, time.Month(month), date, 0, 0, 0, 0, time.UTC)
	return day, s, day.Day() == date // no February 30
}

// parseClock reads what follows a day: nothing, or a time of day after a space or
// a T.
func parseClock(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	if s[0] != 'T' && s[0] != ' ' {
		return time.Time{}, false
	}
	s = strings.ToUpper(s[1:])
	for _, layout := range []string{"15:04:05", "15:04:05Z07:00", "3:04:05 PM", "15:04", "3:04 PM", "3:04PM"} {
		if clock, err := time.Parse(layout, s); err == nil {
			return clock, true
		}
	}
	return time.Time{}, false
}

// isNoDate reports whether a text stands for no date: nothing, or zeros where
// digits belong (00/00/0000, 00000000).
func isNoDate(s string) bool {
	day, clock, _ := strings.Cut(strings.ReplaceAll(s, "T", " "), " ")
	_, ok := parseClock(strings.Repeat(" ", min(1, len(clock))) + clock)
	return s == "" || ok && strings.Contains(day, "0000") && strings.Trim(day, "0/-.") == ""
}

// number reads a text of digits only.
func number(s string) (int, bool) {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// cleanDate reads a date; ok is false when it is not one. altered says that the
// text cannot be rebuilt from the date.
func (c *Cleaner) cleanDate(f *field, s string, v *value) (altered, ok bool) {
	if isNoDate(s) {
		c.raise(f, blank)
		return true, true
	}
	ms, canonical, midnight, ok := parseDate(s, f.Forms...)
	if !ok {
		return true, false
	}
	if !canonical {
		c.raise(f, format)
	}
	if !midnight {
		c.raise(f, timePart)
	}
	switch year := time.UnixMilli(ms).UTC().Year(); {
	case year < firstYear:
		c.raise(f, farPast)
	case year > lastYear:
		c.raise(f, farFuture)
	}
	for _, d := range f.defaults {
		if ms == d {
			c.raise(f, defaultDate)
		}
	}
	v.kind, v.integer = date, ms
	return !canonical || !midnight, true
}
