package statistics

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

	// SeriesProfile is stored by a step of its own (StoreProfile) and is no part
	// of a header's list: read it with Reader.DataProfile.
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

	// survivalAges and survivalRisk are where curves end: at 50 years, or at
	// the first age with fewer than ten rows at risk, of which a single one
	// would move the curve by more than ten points.
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

// Month counts what opened and closed in a month ("2006-01"; empty: closed or
// opened at an unknown time is not counted). AdministrativelyClosed are those
// among Closed.
type Month struct {
	Month                  string `bson:"month" json:"month"`
	Opened                 int64  `bson:"opened" json:"opened"`
	Closed                 int64  `bson:"closed" json:"closed"`
	AdministrativelyClosed int64  `bson:"administratively_closed" json:"administratively_closed"`
}
