package main_test

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/backfill"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
)

// plan is what `backfill --dry-run -o json` prints.
type plan struct {
	Windows []struct {
		backfill.Window
		Name  string
		Rows  int64
		State string
	}
	Todo, Rows, Requests          int64
	Total, Undated, Before, After int64
	Snapshots                     int
}

// dated are the days at which a source row starts and ends; the first of its
// ends is its end.
func dated(row map[string]any) (days []backfill.Day) {
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

// TestADryRunCountsExactly holds the counts of a dry run against the rows.
func TestADryRunCountsExactly(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(3000, 75))
	s.worker()
	s.load()
	keys := s.someKeys(4)
	require.NoError(t, s.portal.Edit(
		portalsim.SetField(keys[0], "location_start_date", nil), portalsim.SetField(keys[0], "location_end_date", nil), portalsim.SetField(keys[0], "dba_end_date", nil),
		portalsim.SetField(keys[1], "location_start_date", time.Date(2205, 1, 1, 0, 0, 0, 0, time.UTC)), portalsim.SetField(keys[1], "location_end_date", nil), portalsim.SetField(keys[1], "dba_end_date", nil),
		// It starts and ends in one window.
		portalsim.SetField(keys[2], "location_start_date", time.Date(2001, 5, 5, 0, 0, 0, 0, time.UTC)), portalsim.CloseLocation(keys[2], time.Date(2001, 5, 20, 0, 0, 0, 0, time.UTC)),
		portalsim.SetField(keys[3], "location_start_date", time.Date(2001, 5, 5, 0, 0, 0, 0, time.UTC)), portalsim.SetField(keys[3], "location_end_date", nil),
		portalsim.SetField(keys[3], "dba_end_date", time.Date(2001, 6, 20, 0, 0, 0, 0, time.UTC)),
	))
	for _, span := range [][]string{
		{"--since", "1990-01-01", "--until", "2026-01-01"},
		{"--since", "1995-06-15", "--until", "2010-03-20", "--every", "quarter"},
		{"--since", "1960-01-01", "--until", "2030-01-01", "--every", "year"},
		{"--since", "2001-04-20", "--until", "2001-07-01", "--every", "day"},
	} {
		var p plan
		s.readJSON(&p, append([]string{"backfill", "--dry-run"}, span...)...)
		var want plan
		for row := range s.portal.SourceRows() {
			days := dated(row)
			in, later := false, false
			for i := range p.Windows {
				w := p.Windows[i]
				for _, d := range days {
					if d >= w.Since && d < w.Until {
						in = true
						p.Windows[i].Rows-- // down to zero
						break
					}
				}
			}
			for _, d := range days {
				later = later || d >= p.Windows[len(p.Windows)-1].Until
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
		for _, w := range p.Windows {
			require.Zero(t, w.Rows, "%v: window %s is counted wrong by so much", span, w.Name)
		}
		require.Equal(t, []int64{want.Total, want.Undated, want.Before, want.After}, []int64{p.Total, p.Undated, p.Before, p.After}, "%v", span)
	}
	var p plan
	s.readJSON(&p, "backfill", "--dry-run", "--since", "2000-01-01", "--until", "2035-01-01", "--every", "year", "--on", ":updated_at")
	require.EqualValues(t, 3000, p.Rows)
	runs := 0
	for range s.runs() {
		runs++
	}
	require.Equal(t, 1, runs, "nothing was started")
}

// runs are the records of all runs.
func (s *stack) runs() (all []runs.Run) {
	s.t.Helper()
	s.readJSON(&all, "status", "-n", "100")
	return all
}

func TestBackfillOnTheCommandLine(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(1000, 76))
	requireOneLine(t, s.starter("backfill"), usage, "--since: say from which day on")
	requireOneLine(t, s.starter("backfill", "--since", "1.1.1990"), usage, `"1.1.1990" is not a date such as 2026-09-01`)
	requireOneLine(t, s.starter("backfill", "--since", "1990-01-01", "--until", "1980-01-01"), usage, "the span from 1990-01-01 to 1980-01-01 is empty")
	requireOneLine(t, s.starter("backfill", "--since", "1990-01-01", "--every", "fortnight"), usage, "use day, month, quarter or year")
	requireOneLine(t, s.starter("backfill", "--since", "1990-01-01", "--max-active", "0"), usage, "must be 1 to 64")
	requireOneLine(t, s.starter("backfill", "--since", "1990-01-01", "--reprocess", "some"), usage, "use --reload with new, needed or always")
	requireOneLine(t, s.starter("backfill", "--since", "1990-01-01", "--reload", "some"), usage, "use new, needed or always")
	requireOneLine(t, s.starter("backfill", "--since", "1990-01-01", "--reload", "always", "--reprocess", "all"), usage, "--reload and --reprocess say the same: use --reload")
	s.worker()
	requireOneLine(t, s.starter("backfill", "--since", "1990-01-01"), failed, "there is no mirror yet", "`starter run --wait` makes it")
	require.NoError(t, s.portal.Edit(portalsim.Republish())) // a version of now proves nothing yet
	s.load()
	requireOneLine(t, s.starter("backfill", "--since", "1990-01-01", "--on", "dba_name", "--dry-run"), usage, "the column dba_name is of type text")
	requireOneLine(t, s.starter("backfill", "status", "nothing"), failed, `there is no run "nothing"`)
	requireOneLine(t, s.starter("backfill", "pause", "nothing"), failed, `there is no backfill "nothing"`)
	require.Contains(t, s.ok("backfill", "list"), "no backfill among the newest 200 runs")

	done := s.ok("backfill", "--since", "2000-01-01", "--until", "2010-01-01", "--every", "quarter")
	require.Regexp(t, `\nstatus +done green\n`, done)
	require.Regexp(t, `\nwindows +40 of 40 done, 0 failed; from 2000-01-01 until before 2010-01-01 by quarter, on lifecycle\n`, done)
	require.Regexp(t, `\nsnapshots +40 reconstructed`, done)
	require.Regexp(t, `\ntook .*windows/s\n`, done)
	id := regexp.MustCompile(`backfill-\S+Z`).FindString(done)
	requireOneLine(t, s.starter("backfill", "cancel", id), failed, "has ended")

	var p plan
	s.readJSON(&p, "backfill", "--dry-run", "--since", "2000-01-01", "--until", "2010-01-01", "--every", "quarter")
	require.Zero(t, p.Todo)
	require.Equal(t, "done by "+id+".1", p.Windows[0].State)
	again := s.ok("backfill", "--since", "2000-01-01", "--until", "2010-01-01", "--every", "quarter")
	require.Regexp(t, `\nwhy +every window was done before; --reload always reloads them\n`, again)

	started := s.ok("backfill", "--since", "1990-01-01", "--until", "2000-01-01", "--wait=false", "-o", "json")
	var named struct{ Run string }
	require.NoError(t, json.Unmarshal([]byte(started), &named))
	require.Contains(t, s.ok("backfill", "pause", named.Run, "--note", "portal is moving"), "paused backfill "+named.Run)
	require.Regexp(t, `\npaused +portal is moving\n`, s.ok("backfill", "status", named.Run))
	require.Contains(t, s.ok("backfill", "resume", named.Run), "resumed backfill")
	require.Contains(t, s.ok("backfill", "cancel", named.Run), "cancelled backfill")
	require.Regexp(t, `\nstatus +cancelled\n`, s.ok("backfill", "status", named.Run))
	var listed []runs.Run
	s.readJSON(&listed, "backfill", "list")
	require.Len(t, listed, 3)
	require.Equal(t, runs.StatusCancelled, listed[0].Status)
}

// TestABackfillOfWhatIsProvenSaysSo: nothing is reloaded, in the plan and in the
// report; the older words of the flag mean what they meant.
func TestABackfillOfWhatIsProvenSaysSo(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 78))
	require.NoError(t, s.portal.EditAt(time.Now().Add(-time.Hour), portalsim.Republish()))
	s.worker()
	s.load()
	span := []string{"backfill", "--since", "2000-01-01", "--until", "2010-01-01", "--every", "year"}
	planned := s.ok(append(span, "--dry-run")...)
	require.Contains(t, planned, "no window needs reloading, the mirror equals the portal: nothing new: the portal is at the version")
	require.Regexp(t, `\n2000 .* proven, not to be reloaded\n`, planned)
	require.Contains(t, s.ok(append(span, "--dry-run", "--reprocess", "all")...), "10 to be reloaded")
	done := s.ok(span...)
	require.Regexp(t, `\nwindows +10 of 10 done, 0 failed;`, done)
	require.Regexp(t, `\nproven +10 windows: the mirror equals the portal, so they were not reloaded; --reload always reloads them\n`, done)
	require.Regexp(t, `\nsnapshots +10 reconstructed`, done)
	require.Regexp(t, `\nproven +10 windows`, s.ok("backfill", "status", regexp.MustCompile(`backfill-\S+Z`).FindString(done)))
	forced := s.ok(append(span, "--reload", "always")...)
	require.NotContains(t, forced, "proven")
	require.Regexp(t, `\nwindows +10 of 10 done, 0 failed;`, forced)
}
