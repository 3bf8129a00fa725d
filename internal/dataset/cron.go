package dataset

import (
	"fmt"
	"strconv"
	"strings"
)

// checkCron checks a cron expression of the five classic fields: numbers, ranges, lists, steps, * and the
// English three-letter names of months and days.
func checkCron(expr string) error {
	fields := strings.Fields(expr)
	if len(fields) != 5 {
		return fmt.Errorf("cron %q has %d fields, expected 5: minute hour day month weekday", expr, len(fields))
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
	for i, part := range parts {
		for item := range strings.SplitSeq(fields[i], ",") {
			if strings.Count(item, "-") > 1 {
				return fmt.Errorf("cron %q: bad %s %q", expr, part.name, item)
			}
			span, step, stepped := strings.Cut(item, "/")
			if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1) {
				return fmt.Errorf("cron %q: bad step %q in %s", expr, step, part.name)
			}
			if span == "*" {
				continue
			}
			last := part.min
			for text := range strings.SplitSeq(span, "-") {
				n, err := strconv.Atoi(text)
				if at := strings.Index(part.names, strings.ToLower(text)); err != nil && len(text) == 3 && at >= 0 && at%3 == 0 {
					n, err = part.min+at/3, nil
				}
				if err != nil || n < last || n > part.max {
					return fmt.Errorf("cron %q: bad %s %q, expected %d to %d", expr, part.name, item, part.min, part.max)
				}
				last = n
			}
		}
	}
	return nil
}
