package analytics

import (
	"errors"
	"fmt"
	"math"
)

// z95 is the 97.5 % quantile of the normal distribution, for bands of 95 %.
const z95 = 1.959963984540054

// ErrLives is returned when lives do not add up: more left than had entered.
var ErrLives = errors.New("lives do not add up")

// Lives are counts of observed lives by age, in full units of time: index i
// counts those of age i. A life is at risk at each age from the one at which it
// entered the observation to the one at which it left, both included; most
// enter at age 0, those with delayed entry (left truncation) later. Each leaves
// once: with the event, or censored.
type Lives struct {
	Entered  []int64
	Events   []int64
	Censored []int64
}

// Point is a survival curve at one age.
type Point struct {
	Age      int
	AtRisk   int64
	Events   int64
	Censored int64
	// Survival is the share of those at risk at the curve's first age that live
	// beyond this age. StdErr is its standard error by Greenwood's formula.
	Survival float64
	StdErr   float64
	// Low and High are the 95 % confidence band, computed on the scale of
	// log(-log(survival)) so that it stays between 0 and 1. They are NaN once
	// nobody survives, and equal before the first event.
	Low, High float64
}

// KaplanMeier estimates survival by the product-limit method (Kaplan and Meier,
// 1958), with delayed entry as in Klein and Moeschberger, Survival Analysis,
// section 4.6, the variance by Greenwood, and bands by log(-log) (ibid. 4.3).
//
// The curve starts at the first age with lives at risk and ends before the next
// age without any: lives after such a gap say nothing about those before it.
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

// band returns the 95 % confidence band of a survival; sum is the sum of
// Greenwood's formula.
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

// Median returns the first age that at most half of the lives survive. ok is
// false when more than half survive the last age of the curve.
func Median(points []Point) (age int, ok bool) {
	for _, p := range points {
		if p.Survival <= 0.5 {
			return p.Age, true
		}
	}
	return 0, false
}
