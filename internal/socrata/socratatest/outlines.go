package socratatest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"padron/internal/boundaries"
)

// PropertyName is the property of the boundaries that holds the name of an area.
const PropertyName = "nhood"

// outlines are the portal's boundaries.
type outlines struct {
	areas     []boundaries.Area
	published time.Time
}

// Neighborhoods are outlines of the generator's neighborhoods: of each the part of the town that is nearer to its middle
// than to that of any other. That is no real geography, but near enough to where the generated points lie.
func Neighborhoods() []boundaries.Area {
	const northOfEquator = 37.76
	perLon := math.Cos(northOfEquator * math.Pi / 180) // of a degree of latitude
	town := orb.Bound{Min: orb.Point{180, 90}, Max: orb.Point{-180, -90}}
	for _, n := range neighborhoods {
		town = town.Extend(orb.Point{n.lon - n.lonSpread, n.lat - n.latSpread}).Extend(orb.Point{n.lon + n.lonSpread, n.lat + n.latSpread})
	}
	areas := make([]boundaries.Area, 0, len(neighborhoods))
	for i, n := range neighborhoods {
		ring := town.ToRing()[:4]
		for j, other := range neighborhoods {
			if i != j {
				// What is nearer to the one than to the other is the half-plane on its side of the line midway.
				dx, dy := (other.lon-n.lon)*perLon*perLon, other.lat-n.lat
				ring = clip(ring, dx, dy, dx*(n.lon+other.lon)/2+dy*(n.lat+other.lat)/2)
			}
		}
		for p := range ring {
			ring[p] = orb.Point{math.Round(ring[p][0]*1e6) / 1e6, math.Round(ring[p][1]*1e6) / 1e6}
		}
		areas = append(areas, boundaries.Area{Name: n.name, Outline: geojson.MultiPolygon{{append(ring, ring[0])}}})
	}
	return areas
}

// clip keeps the part of a convex ring, open, where a x + b y <= c (Sutherland and Hodgman).
func clip(ring orb.Ring, a, b, c float64) orb.Ring {
	var kept orb.Ring
	for i, p := range ring {
		next := ring[(i+1)%len(ring)]
		here, there := a*p[0]+b*p[1]-c, a*next[0]+b*next[1]-c
		if here <= 0 {
			kept = append(kept, p)
		}
		if here < 0 && there > 0 || here > 0 && there < 0 {
			t := here / (here - there)
			kept = append(kept, orb.Point{p[0] + t*(next[0]-p[0]), p[1] + t*(next[1]-p[1])})
		}
	}
	return kept
}

// BoundariesFromFile reads the outlines in a GeoJSON file, whose property PropertyName holds their names.
func BoundariesFromFile(path string) ([]boundaries.Area, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	areas, _, err := boundaries.Parse(data, PropertyName)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return areas, nil
}

// PublishBoundaries replaces the portal's outlines; the portal's clock says when.
func (p *Portal) PublishBoundaries(areas []boundaries.Area) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Versions have a resolution of one second.
	published := p.now().UTC().Truncate(time.Second)
	if !published.After(p.outlines.published) {
		published = p.outlines.published.Add(time.Second)
	}
	p.outlines = outlines{areas, published}
}

func (p *Portal) boundaries() outlines {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outlines
}

const (
	outlinesPath     = "/resource/" + DefaultBoundariesID + ".geojson"
	outlinesMetadata = "/api/views/" + DefaultBoundariesID + ".json"
)

func (p *Portal) servesOutlines(path string) bool {
	return (path == outlinesPath || path == outlinesMetadata) && len(p.boundaries().areas) > 0
}

// outlines answers requests for the boundaries.
func (a *answer) outlines() {
	b := a.portal.boundaries()
	h := a.writer.Header()
	at := b.published.Format(http.TimeFormat)
	h.Set("Last-Modified", at)
	var body any
	kind := "application/json; charset=utf-8"
	if a.request.URL.Path == outlinesMetadata {
		body = metadata{
			ID: DefaultBoundariesID, Name: "Analysis Neighborhoods (simulated)", AssetType: "dataset", ViewType: "tabular", Category: "Geographic Locations and Boundaries",
			Attribution: "Simulated boundaries", Description: "No boundary in it is real.", LicenseID: "PDDL",
			License:   metadataLicense{"Open Data Commons Public Domain Dedication and License", "http://opendatacommons.org/licenses/pddl/1.0/"},
			CreatedAt: b.published.Unix(), RowsUpdatedAt: b.published.Unix(), ViewLastModified: b.published.Unix(),
			Columns: []metadataColumn{
				{ID: 1, Name: "the_geom", FieldName: "the_geom", DataTypeName: "multipolygon", RenderTypeName: "multipolygon", Position: 1},
				{ID: 2, Name: PropertyName, FieldName: PropertyName, DataTypeName: "text", RenderTypeName: "text", Position: 2},
			},
		}
	} else {
		kind = "application/vnd.geo+json; charset=utf-8"
		h.Set("X-SODA2-Secondary-Last-Modified", at)
		h.Set("X-SODA2-Truth-Last-Modified", at)
		h.Set("X-SODA2-Data-Out-Of-Date", "false")
		limit := DefaultLimit
		if text := a.request.URL.Query().Get("$limit"); text != "" {
			var err error
			if limit, err = strconv.Atoi(text); err != nil || limit < 0 || limit > a.portal.maxLimit {
				a.problem(http.StatusBadRequest, codeMalformed, "Query coordinator error: "+codeMalformed+"; Invalid $limit: "+text, nil)
				return
			}
		}
		collection := geojson.NewFeatureCollection()
		for _, area := range b.areas[:min(limit, len(b.areas))] {
			f := geojson.NewFeature(orb.MultiPolygon(area.Outline))
			f.Properties[PropertyName] = area.Name
			collection.Append(f)
		}
		collection.ExtraMembers = map[string]any{"crs": map[string]any{"type": "name", "properties": map[string]any{"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}}
		body = collection
	}
	text, err := json.Marshal(body)
	if err != nil {
		a.problem(http.StatusInternalServerError, "internal_error", err.Error(), nil)
		return
	}
	a.send(http.StatusOK, kind, append(text, '\n'))
}
