package analytics_test

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/analytics"
)

// life is one observed life.
type life struct {
	entry, exit int
	event       bool
}

// livesOf counts lives by age.
func livesOf(all []life) analytics.Lives {
	last := 0
	for _, l := range all {
		last = max(last, l.exit)
	}
	of := analytics.Lives{Entered: make([]int64, last+1), Events: make([]int64, last+1), Censored: make([]int64, last+1)}
	for _, l := range all {
		of.Entered[l.entry]++
		if l.event {
			of.Events[l.exit]++
		} else {
			of.Censored[l.exit]++
		}
	}
	return of
}

// TestKaplanMeierPublished: remission times in weeks of the 21 patients treated
// with 6-MP in Freireich et al. (1963), the example of Kaplan-Meier curves in
// Kleinbaum and Klein, Survival Analysis, chapter 2 (table 2.1), and Klein and
// Moeschberger, Survival Analysis, section 1.2 and tables 4.1 (survival,
// Greenwood's standard error) and 4.3. The 95 % bands are those that Stata's
// sts list prints of it, which are on the log(-log) scale.
func TestKaplanMeierPublished(t *testing.T) {
	var all []life
	for _, week := range []int{6, 6, 6, 7, 10, 13, 16, 22, 23} {
		all = append(all, life{exit: week, event: true})
	}
	for _, week := range []int{6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35} {
		all = append(all, life{exit: week})
	}
	points, err := analytics.KaplanMeier(livesOf(all))
	require.NoError(t, err)
	require.Len(t, points, 36)
	want := map[int][6]float64{ // at risk, events, survival, standard error, band
		6:  {21, 3, .8571, .0764, .6197, .9516},
		7:  {17, 1, .8067, .0869, .5631, .9228},
		10: {15, 1, .7529, .0963, .5032, .8894},
		13: {12, 1, .6902, .1068, .4316, .8491},
		16: {11, 1, .6275, .1141, .3675, .8049},
		22: {7, 1, .5378, .1282, .2678, .7468},
		23: {6, 1, .4482, .1346, .1881, .6801},
	}
	for _, p := range points {
		w, ok := want[p.Age]
		assert.Equal(t, ok, p.Events > 0, "week %d", p.Age)
		if !ok {
			continue
		}
		got := [6]float64{float64(p.AtRisk), float64(p.Events), p.Survival, p.StdErr, p.Low, p.High}
		for i := range w {
			assert.InDelta(t, w[i], got[i], 0.00006, "week %d, column %d", p.Age, i)
		}
	}
	assert.InDelta(t, 1, points[5].Survival, 0)
	assert.Equal(t, []float64{1, 1}, []float64{points[5].Low, points[5].High})
	median, ok := analytics.Median(points)
	assert.True(t, ok)
	assert.Equal(t, 23, median)
}

// TestDelayedEntry is worked by hand. Three lives enter at once, one at age 2
// and one at age 4; ages at which they leave, event marked: 1*, 3*, 5; 3; 4*.
//
//	age   at risk          events  survival
//	0     3                0       1
//	1     3                1       2/3
//	2     2 + 1            0       2/3
//	3     3                1       4/9
//	4     1 + 1            1       2/9
//	5     1                0       2/9
func TestDelayedEntry(t *testing.T) {
	points, err := analytics.KaplanMeier(livesOf([]life{{0, 1, true}, {0, 3, true}, {0, 5, false}, {2, 3, false}, {4, 4, true}}))
	require.NoError(t, err)
	var risk, events, gone []int64
	for i, p := range points {
		assert.Equal(t, i, p.Age)
		risk, events, gone = append(risk, p.AtRisk), append(events, p.Events), append(gone, p.Censored)
		assert.InDelta(t, []float64{1, 2. / 3, 2. / 3, 4. / 9, 2. / 9, 2. / 9}[i], p.Survival, 1e-12)
	}
	assert.Equal(t, []int64{3, 3, 3, 3, 2, 1}, risk)
	assert.Equal(t, []int64{0, 1, 0, 1, 1, 0}, events)
	assert.Equal(t, []int64{0, 0, 0, 1, 0, 1}, gone)
	// Greenwood: 1/(3x2) + 1/(3x2) + 1/(2x1).
	assert.InDelta(t, 2./9*math.Sqrt(1./6+1./6+1./2), points[4].StdErr, 1e-12)

	// Without knowing that two came late, survival would be too high.
	naive, err := analytics.KaplanMeier(livesOf([]life{{0, 1, true}, {0, 3, true}, {0, 5, false}, {0, 3, false}, {0, 4, true}}))
	require.NoError(t, err)
	assert.Greater(t, naive[4].Survival, points[4].Survival)
}

// TestKaplanMeierProperties holds curves against an estimate made life by life:
// at each age it looks at every life, and the variance is the sum over ages of
// the textbook's formula.
func TestKaplanMeierProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) life {
			entry := rapid.IntRange(0, 12).Draw(t, "entry")
			return life{entry, entry + rapid.IntRange(0, 15).Draw(t, "lives"), rapid.Bool().Draw(t, "event")}
		}), 0, 80).Draw(t, "lives")
		points, err := analytics.KaplanMeier(livesOf(all))
		require.NoError(t, err)

		survival, variance, begun := 1.0, 0.0, false
		var want []analytics.Point
		for age := 0; age <= 30; age++ {
			var risk, events, gone int64
			for _, l := range all {
				if l.entry <= age && age <= l.exit {
					risk++
					switch {
					case l.exit == age && l.event:
						events++
					case l.exit == age:
						gone++
					}
				}
			}
			if risk == 0 {
				if begun {
					break
				}
				continue
			}
			begun = true
			survival *= 1 - float64(events)/float64(risk)
			if risk > events {
				variance += float64(events) / float64(risk*(risk-events))
			}
			want = append(want, analytics.Point{Age: age, AtRisk: risk, Events: events, Censored: gone, Survival: survival, StdErr: survival * math.Sqrt(variance)})
		}
		require.Len(t, points, len(want))
		before := 1.0
		for i, p := range points {
			w := want[i]
			require.Equal(t, []any{w.Age, w.AtRisk, w.Events, w.Censored}, []any{p.Age, p.AtRisk, p.Events, p.Censored})
			require.InDelta(t, w.Survival, p.Survival, 1e-9)
			require.InDelta(t, w.StdErr, p.StdErr, 1e-9)
			require.LessOrEqual(t, p.Survival, before)
			before = p.Survival
			if p.Survival == 0 {
				require.True(t, math.IsNaN(p.Low) && math.IsNaN(p.High))
				continue
			}
			require.True(t, 0 <= p.Low && p.Low <= p.Survival && p.Survival <= p.High && p.High <= 1, "%+v", p)
			if p.Survival < 1 {
				// The band is symmetric about log(-log(survival)).
				middle := (math.Log(-math.Log(p.Low)) + math.Log(-math.Log(p.High))) / 2
				require.InDelta(t, math.Log(-math.Log(p.Survival)), middle, 1e-6)
			}
		}
	})
}

// TestNobodyCensoredIsTheEmpiricalCurve: without censoring and delayed entry,
// survival is the share that lives longer.
func TestNobodyCensoredIsTheEmpiricalCurve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ages := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 60).Draw(t, "ages")
		var all []life
		for _, age := range ages {
			all = append(all, life{exit: age, event: true})
		}
		points, err := analytics.KaplanMeier(livesOf(all))
		require.NoError(t, err)
		require.Len(t, points, slices.Max(ages)+1)
		for _, p := range points {
			longer := 0
			for _, age := range ages {
				if age > p.Age {
					longer++
				}
			}
			require.InDelta(t, float64(longer)/float64(len(ages)), p.Survival, 1e-9)
		}
	})
}

func TestLivesThatDoNotAddUp(t *testing.T) {
	for name, l := range map[string]analytics.Lives{
		"more left than entered": {Entered: []int64{1}, Events: []int64{0, 2}},
		"left before entering":   {Entered: []int64{0, 1}, Events: []int64{1}},
		"one never leaves":       {Entered: []int64{2}, Censored: []int64{0, 1}},
		"negative":               {Entered: []int64{-1}, Events: []int64{-1}},
		"negative entries":       {Entered: []int64{2, -1}, Events: []int64{0, 1}},
		"negative events":        {Entered: []int64{1}, Events: []int64{-1, 2}},
		"negative censored":      {Entered: []int64{1}, Events: []int64{0, 2}, Censored: []int64{-1}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := analytics.KaplanMeier(l)
			require.ErrorIs(t, err, analytics.ErrLives)
		})
	}
	points, err := analytics.KaplanMeier(analytics.Lives{})
	require.NoError(t, err)
	assert.Empty(t, points)
	_, ok := analytics.Median(nil)
	assert.False(t, ok)
}

// TestMoreLeaveThanAreAtRisk has either alone within the risk.
func TestMoreLeaveThanAreAtRisk(t *testing.T) {
	_, err := analytics.KaplanMeier(analytics.Lives{Entered: []int64{3, 1}, Events: []int64{2}, Censored: []int64{2}})
	require.ErrorIs(t, err, analytics.ErrLives)
	require.EqualError(t, err, "lives do not add up at age 0: 3 at risk, 4 left")
}

func TestMedian(t *testing.T) {
	points := []analytics.Point{{Age: 3, Survival: 0.75}, {Age: 5, Survival: 0.5}, {Age: 6, Survival: 0.25}}
	age, ok := analytics.Median(points)
	assert.True(t, ok)
	assert.Equal(t, 5, age, "half of them is enough")
	_, ok = analytics.Median(points[:1])
	assert.False(t, ok)
}

func TestChurnAndShare(t *testing.T) {
	rate, ok := analytics.Churn(30, 3)
	assert.True(t, ok)
	assert.InDelta(t, 0.1, rate, 1e-12)
	_, ok = analytics.Churn(29, 3)
	assert.False(t, ok, "too few to say")
	share, ok := analytics.Share(1, 4)
	assert.True(t, ok)
	assert.InDelta(t, 0.25, share, 0)
	_, ok = analytics.Share(0, 0)
	assert.False(t, ok, "nothing of nothing is unknown")
}

func TestQuantiles(t *testing.T) {
	assert.Nil(t, analytics.Quantiles(nil, 0.5))
	assert.Nil(t, analytics.Quantiles(map[int]int64{3: 0}, 0.5))
	assert.Equal(t, []float64{1, 2, 3}, analytics.Quantiles(map[int]int64{1: 1, 2: 0, 3: 1}, 0, 0.5, 1), "nothing has the value 2")
	// Hyndman and Fan's type 7 of 1, 2, 3, 4: quartiles 1.75, 2.5, 3.25.
	assert.Equal(t, []float64{1, 1.75, 2.5, 3.25, 4}, analytics.Quantiles(map[int]int64{1: 1, 2: 1, 3: 1, 4: 1}, 0, 0.25, 0.5, 0.75, 1))
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.IntRange(-5, 30), 1, 40).Draw(t, "values")
		p := rapid.Float64Range(0, 1).Draw(t, "p")
		counts := map[int]int64{}
		for _, v := range values {
			counts[v]++
		}
		slices.SortFunc(values, cmp.Compare[int])
		h := p * float64(len(values)-1)
		i := int(h)
		want := float64(values[i])
		if i+1 < len(values) {
			want += (h - float64(i)) * float64(values[i+1]-values[i])
		}
		require.InDelta(t, want, analytics.Quantiles(counts, p)[0], 1e-9)
	})
}

func TestCramersV(t *testing.T) {
	_, ok := analytics.CramersV(map[string]map[string]int64{"a": {"x": 5, "y": 7}})
	assert.False(t, ok, "one value depends on nothing")
	_, ok = analytics.CramersV(map[string]map[string]int64{})
	assert.False(t, ok)

	_, ok = analytics.CramersV(map[string]map[string]int64{"a": {"x": 1}, "b": {"y": 1}})
	assert.False(t, ok, "two rows are too few for the correction")

	// One follows from the other, and nothing from nothing.
	v, ok := analytics.CramersV(map[string]map[string]int64{"a": {"x": 500}, "b": {"y": 500}, "c": {"z": 500}})
	assert.True(t, ok)
	assert.InDelta(t, 1, v, 1e-9)
	v, ok = analytics.CramersV(map[string]map[string]int64{"a": {"x": 50, "y": 100}, "b": {"x": 20, "y": 40}})
	assert.True(t, ok)
	assert.InDelta(t, 0, v, 1e-9)

	// By the definition, from chi-square over expected counts.
	rapid.Check(t, func(t *rapid.T) {
		table := map[int]map[string]int64{}
		names := []string{"v", "w", "x", "y", "z"}[:rapid.IntRange(2, 5).Draw(t, "columns")]
		for a := range rapid.IntRange(2, 5).Draw(t, "rows") {
			table[a] = map[string]int64{}
			for _, b := range names {
				table[a][b] = rapid.Int64Range(0, 30).Draw(t, "count")
			}
		}
		var n float64
		rows, columns := map[int]float64{}, map[string]float64{}
		for a, line := range table {
			for b, c := range line {
				rows[a] += float64(c)
				columns[b] += float64(c)
				n += float64(c)
			}
		}
		var chi, r, k float64
		for a := range rows {
			if rows[a] > 0 {
				r++
			}
		}
		for b := range columns {
			if columns[b] > 0 {
				k++
			}
		}
		got, ok := analytics.CramersV(table)
		if r < 2 || k < 2 {
			require.False(t, ok)
			return
		}
		for a := range rows {
			for b := range columns {
				if e := rows[a] * columns[b] / n; e > 0 {
					d := float64(table[a][b]) - e
					chi += d * d / e
				}
			}
		}
		phi := max(0, chi/n-(r-1)*(k-1)/(n-1))
		smaller := min(r-(r-1)*(r-1)/(n-1), k-(k-1)*(k-1)/(n-1)) - 1
		if smaller <= 0 {
			require.False(t, ok)
			return
		}
		require.True(t, ok)
		require.InDelta(t, min(1, math.Sqrt(phi/smaller)), got, 1e-6)
	})
}
