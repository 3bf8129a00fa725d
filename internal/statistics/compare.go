package statistics

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Comparison is a count of two snapshots. Difference is To minus From.
type Comparison struct {
	From       Totals `json:"from"`
	To         Totals `json:"to"`
	Difference Totals `json:"difference"`
}

// ComparedValue is one value of a dimension in two snapshots; an empty name
// stands for unknown.
type ComparedValue struct {
	Name string `json:"name"`
	Comparison
}

// Compare compares two counts.
func Compare(from, to Totals) Comparison {
	return Comparison{From: from, To: to, Difference: Totals{
		Rows: to.Rows - from.Rows, Open: to.Open - from.Open, Closed: to.Closed - from.Closed,
		AdministrativelyClosed: to.AdministrativelyClosed - from.AdministrativelyClosed,
	}}
}

// CompareValues pairs the values of a dimension by name, in the order of their
// names, numbers by value. A value that one snapshot lacks has no rows there.
func CompareValues(from, to []Tallied) []ComparedValue {
	all := map[string][2]Totals{}
	for i, side := range [][]Tallied{from, to} {
		for _, t := range side {
			pair := all[t.Name]
			pair[i] = t.Totals
			all[t.Name] = pair
		}
	}
	compared := make([]ComparedValue, 0, len(all))
	for name, pair := range all {
		compared = append(compared, ComparedValue{Name: name, Comparison: Compare(pair[0], pair[1])})
	}
	slices.SortFunc(compared, func(a, b ComparedValue) int { return compareNames(a.Name, b.Name) })
	return compared
}

// compareNames orders names by text, and numbers by their value.
func compareNames(a, b string) int {
	m, errA := strconv.Atoi(a)
	n, errB := strconv.Atoi(b)
	if errA == nil && errB == nil {
		return cmp.Compare(m, n)
	}
	return cmp.Compare(a, b)
}

// DistrictsByName returns districts with their number as name, as the other
// dimensions have one.
func DistrictsByName(districts []TalliedDistrict) []Tallied {
	named := make([]Tallied, len(districts))
	for i, d := range districts {
		named[i] = Tallied{Name: string(d.District), Totals: d.Totals}
	}
	return named
}

// Caution says in one line why two snapshots may not be comparable. It is empty
// if no reason is known.
func Caution(from, to Snapshot) string {
	var why []string
	if from.Basis != to.Basis {
		why = append(why, fmt.Sprintf("%s is %s and %s is %s, so part of the difference is one of method", from.ID, from.Basis, to.ID, to.Basis))
	}
	for _, s := range []Snapshot{from, to} {
		if s.Provisional {
			why = append(why, s.ID+" is provisional: starts are still to come in")
		}
		if s.SurvivorsOnly {
			why = append(why, s.ID+" counts survivors only: what closed before the register was begun anew is not in it")
		}
		if from.ID == to.ID {
			break
		}
	}
	return strings.Join(why, "; ")
}
