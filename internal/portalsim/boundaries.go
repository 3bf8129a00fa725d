package portalsim

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"padron/internal/boundaries"
	"padron/internal/portalsim/soql"
)

// PropertyName is the property of the boundaries that holds an area's name.
const PropertyName = "nhood"

// outlines are the portal's boundaries.
type outlines struct {
	areas     []boundaries.Area
	published time.Time
}

// BoundariesFromFile reads the outlines in a GeoJSON file, named by their
// property PropertyName.
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

// PublishBoundaries replaces the portal's outlines now, by its clock. Versions
// are at least one second apart.
func (p *Portal) PublishBoundaries(areas []boundaries.Area) {
	p.mu.Lock()
	defer p.mu.Unlock()
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
	if a.request.URL.Path == outlinesMetadata {
		a.json(http.StatusOK, "application/json; charset=utf-8", b.metadata())
		return
	}
	limit := DefaultLimit
	if text := a.request.URL.Query().Get("$limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 || limit > a.portal.maxLimit {
			refused := soql.Error{Code: soql.CodeMalformed, Message: "Invalid $limit: " + text}
			a.problem(http.StatusBadRequest, refused.Code, "Query coordinator error: "+refused.Error(), nil)
			return
		}
	}
	h.Set("X-SODA2-Secondary-Last-Modified", at)
	h.Set("X-SODA2-Truth-Last-Modified", at)
	h.Set("X-SODA2-Data-Out-Of-Date", "false")
	a.json(http.StatusOK, "application/vnd.geo+json; charset=utf-8", b.collection(limit))
}

func (b outlines) metadata() metadata {
	return metadata{
		ID: DefaultBoundariesID, Name: "Analysis Neighborhoods (simulated)", AssetType: "dataset", ViewType: "tabular",
		Category: "Geographic Locations and Boundaries", Attribution: "Simulated boundaries",
		Description: "No boundary in it is real.", LicenseID: "PDDL", License: publicDomain(),
		CreatedAt: b.published.Unix(), RowsUpdatedAt: b.published.Unix(), ViewLastModified: b.published.Unix(),
		Columns: []metadataColumn{
			{ID: 1, Name: "the_geom", FieldName: "the_geom", DataTypeName: "multipolygon", RenderTypeName: "multipolygon", Position: 1},
			{ID: 2, Name: PropertyName, FieldName: PropertyName, DataTypeName: "text", RenderTypeName: "text", Position: 2},
		},
	}
}

// collection returns the first areas as GeoJSON.
func (b outlines) collection(limit int) *geojson.FeatureCollection {
	collection := geojson.NewFeatureCollection()
	for _, area := range b.areas[:min(limit, len(b.areas))] {
		f := geojson.NewFeature(orb.MultiPolygon(area.Outline))
		f.Properties[PropertyName] = area.Name
		collection.Append(f)
	}
	collection.ExtraMembers = map[string]any{
		"crs": map[string]any{"type": "name", "properties": map[string]any{"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
	}
	return collection
}
