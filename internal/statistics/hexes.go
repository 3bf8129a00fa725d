package statistics

import (
	"maps"
	"slices"
)

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

// Grid is the map's grid of hexagons.
type Grid struct {
	Size         float64 // center to corner, meters
	Width        float64 // side to side, meters
	MetersPerLon float64
	MetersPerLat float64
	Box          Box
	// Center is the center of a cell of facets.cell, in degrees.
	Center func(cell string) (lon, lat float64, err error)
}

// hexMap are the cells of the map.
func (c *statistics) hexMap(g *Grid) (Hexes, error) {
	h := Hexes{Size: g.Size, Width: g.Width, MetersPerLon: g.MetersPerLon, MetersPerLat: g.MetersPerLat, Box: g.Box, Cells: []Hex{}}
	for _, id := range slices.Sorted(maps.Keys(c.hexes)) {
		t := c.hexes[id]
		if id == "" {
			h.Unlocated = t
			continue
		}
		lon, lat, err := g.Center(id)
		if err != nil {
			return Hexes{}, err
		}
		h.Cells = append(h.Cells, Hex{Cell: id, Lon: lon, Lat: lat, Open: t.Open, Closed: t.Closed})
	}
	return h, nil
}
