package main_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/portalsim/register"
	"padron/internal/statistics"
)

// snapshotsDiff is what `snapshots diff -o json` prints.
type snapshotsDiff struct {
	From, To                          statistics.Snapshot
	Caution                           string
	Totals                            totalsDiff
	Neighborhoods, Sectors, Districts []struct {
		Name string
		totalsDiff
	}
}

type totalsDiff struct{ From, To, Difference statistics.Totals }

func TestSnapshotsOfThePast(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(2000, 90))
	s.ok("setup")
	require.Equal(t, "no reconstructed snapshots yet; `starter backfill` makes them\n", s.ok("snapshots", "list", "--basis", "reconstructed"))
	require.Equal(t, "no observed snapshots yet; `starter run --wait` makes the first\n", s.ok("snapshots", "list", "--basis", "observed"))
	requireOneLine(t, s.starter("snapshots", "diff", "latest", "latest"), failed, "there is no observed snapshot yet; `starter run --wait` makes the first")
	s.worker()
	s.load()
	reader := s.reader()
	today, err := reader.Statistics.Snapshot(t.Context(), "latest")
	require.NoError(t, err)

	month := time.Date(today.AsOf.UTC().Year(), today.AsOf.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	old, middle := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	got, err := statistics.NewStore(s.db()).Reconstruct(t.Context(), statistics.ReconstructInput{
		AsOf: []time.Time{old, middle, month}, Date: today.AsOf.UTC(), SurvivorsBefore: s.openSpec().SurvivorsBefore(),
		Version: today.Version, Run: today.Run, Spec: today.Spec, Outcome: today.Outcome,
	})
	require.NoError(t, err)
	require.Equal(t, 3, got.Written)
	require.EqualValues(t, 2000, got.Documents)
	name := func(d time.Time) string { return d.Format("2006-01-02") + "-reconstructed" }

	listed := func(args ...string) (list []statistics.Snapshot) {
		s.readJSON(&list, append([]string{"snapshots", "list"}, args...)...)
		return list
	}
	require.Len(t, listed(), 4)
	list := listed("--basis", "observed")
	require.Len(t, list, 1)
	require.Equal(t, today.ID, list[0].ID)
	list = listed("--basis", "reconstructed", "-n", "2")
	require.Equal(t, []string{name(month), name(middle)}, []string{list[0].ID, list[1].ID})
	require.True(t, list[0].Provisional)
	require.False(t, list[1].Provisional || list[1].SurvivorsOnly)
	shown := s.ok("snapshots", "list")
	require.Regexp(t, name(old)+` +reconstructed +green .* survivors only\n`, shown)
	require.Regexp(t, name(month)+` +reconstructed +green .* provisional\n`, shown)

	shown = s.ok("snapshots", "show", name(old), "--top", "3")
	require.Contains(t, shown, name(old)+", as of 2010-01-01 (reconstructed, green, survivors only)\n")
	require.Regexp(t, `(?m)^not counted +[\d,]+ without a start, [\d,]+ closed nobody knows when$`, shown)
	require.Contains(t, shown, " others ")
	type snapshot struct {
		statistics.Snapshot
		Neighborhoods []statistics.Tallied
		Months        []statistics.Month
	}
	var view, newest snapshot
	s.readJSON(&view, "snapshots", "show", name(middle))
	require.NotEmpty(t, view.Neighborhoods)
	require.Empty(t, view.Months)
	require.NotNil(t, view.Undated)
	s.readJSON(&newest, "snapshots", "show", "latest")
	require.Equal(t, today.ID, newest.ID, "latest is the newest observed one")

	diff := func(from, to string) (d snapshotsDiff) {
		s.readJSON(&d, "snapshots", "diff", from, to)
		return d
	}
	d := diff(name(old), name(middle))
	require.Equal(t, []string{name(old), name(middle)}, []string{d.From.ID, d.To.ID})
	require.Equal(t, d.From.Totals, d.Totals.From)
	require.Equal(t, d.To.Totals, d.Totals.To)
	require.Positive(t, d.Totals.Difference.Rows, "what has started stays")
	require.Equal(t, name(old)+" counts survivors only: what closed before the register was begun anew is not in it", d.Caution)
	for _, dimension := range [][]struct {
		Name string
		totalsDiff
	}{d.Neighborhoods, d.Sectors, d.Districts} {
		require.NotEmpty(t, dimension)
		var from, to, difference statistics.Totals
		for _, v := range dimension {
			from, to, difference = sum(from, v.From, 1), sum(to, v.To, 1), sum(difference, v.Difference, 1)
			require.Equal(t, sum(v.To, v.From, -1), v.Difference, v.Name)
		}
		require.Equal(t, totalsDiff{from, to, difference}, d.Totals, "the values add up to the totals")
	}
	d = diff(name(month), "latest")
	require.Equal(t, today.ID, d.To.ID)
	require.Equal(t, name(month)+" is reconstructed and "+today.ID+" is observed, so part of the difference is one of method; "+
		name(month)+" is provisional: starts are still to come in", d.Caution)

	table := s.ok("snapshots", "diff", name(old), name(middle), "--top", "2")
	require.Regexp(t, `(?m)^caution +`+name(old)+` counts survivors only: `, table)
	require.Regexp(t, `(?m)^locations +[\d,]+ +[\d,]+ +\+[\d,]+$`, table)
	for _, head := range []string{"totals", "neighborhood", "sector", "district"} {
		require.Regexp(t, "(?m)^"+head+" +", table)
	}
	require.Contains(t, table, " others ")
	same := s.ok("snapshots", "diff", "latest", "latest")
	require.NotContains(t, same, "caution")
	require.NotContains(t, same, "+")
	requireOneLine(t, s.starter("snapshots", "diff", "latest", "1999-01-01-observed"), failed, `there is no snapshot "1999-01-01-observed"; `+"`starter snapshots list` lists them")
}

// sum adds b to a, times a sign.
func sum(a, b statistics.Totals, sign int64) statistics.Totals {
	return statistics.Totals{
		Rows: a.Rows + sign*b.Rows, Open: a.Open + sign*b.Open, Closed: a.Closed + sign*b.Closed,
		AdministrativelyClosed: a.AdministrativelyClosed + sign*b.AdministrativelyClosed,
	}
}
