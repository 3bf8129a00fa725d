package dataset

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// ParseCron reads a cron expression of five fields, as crontab(5) has them:
// minute, hour, day of month, month, day of week. A field is * or a list of
// values and ranges, each with an optional step; months and days of the week
// may be English three-letter names; Sunday is 0, sun, or a 7 that is no part
// of a range. This is the part of the syntax in which Temporal, which runs the
// schedule, and the parser agree.
//
// The result holds the values that each field matches as bits. As crontab(5) says,
// a day matches either of day of month and day of week where both are restricted,
// that is, neither begins with *; else it must match both. An expression that
// never matches is an error.
func ParseCron(expr string) (*cron.SpecSchedule, error) {
	fields := strings.Fields(expr)
	if len(fields) != 5 {
		return nil, fmt.Errorf("cron %q has %d fields, expected 5: minute hour day month weekday", expr, len(fields))
	}
	// The parser alone accepts more than Temporal does: time zones, ?, empty
	// items.
	shape := regexp.MustCompile(`^` + cronItem + `(,` + cronItem + `)*$`)
	for _, field := range fields {
		if !shape.MatchString(field) {
			return nil, fmt.Errorf("cron %q: %q is no list of values, ranges and steps (*/15, 1-5, mon,wed)", expr, field)
		}
	}
	// Temporal's week has a day 7, Sunday again, and the parser's ends with 6.
	// So they disagree on steps without an end (1/2). The parser refuses ranges
	// to 7, which Temporal reads without their Sunday (1-7).
	weekdays := strings.Split(fields[4], ",")
	for i, item := range weekdays {
		if item == "7" {
			weekdays[i] = "0"
		}
		if strings.Contains(item, "/") && !strings.ContainsAny(item, "*-") {
			return nil, fmt.Errorf("cron %q: the weekdays %q have a step, but no end (1-5/2)", expr, item)
		}
	}
	fields[4] = strings.Join(weekdays, ",")
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	schedule, err := parser.Parse(strings.Join(fields, " "))
	if err != nil {
		return nil, fmt.Errorf("cron %q: %w", expr, err)
	}
	spec := schedule.(*cron.SpecSchedule) // always, of five fields
	// The parser takes a * with a step for restricted.
	for i, days := range map[int]*uint64{2: &spec.Dom, 4: &spec.Dow} {
		if strings.HasPrefix(fields[i], "*") {
			*days |= starBit
		}
	}
	if !fires(spec) {
		return nil, fmt.Errorf("cron %q never comes: no month that it names has such a day", expr)
	}
	return spec, nil
}

// starBit is how the parser marks a day that is not restricted.
const starBit = 1 << 63

// fires reports whether a schedule is ever due. Dates come again with their days
// of the week after 28 years; the parser looks five ahead.
func fires(s *cron.SpecSchedule) bool {
	for year := 2000; year <= 2028; year += 4 {
		if !s.Next(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
			return true
		}
	}
	return false
}

// CronParts are the expressions that together match what a cron expression does
// for those, like Temporal, that take only days that match both day of month and
// day of week: two where both are restricted, without one that never comes.
func CronParts(expr string) []string {
	fields := strings.Fields(expr)
	if len(fields) != 5 || strings.HasPrefix(fields[2], "*") || strings.HasPrefix(fields[4], "*") {
		return []string{expr}
	}
	byDay, byWeekday := slices.Clone(fields), slices.Clone(fields)
	byDay[4], byWeekday[2] = "*", "*"
	return slices.DeleteFunc([]string{strings.Join(byDay, " "), strings.Join(byWeekday, " ")}, func(part string) bool {
		_, err := ParseCron(part)
		return err != nil
	})
}

// cronItem is an item of a cron field: 5, mon, *, 1-5, */15, 6-18/2.
const cronItem = `(\*|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/[0-9]+)?`
