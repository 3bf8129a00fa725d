package chart

// The types in this file are the data that the scripts in dashboard/web draw.
// dashboard/web/contract.ts is generated from them: go generate ./dashboard
//
// A list that is empty may be null in JSON.

// Value is an int64, a float64 or nil; nil is unknown, and never zero.
type Value any

// Kind is what a chart looks like.
type Kind string

// The kinds of charts.
const (
	KindLines   Kind = "lines"
	KindBars    Kind = "bars"
	KindHexbin  Kind = "hexbin"
	KindHeatmap Kind = "heatmap"
	KindBoxes   Kind = "boxes"
)

// Curve is how a series is drawn.
type Curve string

// The ways to draw a series.
const (
	CurveLine Curve = "line"
	CurveBar  Curve = "bar"
	CurveStep Curve = "step"
)

// Role is what a series counts, or the basis of its counts. Each role has the
// same color on every page.
type Role string

// The roles of series. Closed and administrative are also the names of events
// that end a location.
const (
	RoleOpened         Role = "opened"
	RoleClosed         Role = "closed"
	RoleAdministrative Role = "administrative"
	RoleSurvivors      Role = "survivors"
	RoleReconstructed  Role = "reconstructed"
	RoleProvisional    Role = "provisional"
	RoleObserved       Role = "observed"
)

// Series is one line, step curve or row of bars.
type Series struct {
	Name   string  `json:"name"`
	Type   Curve   `json:"type"`
	Role   Role    `json:"role,omitempty"`   // empty: the color follows from the place in the chart
	Sparse bool    `json:"sparse,omitempty"` // only some places have values, and the line joins them
	Values []Value `json:"values"`           // one for each place of the chart
	Low    []Value `json:"low,omitempty"`    // lower bounds of a confidence band
	High   []Value `json:"high,omitempty"`   // upper bounds of a confidence band
}

// Mark is an event at a place of a chart that explains a break in the numbers.
type Mark struct {
	X     string `json:"x"`
	Label string `json:"label"`
	Note  string `json:"-"` // in the dataset's own words
}

// Lines is the data of a chart of the kind lines.
type Lines struct {
	X       []string `json:"x"`
	XUnit   string   `json:"x_unit,omitempty"` // what x counts; empty: dates
	Unit    string   `json:"unit"`
	Percent bool     `json:"percent"`
	Series  []Series `json:"series"`
	Marks   []Mark   `json:"marks"`
}

// Bars is the data of a chart of the kind bars.
type Bars struct {
	Categories []string `json:"categories"`
	Unit       string   `json:"unit"`
	Series     []Series `json:"series"`
	Links      []string `json:"links,omitempty"` // address of each category; empty: none has one
	Max        float64  `json:"max,omitempty"`   // largest value possible; 0: no limit
}

// Box is an area in degrees: west, south, east, north.
type Box [4]float64

// Hexbin is the data of a map of hexagons, of which a corner points north. The
// map uses a projection in which a degree has the same length everywhere.
type Hexbin struct {
	Size         float64      `json:"size"` // of a cell, center to corner, in meters
	MetersPerLon float64      `json:"meters_per_lon"`
	MetersPerLat float64      `json:"meters_per_lat"`
	Cells        [][3]float64 `json:"cells"` // longitude, latitude, value
	Unit         string       `json:"unit"`
	Box          Box          `json:"box"`
	Outlines     *Outlines    `json:"outlines,omitempty"` // drawn over the cells
}

// Outlines are the outlines over a map. They have an address of their own, and
// the box around them is known before they are loaded.
type Outlines struct {
	Href string `json:"href"`
	Box  Box    `json:"box"`
}

// OutlineProperty is a property of a GeoJSON feature of the outlines: the name
// of the area and, where the register knows it, the address of its page.
type OutlineProperty string

// The properties of outlines.
const (
	OutlineName OutlineProperty = "name"
	OutlineHref OutlineProperty = "href"
)

// Heatmap is the data of a chart of the kind heatmap. A cell leads to link with
// two more parameters: x_parameter with the key of its column and y_parameter
// with the key of its row.
type Heatmap struct {
	Xs         []string   `json:"xs"`
	Ys         []string   `json:"ys"`
	Values     [][3]int64 `json:"values"` // index in xs, index in ys, value
	Unit       string     `json:"unit"`
	XKeys      []string   `json:"x_keys"`
	YKeys      []string   `json:"y_keys"`
	XParameter string     `json:"x_parameter"`
	YParameter string     `json:"y_parameter"`
	Link       string     `json:"link"`
}

// Boxes is the data of a chart of box plots.
type Boxes struct {
	Categories []string     `json:"categories"`
	Boxes      [][5]float64 `json:"boxes"` // minimum, first quartile, median, third quartile, maximum
	Unit       string       `json:"unit"`
}
