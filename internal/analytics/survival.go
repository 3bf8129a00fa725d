// Package analytics makes statistics of counts: survival, churn, coverage,
// quantiles, association. Its functions are pure. They are given what a
// database counted, never rows.
package analytics

import (
	"errors"
	"fmt"
	"math"
)

// z95 is the 97.5 % quantile of the normal distribution, for bands of 95 %.
const z95 = 1.959963984540054

// ErrLives says that lives do not add up: more left than had entered.
var ErrLives = errors.New("lives do not add up")

// Lives are counts of observed lives by age, in whole units of time: the i-th
// number is of age i. A life is at risk at each age from the one at which it
// entered the observation to the one at which it left, both included; most
// enter at age 0, those with delayed entry (left truncation) later. Each leaves
// once: with the event, or censored.
type Lives struct {
	Entered  []int64
	Events   []int64
	Censored []int64
}

// Point is one age of a curve of survival.
type Point struct {
	Age      int
	AtRisk   int64
	Events   int64
	Censored int64
	// Survival is the share that lives beyond this age, of those that reach
	// the curve's first age. The standard error is Greenwood's.
	Survival float64
	StdErr   float64
	// Low and High are the 95 % band, made on the scale of log(-log(survival)),
	// where it stays between 0 and 1. NaN once nobody survives: there is no
	// band then. Before the first event it has no width.
	Low, High float64
}

// KaplanMeier estimates survival by the product-limit method (Kaplan and Meier,
// 1958), with delayed entry as in Klein and Moeschberger, Survival Analysis,
// section 4.6, the variance by Greenwood, and bands by log(-log) (ibid. 4.3).
//
// The curve goes from the first age with lives at risk to the last before one
// without: what comes after a gap says nothing of those before it.
//
// Errors: ErrLives.
func KaplanMeier(l Lives) ([]Point, error) {
	ages := max(len(l.Entered), len(l.Events), len(l.Censored))
	var (
		points   []Point
		entered  int64 // up to this age
		left     int64 // before this age
		survival = 1.0
		sum      float64 // of Greenwood's formula
		ended    bool
	)
	for age := range ages {
		in, events, censored := at(l.Entered, age), at(l.Events, age), at(l.Censored, age)
		entered += in
		risk := entered - left
		if in < 0 || events < 0 || censored < 0 || events+censored > risk {
			return nil, fmt.Errorf("%w at age %d: %d at risk, %d left", ErrLives, age, risk, events+censored)
		}
		left += events + censored
		if risk == 0 {
			ended = ended || len(points) > 0
			continue
		}
		if ended {
			continue
		}
		n, d := float64(risk), float64(events)
		survival *= (n - d) / n
		if events < risk {
			sum += d / (n * (n - d))
		}
		p := Point{Age: age, AtRisk: risk, Events: events, Censored: censored, Survival: survival, StdErr: survival * math.Sqrt(sum)}
		p.Low, p.High = band(survival, sum)
		points = append(points, p)
	}
	if entered != left {
		return nil, fmt.Errorf("%w: %d entered, %d left", ErrLives, entered, left)
	}
	return points, nil
}

func at(counts []int64, i int) int64 {
	if i < len(counts) {
		return counts[i]
	}
	return 0
}

// band is the 95 % band of a survival, of which sum is Greenwood's.
func band(survival, sum float64) (low, high float64) {
	switch survival {
	case 0:
		return math.NaN(), math.NaN()
	case 1:
		return 1, 1
	}
	wide := math.Exp(z95 * math.Sqrt(sum) / math.Abs(math.Log(survival)))
	return math.Pow(survival, wide), math.Pow(survival, 1/wide)
}

// Median is the first age that at most half of the lives survive; false when
// more than half survive the whole curve.
func Median(points []Point) (age int, ok bool) {
	for _, p := range points {
		if p.Survival <= 0.5 {
			return p.Age, true
		}
	}
	return 0, false
}
