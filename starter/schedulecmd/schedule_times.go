package schedulecmd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"padron/internal/dataset"
)

// numbers returns what ranges match, in ascending order. Temporal leaves out the
// end of a single number, and the step 1.
func numbers(ranges []client.ScheduleRange) []int {
	var all []int
	for _, r := range ranges {
		for n := r.Start; n <= max(r.Start, r.End); n += max(r.Step, 1) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// bits returns the numbers of the bits that are set, up to 62: the cron parser
// marks a * with the last one.
func bits(of uint64) []int {
	var all []int
	for n := range 63 {
		if of>>n&1 == 1 {
			all = append(all, n)
		}
	}
	return all
}

// cronOf returns the cron expressions of what calendars match: their comment, where
// together they still match what it says, else one for each, made of its numbers.
func cronOf(calendars []client.ScheduleCalendarSpec) []string {
	comment := ""
	if len(calendars) > 0 {
		comment = calendars[0].Comment
	}
	parts := dataset.CronParts(comment)
	same := len(parts) == len(calendars)
	for _, part := range parts {
		same = same && slices.ContainsFunc(calendars, func(c client.ScheduleCalendarSpec) bool { return c.Comment == comment && matches(c, part) })
	}
	if same {
		return []string{comment}
	}
	all := make([]string, len(calendars))
	for i, c := range calendars {
		all[i] = numbersOf(c)
	}
	return all
}

// valuesOf are what the five fields of a calendar match.
func valuesOf(c client.ScheduleCalendarSpec) [][]int {
	return [][]int{numbers(c.Minute), numbers(c.Hour), numbers(c.DayOfMonth), numbers(c.Month), numbers(c.DayOfWeek)}
}

// plain reports whether a cron expression can say what a calendar matches.
func plain(c client.ScheduleCalendarSpec) bool {
	return len(c.Year) == 0 && slices.Equal(numbers(c.Second), []int{0})
}

// matches reports whether a calendar matches what a cron expression says.
func matches(c client.ScheduleCalendarSpec, expr string) bool {
	was, err := dataset.ParseCron(expr)
	return err == nil && plain(c) &&
		slices.EqualFunc(valuesOf(c), [][]int{bits(was.Minute), bits(was.Hour), bits(was.Dom), bits(was.Month), bits(was.Dow)}, slices.Equal)
}

// numbersOf returns a cron expression made of a calendar's numbers.
func numbersOf(c client.ScheduleCalendarSpec) string {
	is := valuesOf(c)
	all := []int{60, 24, 31, 12, 7}
	fields := make([]string, len(is))
	for i, values := range is {
		fields[i] = "*"
		if len(values) < all[i] {
			fields[i] = strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ","), "[]")
		}
	}
	cron := strings.Join(fields, " ")
	if !plain(c) {
		cron += fmt.Sprintf(" (seconds %v, years %v)", numbers(c.Second), numbers(c.Year))
	}
	return cron
}

// timesOf says when a schedule is due: by cron expressions, and otherwise.
func timesOf(s *client.ScheduleSpec) (cron, other string) {
	var crons, all []string
	for _, expression := range s.CronExpressions { // planned ones, see planned
		_, comment, _ := strings.Cut(expression, "# ")
		crons = append(crons, comment)
	}
	crons = slices.Compact(crons)                 // one may be two to Temporal
	crons = append(crons, cronOf(s.Calendars)...) // those that Temporal keeps
	for _, i := range s.Intervals {
		every := "every " + i.Every.String()
		if i.Offset != 0 {
			every += " after " + i.Offset.String()
		}
		all = append(all, every)
	}
	if len(s.Skip) > 0 {
		all = append(all, fmt.Sprintf("with %d exceptions", len(s.Skip)))
	}
	if !s.StartAt.IsZero() {
		all = append(all, "from "+s.StartAt.UTC().Format(time.RFC3339))
	}
	if !s.EndAt.IsZero() {
		all = append(all, "until "+s.EndAt.UTC().Format(time.RFC3339))
	}
	return strings.Join(crons, "; "), strings.Join(all, ", ")
}
