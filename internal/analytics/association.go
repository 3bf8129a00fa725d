package analytics

import (
	"math"
)

// CramersV returns how strongly two dimensions are associated, 0 to 1; table
// counts the rows with each pair of values. It is corrected for bias: without
// the correction small samples over many values seem associated (Bergsma, 2013,
// Journal of the Korean Statistical Society 42). ok is false when a dimension
// has fewer than two values, or there are too few rows for the correction.
func CramersV[A, B comparable](table map[A]map[B]int64) (v float64, ok bool) {
	rows, columns := map[A]float64{}, map[B]float64{}
	var n float64
	for a, line := range table {
		for b, count := range line {
			if count > 0 {
				rows[a] += float64(count)
				columns[b] += float64(count)
				n += float64(count)
			}
		}
	}
	if len(rows) < 2 || len(columns) < 2 {
		return 0, false
	}
	// Chi-square over n is the sum of observed²/(row x column), minus one.
	// Pairs that were not observed add nothing.
	var phi float64
	for a, line := range table {
		for b, count := range line {
			if count > 0 {
				phi += float64(count) * float64(count) / (rows[a] * columns[b])
			}
		}
	}
	phi--
	r, c := float64(len(rows)), float64(len(columns))
	phi = max(0, phi-(r-1)*(c-1)/(n-1))
	smaller := min(r-(r-1)*(r-1)/(n-1), c-(c-1)*(c-1)/(n-1)) - 1
	if smaller <= 0 {
		return 0, false
	}
	return min(1, math.Sqrt(phi/smaller)), true
}
