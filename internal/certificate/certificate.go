package certificate

import (
	"slices"

	"padron/internal/dataset"
)

// Outcome of a run that crawled: what its certificate says.
type Outcome string

// The outcomes of a run.
const (
	Green    Outcome = "green"    // the mirror equals the portal
	Red      Outcome = "red"      // it does not
	Unproven Outcome = "unproven" // the portal moved or lags
	Behind   Outcome = "behind"   // the mirror equals a crawl that the portal has moved on from
)

// SourceCounts are what the portal itself counts after a crawl.
type SourceCounts struct {
	Rows     int64   `bson:"rows" json:"rows"`
	Distinct int64   `bson:"distinct" json:"distinct"` // keys
	Groups   []Group `bson:"groups,omitempty" json:"groups,omitempty"`
}

// Group is the number of rows for each value of a column.
type Group struct {
	Column string       `bson:"column" json:"column"`
	Values []GroupValue `bson:"values" json:"values"`
	// Type is that of the values, by which they are compared; empty: as text.
	Type dataset.Type `bson:"-" json:"-"`
}

// GroupValue is the number of rows with one value of a column.
type GroupValue struct {
	Value string `bson:"value" json:"value"`
	Null  bool   `bson:"null,omitempty" json:"null,omitempty"` // rows without a value
	Rows  int64  `bson:"rows" json:"rows"`
}

// Verdict is a list of checks and what they come to.
type Verdict struct {
	Outcome Outcome `bson:"outcome,omitempty" json:"outcome,omitempty"`
	Checks  []Check `bson:"checks,omitempty" json:"checks,omitempty"`
}

// Holds says that no check failed.
func (v *Verdict) Holds() bool {
	return !slices.ContainsFunc(v.Checks, func(c Check) bool { return !c.OK })
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `bson:"name" json:"name"`
	OK     bool   `bson:"ok" json:"ok"`
	Detail string `bson:"detail" json:"detail"` // the numbers compared
}
