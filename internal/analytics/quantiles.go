package analytics

import (
	"math"
	"slices"
)

// Quantiles returns the quantiles ps, each 0 to 1, of values of which counts
// says how often each occurs. It interpolates linearly between the two nearest
// ranks, as spreadsheets and numpy do (type 7 of Hyndman and Fan, 1996). It
// returns nil when there is no value.
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
