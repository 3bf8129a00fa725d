package bench

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	specs "padron/internal/dataset"
)

func TestTheShortestScheduleIsNoOtherSpec(t *testing.T) {
	text, err := os.ReadFile("../../../internal/dataset/specs/sf-business.yaml")
	require.NoError(t, err)
	usual, err := specs.Parse(text, "sf-business.yaml")
	require.NoError(t, err)
	often, err := withSchedule(text, latencySchedule)
	require.NoError(t, err)
	spec, err := specs.Parse(often, "sf-business.yaml")
	require.NoError(t, err)
	assert.Equal(t, latencySchedule, spec.Schedule.Cron)
	assert.Zero(t, spec.Schedule.Jitter)
	assert.Equal(t, usual.Digest(), spec.Digest(), "so no row is written anew, and the last proof holds")

	_, err = withSchedule(often[:10], latencySchedule)
	assert.ErrorContains(t, err, "no single line")
}

func TestLatencyReport(t *testing.T) {
	l := &LatencyReport{
		Rows: 368_000, Machine: "2 cores", Schedule: latencySchedule,
		Publications: []Publication{{12.34, 20, 21}},
		Skips:        scheduledRuns{3, 0.21, 5}, Crawls: scheduledRuns{2, 9.5, 41},
	}
	// 30 days have 43,200 minutes; 5 actions of the run and 2 of the schedule.
	assert.Equal(t, 302_400, l.monthly(1))
	assert.Equal(t, 60_480, l.monthly(5))
	assert.Equal(t, 20_160, l.monthly(15))
	for _, print := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return l.PrintTable(b) }, func(b *bytes.Buffer) error { return l.PrintMarkdown(b) },
	} {
		var out bytes.Buffer
		require.NoError(t, print(&out))
		text := strings.Join(strings.Fields(strings.ReplaceAll(out.String(), "|", " ")), " ")
		for _, part := range []string{"1 12.3 20.0 21.0", "368,000 rows", "302,400", "60,480", "20,160", "0.21", "9.5", "41"} {
			assert.Contains(t, text, part)
		}
	}
}
