package cleaning

import (
	"time"
)

// Bounds of plausible years. They are fixed, for a document must not depend on the day it was made: San
// Francisco was founded in 1776, and the register's real ends beyond 2100 are typing errors (up to 2205).
const (
	firstYear = 1776
	lastYear  = 2100
)

const (
	dayMillis  = 24 * 60 * 60 * 1000
	portalDate = "2006-01-02T15:04:05.000"
)

// parseDate reads a date as portals write them: 2014-10-13T00:00:00.000, with or without a time of day. The
// result is UTC midnight of the written day in milliseconds since 1970, whatever zone it was meant in.
func parseDate(s string) (ms int64, canonical, midnight, ok bool) {
	if len(s) < len(time.DateOnly) || s[4] != '-' || s[7] != '-' {
		return 0, false, false, false
	}
	year, ok1 := number(s[0:4])
	month, ok2 := number(s[5:7])
	day, ok3 := number(s[8:10])
	if !ok1 || !ok2 || !ok3 || year < 1 || month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, false, false, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day {
		return 0, false, false, false // February 30
	}
	const midnightPart = "T00:00:00.000"
	rest := s[len(time.DateOnly):]
	switch rest {
	case midnightPart:
		return date.UnixMilli(), true, true, true
	case "":
		return date.UnixMilli(), false, true, true
	}
	if rest[0] == ' ' {
		rest = "T" + rest[1:]
	}
	clock, err := time.Parse("T15:04:05Z07:00", rest)
	if err != nil {
		clock, err = time.Parse("T15:04:05", rest)
	}
	if err != nil {
		return 0, false, false, false
	}
	midnight = clock.Hour() == 0 && clock.Minute() == 0 && clock.Second() == 0 && clock.Nanosecond() == 0
	return date.UnixMilli(), len(rest) == len(midnightPart) && rest[9] == '.' && s[10] == 'T', midnight, true
}

// number reads digits and nothing else.
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

// cleanDate reads a date; ok is false when it is not one. altered: the document does not say it as the portal did.
func (c *Cleaner) cleanDate(f *field, s string) (ms int64, altered, ok bool) {
	ms, canonical, midnight, ok := parseDate(s)
	if !ok {
		return 0, true, false
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
	return ms, !canonical || !midnight, true
}
