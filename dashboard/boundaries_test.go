package dashboard_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/boundaries"
	"padron/internal/mongodb"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
)

// TestBoundariesOnTheMap: the map has the address of its outlines, names their
// publisher, and lists the names that only one of the two has. The outlines are
// those that are stored, and the file is small.
func TestBoundariesOnTheMap(t *testing.T) {
	s := newStack(t, 3000)
	s.load()
	stored, err := s.reader.Boundaries.Get(t.Context(), s.spec.Boundaries.ID)
	require.NoError(t, err)
	require.Len(t, stored.Areas, 41)

	address := func(page string) string {
		body := s.ok(page).body
		_, after, found := strings.Cut(body, `"outlines":{"href":"`)
		require.True(t, found, "%s: the map knows its outlines", page)
		href, _, _ := strings.Cut(after, `"`)
		return strings.ReplaceAll(href, `\u0026`, "&")
	}
	href := address("/en/")
	require.Equal(t, href, address("/en/?embed=1&chart=map"))
	require.NotEqual(t, href, address("/es/"), "links are to pages of the reader's language")

	a := s.ok(href, "Accept-Encoding", "gzip")
	require.Equal(t, "application/geo+json; charset=utf-8", a.header.Get("Content-Type"))
	require.Equal(t, "private, max-age=31536000, immutable", a.header.Get("Cache-Control"))
	require.Equal(t, "gzip", a.header.Get("Content-Encoding"))
	require.Less(t, len(a.body), 30_000)
	require.Equal(t, http.StatusNotModified, get(t, s.server.URL, href, "If-None-Match", a.header.Get("ETag")).status)
	a = s.ok(href)
	require.Less(t, len(a.body), 60_000)
	features, err := geojson.UnmarshalFeatureCollection([]byte(a.body))
	require.NoError(t, err)
	require.Len(t, features.Features, 41)
	for i, f := range features.Features {
		require.Equal(t, stored.Areas[i].Name, f.Properties["name"])
		require.Equal(t, orb.MultiPolygon(stored.Areas[i].Outline), f.Geometry)
		if link, ok := f.Properties["href"].(string); ok {
			s.ok(link)
		}
	}
	require.Equal(t, s.spec.Boundaries.License, features.ExtraMembers["license"])
	require.Equal(t, "private, no-cache", s.ok("/data/boundaries.json").header.Get("Cache-Control"),
		"an address without a version may answer with another one tomorrow")
	require.Equal(t, "private, no-cache", s.ok("/data/boundaries.json?v=0").header.Get("Cache-Control"))

	day := stored.Updated.In(s.spec.Location()).Format("2006-01-02")
	require.Contains(t, s.ok("/en/").body, "Over it the outlines of 41 neighborhoods: Analysis Neighborhoods, "+
		"City and County of San Francisco, DataSF, as of "+day+"; license: Open Data Commons")
	require.Contains(t, s.ok("/es/").body, "Encima, los contornos de 41 barrios")
	require.NotContains(t, s.ok("/en/").body, "without an outline")
	var figure struct{ Notes []string }
	s.readJSON(&figure, "/data/overview/map.json")
	require.Contains(t, strings.Join(figure.Notes, " "), "license: Open Data Commons")

	// Names that only one of the two has are counted and listed.
	changed := register.Neighborhoods()
	changed[0].Name, changed[1].Name = "Atlantis", "<b>El Dorado</b>"
	s.portal.PublishBoundaries(changed)
	s.load()
	var body string
	require.Eventually(t, func() bool { // pages may be a second old
		body = s.ok("/en/").body
		return strings.Contains(body, "Neighborhoods of the register without an outline: 2 (Bayview Hunters Point, Bernal Heights).")
	}, 10*time.Second, 100*time.Millisecond)
	require.Regexp(t, `Outlines without a location in the register: \d+ \(Atlantis, &lt;b&gt;El Dorado&lt;/b&gt;`, body)
	require.NotEqual(t, href, address("/en/"), "what changed has another address")
	features, err = geojson.UnmarshalFeatureCollection([]byte(s.ok(address("/en/")).body))
	require.NoError(t, err)
	require.NotContains(t, features.Features[0].Properties, "href", "there is no such page")
}

// TestAMapWithoutBoundaries: without stored boundaries, a map has no outlines
// and no notes about them.
func TestAMapWithoutBoundaries(t *testing.T) {
	s := newStack(t, 500)
	s.portal.PublishBoundaries([]boundaries.Area{})
	run := s.load()
	record, err := s.reader.Runs.Run(t.Context(), run)
	require.NoError(t, err)
	require.Contains(t, s.ok("/en/runs/"+run).body, "the boundaries were not brought up to date: ", "the run says why")
	require.Equal(t, runs.StatusDone, record.Status)
	body := s.ok("/en/").body
	require.Contains(t, body, `data-kind="hexbin"`)
	require.NotContains(t, body, `"outlines"`)
	require.NotContains(t, body, "Over it the outlines")
	a := get(t, s.server.URL, "/data/boundaries.json")
	require.Equal(t, http.StatusNotFound, a.status)
	require.Contains(t, a.body, "There are no boundaries of neighborhoods")
	n, err := s.db.Collection(mongodb.Boundaries).CountDocuments(t.Context(), bson.D{})
	require.NoError(t, err)
	require.Zero(t, n)
}
