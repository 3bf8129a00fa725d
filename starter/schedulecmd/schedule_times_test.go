package schedulecmd

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"padron/internal/config"
	"padron/internal/dataset"
)

// TestCronOfStoredSchedules recognizes what Temporal stores of a planned schedule,
// and what the version before stored, which joined numbers to ranges itself.
func TestCronOfStoredSchedules(t *testing.T) {
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	type ranges = []client.ScheduleRange
	every := func(first, last int) ranges { return ranges{{Start: first, End: last, Step: 1}} }
	for name, c := range map[string]struct {
		cron, want string
		stored     client.ScheduleCalendarSpec
	}{
		"by Temporal": {
			"*/30 6 * * 1-3,7", "", client.ScheduleCalendarSpec{
				Second: ranges{{}}, Minute: ranges{{End: 59, Step: 30}}, Hour: ranges{{Start: 6}},
				DayOfMonth: ranges{{Start: 1, End: 31}}, Month: ranges{{Start: 1, End: 12}}, DayOfWeek: ranges{{Start: 1, End: 3}, {Start: 0}},
			},
		},
		"days and weekdays, half gone": {
			"0 6 1,15 * mon", "0 6 * * 1", client.ScheduleCalendarSpec{
				Second: ranges{{}}, Minute: ranges{{}}, Hour: ranges{{Start: 6}},
				DayOfMonth: ranges{{Start: 1, End: 31}}, Month: ranges{{Start: 1, End: 12}}, DayOfWeek: ranges{{Start: 1}},
			},
		},
		"days and weekdays, as both": {
			"0 6 1,15 * mon", "0 6 1,15 * 1", client.ScheduleCalendarSpec{
				Second: ranges{{}}, Minute: ranges{{}}, Hour: ranges{{Start: 6}},
				DayOfMonth: ranges{{Start: 1, End: 15, Step: 14}}, Month: ranges{{Start: 1, End: 12}}, DayOfWeek: ranges{{Start: 1}},
			},
		},
		"by the version before": {
			"*/30 6 * * 1-3,7", "", client.ScheduleCalendarSpec{
				Second: every(0, 0), Minute: append(every(0, 0), every(30, 30)...), Hour: every(6, 6),
				DayOfMonth: every(1, 31), Month: every(1, 12), DayOfWeek: every(0, 3),
			},
		},
		"changed by hand": {
			"0 6 * * *", "0 7 1,15 * *", client.ScheduleCalendarSpec{
				Second: ranges{{}}, Minute: ranges{{}}, Hour: ranges{{Start: 7}},
				DayOfMonth: ranges{{Start: 1, End: 20, Step: 14}}, Month: ranges{{Start: 1, End: 12}}, DayOfWeek: ranges{{End: 6}},
			},
		},
		"with years and seconds": {
			"0 6 * * *", "0 6 * * * (seconds [30], years [2027 2028])", client.ScheduleCalendarSpec{
				Second: ranges{{Start: 30}}, Minute: ranges{{}}, Hour: ranges{{Start: 6}}, Year: ranges{{Start: 2027, End: 2028}},
				DayOfMonth: ranges{{Start: 1, End: 31}}, Month: ranges{{Start: 1, End: 12}}, DayOfWeek: ranges{{End: 6}},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec.Schedule.Cron, c.stored.Comment = c.cron, c.cron
			should := planned(config.Config{}, spec)[0]
			is := &client.Schedule{Spec: &client.ScheduleSpec{Calendars: []client.ScheduleCalendarSpec{c.stored}, TimeZoneName: spec.TimeZone, Jitter: spec.Schedule.Jitter}}
			found, err := differences(is, &client.Schedule{Spec: &should.Spec})
			require.NoError(t, err)
			if c.want == "" {
				require.Empty(t, found)
			} else {
				require.Equal(t, []change{{Field: "cron", From: c.want, To: c.cron}}, found)
			}
		})
	}
}
