package backfill_test

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/backfill"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/socrata"
)

// TestStretchesKeepTheWindows draws windows with gaps, in either order: each is in
// one stretch, in order, and a stretch has neither a gap nor a page of rows, unless
// it is a single window.
func TestStretchesKeepTheWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, err := backfill.Windows("1990-01-01", "1996-01-01", backfill.EveryMonth)
		require.NoError(t, err)
		windows := slices.DeleteFunc(all, func(backfill.Window) bool { return rapid.IntRange(0, 5).Draw(t, "left out") == 0 })
		if rapid.Bool().Draw(t, "newest first") {
			slices.Reverse(windows)
		}
		rows := make([]int64, len(windows))
		for i := range rows {
			rows[i] = rapid.Int64Range(0, 60).Draw(t, "rows")
		}
		const page = 100
		var seen []backfill.Window
		stretches := backfill.Stretches(windows, rows, page)
		for i, s := range stretches {
			sum, at := int64(0), len(seen)
			for j := range s.Windows {
				sum += rows[at+j]
			}
			seen = append(seen, s.Windows...)
			span, months := s.Span(), 0
			for d := span.Since.Time(); d.Before(span.Until.Time()); d = d.AddDate(0, 1, 0) {
				months++
			}
			require.Len(t, s.Windows, months, "no gap in %v", s)
			if len(s.Windows) == 1 {
				require.Nil(t, s.Rows)
				continue
			}
			require.Equal(t, rows[at:at+len(s.Windows)], s.Rows)
			require.Less(t, sum, int64(page))
			halves := s.Halves()
			require.Equal(t, s.Windows, append(slices.Clone(halves[0].Windows), halves[1].Windows...))
			for _, h := range halves {
				require.NotEmpty(t, h.Windows)
				require.Equal(t, len(h.Windows) > 1, h.Rows != nil)
			}
			_ = i
		}
		require.Len(t, seen, len(windows))
		require.True(t, slices.Equal(windows, seen))
	})
}

// TestCountEach counts windows with gaps among them, in any order, against the
// rows of the simulated portal.
func TestCountEach(t *testing.T) {
	portal, err := portalsim.New(portalsim.Options{Table: register.Generate(2000, 77)})
	require.NoError(t, err)
	server := httptest.NewServer(portal)
	t.Cleanup(server.Close)
	client, err := socrata.New(socrata.Options{BaseURL: server.URL, ID: portalsim.DefaultID, UserAgent: "padron"})
	require.NoError(t, err)
	columns := backfill.DateColumns{Start: "location_start_date", Ends: []string{"location_end_date", "dba_end_date"}}
	all, err := backfill.Windows("1990-03-15", "2020-05-20", backfill.EveryQuarter)
	require.NoError(t, err)
	var windows []backfill.Window
	for i, w := range all {
		if i%3 != 1 {
			windows = append(windows, w)
		}
	}
	slices.Reverse(windows)
	requests := portal.Requests()
	rows, err := backfill.CountEach(t.Context(), client, columns, windows, backfill.EveryQuarter)
	require.NoError(t, err)
	require.LessOrEqual(t, portal.Requests()-requests, int64(5))
	for i, w := range windows {
		var want int64
		for row := range portal.SourceRows() {
			if slices.ContainsFunc(days(row), func(d backfill.Day) bool { return d >= w.Since && d < w.Until }) {
				want++
			}
		}
		require.Equal(t, want, rows[i], w.String())
	}
	rows, err = backfill.CountEach(t.Context(), client, backfill.DateColumns{Start: ":updated_at", Fixed: true}, windows, backfill.EveryQuarter)
	require.NoError(t, err)
	require.Nil(t, rows)
}
