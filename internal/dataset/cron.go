package dataset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Cron is a parsed cron expression: the values that each of its fields matches, ascending and each once. A time
// matches when all of its fields do.
type Cron struct {
	Minutes  []int // 0 to 59
	Hours    []int // 0 to 23
	Days     []int // of the month, 1 to 31
	Months   []int // 1 to 12
	Weekdays []int // 0 to 6, Sunday first
}

// ParseCron reads a cron expression of the five classic fields: numbers, ranges, lists, steps, * and the English
// three-letter names of months and days. Sunday is 0 or 7.
func ParseCron(expr string) (Cron, error) {
	fields := strings.Fields(expr)
	if len(fields) != 5 {
		return Cron{}, fmt.Errorf("cron %q has %d fields, expected 5: minute hour day month weekday", expr, len(fields))
	}
	parts := [5]struct {
		name     string
		min, max int
		names    string // three letters each, the first standing for min
	}{
		{name: "minute", max: 59},
		{name: "hour", max: 23},
		{name: "day", min: 1, max: 31},
		{name: "month", min: 1, max: 12, names: "janfebmaraprmayjunjulaugsepoctnovdec"},
		{name: "weekday", max: 7, names: "sunmontuewedthufrisat"},
	}
	var values [5][]int
	for i, part := range parts {
		for item := range strings.SplitSeq(fields[i], ",") {
			if strings.Count(item, "-") > 1 {
				return Cron{}, fmt.Errorf("cron %q: bad %s %q", expr, part.name, item)
			}
			span, step, stepped := strings.Cut(item, "/")
			every := 1
			if stepped {
				n, err := strconv.Atoi(step)
				if err != nil || n < 1 {
					return Cron{}, fmt.Errorf("cron %q: bad step %q in %s", expr, step, part.name)
				}
				every = n
			}
			first, last := part.min, part.max
			if span != "*" {
				ends := strings.Split(span, "-")
				last = part.min
				for j, text := range ends {
					n, err := strconv.Atoi(text)
					if at := strings.Index(part.names, strings.ToLower(text)); err != nil && len(text) == 3 && at >= 0 && at%3 == 0 {
						n, err = part.min+at/3, nil
					}
					if err != nil || n < last || n > part.max {
						return Cron{}, fmt.Errorf("cron %q: bad %s %q, expected %d to %d", expr, part.name, item, part.min, part.max)
					}
					if j == 0 {
						first = n
					}
					last = n
				}
				if len(ends) == 1 && stepped {
					last = part.max // 5/15: from 5 on, every 15
				}
			}
			for n := first; n <= last; n += every {
				values[i] = append(values[i], n)
			}
		}
	}
	for i, day := range values[4] {
		values[4][i] = day % 7
	}
	for i := range values {
		slices.Sort(values[i])
		values[i] = slices.Compact(values[i])
	}
	return Cron{Minutes: values[0], Hours: values[1], Days: values[2], Months: values[3], Weekdays: values[4]}, nil
}
