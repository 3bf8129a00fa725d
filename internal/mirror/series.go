package mirror

import "time"

// Names of the series that statistics over time and space are read from.
// Observed snapshots have them, reconstructed ones do not; a snapshot taken
// before a series was invented lacks it (Snapshot.Has).
const (
	SeriesMonthsBy = "months_by" // MonthsBy
	SeriesChurn    = "churn"     // Churn
	SeriesAges     = "ages"      // Ages
	SeriesSurvival = "survival"  // Survival: of all rows; of a sector see SeriesSurvivalOf
	SeriesHexes    = "hexes"     // Hexes
	SeriesCoverage = "coverage"  // Coverage

	// SeriesProfile is made by a step of its own (ProfileColumns) and is no
	// part of a header's list: read it with Mirror.DataProfile.
	SeriesProfile = "profile" // DataProfile
)

// SeriesSurvivalOf is the series of a sector's curves (Survival); "" is the
// sector of rows without one.
func SeriesSurvivalOf(sector string) string { return SeriesSurvival + "/" + sector }

const (
	// monthsBack is how many months MonthsBy goes back: ten years, over most of
	// which every neighborhood's curve can be read.
	monthsBack = 120

	// churnMonths is the span of a churn: a year, so that seasons cancel out.
	churnMonths = 12

	// survivalRows is how many rows a sector must have for curves of its own:
	// below some two hundred the band is wider than any difference.
	survivalRows = 200

	// survivalAges and survivalRisk are where curves end: at 50 years, or at the
	// first age with fewer than ten rows at risk, of which a single one would
	// move the curve by more than ten points.
	survivalAges = 50 * 12
	survivalRisk = 10
)

// MonthsBy are openings and closings by month and neighborhood, and closings
// by month and sector. There are no openings by sector: hardly any new row has
// an industry code yet, so their trend would be false.
type MonthsBy struct {
	// Months are consecutive ("2006-01"), oldest first; the last is the one
	// that the as-of date lies in, which is over only on its last day.
	Months        []string   `bson:"months" json:"months"`
	Neighborhoods []MonthsOf `bson:"neighborhoods" json:"neighborhoods"` // by name; empty: unknown
	Sectors       []MonthsOf `bson:"sectors" json:"sectors"`             // Opened is null
}

// MonthsOf are the counts of one value of a dimension, as many as there are
// months. AdministrativelyClosed are those among Closed.
type MonthsOf struct {
	Name                   string  `bson:"name" json:"name"`
	Opened                 []int64 `bson:"opened,omitempty" json:"opened"`
	Closed                 []int64 `bson:"closed" json:"closed"`
	AdministrativelyClosed []int64 `bson:"administratively_closed" json:"administratively_closed"`
}

// Churn is how much changed within the last twelve complete months.
type Churn struct {
	From          string    `bson:"from" json:"from"` // first month, "2006-01"
	To            string    `bson:"to" json:"to"`     // last month, inclusive
	Neighborhoods []Churned `bson:"neighborhoods" json:"neighborhoods"`
	Sectors       []Churned `bson:"sectors" json:"sectors"` // their openings lack most of what opened, see Coverage
	All           Churned   `bson:"all" json:"all"`         // of all rows; its name is empty
}

// Churned are the counts of one value of a dimension; an empty name stands for
// unknown. analytics.Churn makes the rate of them, and says when there is none.
// AdministrativelyClosed are those among Closed.
type Churned struct {
	Name                   string `bson:"name" json:"name"`
	Open                   int64  `bson:"open" json:"open"` // at the beginning of the first month
	Opened                 int64  `bson:"opened" json:"opened"`
	Closed                 int64  `bson:"closed" json:"closed"`
	AdministrativelyClosed int64  `bson:"administratively_closed" json:"administratively_closed"`
}

// Ages are the ages of open locations, from the month they started in to the
// month of the as-of date, in years. They are exact to the month.
type Ages struct {
	Neighborhoods []AgesOf `bson:"neighborhoods" json:"neighborhoods"`
	Sectors       []AgesOf `bson:"sectors" json:"sectors"`
	All           AgesOf   `bson:"all" json:"all"` // its name is empty
}

// AgesOf are the ages of one value of a dimension (empty name: unknown) as five
// numbers, in years; all zero when Count is. Quantiles are interpolated
// linearly between ranks (type 7 of Hyndman and Fan, 1996).
type AgesOf struct {
	Name    string  `bson:"name" json:"name"`
	Count   int64   `bson:"count" json:"count"`     // open, with a start not in the future
	Undated int64   `bson:"undated" json:"undated"` // open, and without a start or with one in the future: in none of the numbers
	Min     float64 `bson:"min" json:"min"`
	Q1      float64 `bson:"q1" json:"q1"`
	Median  float64 `bson:"median" json:"median"`
	Q3      float64 `bson:"q3" json:"q3"`
	Max     float64 `bson:"max" json:"max"`
}

// What ends a life in a curve of survival.
const (
	// EventClosed: somebody said that the location or the account closed. An
	// administrative closure ends the observation, as the end of the study does.
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
// that fits. Months count: a row that ended some days before it started, in the
// same month, is one that lived for less than a month.
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

// Hexes are the cells of the map that have rows: hexagons with a corner to the
// north (pointy), in a grid over a projection in which a degree of longitude
// and one of latitude have the same number of meters everywhere. A page draws
// one with corners at Size meters from its center, at 30, 90, 150, ... degrees
// from the east: divide by MetersPerLon and MetersPerLat to get degrees.
type Hexes struct {
	Size         float64 `bson:"size" json:"size"`   // center to corner, meters
	Width        float64 `bson:"width" json:"width"` // side to side, and center to center, meters
	MetersPerLon float64 `bson:"meters_per_lon" json:"meters_per_lon"`
	MetersPerLat float64 `bson:"meters_per_lat" json:"meters_per_lat"`
	Box          Box     `bson:"box" json:"box"`
	Cells        []Hex   `bson:"cells" json:"cells"`         // by id
	Unlocated    Totals  `bson:"unlocated" json:"unlocated"` // rows without a point, or with one outside the box
}

// Hex is a cell of the map: its center and its counts.
type Hex struct {
	Cell   string  `bson:"cell" json:"cell"` // facets.cell
	Lon    float64 `bson:"lon" json:"lon"`   // degrees
	Lat    float64 `bson:"lat" json:"lat"`
	Open   int64   `bson:"open" json:"open"`
	Closed int64   `bson:"closed" json:"closed"`
}

// Box is an area, in degrees.
type Box struct {
	West  float64 `bson:"west" json:"west"`
	South float64 `bson:"south" json:"south"`
	East  float64 `bson:"east" json:"east"`
	North float64 `bson:"north" json:"north"`
}

// Coverage is of how many rows a dimension is known: what a chart by that
// dimension does not show.
type Coverage struct {
	All      Covered       `bson:"all" json:"all"`   // of all rows
	Open     Covered       `bson:"open" json:"open"` // of open ones
	Openings []CoveredYear `bson:"openings" json:"openings"`
	Closings []CoveredYear `bson:"closings" json:"closings"`
	NoStart  int64         `bson:"no_start" json:"no_start"` // rows without a start: in no year of Openings
}

// Covered is of how many of Rows each dimension has a value.
type Covered struct {
	Rows         int64 `bson:"rows" json:"rows"`
	Neighborhood int64 `bson:"neighborhood" json:"neighborhood"`
	Sector       int64 `bson:"sector" json:"sector"`
	District     int64 `bson:"district" json:"district"`
}

// CoveredYear is the coverage of what opened or closed in a year.
type CoveredYear struct {
	Year    string `bson:"year" json:"year"` // "2006"
	Covered `bson:",inline"`
}

// DataProfile describes what the mirror's columns hold: the exploratory
// analysis of the data, kept current. It is no part of a snapshot's counts, and
// stands beside one.
type DataProfile struct {
	Snapshot string         `bson:"snapshot" json:"snapshot"` // id of the snapshot it stands beside
	Rows     int64          `bson:"rows" json:"rows"`
	Made     time.Time      `bson:"made" json:"made"`
	TookMS   int64          `bson:"took_ms" json:"took_ms"`
	Fields   []FieldProfile `bson:"fields" json:"fields"` // in the order of the document
	Flags    []Counted      `bson:"flags" json:"flags"`   // of quality.flags, most frequent first

	// HomeState is the state that most rows have; OutsideHome are the others,
	// most frequent first. Empty when the dataset has no state.
	HomeState   string    `bson:"home_state" json:"home_state"`
	OutsideHome []Counted `bson:"outside_home" json:"outside_home"`

	// Matrix are the counts of open and closed rows by neighborhood and sector.
	Matrix Cells `bson:"matrix" json:"matrix"`
	// Associations of the small dimensions, each pair once.
	Associations []Association `bson:"associations" json:"associations"`
}

// FieldProfile describes one field of the document.
type FieldProfile struct {
	Path      string `bson:"path" json:"path"`
	Type      string `bson:"type" json:"type"` // as the spec says: text, number, date, ...
	Sensitive bool   `bson:"sensitive" json:"sensitive"`
	Present   int64  `bson:"present" json:"present"`
	Missing   int64  `bson:"missing" json:"missing"`
	// Distinct is how many values there are, exactly; null where they are not
	// counted (a point).
	Distinct *int64 `bson:"distinct" json:"distinct"`
	// Top are the ten most frequent values, of equal ones the first in order;
	// none of a sensitive field, or of one whose values are all distinct.
	Top []Counted `bson:"top" json:"top"`
	// Histogram of dates by year and of numbers by value; empty of other types.
	Histogram []Counted `bson:"histogram" json:"histogram"`
}

// Counted is a value as text, and how many rows have it.
type Counted struct {
	Value string `bson:"value" json:"value"`
	Rows  int64  `bson:"rows" json:"rows"`
}

// Association is how strongly two dimensions depend on each other among the
// rows that have both: Cramér's V with Bergsma's correction of bias, 0 to 1.
type Association struct {
	A    string   `bson:"a" json:"a"`
	B    string   `bson:"b" json:"b"`
	Rows int64    `bson:"rows" json:"rows"`
	V    *float64 `bson:"v" json:"v"` // null when one of them has fewer than two values
}
