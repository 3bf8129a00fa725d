package backfill_test

import (
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/backfill"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/socrata"
)

// TestCount holds the counts against the rows that the simulated portal has.
func TestCount(t *testing.T) {
	portal, err := portalsim.New(portalsim.Options{Table: register.Generate(3000, 75)})
	require.NoError(t, err)
	server := httptest.NewServer(portal)
	t.Cleanup(server.Close)
	client, err := socrata.New(socrata.Options{BaseURL: server.URL, ID: portalsim.DefaultID, UserAgent: "padron"})
	require.NoError(t, err)
	var keys []string
	for row := range portal.SourceRows() {
		if keys = append(keys, row["ttxid"].(string)); len(keys) == 4 {
			break
		}
	}
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	require.NoError(t, portal.Edit(
		portalsim.SetField(keys[0], "location_start_date", nil), portalsim.SetField(keys[0], "location_end_date", nil), portalsim.SetField(keys[0], "dba_end_date", nil),
		portalsim.SetField(keys[1], "location_start_date", day(2205, 1, 1)), portalsim.SetField(keys[1], "location_end_date", nil), portalsim.SetField(keys[1], "dba_end_date", nil),
		// It starts and ends in the same window.
		portalsim.SetField(keys[2], "location_start_date", day(2001, 5, 5)), portalsim.CloseLocation(keys[2], day(2001, 5, 20)),
		portalsim.SetField(keys[3], "location_start_date", day(2001, 5, 5)), portalsim.SetField(keys[3], "location_end_date", nil),
		portalsim.SetField(keys[3], "dba_end_date", day(2001, 6, 20)),
	))
	columns := backfill.DateColumns{Start: "location_start_date", Ends: []string{"location_end_date", "dba_end_date"}}
	for name, tc := range map[string]struct {
		since, until backfill.Day
		every        backfill.Every
	}{
		"months":            {"1990-01-01", "2026-01-01", backfill.EveryMonth},
		"parts of quarters": {"1995-06-15", "2010-03-20", backfill.EveryQuarter},
		"parts of months":   {"2015-06-15", "2016-03-20", backfill.EveryMonth},
		"years":             {"1960-01-01", "2030-01-01", backfill.EveryYear},
		"days":              {"2001-04-20", "2001-07-01", backfill.EveryDay},
	} {
		t.Run(name, func(t *testing.T) {
			windows, err := backfill.Windows(tc.since, tc.until, tc.every)
			require.NoError(t, err)
			want := backfill.Counts{Windows: make([]int64, len(windows))}
			for row := range portal.SourceRows() {
				expect(&want, days(row), windows)
			}
			got, err := backfill.Count(t.Context(), client, columns, windows, tc.every)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

// days are those on which a source row starts and ends.
func days(row map[string]any) (days []backfill.Day) {
	end := row["location_end_date"]
	if end == nil {
		end = row["dba_end_date"]
	}
	for _, v := range []any{row["location_start_date"], end} {
		if text, ok := v.(string); ok {
			days = append(days, backfill.Day(text[:len(time.DateOnly)]))
		}
	}
	return days
}

// expect counts a row with these days.
func expect(want *backfill.Counts, days []backfill.Day, windows []backfill.Window) {
	in, later := false, false
	for i, w := range windows {
		if slices.ContainsFunc(days, func(d backfill.Day) bool { return d >= w.Since && d < w.Until }) {
			in = true
			want.Windows[i]++
		}
	}
	for _, d := range days {
		later = later || d >= windows[len(windows)-1].Until
	}
	want.Total++
	switch {
	case len(days) == 0:
		want.Undated++
	case in:
	case later:
		want.After++
	default:
		want.Before++
	}
}
