package statistics

import (
	"fmt"
	"math"
	"slices"

	"padron/internal/analytics"
)

// What ends a life in a curve of survival.
const (
	// EventClosed: somebody said that the location or the account closed. An
	// administrative closure ends the observation, as the end of the study
	// does.
	EventClosed = "closed"
	// EventAdministrative: the authority closed it for want of contact, at
	// least three years after the last. Any other closing ends the observation.
	EventAdministrative = "administrative"
	// EventAny: either.
	EventAny = "any"
)

// Survival are Kaplan-Meier curves by age in months: of all rows, or of one
// sector with at least 200 rows that count. Curves end at 50 years, or at the
// first age with fewer than ten rows at risk.
//
// A row is under observation in each calendar month from the one it started in,
// or from Entry when that is later (delayed entry: of the time before, the
// register has survivors only), to the one it ended in or that of the as-of
// date. Its age in a calendar month is the number of months since its start
// month.
type Survival struct {
	Entry    string   `bson:"entry,omitempty" json:"entry,omitempty"` // first month of observation, "2006-01"; empty: from the start of each
	AsOf     string   `bson:"as_of" json:"as_of"`                     // last month of observation
	Rows     int64    `bson:"rows" json:"rows"`                       // in the curves
	Excluded Excluded `bson:"excluded" json:"excluded"`
	Curves   []Curve  `bson:"curves" json:"curves"`   // one for each event, in the order above
	Sectors  []string `bson:"sectors" json:"sectors"` // of all rows' series: sectors with curves of their own; empty name: without a sector
}

// Curve is one curve of survival.
type Curve struct {
	Event  string `bson:"event" json:"event"`   // EventClosed, EventAdministrative or EventAny
	Median *int32 `bson:"median" json:"median"` // age in months that at most half survive; null: more than half survive the curve

	// By age in months, packed: the i-th of each belongs to AgeMonths[i], which
	// follow each other by one.
	AgeMonths []int32   `bson:"age_months" json:"age_months"`
	AtRisk    []int64   `bson:"at_risk" json:"at_risk"`
	Closed    []int64   `bson:"closed" json:"closed"`     // had the event at that age
	Censored  []int64   `bson:"censored" json:"censored"` // left the observation at that age without it
	Survival  []float64 `bson:"survival" json:"survival"` // share that lives beyond that age, 0 to 1
	// 95 % band, log-log; null once nobody survives: there is none then.
	Low95  []*float64 `bson:"low95" json:"low95"`
	High95 []*float64 `bson:"high95" json:"high95"`
}

// Excluded counts the rows that no curve can use; each is in the first of these
// that fits. Dates are compared by month: a row that ended some days before it
// started, in the same month, lived for less than a month.
type Excluded struct {
	NoStart           int64 `bson:"no_start" json:"no_start"`
	FutureStart       int64 `bson:"future_start" json:"future_start"`               // in a month after that of the as-of date
	ClosedWithoutDate int64 `bson:"closed_without_date" json:"closed_without_date"` // closed nobody knows when
	Impossible        int64 `bson:"impossible" json:"impossible"`                   // ended in a month before the one it started in
	BeforeEntry       int64 `bson:"before_entry" json:"before_entry"`               // ended before the first month of observation
}

// Rows is how many rows are excluded in all.
func (e Excluded) Rows() int64 {
	return e.NoStart + e.FutureStart + e.Impossible + e.ClosedWithoutDate + e.BeforeEntry
}

// lives are what curves are made of: of all rows, or of a sector. Numbers are
// by age in months.
type lives struct {
	entered  []int64
	censored []int64
	closed   []int64
	admin    []int64
	rows     int64
	excluded Excluded
}

// add counts rows with the same start, end and kind of end.
func (l *lives) add(s spans, start, end string, open, admin bool, rows int64) {
	now := s.now
	switch {
	case start == "":
		l.excluded.NoStart += rows
		return
	case start > now:
		l.excluded.FutureStart += rows
		return
	case open:
		end = now
	case end == "":
		l.excluded.ClosedWithoutDate += rows
		return
	case end < start:
		l.excluded.Impossible += rows
		return
	case end > now:
		end, open = now, true
	}
	entry := max(start, s.entry)
	if end < entry {
		l.excluded.BeforeEntry += rows
		return
	}
	born := monthNumber(start)
	l.entered = bump(l.entered, monthNumber(entry)-born, rows)
	l.rows += rows
	switch age := monthNumber(end) - born; {
	case open:
		l.censored = bump(l.censored, age, rows)
	case admin:
		l.admin = bump(l.admin, age, rows)
	default:
		l.closed = bump(l.closed, age, rows)
	}
}

// bump adds to the count at an index, which may lie behind the end.
func bump(counts []int64, i int, n int64) []int64 {
	if missing := i + 1 - len(counts); missing > 0 {
		counts = append(counts, make([]int64, missing)...)
	}
	counts[i] += n
	return counts
}

// both adds up two lists of counts.
func both(a, b []int64) []int64 {
	out := make([]int64, max(len(a), len(b)))
	copy(out, a)
	for i, n := range b {
		out[i] += n
	}
	return out
}

// survival makes the curves of all rows and those of sectors, by series name.
func (c *statistics) survival(s spans) (map[string]Survival, error) {
	all, sectors := &lives{}, map[string]*lives{}
	for _, name := range c.sectors {
		sectors[name] = &lives{}
	}
	for k, rows := range c.open {
		all.add(s, k.month, "", true, false, rows)
		sectors[k.name].add(s, k.month, "", true, false, rows)
	}
	for k, rows := range c.lives {
		all.add(s, k.start, k.end, false, k.admin, rows)
		sectors[k.sector].add(s, k.start, k.end, false, k.admin, rows)
	}
	curves := map[string]Survival{}
	top, err := all.survival(s)
	if err != nil {
		return nil, err
	}
	for _, name := range c.sectors {
		if sectors[name].rows < survivalRows {
			continue
		}
		top.Sectors = append(top.Sectors, name)
		if curves[SeriesSurvivalOf(name)], err = sectors[name].survival(s); err != nil {
			return nil, err
		}
	}
	curves[SeriesSurvival] = top
	return curves, nil
}

func (l *lives) survival(s spans) (Survival, error) {
	of := Survival{Entry: s.entry, AsOf: s.now, Rows: l.rows, Excluded: l.excluded, Sectors: []string{}}
	for _, e := range []struct {
		event          string
		events, others []int64
	}{
		{EventClosed, l.closed, both(l.admin, l.censored)},
		{EventAdministrative, l.admin, both(l.closed, l.censored)},
		{EventAny, both(l.closed, l.admin), l.censored},
	} {
		points, err := analytics.KaplanMeier(analytics.Lives{Entered: l.entered, Events: e.events, Censored: e.others})
		if err != nil {
			return Survival{}, fmt.Errorf("survival: %w", err)
		}
		of.Curves = append(of.Curves, curve(e.event, points))
	}
	return of, nil
}

// curve packs points, as far as there are enough rows at risk.
func curve(event string, points []analytics.Point) Curve {
	c := Curve{
		Event: event, AgeMonths: []int32{}, AtRisk: []int64{}, Closed: []int64{}, Censored: []int64{},
		Survival: []float64{}, Low95: []*float64{}, High95: []*float64{},
	}
	end := slices.IndexFunc(points, func(p analytics.Point) bool { return p.Age > survivalAges || p.AtRisk < survivalRisk })
	if end >= 0 {
		points = points[:end]
	}
	for _, p := range points {
		c.AgeMonths = append(c.AgeMonths, int32(p.Age))
		c.AtRisk = append(c.AtRisk, p.AtRisk)
		c.Closed = append(c.Closed, p.Events)
		c.Censored = append(c.Censored, p.Censored)
		c.Survival = append(c.Survival, p.Survival)
		c.Low95 = append(c.Low95, orNone(p.Low))
		c.High95 = append(c.High95, orNone(p.High))
	}
	if age, ok := analytics.Median(points); ok {
		median := int32(age)
		c.Median = &median
	}
	return c
}

func orNone(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
