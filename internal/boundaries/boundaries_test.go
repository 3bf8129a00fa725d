package boundaries

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/planar"
	"github.com/paulmach/orb/simplify"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/testenv"
)

func feature(name, geometry string) string {
	return `{"type":"Feature","properties":{"nhood":` + name + `},"geometry":` + geometry + `}`
}

func collection(features ...string) string {
	return `{"type":"FeatureCollection","features":[` + strings.Join(features, ",") + `],"crs":{"type":"name"}}`
}

const square = `{"type":"Polygon","coordinates":[[[-122.5,37.7],[-122.4,37.7],[-122.4,37.8],[-122.5,37.8],[-122.5,37.7]]]}`

func TestParse(t *testing.T) {
	two := `{"type":"MultiPolygon","coordinates":[[[[1,2,9],[3,2,9],[3,4,9],[1,2,9]],[[1.5,2.2],[2.5,2.2],[2.5,3],[1.5,2.2]]]]}`
	areas, features, err := Parse([]byte(collection(feature(`" Mission "`, square), feature(`"Bay"`, two), feature(`"Mission"`, two))), "nhood")
	require.NoError(t, err)
	require.Len(t, areas, 2)
	assert.Equal(t, 3, features)
	assert.Equal(t, "Mission", areas[0].Name)
	assert.Len(t, areas[0].Outline, 2, "features of one name are one area")
	assert.Equal(t, "Bay", areas[1].Name)
	require.Len(t, areas[1].Outline[0], 2, "a hole")
	assert.Equal(t, orb.Point{3, 4}, areas[1].Outline[0][0][2], "heights are left out")
	assert.Equal(t, 5+8+8, Points(areas))
}

func TestWhatCannotBeUsed(t *testing.T) {
	ring := func(points string) string { return `{"type":"Polygon","coordinates":[[` + points + `]]}` }
	many := make([]string, MaxAreas+1)
	for i := range many {
		many[i] = feature(fmt.Sprintf("%q", fmt.Sprint("area ", i)), square)
	}
	long := strings.Repeat("[1,1],", MaxRead)
	for name, test := range map[string][2]string{
		"no JSON":            {`<html>`, "no GeoJSON FeatureCollection"},
		"rows":               {`[{"nhood":"Mission"}]`, "no GeoJSON FeatureCollection"},
		"a feature alone":    {feature(`"Mission"`, square), "no GeoJSON FeatureCollection"},
		"none":               {collection(), "there is no feature"},
		"null":               {collection("null"), "feature 1: "},
		"a point":            {collection(feature(`"A"`, square), feature(`"B"`, `{"type":"Point","coordinates":[1,2]}`)), "feature 2: B is a Point, expected a Polygon or a MultiPolygon"},
		"a line":             {collection(feature(`"A"`, `{"type":"LineString","coordinates":[[1,2],[2,3]]}`)), "A is a LineString"},
		"no geometry":        {collection(feature(`"A"`, "null")), "feature 1: A has no geometry"},
		"no polygon":         {collection(feature(`"A"`, `{"type":"MultiPolygon","coordinates":[]}`)), "A has no polygon"},
		"no ring":            {collection(feature(`"A"`, `{"type":"Polygon","coordinates":[]}`)), "A has a polygon without rings"},
		"no name":            {collection(feature(`""`, square)), "feature 1: it has no text as its property nhood"},
		"null for a name":    {collection(feature(`null`, square)), "it has no text as its property nhood"},
		"a number as a name": {collection(feature(`7`, square)), "it has no text as its property nhood"},
		"not closed":         {collection(feature(`"A"`, ring("[1,1],[2,1],[2,2],[1,2]"))), "A: a ring that is not closed"},
		"three points":       {collection(feature(`"A"`, ring("[1,1],[2,1],[1,1]"))), "A: a ring of 3 points, expected at least 4"},
		"no number":          {collection(feature(`"A"`, ring("[NaN,1],[2,1],[2,2],[NaN,1]"))), "no GeoJSON FeatureCollection"},
		"too large a number": {collection(feature(`"A"`, ring("[1e999,1],[2,1],[2,2],[1e999,1]"))), "no GeoJSON FeatureCollection"},
		"latitude first":     {collection(feature(`"A"`, ring("[37.7,-122.5],[37.7,-122.4],[37.8,-122.4],[37.7,-122.5]"))), "A: the point [37.7 -122.5] is not on earth"},
		"too many areas":     {collection(many...), "more than 300 areas"},
		"too many points":    {collection(feature(`"A"`, ring(long+"[1,1]"))), "more than 1000000 points"},
	} {
		t.Run(name, func(t *testing.T) {
			areas, _, err := Parse([]byte(test[0]), "nhood")
			require.ErrorIs(t, err, ErrUnusable)
			require.ErrorContains(t, err, test[1])
			assert.NotContains(t, err.Error(), "\n")
			assert.Nil(t, areas)
		})
	}
	require.ErrorContains(t, checkRing(orb.Ring{{math.NaN(), 1}, {2, 1}, {2, 2}, {math.NaN(), 1}}), "not closed", "what is not a number is not equal to itself")
	require.ErrorContains(t, checkRing(orb.Ring{{1, 1}, {2, math.NaN()}, {2, 2}, {1, 1}}), "is not on earth")
}

// An outline stays within the tolerance, is closed, and no area is lost,
// however fine or small the outlines are.
func TestSimplify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var areas []Area
		for i := range rapid.IntRange(1, 40).Draw(t, "areas") {
			n := rapid.IntRange(3, 400).Draw(t, "points")
			lon, lat := rapid.Float64Range(-122.5, -122.4).Draw(t, "lon"), rapid.Float64Range(37.7, 37.8).Draw(t, "lat")
			size := rapid.SampledFrom([]float64{1e-6, 1e-4, 1e-2, 0.1}).Draw(t, "size")
			wobble := rapid.Float64Range(0, 0.5).Draw(t, "wobble")
			ring := make(orb.Ring, n+1)
			for p := range n {
				angle := 2 * math.Pi * float64(p) / float64(n)
				r := size * (1 + wobble*math.Sin(7*angle))
				ring[p] = orb.Point{lon + r*math.Cos(angle), lat + r*math.Sin(angle)}
			}
			ring[n] = ring[0]
			areas = append(areas, Area{Name: fmt.Sprint(i), Outline: geojson.MultiPolygon{{ring}}})
		}
		before, err := json.Marshal(areas)
		require.NoError(t, err)
		simple, tolerance, err := Simplify(context.Background(), areas) //nolint:forbidigo,usetesting // rapid's T has none
		require.NoError(t, err)
		requireLikeTheLibrary(t, areas, simple, tolerance)
		after, err := json.Marshal(areas)
		require.NoError(t, err)
		require.Equal(t, before, after, "the given areas stay as they are")
		require.Len(t, simple, len(areas))
		require.LessOrEqual(t, Points(simple), MaxPoints)
		for i, a := range simple {
			require.Equal(t, areas[i].Name, a.Name)
			require.NotEmpty(t, a.Outline)
			ring := a.Outline[0][0]
			require.NoError(t, checkRing(ring))
			for _, p := range areas[i].Outline[0][0] {
				line := orb.LineString(ring)
				require.LessOrEqual(t, planar.DistanceFrom(line, p), tolerance+1/decimals, "tolerance %g", tolerance)
			}
		}
	})
}

// requireLikeTheLibrary holds what was kept to what orb keeps at that tolerance,
// which makes the whole recursion for each.
func requireLikeTheLibrary(t *rapid.T, areas, simple []Area, tolerance float64) {
	for i, a := range areas {
		want := simplify.DouglasPeucker(tolerance).Ring(a.Outline[0][0].Clone())
		for p := range want {
			want[p] = orb.Point{math.Round(want[p][0]*decimals) / decimals, math.Round(want[p][1]*decimals) / decimals}
		}
		if len(want) >= ringPoints {
			require.Equal(t, want, simple[i].Outline[0][0])
		}
	}
}

// zigzag is a ring of which the farthest point from a chord is always the next
// one, so that Douglas and Peucker look at each point once for each other one.
func zigzag(points int) orb.Ring {
	ring := make(orb.Ring, points+1)
	for i := range points {
		height := 0.1 * (1 - float64(i)/float64(points))
		if i%2 == 1 {
			height = -height
		}
		ring[i] = orb.Point{-122.5 + float64(i)*1e-9, 37.7 + height}
	}
	ring[points] = ring[0]
	return ring
}

// TestAMillionPointsStopAtTheDeadline: outlines can be such that their
// simplification would take hours.
func TestAMillionPointsStopAtTheDeadline(t *testing.T) {
	areas := []Area{{Name: "Coast", Outline: geojson.MultiPolygon{{zigzag(MaxRead - 1)}}}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	simple, _, err := Simplify(ctx, areas)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Nil(t, simple)
	require.Less(t, time.Since(began), 5*time.Second)
}

// Outlines of the form and size of real ones.
func TestBoundariesOfACity(t *testing.T) {
	for file, want := range map[string]struct {
		property string
		areas    int
	}{
		"analysis_neighborhoods_41.geojson": {"nhood", 41},
		"supervisor_districts_11.geojson":   {"sup_dist_name", 11},
	} {
		for _, path := range testenv.Files(t, "geo/"+file) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			areas, _, err := Parse(data, want.property)
			require.NoError(t, err)
			require.Len(t, areas, want.areas)
			simple, tolerance, err := Simplify(t.Context(), areas)
			require.NoError(t, err)
			require.LessOrEqual(t, tolerance, 1e-3)
			text, err := json.Marshal(simple)
			require.NoError(t, err)
			require.Less(t, len(text), 60_000)
			var whole, kept float64
			for i := range areas {
				require.NotEqual(t, simple[i].Bound().ToRing(), simple[i].Outline[0][0], "no area is lost")
				whole += planar.Area(orb.MultiPolygon(areas[i].Outline))
				kept += planar.Area(orb.MultiPolygon(simple[i].Outline))
			}
			require.InEpsilon(t, whole, kept, 0.002)
			t.Logf("%d points of %d within %g degrees, %d bytes", Points(simple), Points(areas), tolerance, len(text))
		}
	}
}

func TestAnAreaIsStoredAsGeoJSON(t *testing.T) {
	areas, _, err := Parse([]byte(collection(feature(`"Mission"`, square))), "nhood")
	require.NoError(t, err)
	text, err := json.Marshal(areas[0])
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"Mission","outline":{"type":"MultiPolygon","coordinates":[[[[-122.5,37.7],[-122.4,37.7],[-122.4,37.8],[-122.5,37.8],[-122.5,37.7]]]]}}`, string(text))
	stored, err := bson.Marshal(areas[0])
	require.NoError(t, err)
	extended, err := bson.MarshalExtJSON(bson.Raw(stored), false, false)
	require.NoError(t, err)
	assert.JSONEq(t, string(text), string(extended))
	var read Area
	require.NoError(t, bson.Unmarshal(stored, &read))
	assert.Equal(t, areas[0], read)
}
