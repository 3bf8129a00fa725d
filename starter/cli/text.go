package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"

	"padron/internal/cleaning"
	"padron/internal/runs"
)

// OneOf lists words for people: "table, json or ndjson".
func OneOf[S ~string](words []S) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// Count is a number with its thousands apart.
func Count[N int | int64](n N) string { return humanize.Comma(int64(n)) }

// Size is a number of bytes in the unit that fits, of 1,024.
func Size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }

// Took is a duration to the tenth of a second.
func Took(d time.Duration) string { return d.Round(100 * time.Millisecond).String() }

// Moment is a time in UTC, as run ids have it: readers, logs and the Web UI are in
// many zones, and of two listings one can be held against the other. Empty for
// none.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// Clock is the time of day of a Moment.
func Clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }

// ParseMoment reads a day, a moment or a duration ago; the zero time for "". Of
// a day it is the beginning, or with end that of the next one.
func ParseMoment(flag, s string, zone *time.Location, end bool) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, s, zone); err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return day, nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	if days, err := strconv.Atoi(strings.TrimSuffix(s, "d")); err == nil && strings.HasSuffix(s, "d") && days > 0 {
		return time.Now().AddDate(0, 0, -days), nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago > 0 {
		return time.Now().Add(-ago), nil
	}
	return time.Time{}, Usage(fmt.Errorf("%s %q: use a day (2026-11-20), a moment (2026-11-20T06:00:00Z) or how long ago (7d, 12h)", flag, s))
}

// Plain makes a value that somebody else chose fit for a line on a terminal: it
// must not steer the terminal, break a table's line or turn around what follows.
// Control characters become spaces, hidden ones are shown (cleaning.Visible).
func Plain(s string) string {
	return cleaning.Visible(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
}

// Shorten cuts a reason to what a listing on a terminal has room for. A pipe gets
// all of it.
func Shorten(w io.Writer, s string) string { return ShortenTo(w, s, widestReason) }

// ShortenTo cuts a text on a terminal to a width in characters. A pipe gets all of
// it.
func ShortenTo(w io.Writer, s string, width int) string {
	if !IsTerminal(w) {
		return s
	}
	return Cut(s, width)
}

// Cut cuts a text to a width in characters and shows that it did.
func Cut(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return s
}

// widestReason keeps a listing's line to what a terminal shows.
const widestReason = 60

// Unless0 puts a count into a text; empty for none.
func Unless0(n int64, text string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(text, Count(n))
}

// RunTook is how long a run took, or has taken so far.
func RunTook(r runs.Run) string {
	if r.Finished.IsZero() {
		return Took(time.Since(r.Started)) + "…"
	}
	return Took(r.Finished.Sub(r.Started))
}
