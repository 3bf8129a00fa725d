package cleaning

import (
	"fmt"
	"math"
	"strconv"

	"padron/internal/dataset"
)

// CellWidth is the width of the map's cells in meters, from side to side and
// from center to center. Cells are hexagons with a corner to the north, laid
// over the spec's box from its south-west corner. A cell's id is its axial
// coordinates, "Q_R": Q counts to the east, R to the north-east
// (https://www.redblobgames.com/grids/hexagons/).
const CellWidth = 250.0

// degree is the length of a degree of latitude in meters, on a sphere with the
// Earth's mean radius of 6,371,009 m.
const degree = 111195.0

// hexes computes the cells of one box. Its conversions to float64 keep the
// compiler from fusing operations, which would round differently on other
// processors.
type hexes struct {
	box dataset.Box
	lon float64 // length of a degree of longitude in the box's middle, meters
}

func newHexes(box dataset.Box) hexes {
	return hexes{box: box, lon: degree * math.Cos((box.South+box.North)/2*math.Pi/180)}
}

// cell returns the hexagon that a point of the box lies in.
func (h hexes) cell(lon, lat float64) (q, r int) {
	const size = CellWidth / 1.7320508075688772 // center to corner
	x := (lon - h.box.West) * h.lon / size
	y := (lat - h.box.South) * degree / size
	fq := float64(x*(1.7320508075688772/3)) - float64(y/3)
	fr := float64(y * (2.0 / 3))
	rq, rr, rs := math.Round(fq), math.Round(fr), math.Round(-fq-fr)
	dq, dr, ds := math.Abs(rq-fq), math.Abs(rr-fr), math.Abs(rs+fq+fr)
	switch {
	case dq > dr && dq > ds:
		rq = -rr - rs
	case dr > ds:
		rr = -rq - rs
	}
	return int(rq), int(rr)
}

// appendCell appends the id of a cell.
func appendCell(dst []byte, q, r int) []byte {
	dst = strconv.AppendInt(dst, int64(q), 10)
	dst = append(dst, '_')
	return strconv.AppendInt(dst, int64(r), 10)
}

// CellCenter returns the center, in degrees, of a cell as facets.cell names it.
// The error says that id names none.
func CellCenter(box dataset.Box, id string) (lon, lat float64, err error) {
	var q, r int
	if _, err := fmt.Sscanf(id, "%d_%d", &q, &r); err != nil {
		return 0, 0, fmt.Errorf("map cell %q: expected two numbers joined by _", id)
	}
	h := newHexes(box)
	x := CellWidth * (float64(q) + float64(r)/2)
	y := CellWidth * 1.7320508075688772 / 2 * float64(r)
	return box.West + x/h.lon, box.South + y/degree, nil
}

// Grid is the geometry of the cells of a box, for drawing them. Size is the
// distance from the center of a cell to its corners, of which one lies to the
// north, and Width the distance from side to side, in meters. MetersPerLon and
// MetersPerLat are meters per degree, taken to be the same everywhere in the
// box.
type Grid struct {
	Size         float64
	Width        float64
	MetersPerLon float64
	MetersPerLat float64
}

// GridOf returns the geometry of the cells of a box.
func GridOf(box dataset.Box) Grid {
	return Grid{Size: CellWidth / 1.7320508075688772, Width: CellWidth, MetersPerLon: newHexes(box).lon, MetersPerLat: degree}
}
