package boundaries

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/planar"
)

const (
	// MaxAreas is how many areas there may be: a city has dozens, and a reader
	// cannot tell more apart on a map.
	MaxAreas = 300
	// MaxRead is how many points may be read. Official outlines of a city have
	// some ten thousand.
	MaxRead = 1_000_000
	// MaxPoints is how many points are kept: with five decimals some 22 bytes
	// of JSON each, 55 kB in all.
	MaxPoints = 2400

	// decimals of a degree that are kept: a meter.
	decimals = 1e5
	// leastTolerance is the smallest tolerance of the simplification, in
	// degrees: five meters, a fraction of one pixel on a map of the city.
	leastTolerance = 5e-5
	// lookedBetween is how many points are looked at between two looks at the
	// deadline: a few milliseconds.
	lookedBetween = 1 << 20
	// ringPoints is the smallest number of points of a closed ring:
	// https://www.rfc-editor.org/rfc/rfc7946#section-3.1.6
	ringPoints = 4
)

// ErrUnusable is returned for JSON that holds no outlines that can be drawn.
// Asking again does not help.
var ErrUnusable = errors.New("boundaries cannot be used")

// Area is a named area. Its outline consists of polygons of closed rings, the
// outer ring first, with longitude and latitude in degrees (WGS 84). In JSON
// and BSON the outline is a GeoJSON geometry of type MultiPolygon.
type Area struct {
	Name    string               `bson:"name" json:"name"`
	Outline geojson.MultiPolygon `bson:"outline" json:"outline"`
}

// Bound returns the box around the area.
func (a Area) Bound() orb.Bound { return orb.MultiPolygon(a.Outline).Bound() }

// Points returns the number of points of all areas.
func Points(areas []Area) int {
	n := 0
	for _, a := range areas {
		for _, polygon := range a.Outline {
			for _, ring := range polygon {
				n += len(ring)
			}
		}
	}
	return n
}

// Parse reads a GeoJSON FeatureCollection
// (https://www.rfc-editor.org/rfc/rfc7946) of polygons and multipolygons.
// property holds the name of each; features of the same name become one area,
// at the place of the first of them. It also returns the number of features.
// Each error wraps ErrUnusable and is one line.
func Parse(data []byte, property string) (areas []Area, features int, err error) {
	collection, err := geojson.UnmarshalFeatureCollection(data)
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("%w: no GeoJSON FeatureCollection: %s", ErrUnusable, strings.Join(strings.Fields(err.Error()), " "))
	case len(collection.Features) == 0:
		return nil, 0, fmt.Errorf("%w: there is no feature", ErrUnusable)
	}
	by := map[string]int{}
	points := 0
	for i, f := range collection.Features {
		unusable := func(format string, args ...any) error {
			return fmt.Errorf("%w: feature %d: %s", ErrUnusable, i+1, fmt.Sprintf(format, args...))
		}
		if f == nil {
			return nil, 0, unusable("it is null")
		}
		name, _ := f.Properties[property].(string)
		if name = strings.TrimSpace(name); name == "" {
			return nil, 0, unusable("it has no text as its property %s", property)
		}
		var polygons orb.MultiPolygon
		switch g := f.Geometry.(type) {
		case orb.Polygon:
			polygons = orb.MultiPolygon{g}
		case orb.MultiPolygon:
			polygons = g
		case nil:
			return nil, 0, unusable("%s has no geometry", name)
		default:
			return nil, 0, unusable("%s is a %s, expected a Polygon or a MultiPolygon", name, g.GeoJSONType())
		}
		if len(polygons) == 0 {
			return nil, 0, unusable("%s has no polygon", name)
		}
		for _, polygon := range polygons {
			if len(polygon) == 0 {
				return nil, 0, unusable("%s has a polygon without rings", name)
			}
			for _, ring := range polygon {
				if err := checkRing(ring); err != nil {
					return nil, 0, unusable("%s: %s", name, err)
				}
				points += len(ring)
			}
		}
		if points > MaxRead {
			return nil, 0, fmt.Errorf("%w: more than %d points", ErrUnusable, MaxRead)
		}
		at, ok := by[name]
		if !ok {
			if at = len(areas); at == MaxAreas {
				return nil, 0, fmt.Errorf("%w: more than %d areas", ErrUnusable, MaxAreas)
			}
			by[name] = at
			areas = append(areas, Area{Name: name})
		}
		areas[at].Outline = append(areas[at].Outline, polygons...)
	}
	return areas, len(collection.Features), nil
}

func checkRing(ring orb.Ring) error {
	if len(ring) < ringPoints {
		return fmt.Errorf("a ring of %d points, expected at least %d", len(ring), ringPoints)
	}
	if !ring.Closed() {
		return errors.New("a ring that is not closed: its last point is not its first")
	}
	for _, p := range ring {
		// This form refuses NaN as well.
		if !(math.Abs(p.Lon()) <= 180 && math.Abs(p.Lat()) <= 90) {
			return fmt.Errorf("the point %v is not on earth: longitude comes first, in degrees", [2]float64(p))
		}
	}
	return nil
}

// Simplify returns the areas with fewer points, at most MaxPoints, and the
// tolerance in degrees that no outline moved by more than (Douglas and
// Peucker). It uses the smallest tolerance that is enough, in steps of the
// square root of two. Holes and islands smaller than the tolerance are dropped;
// an area smaller than it becomes its bounding box. The given areas are not
// changed.
//
// The time grows with the square of the points of a ring, at worst: it ends with
// ctx, whose error it returns then.
func Simplify(ctx context.Context, areas []Area) (simple []Area, tolerance float64, err error) {
	ranked := make([][][][]float64, len(areas)) // by area, polygon, ring and point
	for i, a := range areas {
		ranked[i] = make([][][]float64, len(a.Outline))
		for j, polygon := range a.Outline {
			ranked[i][j] = make([][]float64, len(polygon))
			for k, ring := range polygon {
				if ranked[i][j][k], err = rank(ctx, ring); err != nil {
					return nil, 0, err
				}
			}
		}
	}
	for tolerance = leastTolerance; ; tolerance *= math.Sqrt2 {
		simple = make([]Area, len(areas))
		for i, a := range areas {
			simple[i] = a.simplify(ranked[i], tolerance)
		}
		if Points(simple) <= MaxPoints || tolerance > 360 {
			return simple, tolerance, ctx.Err()
		}
	}
}

// rank returns for each point of a ring the square of the tolerance, in degrees,
// below which Douglas and Peucker keep it: the recursion is made once, to its
// end, for all tolerances.
func rank(ctx context.Context, ring orb.Ring) ([]float64, error) {
	ranks := make([]float64, len(ring))
	ranks[0], ranks[len(ring)-1] = math.Inf(1), math.Inf(1)
	type part struct {
		from, to int
		at       float64 // tolerance, squared, below which both ends are kept
	}
	looked := 0
	for parts := []part{{0, len(ring) - 1, math.Inf(1)}}; len(parts) > 0; {
		p := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		if looked += p.to - p.from; looked >= lookedBetween {
			looked = 0
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		farthest, middle := 0.0, 0
		for i := p.from + 1; i < p.to; i++ {
			if d := planar.DistanceFromSegmentSquared(ring[p.from], ring[p.to], ring[i]); d > farthest {
				farthest, middle = d, i
			}
		}
		if farthest <= leastTolerance*leastTolerance {
			continue
		}
		ranks[middle] = min(p.at, farthest)
		parts = append(parts, part{p.from, middle, ranks[middle]}, part{middle, p.to, ranks[middle]})
	}
	return ranks, nil
}

func (a Area) simplify(ranks [][][]float64, tolerance float64) Area {
	out := Area{Name: a.Name}
	for i, polygon := range a.Outline {
		var rings orb.Polygon
		for j, ring := range polygon {
			var kept orb.Ring
			for k, p := range ring {
				if ranks[i][j][k] > tolerance*tolerance {
					kept = append(kept, orb.Point{math.Round(p[0]*decimals) / decimals, math.Round(p[1]*decimals) / decimals})
				}
			}
			// A ring that keeps three sides or more is still a valid ring.
			if len(kept) >= ringPoints {
				rings = append(rings, kept)
			} else if j == 0 {
				break // its holes are smaller still
			}
		}
		if len(rings) > 0 {
			out.Outline = append(out.Outline, rings)
		}
	}
	if len(out.Outline) == 0 {
		out.Outline = geojson.MultiPolygon{{a.Bound().ToRing()}}
	}
	return out
}
