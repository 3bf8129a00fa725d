package analytics

import (
	"math"
	"slices"
)

// ChurnBase is the least number of open locations that a churn is a share of:
// below it a single closing moves the rate by more than three points.
const ChurnBase = 30

// Churn is the share of the locations open at the beginning of a span that
// closed within it, 0 to 1; more where what opened within the span closed as
// well. False where the base is below ChurnBase: there is no rate then.
func Churn(open, closed int64) (rate float64, ok bool) {
	if open < ChurnBase {
		return 0, false
	}
	return float64(closed) / float64(open), true
}

// Share is part of whole, 0 to 1; false when the whole is nothing.
func Share(part, whole int64) (share float64, ok bool) {
	if whole <= 0 {
		return 0, false
	}
	return float64(part) / float64(whole), true
}

// Quantiles are quantiles of values that occur some number of times: counts has
// the number of each value. Each is interpolated linearly between the two
// nearest ranks, as spreadsheets and numpy do (type 7 of Hyndman and Fan,
// 1996). ps are from 0 to 1. Nil when there is no value.
func Quantiles(counts map[int]int64, ps ...float64) []float64 {
	values := make([]int, 0, len(counts))
	var n int64
	for v, c := range counts {
		if c > 0 {
			values = append(values, v)
			n += c
		}
	}
	if n == 0 {
		return nil
	}
	slices.Sort(values)
	upTo := make([]int64, len(values)) // how many are up to each
	var sum int64
	for i, v := range values {
		sum += counts[v]
		upTo[i] = sum
	}
	ranked := func(rank int64) float64 { // from 0
		i, found := slices.BinarySearch(upTo, rank)
		if found {
			i++
		}
		return float64(values[i])
	}
	out := make([]float64, len(ps))
	for i, p := range ps {
		h := float64(n-1) * min(max(p, 0), 1)
		lower := math.Floor(h)
		low := ranked(int64(lower))
		out[i] = low
		if h > lower {
			out[i] += (h - lower) * (ranked(int64(lower)+1) - low)
		}
	}
	return out
}

// CramersV is the strength of association of two dimensions, 0 to 1: table has
// how many rows have each pair of values. It is corrected for bias, without
// which small samples over many values seem associated (Bergsma, 2013, Journal
// of the Korean Statistical Society 42). False when one of them has fewer than
// two values, or there are too few rows for the correction.
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
	// Chi-square over n: the sum of observed²/(row x column), less one. What was
	// not observed adds nothing.
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
