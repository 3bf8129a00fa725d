package backfill_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/backfill"
)

// TestWindowsCoverTheSpan draws spans and holds the windows to what they are:
// one after the other, nothing left out and nothing twice, none over the
// beginning of another.
func TestWindowsCoverTheSpan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := func(name string) time.Time {
			return time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 4000).Draw(t, name))
		}
		since, until := day("since"), day("until")
		every := rapid.SampledFrom(backfill.Everies()).Draw(t, "every")
		windows, err := backfill.Windows(backfill.DayOf(since), backfill.DayOf(until), every)
		if !since.Before(until) {
			require.ErrorContains(t, err, "is empty")
			return
		}
		require.NoError(t, err)
		at := since
		for i, w := range windows {
			require.Equal(t, at, w.Since.Time())
			require.Less(t, w.Since, w.Until)
			if i > 0 {
				require.True(t, begins(every, w.Since.Time()), "%s begins in the middle", w)
			}
			for d := w.Since.Time().AddDate(0, 0, 1); d.Before(w.Until.Time()); d = d.AddDate(0, 0, 1) {
				require.False(t, begins(every, d), "%s reaches over %s", w, d)
			}
			at = w.Until.Time()
		}
		require.Equal(t, until, at)
	})
}

// begins says whether a window of this length begins on a day.
func begins(every backfill.Every, d time.Time) bool {
	switch every {
	case backfill.EveryDay:
		return true
	case backfill.EveryMonth:
		return d.Day() == 1
	case backfill.EveryQuarter:
		return d.Day() == 1 && d.Month()%3 == 1
	default:
		return d.YearDay() == 1
	}
}

func TestWindowsThatAreNone(t *testing.T) {
	_, err := backfill.Windows("1990-01-01", "2026-01-01", "fortnight")
	require.ErrorContains(t, err, `windows of a "fortnight": use day, month, quarter or year`)
	_, err = backfill.Windows("1900-01-01", "2026-01-01", backfill.EveryDay)
	require.ErrorContains(t, err, "more than 5000 windows")
	_, err = backfill.ParseDay("1.1.1990")
	require.ErrorContains(t, err, "is not a date such as 2026-09-01")
}

func TestNamesOfWindows(t *testing.T) {
	for name, w := range map[string]backfill.Window{
		"1990":                  {Since: "1990-01-01", Until: "1991-01-01"},
		"1990-02":               {Since: "1990-02-01", Until: "1990-03-01"},
		"1990-02-28":            {Since: "1990-02-28", Until: "1990-03-01"},
		"1990-02-03_1990-03-01": {Since: "1990-02-03", Until: "1990-03-01"},
		"1990-01-01_1990-04-01": {Since: "1990-01-01", Until: "1990-04-01"},
	} {
		require.Equal(t, name, w.String())
	}
}

func TestWhereOfAWindow(t *testing.T) {
	w := backfill.Window{Since: "1990-01-01", Until: "1990-02-01"}
	require.Equal(t, "`day` >= '1990-01-01T00:00:00' and `day` < '1990-02-01T00:00:00'", backfill.DateColumns{Start: "day"}.Where(w))
	require.Equal(t, "`:updated_at` >= '1990-01-01T00:00:00Z' and `:updated_at` < '1990-02-01T00:00:00Z'", backfill.DateColumns{Start: ":updated_at", Fixed: true}.Where(w))
	lifecycle := backfill.DateColumns{Start: "a", Ends: []string{"b", "c"}}
	require.Equal(t, "(`a` >= '1990-01-01T00:00:00' and `a` < '1990-02-01T00:00:00')"+
		" or (`b` >= '1990-01-01T00:00:00' and `b` < '1990-02-01T00:00:00')"+
		" or (`c` >= '1990-01-01T00:00:00' and `c` < '1990-02-01T00:00:00' and `b` is null)", lifecycle.Where(w))
	require.Equal(t, "`a` is null and `b` is null and `c` is null", lifecycle.Undated())
}
