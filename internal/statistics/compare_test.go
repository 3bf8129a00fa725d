package statistics

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompareValues(t *testing.T) {
	one, two := Totals{Rows: 3, Open: 2, Closed: 1}, Totals{Rows: 5, Open: 1, Closed: 4, AdministrativelyClosed: 2}
	got := CompareValues(
		DistrictsByName([]TalliedDistrict{{District: "10", Totals: one}, {District: "", Totals: one}}),
		DistrictsByName([]TalliedDistrict{{District: "2", Totals: two}, {District: "10", Totals: two}}))
	require.Equal(t, []ComparedValue{
		{Name: "", Comparison: Comparison{From: one, Difference: Totals{Rows: -3, Open: -2, Closed: -1}}},
		{Name: "2", Comparison: Comparison{To: two, Difference: two}},
		{Name: "10", Comparison: Comparison{From: one, To: two, Difference: Totals{Rows: 2, Open: -1, Closed: 3, AdministrativelyClosed: 2}}},
	}, got)
	require.Equal(t, []ComparedValue{}, CompareValues(nil, nil), "a list in JSON, not null")
}

func TestCaution(t *testing.T) {
	observed, past := Snapshot{ID: "a", Basis: Observed}, Snapshot{ID: "b", Basis: Reconstructed, Provisional: true, SurvivorsOnly: true}
	require.Empty(t, Caution(observed, observed))
	require.Equal(t, "a is observed and b is reconstructed, so part of the difference is one of method; b is provisional: starts are still to come in; "+
		"b counts survivors only: what closed before the register was begun anew is not in it", Caution(observed, past))
	require.Equal(t, "b is provisional: starts are still to come in; "+
		"b counts survivors only: what closed before the register was begun anew is not in it", Caution(past, past), "one snapshot is told of once")
}
